#include "relay/ingest/route.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::ingest {
namespace {

TEST(Route, FindsEnvelopeWithAndWithoutTrailingSlash) {
  for (const auto* path : {"/api/42/envelope/", "/api/42/envelope"}) {
    const auto route = find_route(path);
    EXPECT_EQ(route.endpoint, Endpoint::envelope) << path;
    EXPECT_EQ(route.project, "42") << path;
    EXPECT_TRUE(owns_path(path)) << path;
  }
}

TEST(Route, FindsStoreOfAProjectAndTheLegacyOneWithoutProject) {
  EXPECT_EQ(find_route("/api/42/store/").project, "42");
  EXPECT_EQ(find_route("/api/store/").endpoint, Endpoint::store);
  EXPECT_EQ(find_route("/api/store").endpoint, Endpoint::store);
  EXPECT_EQ(find_route("/api/store/").project, "");
  EXPECT_TRUE(owns_path("/api/store/"));
}

TEST(Route, FindsHealthAndMetrics) {
  EXPECT_EQ(find_route("/api/relay/healthcheck/live/").endpoint, Endpoint::live);
  EXPECT_EQ(find_route("/api/relay/healthcheck/ready").endpoint, Endpoint::ready);
  EXPECT_EQ(find_route("/metrics").endpoint, Endpoint::metrics);
  EXPECT_TRUE(owns_path("/metrics"));
}

TEST(Route, LeavesTheRestApiAndThePageToOthers) {
  for (const auto* path :
       {"/", "", "/api", "/api/", "/api/0/", "/api/0/organizations/", "/api/0/envelope/",
        "/metricsx", "/apix/1/envelope/", "/index.html", "/api/embed/", "/js-sdk-loader/",
        "/api/embed/envelope/"}) {
    EXPECT_FALSE(owns_path(path)) << path;
    EXPECT_EQ(find_route(path).endpoint, Endpoint::unknown) << path;
  }
}

TEST(Route, OwnsWhateverLiesBelowAProjectNumber) {
  for (const auto* path : {"/api/1/", "/api/1", "/api/1/playstation/", "/api/1/envelope/x",
                           "/api/1/envelopes/", "/api/relay/nothing/", "/api/1/ENVELOPE/"}) {
    EXPECT_TRUE(owns_path(path)) << path;
    EXPECT_EQ(find_route(path).endpoint, Endpoint::unknown) << path;
  }
}

TEST(Route, OwnsTheEnvelopeEndpointOfAProjectThatIsNoNumber) {
  EXPECT_TRUE(owns_path("/api/shop/envelope/"));
  EXPECT_EQ(find_route("/api/shop/envelope/").project, "shop");
  EXPECT_FALSE(owns_path("/api/shop/other/"));
}

TEST(Route, FindsEveryEndpointWithAndWithoutTrailingSlash) {
  struct Case {
    std::string_view path;
    Endpoint endpoint;
    std::string_view key;
    std::string_view name;
  };
  for (const auto& [path, endpoint, key, name] : {
           Case{"/api/1/security", Endpoint::security, "", ""},
           Case{"/api/1/csp-report", Endpoint::security, "", ""},
           Case{"/api/1/nel", Endpoint::nel, "", ""},
           Case{"/api/1/cron/my%20job", Endpoint::cron, "", "my%20job"},
           Case{"/api/1/cron/job/abc", Endpoint::cron, "abc", "job"},
           Case{"/api/1/crons/job/abc", Endpoint::cron, "abc", "job"},
           Case{"/api/1/integration/vercel/logs", Endpoint::vercel_logs, "", ""},
           Case{"/api/1/integration/otlp/v1/traces", Endpoint::otlp_traces, "", ""},
           Case{"/api/1/integration/otlp/v1/logs", Endpoint::otlp_logs, "", ""},
           Case{"/api/embed/error-page", Endpoint::error_page, "", ""},
           Case{"/js-sdk-loader/abc.js", Endpoint::js_loader, "", "abc.js"},
           Case{"/js-sdk-bundle/bundle.js", Endpoint::js_bundle, "", ""},
       }) {
    for (const auto& target : {std::string(path), std::string(path) + "/"}) {
      const auto route = find_route(target);
      EXPECT_EQ(route.endpoint, endpoint) << target;
      EXPECT_EQ(route.key, key) << target;
      EXPECT_EQ(route.name, name) << target;
      EXPECT_TRUE(owns_path(target)) << target;
    }
  }
}

TEST(Route, HasNoEndpointBesideItsPattern) {
  for (const auto* path : {"/api/1/cron", "/api/1/cron/a/b/c", "/api/1/integration",
                           "/api/1/integration/otlp/v1/metrics", "/api/0/security/",
                           "/api/relay/nel/", "/js-sdk-loader/a/b.js", "/js-sdk-bundle/other.js"}) {
    EXPECT_EQ(find_route(path).endpoint, Endpoint::unknown) << path;
  }
}

}  // namespace
}  // namespace picket::ingest

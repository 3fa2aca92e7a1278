#include "relay/ingest/route.h"

#include <gtest/gtest.h>

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
        "/metricsx", "/apix/1/envelope/", "/index.html", "/api/embed/error-page/"}) {
    EXPECT_FALSE(owns_path(path)) << path;
    EXPECT_EQ(find_route(path).endpoint, Endpoint::unknown) << path;
  }
}

TEST(Route, OwnsWhateverLiesBelowAProjectNumber) {
  for (const auto* path : {"/api/1/", "/api/1", "/api/1/minidump/", "/api/1/envelope/x",
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

}  // namespace
}  // namespace picket::ingest

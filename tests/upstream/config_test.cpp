#include "upstream/config.h"

#include "upstream/routes.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "support/temp_dir.h"

namespace picket::upstream {
namespace {

constexpr char dsn[] = "https://abababababababababababababababab@sentry.example.com/12";
const std::string raw_key(16, '\x12');
const std::string hex_key = "12121212121212121212121212121212";

std::string refusal(const DestinationConfig& config) {
  const auto result = checked({config});
  return result ? "" : result.error().detail;
}

DestinationConfig by_dsn() {
  DestinationConfig config;
  config.dsn = dsn;
  return config;
}
DestinationConfig by_url(const std::string& url = "https://sentry.example.com") {
  DestinationConfig config;
  config.url = url;
  return config;
}

TEST(DestinationConfig, SaysWhatToDoWhenNeitherOrBothOfDsnAndUrlAreThere) {
  EXPECT_NE(refusal({}).find("set dsn"), std::string::npos);
  auto both = by_dsn();
  both.url = "https://sentry.example.com";
  EXPECT_NE(refusal(both).find("not both"), std::string::npos);
}

TEST(DestinationConfig, RefusesWhatIsNoDsnAndNoUrl) {
  for (const char* const bad : {"sentry.example.com", "https://sentry.example.com/1", "https://short@host/1",
                                "ftp://abababababababababababababababab@host/1"}) {
    DestinationConfig config;
    config.dsn = bad;
    EXPECT_NE(refusal(config).find("dsn must look like"), std::string::npos) << bad;
  }
  for (const char* const bad : {"sentry.example.com", "https://", "ftp://x", "https://user@host", "https://host?a=b"}) {
    EXPECT_NE(refusal(by_url(bad)).find("url must look like"), std::string::npos) << bad;
  }
}

TEST(DestinationConfig, TakesItsNameFromTheHostAndWantsNamesToDiffer) {
  const auto one = checked({by_dsn()});
  ASSERT_TRUE(one);
  EXPECT_EQ((*one)[0].name, "sentry.example.com");
  const auto two = checked({by_dsn(), by_url()});
  ASSERT_FALSE(two);
  EXPECT_NE(two.error().detail.find("give each a name"), std::string::npos);
}

TEST(DestinationConfig, RefusesHalfAClientCertificateAndUnknownCompression) {
  auto config = by_dsn();
  config.client_key = "key.pem";
  EXPECT_NE(refusal(config).find("set both or none"), std::string::npos);
  config = by_dsn();
  config.compression = "deflate";
  EXPECT_NE(refusal(config).find("compression must be"), std::string::npos);
  config = by_dsn();
  config.retry_max = Duration(1);
  EXPECT_NE(refusal(config).find("retry_max"), std::string::npos);
  config = by_dsn();
  config.name = "with space";
  EXPECT_NE(refusal(config).find("name"), std::string::npos);
}

TEST(DestinationConfig, RefusesAMapThatNamesNoProject) {
  auto config = by_dsn();
  config.projects = {{"web", dsn}};
  EXPECT_NE(refusal(config).find("\"web\""), std::string::npos);
  config.projects = {{"1", "2"}};
  EXPECT_NE(refusal(config).find("must be given a DSN"), std::string::npos);
}

TEST(DestinationConfig, SaysWhatTheStatusSyncNeeds) {
  auto config = by_dsn();
  EXPECT_FALSE(config.syncs());
  config.status_sync = "on";
  EXPECT_NE(refusal(config).find("off, send, receive or both"), std::string::npos);
  config.status_sync = "both";
  EXPECT_NE(refusal(config).find("api_organization"), std::string::npos);
  config.api_organization = "acme/../other";
  EXPECT_NE(refusal(config).find("api_organization"), std::string::npos);
  config.api_organization = "acme";
  EXPECT_NE(refusal(config).find("api_token_file"), std::string::npos);
  config.api_token = "s3cret\r\nX-Evil: 1";
  EXPECT_NE(refusal(config).find("one word"), std::string::npos);
  EXPECT_EQ(refusal(config).find("s3cret"), std::string::npos);
  config.api_token = "s3cret";
  EXPECT_EQ(refusal(config), "");
  config.api_token_file = "/etc/token";
  EXPECT_NE(refusal(config).find("not both"), std::string::npos);
  config.api_token.clear();
  config.api_url = "sentry.example.com";
  EXPECT_NE(refusal(config).find("api_url must look like"), std::string::npos);
  config.api_url = "https://sentry.example.com/prefix/";
  EXPECT_EQ(refusal(config), "");
  EXPECT_EQ(*parse_origin(config.api_url), "https://sentry.example.com/prefix");
}

TEST(Routes, SayWhichProjectOverThereALocalOneIs) {
  EXPECT_EQ(make_routes(by_dsn())->project_there(99), 12U);
  auto config = by_url();
  config.projects = {{"1", "100"}, {"2", dsn}};
  const auto routes = make_routes(config);
  EXPECT_EQ(routes->project_there(1), 100U);
  EXPECT_EQ(routes->project_there(2), 12U);
  EXPECT_EQ(routes->project_there(3), 3U);
  EXPECT_EQ(routes->origin(), "https://sentry.example.com");
}

TEST(DestinationConfig, NeverRepeatsASecretInAnError) {
  DestinationConfig config;
  config.dsn = "https://abababababababababababababababab:s3cret@host:notaport/1";
  EXPECT_EQ(refusal(config).find("s3cret"), std::string::npos);
  EXPECT_NE(refusal(config), "");
}

TEST(DestinationConfig, IsReadFromFileAndEnvironment) {
  const testing::TempDir folder;
  std::ofstream(folder / "picket.toml") << "[[upstream]]\nname = \"a\"\nurl = \"https://a.example\"\nstall_timeout = \"90s\"\n"
                                           "[upstream.projects]\n1 = \"7\"\n";
  auto document = Configuration::load(folder / "picket.toml", {{"PICKET_UPSTREAM_1_DSN", dsn}});
  ASSERT_TRUE(document);
  ASSERT_EQ(document->count("upstream"), 2U);
  std::vector<DestinationConfig> configs(2);
  for (std::size_t i = 0; i < 2; ++i) {
    document->element("upstream", i, [&](Settings& settings) { bind(settings, configs[i]); });
  }
  EXPECT_TRUE(document->problems().empty()) << document->problems().front();
  EXPECT_EQ(configs[0].stall_timeout, std::chrono::seconds(90));
  EXPECT_EQ(configs[0].projects, (std::vector<std::pair<std::string, std::string>>{{"1", "7"}}));
  EXPECT_EQ(configs[1].dsn, dsn);
}

TEST(Routes, SendEverythingToOneDsn) {
  const auto routes = make_routes(by_dsn());
  ASSERT_TRUE(routes);
  ASSERT_TRUE(routes->only_target());
  const auto target = routes->find_target(99, "");
  ASSERT_TRUE(target);
  EXPECT_EQ(render_url(*target), "https://sentry.example.com/api/12/envelope/");
  EXPECT_EQ(target->key, "abababababababababababababababab");
  EXPECT_EQ(target->dsn, dsn);
}

TEST(Routes, KeepProjectAndKeyAtAUrl) {
  const auto routes = make_routes(by_url("http://[::1]:9000/sentry/"));
  ASSERT_TRUE(routes);
  EXPECT_FALSE(routes->only_target());
  const auto target = routes->find_target(99, raw_key);
  ASSERT_TRUE(target);
  EXPECT_EQ(render_url(*target), "http://[::1]:9000/sentry/api/99/envelope/");
  EXPECT_EQ(target->dsn, "http://" + hex_key + "@[::1]:9000/sentry/99");
}

TEST(Routes, MapProjectsToDsnsAndIds) {
  auto config = by_url();
  config.projects = {{"1", "100"}, {"2", "https://abababababababababababababababab@other.example/5"}};
  const auto routes = make_routes(config);
  ASSERT_TRUE(routes);
  EXPECT_EQ(render_url(*routes->find_target(1, raw_key)), "https://sentry.example.com/api/100/envelope/");
  EXPECT_EQ(routes->find_target(1, raw_key)->key, hex_key);
  EXPECT_EQ(render_url(*routes->find_target(2, raw_key)), "https://other.example/api/5/envelope/");
  EXPECT_EQ(routes->find_target(2, raw_key)->key, "abababababababababababababababab");
  EXPECT_EQ(render_url(*routes->find_target(3, raw_key)), "https://sentry.example.com/api/3/envelope/");
}

TEST(DestinationConfig, ARelayRegistersWithOneUpstream) {
  auto config = by_url();
  EXPECT_FALSE(config.managed());
  config.relay_credentials_file = "/etc/picket/credentials.json";
  EXPECT_TRUE(config.managed());
  config.projects = {{"1", "100"}, {"2", "https://abababababababababababababababab@sentry.example.com/5"}};
  EXPECT_EQ(refusal(config), "");
  config.projects.emplace_back("3", "https://abababababababababababababababab@other.example/5");
  EXPECT_NE(refusal(config).find("same address"), std::string::npos);
}

TEST(Routes, MoveAKeyToAnotherProjectOfTheSamePlace) {
  auto target = *make_routes(by_url("http://[::1]:9000/sentry/"))->find_target(99, raw_key);
  move_to(target, 7);
  EXPECT_EQ(render_url(target), "http://[::1]:9000/sentry/api/7/envelope/");
  EXPECT_EQ(target.dsn, "http://" + hex_key + "@[::1]:9000/sentry/7");
}

TEST(Routes, HaveNoAddressForARecordWithoutAKey) {
  const auto routes = make_routes(by_url());
  ASSERT_TRUE(routes);
  EXPECT_FALSE(routes->find_target(1, ""));
}

}  // namespace
}  // namespace picket::upstream

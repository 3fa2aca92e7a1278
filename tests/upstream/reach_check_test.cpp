#include "upstream/reach_check.h"

#include "relay/protocol/relay_identity.h"
#include "support/fake_upstream.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace picket::upstream {
namespace {

using testing::FakeUpstream;
using testing::Reply;

class ReachCheck : public ::testing::Test {
 protected:
  ReachCheck() {
    config.name = "hub";
    config.url = upstream.url();
    config.connect_timeout = std::chrono::seconds(5);
  }
  // All of them, by subject.
  std::vector<Finding> check() const { return check_destinations({config}, SystemClock(), {.at_most = std::chrono::seconds(5)}); }
  Finding find(const std::string& subject) const {
    for (const Finding& finding : check()) {
      if (finding.subject == subject) return finding;
    }
    return {Grade::fail, "", "there is no finding about " + subject};
  }

  FakeUpstream upstream;
  DestinationConfig config;
};

std::string http_date(std::time_t when) {
  std::tm parts{};
  ::gmtime_r(&when, &parts);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text.data();
}

TEST_F(ReachCheck, ATrackerThatAnswersIsWellWhateverItKnowsOfTheQuestion) {
  for (const unsigned status : {200U, 401U, 404U, 405U}) {
    upstream.answer_with({.status = status, .body = "{}"});
    EXPECT_EQ(find("upstream hub").grade, Grade::ok) << status;
  }
}

TEST_F(ReachCheck, AsksOnceAndSendsNoEventAndNoKey) {
  config.url.clear();
  config.dsn = upstream.dsn(7);
  EXPECT_EQ(find("upstream hub").grade, Grade::ok);
  ASSERT_EQ(upstream.received().size(), 1U);
  const auto received = upstream.received()[0];
  EXPECT_EQ(received.path, "/api/relay/healthcheck/live/");
  EXPECT_EQ(received.body_bytes, 0U);
  EXPECT_TRUE(received.key.empty());
  for (const Finding& finding : check()) {
    EXPECT_EQ((finding.words + finding.to_do).find("abababab"), std::string::npos) << finding.words;
  }
}

TEST_F(ReachCheck, ACaptivePortalIsRecognised) {
  upstream.answer_with(testing::portal_page());
  EXPECT_EQ(find("upstream hub").grade, Grade::fail);
  EXPECT_NE(find("upstream hub").words.find("captive portal"), std::string::npos);
  upstream.answer_with({.status = 511, .body = "<html>log in</html>", .content_type = "text/html"});
  EXPECT_NE(find("upstream hub").words.find("captive portal"), std::string::npos);
  upstream.answer_with({.status = 200, .body = "  <!doctype html><p>welcome", .content_type = "text/plain"});
  EXPECT_NE(find("upstream hub").words.find("captive portal"), std::string::npos);
}

TEST_F(ReachCheck, ARedirectNamesWhereItLeads) {
  upstream.answer_with({.status = 302, .body = "{}", .headers = {{"Location", "https://login.hotel.example/"}}});
  EXPECT_EQ(find("upstream hub").grade, Grade::fail);
  EXPECT_NE(find("upstream hub").words.find("login.hotel.example"), std::string::npos);
}

TEST_F(ReachCheck, TroubleOverThereIsAWarning) {
  for (const unsigned status : {500U, 503U, 429U}) {
    upstream.answer_with({.status = status, .body = "{}"});
    EXPECT_EQ(find("upstream hub").grade, Grade::warn) << status;
  }
}

TEST_F(ReachCheck, ItsClockIsComparedWithOurs) {
  const auto today = std::time(nullptr);
  upstream.answer_with({.body = "{}", .headers = {{"Date", http_date(today)}}});
  EXPECT_EQ(find("upstream hub clock").grade, Grade::ok);
  upstream.answer_with({.body = "{}", .headers = {{"Date", http_date(today - 7200)}}});
  EXPECT_EQ(find("upstream hub clock").grade, Grade::warn);
  EXPECT_NE(find("upstream hub clock").words.find("ahead of"), std::string::npos);
  upstream.answer_with({.body = "{}", .headers = {{"Date", http_date(today + 7200)}}});
  EXPECT_NE(find("upstream hub clock").words.find("behind"), std::string::npos);
}

TEST_F(ReachCheck, NobodyThereIsAFailureWithTheReason) {
  config.url = "http://127.0.0.1:9";
  EXPECT_EQ(find("upstream hub").grade, Grade::fail);
  config.url = "http://no-such-host.invalid";
  EXPECT_EQ(find("upstream hub DNS").grade, Grade::fail);
  EXPECT_NE(find("upstream hub DNS").to_do.find("resolv.conf"), std::string::npos);
  upstream.answer_with({.way = Reply::Way::reset});
  config.url = upstream.url();
  EXPECT_EQ(find("upstream hub").grade, Grade::fail);
}

TEST_F(ReachCheck, AProxyIsUsedAndItsPasswordNeverShown) {
  config.proxy = "http://till:hunter2@" + upstream.url().substr(7);
  config.url = "http://hub.invalid";
  EXPECT_EQ(find("upstream hub").grade, Grade::ok) << find("upstream hub").words;
  upstream.answer_with({.status = 407, .body = "{}"});
  EXPECT_EQ(find("upstream hub").grade, Grade::fail);
  config.proxy = "http://till:hunter2@127.0.0.1:9";
  const auto all = check();
  EXPECT_EQ(all.at(0).grade, Grade::fail);
  for (const Finding& finding : all) {
    EXPECT_EQ((finding.words + finding.to_do).find("hunter2"), std::string::npos) << finding.words;
  }
}

TEST_F(ReachCheck, AnAuthoritiesFileThatIsNotThereFails) {
  const testing::TempDir folder;
  config.url = "https://127.0.0.1:" + std::to_string(upstream.port());
  config.ca_file = folder / "ca.pem";
  EXPECT_EQ(find("upstream hub CA bundle").grade, Grade::fail);
}

TEST_F(ReachCheck, ARelaysCredentialsAreLookedAtAndTheirSecretIsNotPrinted) {
  const testing::TempDir folder;
  const auto file = folder / "credentials.json";
  config.relay_credentials_file = file;
  EXPECT_EQ(find("upstream hub credentials").grade, Grade::fail);
  const auto identity = relay::RelayIdentity::generate();
  std::ofstream(file) << identity.render();
  std::filesystem::permissions(file, std::filesystem::perms(0644));
  EXPECT_EQ(find("upstream hub credentials").grade, Grade::warn);
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  const auto found = find("upstream hub credentials");
  EXPECT_EQ(found.grade, Grade::ok);
  EXPECT_NE(found.words.find(identity.public_key()), std::string::npos);
  EXPECT_EQ(found.words.find(identity.render().substr(15, 40)), std::string::npos);
}

TEST_F(ReachCheck, EveryOriginThatProjectsAreMappedToIsAsked) {
  FakeUpstream other;
  other.answer_with({.status = 503, .body = "{}"});
  config.projects = {{"3", other.dsn(4)}};
  const auto all = check();
  EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const Finding& f) { return f.grade == Grade::warn; }), 1);
  EXPECT_EQ(other.requests(), 1U);
  EXPECT_EQ(upstream.requests(), 1U);
}

TEST(JudgeProbe, ACertificateThatEndsSoonIsAWarning) {
  DestinationConfig config;
  config.name = "hub";
  Probe probe{.stage = Stage::answered, .status = 200, .asked = SystemClock().now()};
  probe.certificate_ends = probe.asked + std::chrono::hours(24 * 5 + 1);
  const auto soon = judge_probe(config, "https://127.0.0.1", probe);
  EXPECT_EQ(soon.at(1).grade, Grade::warn);
  probe.certificate_ends = probe.asked + std::chrono::hours(24 * 60);
  EXPECT_EQ(judge_probe(config, "https://127.0.0.1", probe).at(1).grade, Grade::ok);
}

TEST(CheckService, TellsHealthyFromNotReadyFromAbsentFromSomebodyElse) {
  FakeUpstream service;
  service.answer_with({.body = R"({"is_healthy":true})"});
  EXPECT_EQ(check_service(service.url(), true).grade, Grade::ok);
  EXPECT_EQ(check_service(service.url(), false).grade, Grade::warn);
  service.answer([](const testing::Received& request) {
    return Reply{.status = request.path.find("ready") != std::string::npos ? 503U : 200U, .body = "{}"};
  });
  EXPECT_EQ(check_service(service.url(), true).grade, Grade::fail);
  service.answer_with(testing::portal_page());
  EXPECT_EQ(check_service(service.url(), true).grade, Grade::fail);
  EXPECT_EQ(check_service("http://127.0.0.1:9", true).grade, Grade::fail);
  const auto absent = check_service("http://127.0.0.1:9", false);
  EXPECT_EQ(absent.grade, Grade::warn);
  EXPECT_NE(absent.to_do.find("picket serve"), std::string::npos);
}

}  // namespace
}  // namespace picket::upstream

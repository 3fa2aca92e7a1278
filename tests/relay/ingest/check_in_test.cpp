#include "relay/ingest/small_endpoints.h"

namespace picket::ingest {
namespace {

class CheckIns : public SmallEndpointTest {};

constexpr std::string_view check_in_id = "a6a0c1d6b4e04e0bb4b6a7f0ad1c3c4e";

TEST_F(CheckIns, ComeAsAQuery) {
  for (const auto* method : {"GET", "POST", "HEAD"}) {
    const auto response = ask(make_request(method, address("cron/nightly/", "&status=in_progress")));
    EXPECT_EQ(response.status, 202U) << method;
    EXPECT_EQ(response.body, "");
  }
  ASSERT_EQ(journal.records().size(), 3U);
  EXPECT_EQ(meta_of(journal.records()[0]).client(), "relay-http");
}

TEST_F(CheckIns, SayWhatTheQuerySays) {
  ask(make_request("GET", address("cron/nightly%20run/", "&status=ok&check_in_id=" +
                                                             std::string(check_in_id) +
                                                             "&environment=edge%22&duration=12.5")));
  EXPECT_EQ(kept()[0].type, "check_in");
  EXPECT_EQ(only_payload(), R"({"monitor_slug":"nightly run","status":"ok","check_in_id":")" +
                                std::string(check_in_id) +
                                R"(","environment":"edge\"","duration":12.5})");
}

TEST_F(CheckIns, MeanTheLatestWithoutAnId) {
  ask(make_request("GET", address("cron/nightly", "&status=error")));
  EXPECT_EQ(only_payload(),
            R"({"monitor_slug":"nightly","status":"error",)"
            R"("check_in_id":"00000000000000000000000000000000"})");
}

TEST_F(CheckIns, AreTakenWithTheKeyInThePath) {
  const std::string key(good_key);
  for (const auto& target : {"/api/1/cron/nightly/" + key + "/?status=ok",
                             "/api/1/cron/nightly/" + key + "?status=ok",
                             "/api/1/crons/nightly/" + key + "/?status=ok"}) {
    EXPECT_EQ(ask(make_request("GET", target)).status, 202U) << target;
  }
  EXPECT_EQ(ask(make_request("GET", "/api/1/cron/nightly/?status=ok")).status, 401U);
  EXPECT_EQ(ask(make_request("GET", "/api/1/cron/nightly/" + key + "/?status=ok&sentry_key=" + key))
                .status,
            401U);
  EXPECT_EQ(ask(make_request("GET", "/api/1/cron/nightly/" + std::string(unknown_key) +
                                        "/?status=ok"))
                .status,
            403U);
}

TEST_F(CheckIns, ComeAsJsonForTheMonitorOfThePath) {
  const auto response = post(
      address("cron/nightly/"),
      R"({"monitor_slug":"other","status":"ok","duration":3,"check_in_id":null,)"
      R"("monitor_config":{"schedule":{"type":"crontab","value":"0 0 * * *"}},"unknown":[1]})",
      typed("application/json; charset=utf-8"));
  EXPECT_EQ(response.status, 202U);
  EXPECT_EQ(only_payload(),
            R"({"monitor_slug":"nightly","status":"ok","duration":3,)"
            R"("monitor_config":{"schedule":{"type":"crontab","value":"0 0 * * *"}},"unknown":[1],)"
            R"("check_in_id":"00000000000000000000000000000000"})");
}

TEST_F(CheckIns, AreRefusedWhenTheyMakeNoSense) {
  for (const auto* more :
       {"", "&status=", "&status=fine", "&status=ok&check_in_id=7", "&status=ok&duration=long",
        "&status=ok&duration=-1", "&status=ok&duration=inf", "&status=ok&duration=nan"}) {
    EXPECT_EQ(ask(make_request("GET", address("cron/nightly/", more))).status, 400U) << more;
  }
  for (const auto* body : {"{", "[]", "7", R"({"status":7})", R"({"status":"fine"})", "{}",
                           R"({"status":"ok","check_in_id":[]})"}) {
    EXPECT_EQ(post(address("cron/nightly/"), body, typed("application/json")).status, 400U) << body;
  }
  EXPECT_TRUE(kept_nothing());
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "invalid_check_in"), 15U);
  EXPECT_EQ(ingest->counters().received(relay::DataCategory::monitor), 15U);
}

TEST_F(CheckIns, RenderNumbersAsJsonDoes) {
  for (const auto* duration : {"1.", ".5", "1e3"}) {
    ask(make_request("GET", address("cron/nightly/", std::string("&status=ok&duration=") + duration)));
  }
  const auto records = journal.records();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_NE(decoded(records[0]).find(R"("duration":1,)"), std::string::npos);
  EXPECT_NE(decoded(records[1]).find(R"("duration":0.5,)"), std::string::npos);
  EXPECT_NE(decoded(records[2]).find(R"("duration":1000,)"), std::string::npos);
}

// A job must not fail for a limit; but it must not be told that what is lost was taken.
TEST_F(CheckIns, NeverHear429) {
  journal.set_full(true);
  EXPECT_EQ(ask(make_request("GET", address("cron/nightly/", "&status=ok"))).status, 503U);
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::rate_limited, "disk_full"), 1U);
}

TEST_F(CheckIns, AllowTheMethodsOfCurl) {
  const auto response = ask(make_request("PUT", address("cron/nightly/", "&status=ok")));
  EXPECT_EQ(response.status, 405U);
  EXPECT_EQ(response.headers.find("Allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(ask(make_request("OPTIONS", "/api/1/cron/nightly/")).status, 200U);
}

}  // namespace
}  // namespace picket::ingest

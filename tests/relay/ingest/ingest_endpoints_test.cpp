#include "buffer/settings.h"
#include "relay/ingest/desk.h"

#include <fstream>

namespace picket::ingest {
namespace {

class Endpoints : public DeskTest {};

TEST_F(Endpoints, AnswerAPreflightForEveryOrigin) {
  for (const auto* target : {"/api/1/envelope/", "/api/1/store/", "/api/store/"}) {
    const auto response =
        ask(make_request("OPTIONS", target, {{"Origin", "https://shop.example"}}));
    EXPECT_EQ(response.status, 200U) << target;
    EXPECT_EQ(response.headers.find("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(response.headers.find("Access-Control-Allow-Methods"), "POST");
    EXPECT_EQ(response.headers.find("Access-Control-Max-Age"), "3600");
    const auto allowed = response.headers.find("Access-Control-Allow-Headers");
    for (const auto* name : {"x-sentry-auth", "x-requested-with", "x-forwarded-for", "origin",
                             "referer", "accept", "content-type", "authentication", "authorization",
                             "content-encoding", "transfer-encoding"}) {
      EXPECT_NE(allowed.find(name), std::string_view::npos) << name;
    }
  }
}

TEST_F(Endpoints, LetBrowsersReadEveryAnswer) {
  for (const auto& response :
       {send(event_envelope()), send("nonsense"), post("/api/1/envelope/", ""),
        ask(make_request("GET", "/api/1/envelope/")),
        ask(make_request("POST", "/api/1/nothing/"))}) {
    EXPECT_EQ(response.headers.find("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(response.headers.find("Access-Control-Expose-Headers"),
              "x-sentry-error, x-sentry-rate-limits, retry-after");
    EXPECT_EQ(response.headers.find("Cross-Origin-Resource-Policy"), "cross-origin");
  }
}

TEST_F(Endpoints, RefuseOtherMethods) {
  for (const auto* method : {"GET", "PUT", "DELETE", "PATCH", "BREW"}) {
    const auto response = ask(make_request(method, "/api/1/envelope/"));
    EXPECT_EQ(response.status, 405U) << method;
    EXPECT_EQ(response.headers.find("Allow"), "POST, OPTIONS");
  }
  EXPECT_EQ(ask(make_request("POST", "/metrics")).status, 405U);
  EXPECT_EQ(ask(make_request("POST", "/api/relay/healthcheck/live/")).status, 405U);
}

TEST_F(Endpoints, SayWhenThereIsNothing) {
  for (const auto* target :
       {"/api/1/", "/api/1/playstation/", "/api/relay/autoscaling/", "/api/1/envelope/deeper/"}) {
    const auto response = post(target, "");
    EXPECT_EQ(response.status, 404U) << target;
    EXPECT_TRUE(response.body.starts_with(R"({"detail":")"));
  }
}

TEST_F(Endpoints, AreHealthy) {
  for (const auto* target : {"/api/relay/healthcheck/live/", "/api/relay/healthcheck/ready/",
                             "/api/relay/healthcheck/ready"}) {
    const auto response = ask(make_request("GET", target));
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.body, R"({"is_healthy":true})");
  }
}

TEST_F(Endpoints, KeepTheConnectionForWhatNeedsNoBody) {
  for (const auto* target :
       {"/api/1/envelope/", "/api/1/nothing/", "/metrics", "/api/relay/healthcheck/live/"}) {
    const auto admission = ingest->admit(make_request("OPTIONS", target).head);
    EXPECT_TRUE(std::holds_alternative<http::ReadBody>(admission)) << target;
  }
}

TEST_F(Endpoints, ShowWhatHappenedAsMetrics) {
  send(event_envelope());
  send("nonsense");
  post("/api/1/envelope/", "", {{"X-Sentry-Auth", auth(unknown_key)}});
  ingest->add_metrics([](std::string& out) { out += "picket_of_another_room 7\n"; });

  const auto response = ask(make_request("GET", "/metrics"));

  EXPECT_EQ(response.status, 200U);
  EXPECT_TRUE(response.content_type.starts_with("text/plain"));
  for (const std::string_view line : {
           "# TYPE picket_requests_total counter\n",
           R"(picket_requests_total{endpoint="envelope",status="200"} 1)"
           "\n",
           R"(picket_requests_total{endpoint="envelope",status="400"} 1)"
           "\n",
           R"(picket_requests_total{endpoint="envelope",status="403"} 1)"
           "\n",
           "picket_envelopes_received_total 1\n",
           R"(picket_items_received_total{category="error"} 1)"
           "\n",
           R"(picket_items_dropped_total{outcome="invalid",reason="invalid_envelope"} 1)"
           "\n",
           R"(picket_items_dropped_total{outcome="invalid",reason="project_state"} 1)"
           "\n",
           "# TYPE picket_ack_seconds histogram\n",
           R"(picket_ack_seconds_bucket{le="+Inf"} 1)"
           "\n",
           "picket_ack_seconds_count 1\n",
           "picket_ingest_waiting_records 0\n",
           "picket_journal_next_sequence 2\n",
           "picket_journal_full 0\n",
           "picket_journal_failed_commits_total 0\n",
           "picket_journal_commit_seconds_total 0\n",
           "picket_ready 1\n",
           "picket_of_another_room 7\n",
       }) {
    EXPECT_NE(response.body.find(line), std::string::npos) << line << "\nin\n" << response.body;
  }
}

TEST_F(Endpoints, WriteMetricsThatParseLineByLine) {
  send(event_envelope());
  const auto text = ask(make_request("GET", "/metrics")).body;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = text.find('\n', at);
    ASSERT_NE(end, std::string::npos);
    const auto line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("# TYPE ")) continue;
    const auto space = line.rfind(' ');
    ASSERT_NE(space, std::string::npos) << line;
    EXPECT_EQ(line.substr(space + 1).find_first_not_of("0123456789.e+-"), std::string::npos)
        << line;
    EXPECT_TRUE(line.starts_with("picket_")) << line;
  }
}

TEST(AckLatency, FallsIntoItsBucket) {
  Counters counters;
  counters.count_acknowledged(std::chrono::microseconds(400));
  counters.count_acknowledged(std::chrono::seconds(10));
  std::string text;
  counters.render(text);
  EXPECT_NE(text.find(R"(picket_ack_seconds_bucket{le="0.00025"} 0)"), std::string::npos);
  EXPECT_NE(text.find(R"(picket_ack_seconds_bucket{le="0.0005"} 1)"), std::string::npos);
  EXPECT_NE(text.find(R"(picket_ack_seconds_bucket{le="2.5"} 1)"), std::string::npos);
  EXPECT_NE(text.find(R"(picket_ack_seconds_bucket{le="+Inf"} 2)"), std::string::npos);
}

TEST(IngestConfig, IsReadFromItsSection) {
  const testing::TempDir folder;
  std::ofstream(folder / "picket.toml")
      << "[ingest]\nmax_envelope_bytes = \"20MiB\"\nmax_items = 50\n";
  auto configuration =
      Configuration::load(folder / "picket.toml", {{"PICKET_INGEST_MAX_EVENT_BYTES", "2MiB"}});
  ASSERT_TRUE(configuration);
  IngestConfig config;

  configuration->section("ingest", [&](Settings& settings) { bind(settings, config); });

  EXPECT_TRUE(configuration->problems().empty());
  EXPECT_EQ(config.max_envelope_bytes, std::uint64_t{20} << 20);
  EXPECT_EQ(config.max_event_bytes, std::uint64_t{2} << 20);
  EXPECT_EQ(config.max_items, 50U);
  EXPECT_EQ(config.max_attachment_bytes, IngestConfig{}.max_attachment_bytes);
}

}  // namespace
}  // namespace picket::ingest

// nel/ and integration/vercel/logs: what others report becomes logs.
#include "relay/ingest/small_endpoints.h"

namespace picket::ingest {
namespace {

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

class NetworkErrors : public SmallEndpointTest {
 protected:
  http::Response report(std::string body, std::string type = "application/reports+json") {
    return post(address("nel/"), std::move(body), typed(std::move(type)));
  }
};

constexpr std::string_view refused =
    R"({"age":1500,"type":"network-error","url":"https://shop.example:8443/cart?a=1",)"
    R"("user_agent":"Browser/1","body":{"elapsed_time":12,"method":"GET","phase":"connection",)"
    R"("protocol":"http/1.1","referrer":"https://shop.example/","sampling_fraction":0.5,)"
    R"("server_ip":"192.0.2.1","status_code":0,"type":"tcp.refused"}})";

TEST_F(NetworkErrors, BecomeLogs) {
  EXPECT_EQ(report("[" + std::string(refused) + "]").status, 200U);
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(kept()[0].type, "log");
  EXPECT_TRUE(holds(kept()[0].header, R"("content_type":"application/vnd.sentry.items.log+json")"));
  const auto log = kept()[0].payload;
  EXPECT_TRUE(log.starts_with(R"({"items":[{"timestamp":1699999998.500000000,"trace_id":")")) << log;
  for (const std::string_view part : {
           R"("level":"warn")",
           R"_("body":"connection failed: tcp.refused (GET https://shop.example:8443/cart?a=1)")_",
           R"("sentry.origin":{"value":"auto.http.browser_report.nel","type":"string"})",
           R"("browser.report.type":{"value":"network-error","type":"string"})",
           R"("url.domain":{"value":"shop.example","type":"string"})",
           R"("http.request.duration":{"value":12,"type":"integer"})",
           R"("http.response.status_code":{"value":0,"type":"integer"})",
           R"("network.protocol.name":{"value":"http","type":"string"})",
           R"("network.protocol.version":{"value":"1.1","type":"string"})",
           R"("server.address":{"value":"192.0.2.1","type":"string"})",
           R"("nel.phase":{"value":"connection","type":"string"})",
           R"("nel.sampling_fraction":{"value":0.5,"type":"double"})",
           R"("nel.type":{"value":"tcp.refused","type":"string"})",
       }) {
    EXPECT_TRUE(holds(log, part)) << part << "\nin\n" << log;
  }
}

TEST_F(NetworkErrors, ThatAreNoneAreInformation) {
  report(R"([{"age":0,"type":"network-error","url":"https://a/","body":{"type":"ok"}}])");
  EXPECT_TRUE(holds(only_payload(), R"_("level":"info","body":"request succeeded (https://a/)")_"));
}

TEST_F(NetworkErrors, OfAnAgeBeyondAllTimeAreFromTheBeginningOfTime) {
  report(R"([{"age":9223372036854775807,"url":"x","body":{"type":"ok"}}])");
  EXPECT_TRUE(holds(only_payload(), R"("timestamp":0.000000000)"));
}

TEST_F(NetworkErrors, AreDroppedBesideGoodOnes) {
  EXPECT_EQ(report("[" + std::string(refused) + R"(,{"type":"crash","body":{}},7])").status, 200U);
  EXPECT_EQ(kept()[0].count, 1U);
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "invalid_json"), 2U);
  EXPECT_EQ(ingest->counters().received(relay::DataCategory::log_item), 3U);
}

TEST_F(NetworkErrors, AreRefusedWhenTheyAreNone) {
  EXPECT_EQ(report("[" + std::string(refused) + "]", "text/plain").status, 415U);
  for (const auto* body : {"", "[", "x", "[7]", "{}", R"([{"body":7}])"}) {
    EXPECT_EQ(report(body).status, 400U) << body;
  }
  EXPECT_TRUE(kept_nothing());
}

TEST_F(NetworkErrors, NeverHear429) {
  journal.set_full(true);
  EXPECT_EQ(report("[" + std::string(refused) + "]").status, 503U);
}

class VercelLogs : public SmallEndpointTest {
 protected:
  http::Response drain(std::string body) {
    return post(address("integration/vercel/logs"), std::move(body), typed("application/json"));
  }
};

constexpr std::string_view line =
    R"({"id":"1","deploymentId":"dpl_1","source":"lambda","host":"shop.vercel.app",)"
    R"("timestamp":1573817187330,"projectId":"p","level":"warning","message":"slow",)"
    R"("type":"stdout","statusCode":200,"environment":"production",)"
    R"("traceId":"1b02cd14bb8642fd092bc23f54c7ffcd","spanId":"f24e8631bd11faa7",)"
    R"("proxy":{"vercelCache":"MISS","statusCode":200,"userAgent":["a","b"]}})";

TEST_F(VercelLogs, BecomeLogs) {
  EXPECT_EQ(drain("[" + std::string(line) + "]").status, 202U);
  const auto log = only_payload();
  for (const std::string_view part : {
           R"("timestamp":1573817187.330000000,"trace_id":"1b02cd14bb8642fd092bc23f54c7ffcd")",
           R"("span_id":"f24e8631bd11faa7","level":"warn","severity_number":13,"body":"slow")",
           R"("vercel.deployment_id":{"value":"dpl_1","type":"string"})",
           R"("vercel.log_type":{"value":"stdout","type":"string"})",
           R"("vercel.status_code":{"value":200,"type":"integer"})",
           R"("vercel.proxy.vercel_cache":{"value":"MISS","type":"string"})",
           R"("vercel.proxy.user_agent":{"value":["a","b"],"type":"array"})",
           R"("server.address":{"value":"shop.vercel.app","type":"string"})",
           R"("sentry.environment":{"value":"production","type":"string"})",
           R"("sentry.origin":{"value":"auto.log_drain.vercel","type":"string"})",
       }) {
    EXPECT_TRUE(holds(log, part)) << part << "\nin\n" << log;
  }
}

TEST_F(VercelLogs, ComeOneALineToo) {
  EXPECT_EQ(drain(std::string(line) + "\n\n" + std::string(line) + "\r\n").status, 202U);
  EXPECT_EQ(kept()[0].count, 2U);
}

TEST_F(VercelLogs, AreSplitIntoItemsThatSentryTakes) {
  std::string body;
  for (int i = 0; i < 250; ++i)
    body += "{\"message\":\"x\"}\n";
  EXPECT_EQ(drain(body).status, 202U);
  ASSERT_EQ(kept().size(), 3U);
  EXPECT_EQ(kept()[0].count, 100U);
  EXPECT_EQ(kept()[2].count, 50U);
  EXPECT_EQ(ingest->counters().received(relay::DataCategory::log_item), 250U);
}

TEST_F(VercelLogs, AreDroppedBesideGoodOnes) {
  EXPECT_EQ(drain(std::string(line) + "\nnonsense\n[]").status, 202U);
  EXPECT_EQ(kept()[0].count, 1U);
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "invalid_json"), 2U);
  EXPECT_EQ(drain("nonsense").status, 400U);
  EXPECT_EQ(drain("[{]").status, 400U);
}

TEST_F(VercelLogs, TolerateWhateverIsInTheirFields) {
  EXPECT_EQ(drain(R"({"timestamp":-1,"message":7,"level":"loud","traceId":"zz","proxy":7,)"
                  R"("nested":{"a":{"b":1}},"nothing":null})")
                .status,
            202U);
  EXPECT_TRUE(holds(only_payload(), R"("timestamp":1700000000.000000000)"));
  EXPECT_TRUE(holds(only_payload(), R"("vercel.nested.a":{"value":"{\"b\":1}","type":"string"})"));
}

}  // namespace
}  // namespace picket::ingest

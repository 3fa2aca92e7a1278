#include "relay/ingest/otlp_messages.h"
#include "relay/ingest/small_endpoints.h"

namespace picket::ingest {
namespace {

constexpr std::string_view trace = "5b8efff798038103d269b633813fc60c";
constexpr std::string_view raw_trace = "\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c";
constexpr std::string_view raw_span = "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74";
constexpr std::string_view span_id = "eee19b7ec3c1b174";

class Otlp : public SmallEndpointTest {
 protected:
  http::Response traces(std::string body, std::string type = "application/json") {
    return post(address("integration/otlp/v1/traces"), std::move(body), typed(std::move(type)));
  }
  http::Response logs(std::string body, std::string type = "application/json") {
    return post(address("integration/otlp/v1/logs/"), std::move(body), typed(std::move(type)));
  }
  // Of all records, in order.
  std::vector<std::pair<std::string, std::string>> all_items() const {
    std::vector<std::pair<std::string, std::string>> items;
    for (const auto& record : journal.records()) {
      const auto bytes = decoded(record);
      const auto envelope = relay::parse_envelope(bytes);
      EXPECT_TRUE(envelope);
      for (const auto& item : envelope->items)
        items.emplace_back(item.type, item.payload);
    }
    return items;
  }
  std::string only(std::string_view type) const {
    std::string found;
    for (const auto& [item_type, payload] : all_items()) {
      if (item_type != type) continue;
      EXPECT_EQ(found, "") << "more than one " << type;
      found = payload;
    }
    return found;
  }
  static void expect_parts(const std::string& text, std::initializer_list<std::string_view> parts) {
    for (const auto part : parts)
      EXPECT_NE(text.find(part), std::string::npos) << part << "\nin\n" << text;
  }
};

std::string json_request(std::string_view spans) {
  return R"({"resourceSpans":[{"resource":{"attributes":[)"
         R"({"key":"service.name","value":{"stringValue":"shop"}},)"
         R"({"key":"service.version","value":{"stringValue":"1.2"}},)"
         R"({"key":"deployment.environment.name","value":{"stringValue":"edge"}},)"
         R"({"key":"telemetry.sdk.language","value":{"stringValue":"nodejs"}}]},)"
         R"("scopeSpans":[{"scope":{"name":"my.lib","version":"3"},"spans":[)" +
         std::string(spans) + "]}]}]}";
}

constexpr std::string_view json_span =
    R"({"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174",)"
    R"("parentSpanId":"EEE19B7EC3C1B173","name":"GET /cart","kind":2,)"
    R"("startTimeUnixNano":"1544712660000000001","endTimeUnixNano":"1544712661500000000",)"
    R"("attributes":[{"key":"text","value":{"stringValue":"x\u00e9"}},)"
    R"({"key":"whole","value":{"intValue":"-7"}},{"key":"real","value":{"doubleValue":0.5}},)"
    R"({"key":"flag","value":{"boolValue":true}},)"
    R"({"key":"list","value":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":1}]}}},)"
    R"({"key":"map","value":{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":false}}]}}}],)"
    R"("status":{"code":2,"message":"broke"},)"
    R"("links":[{"traceId":"5b8efff798038103d269b633813fc60d","spanId":"eee19b7ec3c1b175","flags":1}],)"
    R"("events":[{"timeUnixNano":"1544712660500000000","name":"retry",)"
    R"("attributes":[{"key":"try","value":{"intValue":2}}]}]})";

std::string raw_span_message(std::string_view more = {}) {
  using namespace proto;
  return bytes(1, raw_trace) + bytes(2, raw_span) + bytes(4, "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x73") +
         bytes(5, "GET /cart") + number(6, 2) + fixed64(7, 1544712660000000001U) +
         fixed64(8, 1544712661500000000U) + text(9, "text", "x\xc3\xa9") +
         attribute(9, "whole", number(3, static_cast<std::uint64_t>(-7))) +
         attribute(9, "real", fixed64(4, std::bit_cast<std::uint64_t>(0.5))) +
         attribute(9, "flag", number(2, 1)) +
         attribute(9, "list", bytes(5, bytes(1, bytes(1, "a")) + bytes(1, number(3, 1)))) +
         attribute(9, "map", bytes(6, bytes(1, bytes(1, "k") + bytes(2, number(2, 0))))) +
         bytes(15, bytes(2, "broke") + number(3, 2)) +
         bytes(13, bytes(1, std::string(raw_trace.substr(0, 15)) + "\x0d") +
                       bytes(2, std::string(raw_span.substr(0, 7)) + "\x75") + fixed32(6, 1)) +
         bytes(11, fixed64(1, 1544712660500000000U) + bytes(2, "retry") +
                       attribute(3, "try", number(3, 2))) +
         std::string(more);
}

// The resource follows its spans: protobuf promises no order.
std::string raw_request(std::string_view span) {
  using namespace proto;
  return bytes(1, bytes(2, bytes(2, span) + bytes(1, bytes(1, "my.lib") + bytes(2, "3"))) +
                      bytes(1, text(1, "service.name", "shop") + text(1, "service.version", "1.2") +
                                   text(1, "deployment.environment.name", "edge") +
                                   text(1, "telemetry.sdk.language", "nodejs")));
}

TEST_F(Otlp, SpansBecomeSpanItemsInBothEncodings) {
  EXPECT_EQ(traces(json_request(json_span)).status, 200U);
  EXPECT_EQ(traces(raw_request(raw_span_message()), "application/x-protobuf").status, 200U);
  const auto records = journal.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(decoded(records[0]), decoded(records[1]));
  const auto items = all_items();
  ASSERT_EQ(items.size(), 4U);
  EXPECT_EQ(items[0].first, "span");
  expect_parts(
      items[0].second,
      {R"({"version":2,"items":[{"trace_id":"5b8efff798038103d269b633813fc60c",)"
       R"("span_id":"eee19b7ec3c1b174","parent_span_id":"eee19b7ec3c1b173","name":"GET /cart",)"
       R"("status":"error","is_segment":false,"start_timestamp":1544712660.000000001,)"
       R"("end_timestamp":1544712661.500000000,)",
       R"("links":[{"trace_id":"5b8efff798038103d269b633813fc60d","span_id":"eee19b7ec3c1b175",)"
       R"("sampled":true,"attributes":{}}])",
       R"("sentry.kind":{"value":"server","type":"string"})",
       R"("sentry.status.message":{"value":"broke","type":"string"})",
       "\"text\":{\"value\":\"x\xc3\xa9\",\"type\":\"string\"}",
       R"("whole":{"value":-7,"type":"integer"})", R"("real":{"value":0.5,"type":"double"})",
       R"("flag":{"value":true,"type":"boolean"})", R"("list":{"value":["a",1],"type":"array"})",
       R"("map":{"value":"{\"k\":false}","type":"string"})",
       R"("sentry.environment":{"value":"edge","type":"string"})",
       R"("sentry.release":{"value":"1.2","type":"string"})",
       R"("resource.service.name":{"value":"shop","type":"string"})",
       R"("instrumentation.name":{"value":"my.lib","type":"string"})"});
  EXPECT_EQ(items[1].first, "log");
  expect_parts(items[1].second,
               {R"("timestamp":1544712660.500000000)", R"("body":"retry")",
                R"("span_id":"eee19b7ec3c1b174")", R"("try":{"value":2,"type":"integer"})"});
}

TEST_F(Otlp, AnswersInTheEncodingThatCame) {
  const auto json = traces(json_request(json_span));
  EXPECT_EQ(json.body, "{}");
  EXPECT_EQ(json.content_type, "application/json");
  const auto raw = traces(raw_request(raw_span_message()), "application/x-protobuf");
  EXPECT_EQ(raw.body, "");
  EXPECT_EQ(traces("{}", "application/json; charset=utf-8").status, 200U);
  for (const auto* type : {"", "text/plain", "application/protobuf", "application/grpc"}) {
    EXPECT_EQ(traces("{}", type).status, 415U) << type;
    EXPECT_EQ(logs("{}", type).status, 415U) << type;
  }
}

TEST_F(Otlp, SpansWithoutIdsAreRejectedBesideGoodOnes) {
  const auto bad = R"({"traceId":"00000000000000000000000000000000","spanId":"eee19b7ec3c1b174"},)"
                   R"({"traceId":"5b8efff798038103d269b633813fc60c","spanId":"x"},)";
  const auto response = traces(json_request(bad + std::string(json_span)));
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body,
            R"({"partialSuccess":{"rejectedSpans":"2",)"
            R"("errorMessage":"spans need a trace id and a span id"}})");
  EXPECT_EQ(kept()[0].count, 1U);
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "invalid_span"), 2U);

  const auto raw = traces(raw_request(proto::bytes(5, "no ids")), "application/x-protobuf");
  EXPECT_EQ(raw.content_type, "application/x-protobuf");
  EXPECT_EQ(raw.body, proto::bytes(1, proto::number(1, 1) +
                                          proto::bytes(2, "spans need a trace id and a span id")));
}

constexpr std::string_view json_exception =
    R"({"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET /cart",)"
    R"("startTimeUnixNano":"1","endTimeUnixNano":"2","events":[{"timeUnixNano":"1544712660500000000",)"
    R"("name":"exception","attributes":[)"
    R"({"key":"exception.type","value":{"stringValue":"TypeError"}},)"
    R"({"key":"exception.message","value":{"stringValue":"x is \"not\" a function"}},)"
    R"({"key":"exception.escaped","value":{"boolValue":true}},)"
    R"_({"key":"exception.stacktrace","value":{"stringValue":"TypeError: x\n    at add (/app/cart.js:12:7)\n    at main (/app/main.js:3:1)"}},)_"
    R"({"key":"cart.size","value":{"intValue":3}}]}]})";

TEST_F(Otlp, AnExceptionOfASpanIsAnEventBesides) {
  EXPECT_EQ(traces(json_request(json_exception)).status, 200U);
  EXPECT_EQ(journal.records().size(), 2U);
  const auto event = only("event");
  expect_parts(
      event,
      {R"("timestamp":1544712660.500000000,"platform":"node","level":"error","logger":"my.lib",)"
       R"("transaction":"GET /cart","release":"1.2","environment":"edge")",
       R"("type":"TypeError","value":"x is \"not\" a function",)"
       R"("mechanism":{"type":"opentelemetry","handled":false})",
       R"("frames":[{"function":"main","filename":"/app/main.js","abs_path":"/app/main.js","lineno":3,)"
       R"("colno":1},{"function":"add",)",
       R"("trace":{"trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174"})",
       R"("cart.size":3)", R"("service.name":"shop")"});
  EXPECT_FALSE(only("span").empty());
  EXPECT_EQ(ingest->counters().received(relay::DataCategory::error), 1U);
}

TEST_F(Otlp, TheSameExceptionSentAgainHasTheSameId) {
  traces(json_request(json_exception));
  traces(json_request(json_exception));
  std::vector<std::string> ids;
  for (const auto& record : journal.records()) {
    if (decoded(record).find("TypeError") == std::string::npos) continue;
    ids.push_back(meta_of(record).event_id());
  }
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_EQ(ids[0], ids[1]);
}

TEST_F(Otlp, AnswersWhenTheLastRecordIsDurable) {
  journal.hold();
  const auto started =
      start(make_request("POST", address("integration/otlp/v1/traces"),
                         typed("application/json"), json_request(json_exception)));
  EXPECT_FALSE(started->taken());
  EXPECT_EQ(journal.waiting(), 2U);
  journal.commit();
  ASSERT_TRUE(started->taken());
  EXPECT_EQ(started->taken()->status, 200U);
}

TEST_F(Otlp, IsNotTakenWhenOneOfItsRecordsIsLost) {
  journal.fail_commits(Error{Fault::unavailable, "disk"});
  EXPECT_EQ(traces(json_request(json_exception)).status, 503U);
  EXPECT_EQ(ingest->counters().received(), ingest->counters().dropped());
}

TEST_F(Otlp, LogsBecomeLogItemsInBothEncodings) {
  using namespace proto;
  const auto json =
      R"({"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},)"
      R"("scopeLogs":[{"scope":{"name":"my.lib"},"logRecords":[{"timeUnixNano":"1544712660300000000",)"
      R"("observedTimeUnixNano":"1544712660300000009","severityNumber":17,"severityText":"ERROR",)"
      R"("body":{"stringValue":"it broke"},"traceId":"5b8efff798038103d269b633813fc60c",)"
      R"("spanId":"eee19b7ec3c1b174","attributes":[{"key":"a","value":{"intValue":"1"}}]}]}]}]})";
  const auto record = fixed64(1, 1544712660300000000U) + fixed64(11, 1544712660300000009U) +
                      number(2, 17) + bytes(3, "ERROR") + bytes(5, bytes(1, "it broke")) +
                      bytes(9, raw_trace) + bytes(10, raw_span) + attribute(6, "a", number(3, 1));
  const auto raw = bytes(1, bytes(1, text(1, "service.name", "shop")) +
                                bytes(2, bytes(1, bytes(1, "my.lib")) + bytes(2, record)));
  EXPECT_EQ(logs(json).status, 200U);
  EXPECT_EQ(logs(raw, "application/x-protobuf").status, 200U);
  const auto items = all_items();
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].second, items[1].second);
  expect_parts(items[0].second,
               {R"({"items":[{"timestamp":1544712660.300000000,)"
                R"("trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174",)"
                R"("level":"error","severity_number":17,"body":"it broke")",
                R"("sentry.origin":{"value":"auto.otlp.logs","type":"string"})",
                R"("a":{"value":1,"type":"integer"})",
                R"("resource.service.name":{"value":"shop","type":"string"})"});
}

TEST_F(Otlp, ALogOfAnExceptionIsAnEventBesides) {
  logs(R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":21,"attributes":[)"
       R"({"key":"exception.type","value":{"stringValue":"Boom"}},)"
       R"({"key":"exception.message","value":{"stringValue":"it broke"}}]}]}]}]})");
  expect_parts(only("event"), {R"("level":"fatal")", R"("type":"Boom","value":"it broke")"});
  expect_parts(only("log"), {R"("level":"fatal")", R"("body":"it broke")"});
}

TEST_F(Otlp, LevelsFollowTheSeverity) {
  struct Case {
    std::string_view fields;
    std::string_view level;
  };
  for (const auto& [fields, level] :
       {Case{R"("severityNumber":1)", "trace"}, Case{R"("severityNumber":8)", "debug"},
        Case{R"("severityNumber":12)", "info"}, Case{R"("severityNumber":13)", "warn"},
        Case{R"("severityNumber":24)", "fatal"}, Case{R"("severityNumber":25)", "info"},
        Case{R"("severityText":"Warning")", "warn"}, Case{R"("severityText":"")", "info"}}) {
    logs(R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{)" + std::string(fields) + "}]}]}]}");
    expect_parts(decoded(journal.records().back()), {"\"level\":\"" + std::string(level) + "\""});
  }
}

TEST_F(Otlp, RefusesWhatIsNoOtlp) {
  for (const std::string_view body : {"", "x", "[]", "7", "{\"resourceSpans\":"})
    EXPECT_EQ(traces(std::string(body)).status, 400U) << body;
  for (const std::string_view body : {"x", "\x0a\xff", "\x0a\x05\x0a", "\x0b", "\xff\xff\xff\xff\xff"})
    EXPECT_EQ(traces(std::string(body), "application/x-protobuf").status, 400U) << body;
  EXPECT_TRUE(kept_nothing());
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "invalid_proto"), 5U);
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "invalid_json"), 5U);
  EXPECT_EQ(traces("", "application/x-protobuf").status, 200U);
  EXPECT_EQ(traces("{}").status, 200U);
}

TEST_F(Otlp, BoundsTheNestingOfValues) {
  auto value = proto::bytes(1, "deep");
  for (int i = 0; i < 200; ++i)
    value = proto::bytes(5, proto::bytes(1, value));
  EXPECT_EQ(traces(raw_request(raw_span_message(proto::attribute(9, "deep", value))),
                   "application/x-protobuf")
                .status,
            400U);
  std::string json = R"({"stringValue":"deep"})";
  for (int i = 0; i < 200; ++i)
    json = R"({"arrayValue":{"values":[)" + json + "]}}";
  EXPECT_EQ(logs(R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":)" + json + "}]}]}]}").status,
            200U);
}

class SmallOtlp : public SmallEndpointTest {
 protected:
  static IngestConfig small() {
    IngestConfig config;
    config.max_envelope_bytes = std::uint64_t{1} << 20;
    return config;
  }
  SmallOtlp() : SmallEndpointTest(small()) {}
};

// A few bytes that would become gigabytes.
TEST_F(SmallOtlp, BoundsWhatAResourceIsRepeatedInto) {
  std::string spans;
  for (int i = 0; i < 2'000; ++i)
    spans += proto::bytes(2, proto::bytes(1, raw_trace) + proto::bytes(2, raw_span));
  const auto resource = proto::bytes(1, proto::text(1, "big", std::string(std::size_t{1} << 16, 'x')));
  const auto response =
      post(address("integration/otlp/v1/traces"),
           proto::bytes(1, resource + proto::bytes(2, spans)), typed("application/x-protobuf"));
  EXPECT_EQ(response.status, 413U);
  EXPECT_TRUE(kept_nothing());
}

TEST_F(Otlp, RefusesMoreThanTwelveMebibytes) {
  EXPECT_EQ(traces(std::string((std::size_t{12} << 20) + 1, ' ')).status, 413U);
}

}  // namespace
}  // namespace picket::ingest

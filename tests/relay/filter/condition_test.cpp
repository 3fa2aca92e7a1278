#include "relay/filter/condition.h"
#include "relay/filter/json_fields.h"

#include <gtest/gtest.h>

namespace picket::filter {
namespace {

constexpr std::string_view event = R"({
  "release": "shop@1.2", "environment": "prod", "level": "error", "transaction": "/pay",
  "transaction_info": {"source": "route"}, "start_timestamp": 10.0, "timestamp": 10.25,
  "user": {"id": "42", "email": "ada@example.com", "geo": {"country_code": "AT"}},
  "tags": [["shift", "night"], ["dotted.tag", "yes"]], "extra": {"depth": {"of": 3}, "ok": true},
  "contexts": {"device": {"arch": "arm64"}},
  "request": {"headers": [["User-Agent", "curl"]]},
  "exception": {"values": [{"type": "ValueError", "value": "bad"}, {"type": "IOError", "value": "gone"}]}
})";
constexpr std::string_view trace =
    R"({"trace_id":"771a43a4192642f0b136d5159a501700","release":"1","user_id":"7","sample_rate":"0.5"})";

bool holds(std::string_view json) {
  const auto condition = Condition::parse(json);
  EXPECT_TRUE(condition) << json << ": " << (condition ? "" : condition.error().detail);
  const JsonFields fields("event", event, trace);
  return condition && condition->matches(fields);
}
std::string wrong(std::string_view json) {
  const auto condition = Condition::parse(json);
  return condition ? std::string() : condition.error().detail;
}

TEST(Condition, ComparesFieldsWithValues) {
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.release","value":"shop@1.2"})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.release","value":["x","shop@1.2"]})"));
  EXPECT_FALSE(holds(R"({"op":"eq","name":"event.environment","value":"PROD"})"));
  EXPECT_TRUE(holds(
      R"({"op":"eq","name":"event.environment","value":"PROD","options":{"ignoreCase":true}})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.dist","value":null})"));
  EXPECT_FALSE(holds(R"({"op":"eq","name":"event.release","value":null})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.extra.depth.of","value":3})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.extra.ok","value":true})"));
}

TEST(Condition, OrdersNumbersOnly) {
  EXPECT_TRUE(holds(R"({"op":"gt","name":"event.duration","value":249})"));
  EXPECT_TRUE(holds(R"({"op":"gte","name":"event.duration","value":250})"));
  EXPECT_FALSE(holds(R"({"op":"lt","name":"event.duration","value":250})"));
  EXPECT_TRUE(holds(R"({"op":"lte","name":"event.duration","value":250.0})"));
  EXPECT_FALSE(holds(R"({"op":"gt","name":"event.release","value":0})"));
  EXPECT_FALSE(holds(R"({"op":"lt","name":"event.missing","value":1})"));
}

TEST(Condition, CombinesOthers) {
  constexpr std::string_view yes = R"({"op":"eq","name":"event.level","value":"error"})";
  constexpr std::string_view no = R"({"op":"eq","name":"event.level","value":"info"})";
  const auto both = [](std::string_view op, std::string_view a, std::string_view b) {
    return R"({"op":")" + std::string(op) + R"(","inner":[)" + std::string(a) + ',' +
           std::string(b) + "]}";
  };
  EXPECT_TRUE(holds(both("and", yes, yes)));
  EXPECT_FALSE(holds(both("and", yes, no)));
  EXPECT_TRUE(holds(both("or", no, yes)));
  EXPECT_FALSE(holds(both("or", no, no)));
  EXPECT_TRUE(holds(R"({"op":"not","inner":)" + std::string(no) + "}"));
  EXPECT_TRUE(holds(R"({"op":"and","inner":[]})"));
  EXPECT_FALSE(holds(R"({"op":"or","inner":[]})"));
}

TEST(Condition, LooksIntoArrays) {
  constexpr std::string_view any =
      R"({"op":"any","name":"event.exceptions","inner":{"op":"glob","name":"ty","value":["IO*"]}})";
  EXPECT_TRUE(holds(any));
  EXPECT_FALSE(holds(
      R"({"op":"all","name":"event.exceptions","inner":{"op":"glob","name":"ty","value":["IO*"]}})"));
  EXPECT_TRUE(holds(
      R"({"op":"all","name":"event.exceptions","inner":{"op":"glob","name":"ty","value":["*Error"]}})"));
  EXPECT_FALSE(holds(
      R"({"op":"all","name":"event.threads","inner":{"op":"eq","name":"id","value":null}})"));
}

TEST(Condition, KnowsSentrysNames) {
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.transaction.source","value":"route"})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.tags.shift","value":"night"})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.tags.dotted.tag","value":"yes"})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.user.geo.country_code","value":"AT"})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.contexts.device.arch","value":"arm64"})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"event.request.headers.User-Agent","value":"curl"})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"trace.release","value":"1"})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"trace.user.id","value":"7"})"));
  EXPECT_TRUE(holds(R"({"op":"eq","name":"span.op","value":null})"));
}

TEST(Condition, ReadsAttributesThroughToTheirValue) {
  const JsonFields fields(
      "log", R"({"body":"hi","attributes":{"sentry.release":{"value":"2","type":"string"}}})", {});
  EXPECT_TRUE(
      Condition::parse(R"({"op":"eq","name":"log.attributes.sentry.release","value":"2"})")->matches(
          fields));
  EXPECT_TRUE(Condition::parse(R"({"op":"glob","name":"log.body","value":"h*"})")->matches(fields));
}

TEST(Condition, SaysWhatIsWrong) {
  EXPECT_EQ(wrong("nonsense"), "a condition is not JSON");
  EXPECT_EQ(wrong("[]"), "a condition is not an object");
  EXPECT_EQ(wrong("{}"), "a condition has no op");
  EXPECT_EQ(wrong(R"({"op":"xor"})"), "unknown op \"xor\"");
  EXPECT_EQ(wrong(R"({"op":"eq","value":1})"), "\"eq\" needs a name");
  EXPECT_EQ(wrong(R"({"op":"gt","name":"a","value":"x"})"), "\"gt\" needs a number");
  EXPECT_EQ(wrong(R"({"op":"not"})"), "\"not\" needs an inner condition");
  EXPECT_EQ(wrong(R"({"op":"and","inner":{}})"), "\"and\" needs a list of inner conditions");
  EXPECT_EQ(wrong(R"({"op":"glob","name":"a","value":[1]})"), "\"glob\" needs a list of patterns");
}

TEST(Condition, BoundsDepthAndNumber) {
  std::string deep = R"({"op":"and","inner":[]})";
  for (std::size_t i = 0; i < Condition::deepest; ++i)
    deep = R"({"op":"not","inner":)" + deep + "}";
  EXPECT_EQ(wrong(deep), "conditions nest too deeply");
  std::string wide = R"({"op":"and","inner":[)";
  for (std::size_t i = 0; i < Condition::most_nodes; ++i)
    wide += R"({"op":"or","inner":[]},)";
  wide.back() = ']';
  EXPECT_EQ(wrong(wide + "}"), "too many conditions");
}

TEST(Condition, KnowsWhetherItReadsTheTraceAlone) {
  const auto traces = [](std::string_view json) { return Condition::parse(json)->reads_only("trace."); };
  EXPECT_TRUE(traces(R"({"op":"and","inner":[]})"));
  EXPECT_TRUE(traces(R"({"op":"not","inner":{"op":"eq","name":"trace.release","value":"x"}})"));
  EXPECT_TRUE(traces(R"({"op":"any","name":"trace.list","inner":{"op":"eq","name":"key","value":"x"}})"));
  EXPECT_FALSE(traces(R"({"op":"or","inner":[{"op":"glob","name":"trace.release","value":"x"},
                                             {"op":"gt","name":"event.duration","value":1}]})"));
  EXPECT_FALSE(traces(R"({"op":"all","name":"event.tags","inner":{"op":"eq","name":"trace.x","value":"x"}})"));
}

TEST(Condition, IsFalseOnAPayloadThatIsNoJson) {
  const JsonFields fields("event", "{\"release\":", {});
  EXPECT_FALSE(
      Condition::parse(R"({"op":"eq","name":"event.release","value":"x"})")->matches(fields));
}

}  // namespace
}  // namespace picket::filter

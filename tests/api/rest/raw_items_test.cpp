// Items that nothing reads, and metrics in their older forms, over REST.
#include "issue_fixture.h"

namespace picket::rest {
namespace {

class RawItems : public IssuesTest {
 protected:
  void receive_two() {
    receive("\x01\x02 bytes", "nobody_knows");
    clock_.advance(std::chrono::seconds(5));
    receive("{}", "nobody_knows");
    receive("not json", "log");
    error("KeyError");
  }
};

TEST_F(RawItems, AreListedByTypeNewestFirst) {
  receive_two();
  const auto types = get(project_path("raw-items/"));
  ASSERT_EQ(types.status, 200U) << types.text;
  ASSERT_EQ(types.json.as_array().size(), 2U) << types.text;
  EXPECT_EQ(types.json.at(0).at("type"), "log");
  EXPECT_EQ(types.json.at(1).at("type"), "nobody_knows");
  EXPECT_NE(types.json.at(1).at("firstReceived"), types.json.at(1).at("lastReceived"));
  const auto list = get(project_path("raw-items/?type=nobody_knows"));
  ASSERT_EQ(list.json.as_array().size(), 2U) << list.text;
  EXPECT_EQ(list.json.at(0).at("id"), "2-0");
  EXPECT_EQ(list.json.at(1).at("id"), "1-0");
  EXPECT_EQ(list.json.at(1).at("eventID"), json_text(event_id_text(1)));
  const auto page = get(project_path("raw-items/?type=nobody_knows&per_page=1"));
  EXPECT_EQ(page.json.as_array().size(), 1U);
  EXPECT_EQ(relation(page.headers.find("Link"), "next").results, "true");
  const auto next = get(project_path("raw-items/?type=nobody_knows&per_page=1&cursor=" +
                                     relation(page.headers.find("Link"), "next").cursor));
  EXPECT_EQ(next.json.at(0).at("id"), "1-0");
  EXPECT_EQ(relation(next.headers.find("Link"), "next").results, "false");
  EXPECT_TRUE(get(project_path("raw-items/?type=none")).json.as_array().empty());
  EXPECT_TRUE(get(project_path("raw-items/?type=nobody")).json.as_array().empty()) << "a beginning is no type";
}

TEST_F(RawItems, AreShownAndDownloadedAsTheyCame) {
  receive_two();
  const auto shown = get(project_path("raw-items/1-0/"));
  ASSERT_EQ(shown.status, 200U) << shown.text;
  EXPECT_EQ(shown["type"], "nobody_knows");
  EXPECT_EQ(shown["size"], 8);
  EXPECT_EQ(shown["header"].at("length"), 8);
  EXPECT_EQ(shown["envelopeHeader"].at("event_id"), json_text(event_id_text(1)));
  const auto bytes = get(project_path("raw-items/1-0/?download"));
  EXPECT_EQ(bytes.text, "\x01\x02 bytes");
  EXPECT_EQ(bytes.content_type, "application/octet-stream");
  EXPECT_EQ(bytes.headers.find("Content-Disposition"), "attachment; filename=\"1-0\"");
  EXPECT_EQ(bytes.headers.find("X-Content-Type-Options"), "nosniff");
}

TEST_F(RawItems, NothingElseIsShownByItsPlace) {
  receive_two();
  receive("secret", "nobody_knows", first.project_id + 1);
  digest();
  EXPECT_EQ(get(project_path("raw-items/5-0/")).status, 404U) << "another project's";
  EXPECT_EQ(get(project_path("raw-items/4-0/")).status, 404U) << "an event";
  for (const std::string_view id : {"1-1", "9-0", "1", "1-", "-1", "1-0x", "x", "1-65536", "99999999999999999999-0"})
    EXPECT_EQ(get(project_path("raw-items/" + std::string(id) + "/")).status, 404U) << id;
}

TEST_F(RawItems, OldMetricsAreReadAsTheNewOnesAre) {
  receive("checkout.total@none:3:4|c|#till:one\nload:1:1:5:9:3|g\nusers:7:8:7|s\nbroken\n", "statsd");
  receive(R"([{"name":"d:custom/answer@millisecond","type":"d","value":[10,30],"tags":{"till":"two"}}])", "metric_buckets");
  digest();
  const auto ask = [&](std::string_view rest) {
    auto answer = get(organization_path("events/?dataset=tracemetrics&" + std::string(rest)));
    EXPECT_EQ(answer.status, 200U) << answer.text;
    return answer["data"];
  };
  EXPECT_EQ(ask("field=sum(value)&query=metric.name:checkout.total%20till:one").at(0).at("sum(value)"), 7.0);
  EXPECT_EQ(ask("field=value&field=gauge.max&query=metric.name:load").at(0).at("gauge.max"), 5.0);
  EXPECT_EQ(ask("field=count_unique(metric.member)&query=metric.type:set").at(0).at("count_unique(metric.member)"), 2);
  EXPECT_EQ(ask("field=avg(value)&field=metric.unit&query=till:two").at(0).at("avg(value)"), 20.0);
  EXPECT_EQ(ask("field=avg(value)&field=metric.unit&query=till:two").at(0).at("metric.unit"), "millisecond");
  EXPECT_EQ(get(project_path("raw-items/?type=statsd")).json.as_array().size(), 1U) << "for the line that is none";
  EXPECT_EQ(get(project_path("raw-items/?type=metric_buckets")).json.as_array().size(), 0U);
}

TEST_F(RawItems, AMetricsNumberIsItsValueWhateverAttributesItHas) {
  const auto metric = [](double value, std::string_view attribute) {
    return R"({"name":"till.total","type":"distribution","trace_id":"0123456789abcdef0123456789abcdef","value":)" + std::to_string(value) +
           R"(,"attributes":{"value":)" + std::string(attribute) + "}}";
  };
  receive(R"({"items":[)" + metric(10, R"({"type":"string","value":"gold"})") + "," + metric(20, R"({"type":"string","value":"1000"})") + "," +
              metric(30, R"({"type":"integer","value":7})") + "," + metric(40, R"({"type":"double","value":8.5})") + "," +
              metric(50, R"({"type":"boolean","value":true})") + "]}",
          "trace_metric");
  digest();
  const auto ask = [&](std::string_view rest) {
    auto answer = get(organization_path("events/?dataset=tracemetrics&" + std::string(rest)));
    EXPECT_EQ(answer.status, 200U) << answer.text;
    return answer["data"];
  };
  EXPECT_EQ(ask("field=sum(value)").at(0).at("sum(value)"), 150.0);
  EXPECT_EQ(ask("field=sum(metric.value)").at(0).at("sum(metric.value)"), 150.0);
  EXPECT_EQ(ask("field=max(value,till.total,distribution)").at(0).at("max(value,till.total,distribution)"), 50.0);
  EXPECT_EQ(ask("field=p50(value)").at(0).at("p50(value)"), 30.0);
  EXPECT_EQ(ask("field=count_unique(value)").at(0).at("count_unique(value)"), 5);
  EXPECT_EQ(ask("field=value&query=value:%3E25&sort=value").as_array().size(), 3U);
  EXPECT_EQ(ask("field=value&query=value:20").at(0).at("value"), 20.0);
  EXPECT_TRUE(ask("field=value&query=value:gold").as_array().empty());
  EXPECT_EQ(ask("field=tags[value,string]&field=value&query=tags[value,string]:gold").at(0).at("value"), 10.0);
  EXPECT_EQ(ask("field=tags[value,string]&query=tags[value,string]:gold").at(0).at("tags[value,string]"), "gold");
  const auto attributes = get(organization_path("trace-items/attributes/?dataset=tracemetrics&attributeType=string&substringMatch=value"));
  EXPECT_EQ(attributes.json.at(0).at("key"), "tags[value,string]") << attributes.text;
}

}  // namespace
}  // namespace picket::rest

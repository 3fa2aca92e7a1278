// Events of any dataset, traces, trace items.
#include "issue_fixture.h"

namespace picket::rest {
namespace {

constexpr std::string_view trace = "0123456789abcdef0123456789abcdef";

class Explore : public IssuesTest {
 protected:
  std::string at(double seconds_ago) {
    return std::to_string(static_cast<double>(to_ms(clock_.now())) / 1000.0 - seconds_ago);
  }
  // A span of its own that took so many milliseconds.
  void span(std::string_view id, std::string_view op, double ms, std::string_view more = "") {
    receive(R"({"trace_id":"0123456789abcdef0123456789abcdef","span_id":")" + std::string(id) + R"(","op":")" + std::string(op) +
                R"(","start_timestamp":)" + at(10) + ",\"timestamp\":" + at(10 - ms / 1000) + std::string(more) + "}",
            "span");
  }
  void log(std::string_view body, std::string_view level, double seconds_ago, std::string_view attributes = "") {
    receive(R"({"items":[{"trace_id":"0123456789abcdef0123456789abcdef","timestamp":)" + at(seconds_ago) + R"(,"level":")" + std::string(level) +
                R"(","body":")" + std::string(body) + R"(","attributes":{)" + std::string(attributes) + "}}]}",
            "log");
  }
  Answer events(std::string_view query) { return get(organization_path("events/?" + std::string(query))); }
  // One field of all rows.
  std::vector<std::string> column(std::string_view query, std::string_view field) {
    const auto answer = events(query);
    EXPECT_EQ(answer.status, 200U) << answer.text;
    std::vector<std::string> values;
    if (answer.status != 200) return values;
    for (const auto& row : answer["data"].as_array()) {
      const auto& value = row.at(field);
      values.push_back(value.is_string() ? text_of(value) : boost::json::serialize(value));
    }
    return values;
  }
};

using Texts = std::vector<std::string>;

TEST_F(Explore, ListsSpansNewestFirstWithTypesAndUnits) {
  span("aaaaaaaaaaaaaaaa", "db", 20);
  span("bbbbbbbbbbbbbbbb", "http.client", 250, R"(,"data":{"http.status":200})");
  digest();
  const auto answer = events("dataset=spans&field=id&field=span.op&field=span.duration&field=timestamp&field=project&sort=-span.duration");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  const auto& first_row = answer["data"].at(0);
  EXPECT_EQ(first_row.at("id"), "bbbbbbbbbbbbbbbb");
  EXPECT_EQ(first_row.at("span.duration"), 250.0);
  EXPECT_EQ(first_row.at("project"), boost::json::value(first.project));
  EXPECT_TRUE(text_of(first_row.at("timestamp")).ends_with("+00:00"));
  EXPECT_EQ(answer["meta"].at("fields").at("span.duration"), "duration");
  EXPECT_EQ(answer["meta"].at("units").at("span.duration"), "millisecond");
  EXPECT_EQ(answer["meta"].at("fields").at("timestamp"), "date");
  EXPECT_EQ(answer["meta"].at("dataset"), "spans");
}

TEST_F(Explore, AttributesAreFoundByTheNameThatTheSdkGaveThemToo) {
  log("drawer B jammed", "error", 1, R"("sentry.message.template":{"value":"drawer %s jammed","type":"string"},"sentry.release":{"value":"shop@1","type":"string"})");
  log("till opened", "info", 2, R"("sentry.release":{"value":"shop@2","type":"string"})");
  digest();
  for (const std::string name : {"message.template", "sentry.message.template", "tags[sentry.message.template,string]"}) {
    EXPECT_EQ(column("dataset=logs&field=" + name + "&query=message:drawer*", name), Texts{"drawer %s jammed"});
  }
  EXPECT_EQ(column("dataset=logs&field=message&query=sentry.release:shop@2", "message"), Texts{"till opened"});
  EXPECT_EQ(column("dataset=logs&field=message&query=!has:sentry.message.template", "message"), Texts{"till opened"});
}

TEST_F(Explore, FiltersByFieldsAttributesAndText) {
  span("aaaaaaaaaaaaaaaa", "db", 20, R"(,"description":"SELECT one","data":{"db.rows":3,"cached":true})");
  span("bbbbbbbbbbbbbbbb", "db", 200, R"(,"description":"SELECT two","data":{"db.rows":30})");
  span("cccccccccccccccc", "http", 2000, R"(,"description":"GET /two")");
  digest();
  const auto ids = [&](std::string_view query) { return column("dataset=spans&field=id&sort=id&query=" + std::string(query), "id"); };
  const Texts a = {"aaaaaaaaaaaaaaaa"};
  const Texts b = {"bbbbbbbbbbbbbbbb"};
  const Texts c = {"cccccccccccccccc"};
  EXPECT_EQ(ids("span.op:http"), c);
  EXPECT_EQ(ids("!span.op:db"), c);
  EXPECT_EQ(ids("span.duration:%3E1s"), c);
  EXPECT_EQ(ids("span.duration:%3C=20"), a);
  EXPECT_EQ(ids("span.duration:%3E100ms%20span.op:db"), b);
  EXPECT_EQ(ids("db.rows:3"), a);
  EXPECT_EQ(ids("tags[db.rows,number]:%3E3"), b);
  EXPECT_EQ(ids("cached:true"), a);
  EXPECT_EQ(ids("!has:db.rows"), c);
  EXPECT_EQ(ids("description:*TWO*"), (Texts{"bbbbbbbbbbbbbbbb", "cccccccccccccccc"}));
  EXPECT_EQ(ids("two"), (Texts{"bbbbbbbbbbbbbbbb", "cccccccccccccccc"}));
  EXPECT_EQ(ids("id:[aaaaaaaaaaaaaaaa,cccccccccccccccc]"), (Texts{"aaaaaaaaaaaaaaaa", "cccccccccccccccc"}));
  EXPECT_EQ(ids("span.op:http%20OR%20db.rows:3"), (Texts{"aaaaaaaaaaaaaaaa", "cccccccccccccccc"}));
  EXPECT_EQ(ids("trace:0123456789abcdef0123456789abcdee"), Texts{});
  EXPECT_EQ(ids("nothing:here"), Texts{});
  EXPECT_EQ(ids("timestamp:-1h").size(), 3U);
  EXPECT_EQ(ids("timestamp:%2B1h").size(), 0U);
}

TEST_F(Explore, GroupsAndAggregates) {
  for (int i = 1; i <= 10; ++i) span("00000000000000" + std::to_string(10 + i), i <= 4 ? "db" : "http", i * 10);
  digest();
  const auto answer = events("dataset=spans&field=span.op&field=count()&field=p50(span.duration)&field=sum(span.duration)&field=max(span.duration)&sort=-count()");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  ASSERT_EQ(answer["data"].as_array().size(), 2U);
  const auto& http = answer["data"].at(0);
  EXPECT_EQ(http.at("span.op"), "http");
  EXPECT_EQ(http.at("count()"), 6);
  EXPECT_EQ(http.at("p50(span.duration)"), 75.0);
  EXPECT_EQ(http.at("sum(span.duration)"), 450.0);
  EXPECT_EQ(http.at("max(span.duration)"), 100.0);
  EXPECT_EQ(answer["meta"].at("fields").at("count()"), "integer");
  EXPECT_EQ(answer["meta"].at("fields").at("p50(span.duration)"), "duration");
  EXPECT_EQ(column("dataset=spans&field=span.op&field=count()&query=count():%3C5", "span.op"), (Texts{"db"}));
  EXPECT_EQ(column("dataset=spans&field=count_unique(span.op)", "count_unique(span.op)"), (Texts{"2"}));
  EXPECT_EQ(column("dataset=spans&field=count_if(span.duration,greater,50)", "count_if(span.duration,greater,50)"), (Texts{"5"}));
  EXPECT_EQ(column("dataset=spans&field=count()&query=span.op:none", "count()"), (Texts{"0"}));
  EXPECT_EQ(column("dataset=spans&field=span.op&field=count()&sort=-count", "span.op"), (Texts{"http", "db"}));
}

TEST_F(Explore, SaysWhatItCannotAnswer) {
  for (const auto* query : {"dataset=spans", "dataset=nonsense&field=id", "dataset=spans&field=frob()", "dataset=spans&field=id&query=a:",
                            "dataset=spans&field=id&sort=-count()", "dataset=spans&field=sum()x", "dataset=spans&field=percentile(span.duration,7)",
                            "dataset=spans&field=id&statsPeriod=x", "dataset=spans&field=id&per_page=101", "dataset=spans&field=equation|1%2B1",
                            "dataset=spans&field=equation|count()%2Bspan.duration", "dataset=spans&field=count()&field=equation|span.duration*2",
                            "dataset=spans&field=count()&sort=-equation|count()*2", "dataset=spans&field=apdex(span.duration,0)"}) {
    const auto answer = events(query);
    EXPECT_EQ(answer.status, 400U) << query << ": " << answer.text;
    EXPECT_FALSE(answer.detail().empty());
  }
  EXPECT_EQ(get(organization_path("events/validate/?dataset=spans&field=frob()")).status, 400U);
  EXPECT_EQ(get(organization_path("events/validate/?dataset=spans&field=count()"))["valid"], true);
  EXPECT_EQ(events("dataset=uptime_results&field=id")["data"].as_array().size(), 0U);
}

// The MCP server searches nothing before it has read all of this.
TEST_F(Explore, JudgesEveryPartOfAQuestionByItself) {
  const auto judge = [&](std::string_view query) { return get(organization_path("events/validate/?" + std::string(query))); };
  const auto right = judge("dataset=spans&project=" + std::to_string(first.project_id) +
                           "&field=span.op&field=count()&field=equation|count()*2&query=span.op:db%20count():%3E1&orderby=-count()");
  ASSERT_EQ(right.status, 200U) << right.text;
  EXPECT_EQ(right["valid"], true);
  EXPECT_EQ(right["projects"].at(0).at("valid"), true);
  EXPECT_EQ(right["dataset"].at(0).at("name"), "spans");
  EXPECT_EQ(right["field"].as_array().size(), 3U);
  EXPECT_EQ(right["field"].at(0).at("attrType"), nullptr);
  EXPECT_EQ(right["field"].at(1).at("attrType"), "number");
  EXPECT_EQ(right["query"].at("fields").at(0).at("name"), "span.op");
  EXPECT_EQ(right["query"].at("error"), nullptr);
  EXPECT_EQ(right["orderby"].at(0).at("valid"), true);
  const auto field = judge("dataset=spans&field=frob()&field=span.op&query=a:");
  EXPECT_EQ(field.status, 400U);
  EXPECT_EQ(field["valid"], false);
  EXPECT_EQ(field["field"].at(0).at("valid"), false);
  EXPECT_EQ(field["field"].at(1).at("valid"), true);
  EXPECT_EQ(field["query"].at("valid"), false);
  EXPECT_FALSE(field.detail().empty());
  const auto order = judge("dataset=spans&field=span.op&orderby=-count()");
  EXPECT_EQ(order.status, 400U);
  EXPECT_EQ(order["field"].at(0).at("valid"), true);
  EXPECT_EQ(order["orderby"].at(0).at("valid"), false);
  EXPECT_EQ(judge("dataset=nonsense&field=id")["dataset"].at(0).at("valid"), false);
}

TEST_F(Explore, PagesDoNotRepeat) {
  for (int i = 0; i < 25; ++i) log("line " + std::to_string(i), "info", 100 - i);
  digest();
  std::vector<std::string> seen;
  std::string cursor;
  for (int page = 0; page < 3; ++page) {
    const auto answer = events("dataset=logs&field=message&per_page=10&sort=-timestamp&cursor=" + cursor);
    for (const auto& row : answer["data"].as_array()) seen.push_back(text_of(row.at("message")));
    const auto next = relation(answer.headers.find("Link"), "next");
    EXPECT_EQ(next.results, page < 2 ? "true" : "false");
    cursor = next.cursor;
  }
  ASSERT_EQ(seen.size(), 25U);
  EXPECT_EQ(seen.front(), "line 24");
  EXPECT_EQ(seen.back(), "line 0");
}

TEST_F(Explore, LogsHaveTheFieldsThatClientsAskFor) {
  log("pump is dry", "warn", 1, R"("pump":{"type":"integer","value":7})");
  log("all is well", "info", 2);
  digest();
  const auto answer = events("dataset=logs&field=sentry.item_id&field=trace&field=severity&field=timestamp&field=timestamp_precise&field=message&query=severity:warn&sort=-timestamp");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  ASSERT_EQ(answer["data"].as_array().size(), 1U);
  const auto& row = answer["data"].at(0);
  EXPECT_EQ(row.at("message"), "pump is dry");
  EXPECT_EQ(row.at("trace"), boost::json::value(trace));
  EXPECT_TRUE(row.at("timestamp_precise").is_int64());
  const auto id = text_of(row.at("sentry.item_id"));
  const auto item = get(project_path("trace-items/" + id + "/?item_type=logs"));
  ASSERT_EQ(item.status, 200U) << item.text;
  bool found = false;
  for (const auto& attribute : item["attributes"].as_array()) found = found || (attribute.at("name") == "pump" && attribute.at("value") == 7);
  EXPECT_TRUE(found) << item.text;
  EXPECT_EQ(get(project_path("trace-items/00000000000000000000000000000000/?item_type=logs")).status, 404U);
  EXPECT_EQ(get(organization_path("trace-logs/?traceId=" + std::string(trace)))["data"].as_array().size(), 2U);
  EXPECT_EQ(get(organization_path("trace-logs/?traceId=nope")).status, 400U);
}

TEST_F(Explore, ErrorsHaveIssuesAndTags) {
  const auto id = error("KeyError", R"(,"release":"shop@1","tags":{"shift":"night"})");
  error("ValueError");
  const auto answer = events("dataset=errors&field=title&field=issue&field=issue.id&field=shift&field=error.type&query=issue:" +
                             text_of(get(organization_path("issues/?query=error.type:KeyError")).json.at(0).at("shortId")));
  ASSERT_EQ(answer.status, 200U) << answer.text;
  ASSERT_EQ(answer["data"].as_array().size(), 1U) << answer.text;
  const auto& row = answer["data"].at(0);
  EXPECT_EQ(row.at("title"), "KeyError: went wrong");
  EXPECT_EQ(row.at("id"), boost::json::value(id));
  EXPECT_EQ(std::to_string(row.at("issue.id").as_int64()), issue("KeyError"));
  EXPECT_EQ(row.at("shift"), "night");
  EXPECT_EQ(row.at("error.type").at(0), "KeyError");
  EXPECT_EQ(column("field=title&query=shift:day", "title"), Texts{});
  EXPECT_EQ(column("field=count()", "count()"), (Texts{"2"}));
}

TEST_F(Explore, ATraceIsATreeOfSpansAndErrors) {
  receive(R"({"type":"transaction","transaction":"GET /","start_timestamp":)" + at(5) + ",\"timestamp\":" + at(4) +
              R"(,"contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"aaaaaaaaaaaaaaaa","op":"http.server"}},
              "spans":[{"span_id":"bbbbbbbbbbbbbbbb","parent_span_id":"aaaaaaaaaaaaaaaa","op":"db","start_timestamp":)" + at(4.9) + ",\"timestamp\":" + at(4.8) + "}]}",
          "transaction");
  span("cccccccccccccccc", "queue", 10, R"(,"parent_span_id":"bbbbbbbbbbbbbbbb")");
  span("dddddddddddddddd", "ring", 10, R"(,"parent_span_id":"eeeeeeeeeeeeeeee")");
  span("eeeeeeeeeeeeeeee", "ring", 10, R"(,"parent_span_id":"dddddddddddddddd")");
  error("KeyError", R"(,"contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"bbbbbbbbbbbbbbbb"}})");
  log("line", "info", 1);
  digest();
  const auto answer = get(organization_path("trace/" + std::string(trace) + "/?statsPeriod=14d"));
  ASSERT_EQ(answer.status, 200U) << answer.text;
  ASSERT_EQ(answer.json.as_array().size(), 2U) << answer.text;
  const auto& root = answer.json.at(0).at("is_transaction") == true ? answer.json.at(0) : answer.json.at(1);
  EXPECT_EQ(root.at("description"), "GET /");
  EXPECT_EQ(root.at("duration"), 1000.0);
  const auto& child = root.at("children").at(0);
  EXPECT_EQ(child.at("event_id"), "bbbbbbbbbbbbbbbb");
  EXPECT_EQ(child.at("errors").at(0).at("event_type"), "error");
  EXPECT_EQ(child.at("children").at(0).at("op"), "queue");
  const auto meta = get(organization_path("trace-meta/" + std::string(trace) + "/?statsPeriod=14d"));
  ASSERT_EQ(meta.status, 200U) << meta.text;
  EXPECT_EQ(meta["spansCount"], 5);
  EXPECT_EQ(meta["errorsCount"], 1);
  EXPECT_EQ(meta["logsCount"], 1);
  EXPECT_EQ(meta["spansCountMap"].at("ring"), 2);
  EXPECT_EQ(get(organization_path("trace/nonsense/")).status, 404U);
  EXPECT_EQ(get(organization_path("trace/ffffffffffffffffffffffffffffffff/")).json.as_array().size(), 0U);
}

TEST_F(Explore, AttributesAreListedByTypeAndName) {
  span("aaaaaaaaaaaaaaaa", "db", 1, R"(,"data":{"db.rows":3,"cached":true,"who":"me"})");
  digest();
  const auto names = [&](std::string_view query) {
    Texts found;
    const auto answer = get(organization_path("trace-items/attributes/?" + std::string(query)));
    for (const auto& each : answer.json.as_array()) found.push_back(text_of(each.at("key")));
    return found;
  };
  EXPECT_EQ(names("dataset=spans&attributeType=boolean&substringMatch=cache"), (Texts{"tags[cached,boolean]"}));
  EXPECT_EQ(names("itemType=spans&attributeType=number&substringMatch=rows"), (Texts{"tags[db.rows,number]"}));
  EXPECT_EQ(names("itemType=spans&attributeType=string&substringMatch=who"), (Texts{"who"}));
  EXPECT_EQ(names("dataset=logs"), Texts{});
  EXPECT_EQ(get(organization_path("trace-items/attributes/?attributeType=odd")).status, 400U);
}

TEST_F(Explore, ATransactionIsShownAsAnEventWithItsSpans) {
  const auto id = receive(R"({"type":"transaction","transaction":"GET /","start_timestamp":)" + at(5) + ",\"timestamp\":" + at(4) +
                              R"(,"measurements":{"lcp":{"value":3}},"contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"aaaaaaaaaaaaaaaa"}},
                              "spans":[{"span_id":"bbbbbbbbbbbbbbbb"}]})",
                          "transaction");
  digest();
  const auto answer = get(project_path("events/" + id + "/"));
  ASSERT_EQ(answer.status, 200U) << answer.text;
  EXPECT_EQ(answer["type"], "transaction");
  EXPECT_EQ(answer["measurements"].at("lcp").at("value").to_number<double>(), 3.0);
  bool spans = false;
  for (const auto& entry : answer["entries"].as_array()) spans = spans || entry.at("type") == "spans";
  EXPECT_TRUE(spans);
  EXPECT_EQ(column("dataset=transactions&field=transaction&field=transaction.duration", "transaction.duration"), (Texts{"1E3"}));
}

}  // namespace
}  // namespace picket::rest

#include "issue_fixture.h"

namespace picket::rest {
namespace {

class Events : public IssuesTest {
 protected:
  // Receives a payload and reads the event back.
  boost::json::value shown(std::string_view payload, std::string_view type = "event") {
    const auto id = receive(payload, type);
    digest();
    const auto answer = get(project_path("events/" + id + "/"));
    EXPECT_EQ(answer.status, 200U) << payload;
    return answer.json;
  }
  static const boost::json::value* entry(const boost::json::value& event, std::string_view type) {
    for (const auto& each : event.at("entries").as_array()) {
      if (text_of(each.at("type")) == type) return &each.at("data");
    }
    return nullptr;
  }
};

TEST_F(Events, ShowsAnErrorInFull) {
  const auto event = shown(R"({"platform":"python","level":"error","release":"1.0","environment":"prod","server_name":"web-1",
    "transaction":"/cart","dist":"42","sdk":{"name":"sentry.python","version":"2.0"},"extra":{"answer":42},"modules":{"flask":"3.0"},
    "contexts":{"runtime":{"name":"CPython","version":"3.11"},"odd":5},"tags":[["b","2"],["a","1"]],
    "user":{"id":7,"email":"ada@example.com","plan":"gold","geo":{"country_code":"FR"}},
    "exception":{"values":[{"type":"ValueError","value":"bad","module":"shop","mechanism":{"type":"generic","handled":false},
      "stacktrace":{"frames":[{"filename":"lib.py","function":"run","lineno":5,"in_app":false},
        {"filename":"app.py","abs_path":"/srv/app.py","function":"pay","lineno":10,"colno":3,"in_app":true,
         "pre_context":["a","b"],"context_line":"c","post_context":["d"],"vars":{"x":"1"}}]}}]},
    "breadcrumbs":[{"timestamp":1700000000.5,"message":"clicked","category":"ui"}],
    "request":{"url":"http://shop/cart?x=1#top","method":"POST","headers":{"Content-Type":"application/json; charset=utf-8"},"cookies":"a=b; c=d","data":{"k":1}}})");
  EXPECT_EQ(event.at("title"), "ValueError: bad");
  EXPECT_EQ(event.at("type"), "error");
  EXPECT_EQ(event.at("culprit"), "/cart");
  EXPECT_EQ(event.at("dist"), "42");
  EXPECT_EQ(event.at("user").at("id"), "7");
  EXPECT_EQ(event.at("user").at("data").at("plan"), "gold");
  EXPECT_EQ(event.at("contexts").at("runtime").at("type"), "runtime");
  EXPECT_FALSE(event.at("contexts").as_object().contains("odd"));
  EXPECT_EQ(event.at("context").at("answer"), 42);
  EXPECT_EQ(event.at("packages").at("flask"), "3.0");
  EXPECT_EQ(event.at("sdk").at("name"), "sentry.python");
  EXPECT_EQ(event.at("release").at("version"), "1.0");
  EXPECT_EQ(event.at("tags").at(0).at("key"), "a");
  const auto* exception = entry(event, "exception");
  ASSERT_TRUE(exception);
  EXPECT_EQ(exception->at("hasSystemFrames"), true);
  const auto& frame = exception->at("values").at(0).at("stacktrace").at("frames").at(1);
  EXPECT_EQ(frame.at("lineNo"), 10);
  EXPECT_EQ(frame.at("colNo"), 3);
  EXPECT_EQ(frame.at("absPath"), "/srv/app.py");
  EXPECT_EQ(frame.at("inApp"), true);
  EXPECT_EQ(boost::json::serialize(frame.at("context")), R"([[8,"a"],[9,"b"],[10,"c"],[11,"d"]])");
  const auto* crumbs = entry(event, "breadcrumbs");
  ASSERT_TRUE(crumbs);
  EXPECT_EQ(crumbs->at("values").at(0).at("timestamp"), "2023-11-14T22:13:20.500000Z");
  const auto* request = entry(event, "request");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->at("url"), "http://shop/cart");
  EXPECT_EQ(boost::json::serialize(request->at("query")), R"([["x","1"]])");
  EXPECT_EQ(request->at("fragment"), "top");
  EXPECT_EQ(request->at("inferredContentType"), "application/json");
  EXPECT_EQ(boost::json::serialize(request->at("cookies")), R"([["a","b"],["c","d"]])");
}

TEST_F(Events, ShowsAMessageWithItsParameters) {
  const auto event = shown(R"({"logentry":{"message":"hello %s","params":["world"]}})");
  EXPECT_EQ(event.at("title"), "hello world");
  EXPECT_EQ(event.at("type"), "default");
  const auto* message = entry(event, "message");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->at("formatted"), "hello world");
  EXPECT_EQ(message->at("message"), "hello %s");
}

TEST_F(Events, ToleratesEveryShape) {
  const std::vector<std::string> odd = {"null", "5", "\"x\"", "[]", "{}", "[null]", "[5]", "[[]]", "[{}]", "{\"values\":null}",
                                        "{\"values\":5}", "{\"values\":[null,5,\"x\",{}]}", "{\"values\":{}}", "true", "-1", "1e308",
                                        "\"\\u0000\"", "\"\\ud83d\\ude00\"", "[[\"a\",1],[\"b\"],[1,2,3],null]", "{\"a\":{\"b\":{\"c\":[1,[2,[3]]]}}}"};
  const std::vector<std::string> fields = {"exception", "stacktrace", "threads", "breadcrumbs", "request", "user", "contexts", "extra", "modules",
                                           "sdk", "tags", "logentry", "message", "template", "debug_meta", "spans", "errors", "csp", "nel",
                                           "measurements", "timestamp", "release", "platform", "level", "transaction", "fingerprint", "dist"};
  std::vector<std::pair<std::string, std::string>> sent;  // id, payload
  for (const auto& field : fields) {
    for (const auto& value : odd) {
      const auto payload = "{\"" + field + "\":" + value + "}";
      sent.emplace_back(receive(payload), payload);
    }
  }
  digest();
  for (const auto& [id, payload] : sent) {
    const auto answer = get(project_path("events/" + id + "/"));
    ASSERT_EQ(answer.status, 200U) << payload << ": " << answer.text;
    ASSERT_EQ(get(project_path("events/" + id + "/json/")).status, 200U) << payload;
  }
  EXPECT_EQ(get(project_path("events/")).status, 200U);
  EXPECT_EQ(get(project_path("events/?full=1")).status, 200U);
}

TEST_F(Events, ToleratesOddPartsOfStacksAndRequests) {
  const std::vector<std::string> odd = {"null", "5", "\"x\"", "[]", "{}", "[null,[1,2],{\"a\":[1]}]", "true", "1e300", "\"99999999999999999999\""};
  std::vector<std::string> payloads;
  for (const auto& value : odd) {
    for (const std::string field : {"filename", "abs_path", "lineno", "colno", "in_app", "vars", "pre_context", "context_line", "post_context", "errors", "function"}) {
      payloads.push_back(R"({"exception":[{"type":"E","stacktrace":{"frames":[{"lineno":3,"context_line":"x",")" + field + "\":" + value + "}]}}]}");
    }
    for (const std::string field : {"type", "value", "mechanism", "stacktrace", "thread_id", "raw_stacktrace", "module"}) {
      payloads.push_back(R"({"exception":{"values":[{")" + field + "\":" + value + "}]}}");
    }
    for (const std::string field : {"url", "method", "headers", "cookies", "query_string", "data", "env", "fragment"}) {
      payloads.push_back(R"({"request":{")" + field + "\":" + value + "}}");
    }
    for (const std::string field : {"id", "email", "ip_address", "geo", "data", "name"}) payloads.push_back(R"({"user":{")" + field + "\":" + value + "}}");
    for (const std::string field : {"timestamp", "message", "data", "level", "type"}) payloads.push_back(R"({"breadcrumbs":[{")" + field + "\":" + value + "}]}");
  }
  std::vector<std::string> ids;
  for (const auto& payload : payloads) ids.push_back(receive(payload));
  digest();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ASSERT_EQ(get(project_path("events/" + ids[i] + "/")).status, 200U) << payloads[i];
  }
}

TEST_F(Events, RepairsWhatIsAlmostJson) {
  const auto event = shown("{\"message\":\"caf\xe9\",\"extra\":{\"n\":NaN}}");
  EXPECT_TRUE(event.at("context").at("n").is_null());
  EXPECT_EQ(event.at("errors").at(0).at("type"), "invalid_data");
}

TEST_F(Events, AnswersDeepPayloads) {
  std::string deep = "1";
  for (int i = 0; i < 200; ++i) deep = "[" + deep + "]";
  const auto event = shown("{\"extra\":{\"deep\":" + deep + "}}");
  EXPECT_TRUE(event.at("context").as_object().contains("deep"));
  std::string too_deep = "1";
  for (int i = 0; i < 900; ++i) too_deep = "[" + too_deep + "]";
  const auto id = receive("{\"message\":\"m\",\"extra\":{\"deep\":" + too_deep + "}}");
  digest();
  const auto answer = get(project_path("events/" + id + "/"));
  EXPECT_TRUE(answer.status == 200U || answer.status == 404U);
}

TEST_F(Events, SaysWhenThePayloadIsGone) {
  const auto id = error("Alpha");
  ASSERT_TRUE(journal.recycle_before(2));
  const auto answer = get(project_path("events/" + id + "/"));
  ASSERT_EQ(answer.status, 200U);
  EXPECT_EQ(answer["eventID"], json_text(id));
  EXPECT_EQ(answer["errors"].at(0).at("type"), "invalid_data");
}

TEST_F(Events, LatestOldestAndTheirNeighbours) {
  const auto one = error("Alpha");
  const auto two = error("Alpha");
  const auto three = error("Alpha");
  const auto other = error("Beta");
  const auto at = [&](std::string_view name) { return get(organization_path("issues/1/events/" + std::string(name) + "/")); };
  EXPECT_EQ(at("latest")["eventID"], json_text(three));
  EXPECT_EQ(at("recommended")["eventID"], json_text(three));
  EXPECT_EQ(at("oldest")["eventID"], json_text(one));
  const auto middle = at(two);
  EXPECT_EQ(middle["nextEventID"], json_text(three));
  EXPECT_EQ(middle["previousEventID"], json_text(one));
  EXPECT_TRUE(at("latest")["nextEventID"].is_null());
  EXPECT_TRUE(at("oldest")["previousEventID"].is_null());
  EXPECT_EQ(at(other).status, 404U);
  EXPECT_EQ(at("nonsense").status, 404U);
  EXPECT_EQ(get(organization_path("issues/DEFAULT-1/events/latest/")).status, 200U);
  EXPECT_EQ(get("/api/0/issues/1/events/latest/").status, 200U);
}

TEST_F(Events, ListsPageForwardAndBack) {
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) ids.push_back(error("Alpha"));
  std::reverse(ids.begin(), ids.end());
  for (const auto& base : {organization_path("issues/1/events/"), project_path("events/")}) {
    std::vector<std::string> seen;
    auto target = base + "?per_page=3";
    Answer page;
    for (;;) {
      page = get(target);
      for (const auto& event : page.json.as_array()) seen.push_back(text_of(event.at("eventID")));
      const auto next = relation(page.headers.find("Link"), "next");
      if (next.results != "true") break;
      target = next.url.substr(std::string("http://picket.example:3000").size());
    }
    EXPECT_EQ(seen, ids);
    const auto previous = relation(page.headers.find("Link"), "previous");
    EXPECT_EQ(previous.results, "true");
    const auto back = get(previous.url.substr(std::string("http://picket.example:3000").size()));
    ASSERT_EQ(back.json.as_array().size(), 3U);
    EXPECT_EQ(back.json.at(0).at("eventID"), json_text(ids[3]));
    EXPECT_EQ(back.json.at(2).at("eventID"), json_text(ids[5]));
  }
}

TEST_F(Events, ListsFilterByQueryEnvironmentAndPeriod) {
  const auto red = error("Alpha", R"(,"tags":{"color":"red"},"environment":"prod")");
  clock_.advance(std::chrono::hours(48));
  const auto blue = error("Alpha", R"(,"tags":{"color":"blue"},"environment":"staging")");
  const auto ids = [&](std::string_view query) {
    Titles found;
    const auto answer = get(organization_path("issues/1/events/?" + std::string(query)));
    EXPECT_EQ(answer.status, 200U) << answer.text;
    for (const auto& event : answer.json.as_array()) found.push_back(text_of(event.at("eventID")));
    return found;
  };
  EXPECT_EQ(ids("query=color:red"), Titles{red});
  EXPECT_EQ(ids("query=!color:red"), Titles{blue});
  EXPECT_EQ(ids("environment=staging"), Titles{blue});
  EXPECT_EQ(ids("statsPeriod=24h"), Titles{blue});
  EXPECT_EQ(ids("query=error.type:Alpha+has:color"), (Titles{blue, red}));
  EXPECT_EQ(ids("query=went+wrong"), (Titles{blue, red}));
  EXPECT_EQ(ids("query=timestamp:-24h"), Titles{blue});
  EXPECT_EQ(ids("query=color:red+OR+environment:staging"), (Titles{blue, red}));
  EXPECT_EQ(ids("query=Alpha+!(color:red+OR+color:green)"), Titles{blue});
  EXPECT_EQ(get(organization_path("issues/1/events/?query=a+OR")).detail(), "A condition is missing behind this AND or OR. (column 3)");
  EXPECT_EQ(get(organization_path("issues/1/events/latest/?environment=prod"))["eventID"], json_text(red));
}

TEST_F(Events, SummariesHaveWhatClientsList) {
  error("Alpha", R"(,"user":{"email":"ada@example.com"})");
  const auto answer = get(project_path("events/"));
  const auto& event = answer.json.at(0);
  for (const auto* name : {"id", "event.type", "groupID", "eventID", "projectID", "message", "title", "location", "culprit", "user", "tags", "platform",
                           "dateCreated", "crashFile", "metadata"}) {
    EXPECT_TRUE(event.as_object().contains(name)) << name;
  }
  EXPECT_EQ(event.at("groupID"), "1");
  EXPECT_FALSE(event.as_object().contains("entries"));
  EXPECT_TRUE(get(project_path("events/?full=true")).json.at(0).as_object().contains("entries"));
}

TEST_F(Events, TheJsonIsNormalisedAndTheRawPayloadIsWhatWasSent) {
  const auto id = receive(R"({"message":"hi","tags":{"a":1},"anything":{"else":[1,2]}})");
  digest();
  const auto answer = get(project_path("events/" + id + "/json/"));
  EXPECT_EQ(answer["anything"].at("else").at(1), 2);
  EXPECT_EQ(answer["event_id"], json_text(id));
  EXPECT_EQ(answer["logentry"].at("formatted"), "hi");
  EXPECT_EQ(boost::json::serialize(answer["tags"]), R"([["a","1"]])");
  const auto raw = get(project_path("events/" + id + "/json/?raw=1"));
  EXPECT_EQ(raw["message"], "hi");
  EXPECT_EQ(boost::json::serialize(raw["tags"]), R"({"a":1})");
  EXPECT_EQ(raw["event_id"], json_text(id));
}

TEST_F(Events, SaysWhatNormalisationTookOut) {
  const auto event = shown(R"({"release":"a/b","exception":[{"type":"E","value":)" + ('"' + std::string(9000, 'x') + '"') + R"(}],"user":{"id":{"x":1},"email":"a@b"}})");
  EXPECT_EQ(event.at("release"), nullptr);
  const auto& error = event.at("errors").at(0);
  EXPECT_EQ(error.at("type"), "invalid_data");
  EXPECT_EQ(error.at("message"), "Discarded invalid value");
  EXPECT_EQ(error.at("data"), boost::json::parse(R"({"name":"release","value":"a/b","reason":"invalid release"})"));
  EXPECT_EQ(event.at("_meta").at("entries").at("0").at("data").at("values").at("0").at("value").at("").at("len"), 9000);
  EXPECT_TRUE(event.at("_meta").at("user").at("id").at("").at("err").is_array());
}

TEST_F(Events, ShowsTheClientOfABrowsersEvent) {
  const auto event = shown(R"({"platform":"javascript","request":{"url":"http://shop/cart?x=1",
    "headers":{"User-Agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0"}}})");
  EXPECT_EQ(event.at("contexts").at("browser").at("name"), "Firefox");
  EXPECT_EQ(event.at("contexts").at("os").at("name"), "Windows");
}

TEST_F(Events, AnEventIdLeadsToItsIssue) {
  const auto id = error("Alpha");
  const auto answer = get(organization_path("eventids/" + id + "/"));
  EXPECT_EQ(answer["groupId"], "1");
  EXPECT_EQ(answer["projectSlug"], json_text(first.project));
  EXPECT_EQ(answer["event"].at("eventID"), json_text(id));
  EXPECT_EQ(get(organization_path("eventids/" + event_id_text(999) + "/")).status, 404U);
  EXPECT_EQ(get(organization_path("eventids/x/")).status, 404U);
}

TEST_F(Events, SecurityReportsAndTransactionsAreShown) {
  const auto csp = shown(R"({"csp-report":{"document-uri":"http://shop/","violated-directive":"script-src","blocked-uri":"http://evil/"}})", "security");
  const auto* report = entry(csp, "csp");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->at("blocked_uri"), "http://evil/");
  const auto transaction = shown(R"({"type":"transaction","transaction":"/cart","start_timestamp":1700000000,"timestamp":1700000001.5,
    "contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"0123456789abcdef"}},"spans":[{"op":"db"}]})", "transaction");
  EXPECT_EQ(transaction.at("type"), "transaction");
  EXPECT_EQ(transaction.at("endTimestamp"), 1700000001.5);
  EXPECT_TRUE(entry(transaction, "spans"));
}

}  // namespace
}  // namespace picket::rest

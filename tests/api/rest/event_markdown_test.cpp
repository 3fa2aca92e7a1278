#include "api/rest/event_markdown.h"
#include "issue_fixture.h"

namespace picket::rest {
namespace {

TEST(AcceptedText, IsWhatIsAskedForBeforeJson) {
  EXPECT_EQ(accepted_text("text/markdown"), "text/markdown");
  EXPECT_EQ(accepted_text("text/plain"), "text/plain");
  EXPECT_EQ(accepted_text("text/markdown, */*"), "text/markdown");
  EXPECT_EQ(accepted_text("text/markdown;q=0.9, application/json;q=0.5"), "text/markdown");
  EXPECT_EQ(accepted_text("text/plain;q=0.4, text/markdown;q=0.5"), "text/markdown");
  for (const auto* accept : {"", "*/*", "application/json", "application/json, text/plain, */*", "text/html", "text/markdown;q=0",
                             "text/plain;q=0.5, application/json", "text/plain;q=x"}) {
    EXPECT_EQ(accepted_text(accept), "") << accept;
  }
}

class EventMarkdown : public IssuesTest {
 protected:
  std::string text(std::string_view path, std::string_view accept = "text/markdown") {
    http::Request request;
    request.head.method = "GET";
    request.head.target = path;
    request.head.path = path;
    request.head.headers.add("Authorization", "Bearer " + token);
    request.head.headers.add("Accept", std::string(accept));
    const auto response = serve(issues_api_, request);
    EXPECT_EQ(response.status, 200U) << response.body;
    type_ = response.content_type;
    return response.body;
  }
  std::string type_;
};

TEST_F(EventMarkdown, TellsTheStoryOfAnEvent) {
  const auto id = receive(R"j({"platform":"python","level":"fatal","release":"shop@1.0","environment":"prod","transaction":"/pay",
    "tags":{"color":"red"},"user":{"id":"7"},"extra":{"order":12},
    "contexts":{"runtime":{"name":"CPython","version":"3.12"}},
    "request":{"method":"POST","url":"https://shop.example/pay"},
    "breadcrumbs":{"values":[{"category":"ui","message":"clicked","level":"info"}]},
    "exception":{"values":[
      {"type":"KeyError","value":"'cart'","stacktrace":{"frames":[{"function":"look","filename":"cart.py","lineno":3,"in_app":false}]}},
      {"type":"PayError","value":"no cart","mechanism":{"type":"wsgi","handled":false},"stacktrace":{"frames":[
        {"function":"main","filename":"app.py","lineno":1,"in_app":true},
        {"function":"pay","filename":"pay.py","lineno":12,"colno":4,"in_app":true,"pre_context":["def pay():"],"context_line":"  raise PayError()","post_context":[""]}]}}]}})j");
  digest();
  const auto told = text(organization_path("issues/1/events/latest/"));
  EXPECT_EQ(type_, "text/markdown; charset=utf-8");
  EXPECT_TRUE(told.starts_with("# PayError: no cart\n")) << told;
  for (const auto* part : {"**Issue:** `DEFAULT-1`", "**Level:** `fatal`", "**Release:** `shop@1.0`", "## Exception: PayError", "## Caused by: KeyError",
                           "Mechanism: `wsgi`, not handled", "  at pay (pay.py:12:4) [in app]\n", "   > 12 |   raise PayError()", "  at look (cart.py:3)\n",
                           "`POST https://shop.example/pay`", "[ui] clicked", "**color:** `red`", "### runtime", "**version:** `3.12`", "**order:** `12`"}) {
    EXPECT_NE(told.find(part), std::string::npos) << part << "\n" << told;
  }
  EXPECT_LT(told.find("at pay"), told.find("at main"));
  EXPECT_EQ(text(project_path("events/" + id + "/"), "text/plain"), told);
  EXPECT_EQ(type_, "text/plain; charset=utf-8");
  EXPECT_TRUE(text(project_path("events/" + id + "/"), "application/json, text/plain, */*").starts_with("{"));
}

TEST_F(EventMarkdown, LetsNoTextEndItsFence) {
  receive(R"j({"message":"hello\n```\n# not a heading\n````x","tags":{"ab":"`c``d`"},"exception":[{"type":"# [x](y)","value":"```"}]})j");
  digest();
  const auto told = text("/api/0/issues/1/events/latest/");
  EXPECT_NE(told.find("`````\nhello\n```\n# not a heading\n````x\n`````\n"), std::string::npos) << told;
  EXPECT_NE(told.find("````\n```\n````\n"), std::string::npos) << told;
  EXPECT_NE(told.find("## Exception: \\# \\[x\\](y)"), std::string::npos) << told;
  EXPECT_NE(told.find("``` `c``d` ```"), std::string::npos) << told;
}

TEST_F(EventMarkdown, IsBoundedWhateverAnEventHolds) {
  std::string frames;
  for (int i = 0; i < 900; ++i) frames += std::string(i ? "," : "") + R"({"function":"f","filename":"a.py","lineno":1})";
  receive(R"({"extra":{"long":")" + std::string(300'000, 'x') + R"("},"exception":[{"type":"E","value":"v","stacktrace":{"frames":[)" + frames + "]}}]}");
  digest();
  const auto told = text("/api/0/issues/1/events/latest/");
  EXPECT_LT(told.size(), 60'000U);
  EXPECT_NE(told.find("more\n"), std::string::npos);
}

TEST_F(EventMarkdown, ShowsWhatIsThereOfPayloadsOfAnyShape) {
  for (const auto* payload : {"{}", R"({"exception":null,"message":null})", R"({"exception":[1,"x",null,{}],"contexts":[],"extra":7,"tags":9})",
                              R"({"threads":{"values":[{"id":1,"crashed":true,"stacktrace":{"frames":[{"instruction_addr":"0x1"}]}}]},"breadcrumbs":[{}]})",
                              R"({"exception":{"values":[{"stacktrace":{"frames":[{"lineno":"x","context_line":5,"vars":{}}]}}]}})"}) {
    receive(payload);
    digest();
    const auto events = get(project_path("events/")).json;
    for (const auto& event : events.as_array()) {
      EXPECT_TRUE(text(project_path("events/" + text_of(event.at("eventID")) + "/")).starts_with("# ")) << payload;
    }
  }
}

}  // namespace
}  // namespace picket::rest

#include "api/digest/security_event.h"

#include "api/digest/digest_fixture.h"
#include "api/digest/event.h"
#include "api/digest/payload.h"

namespace picket::digest {
namespace {

constexpr std::string_view asset =
    R"({"csp-report":{"document-uri":"http://shop.example:8000/","referrer":"http://search.example/",)"
    R"("violated-directive":"style-src cdn.example.com","effective-directive":"style-src",)"
    R"("original-policy":"default-src 'none'","blocked-uri":"http://evil.example:8000/lol.css",)"
    R"("status-code":200,"source-file":null}})";
constexpr std::string_view violation =
    R"({"type":"csp-violation","age":10,"url":"https://shop.example/cart","user_agent":"Browser/2",)"
    R"("body":{"documentURL":"https://shop.example/","effectiveDirective":"script-src-elem",)"
    R"("blockedURL":"inline","disposition":"enforce","lineNumber":7,"sample":"alert 1"}})";

schema::IntakeMeta meta() {
  schema::IntakeMeta meta;
  meta.set_remote_address("198.51.100.7");
  meta.set_user_agent("Browser/1");
  return meta;
}

std::string render(std::string_view payload, std::string_view header = "{}") {
  relay::Item item;
  item.header = header;
  item.payload = payload;
  item.type = "raw_security";
  return render_security_event(item, meta());
}

TEST(SecurityEvent, OfACspReport) {
  EXPECT_EQ(render(asset, R"({"sentry_release":"shop@1","sentry_environment":"edge\n"})"),
            R"({"type":"csp","platform":"other","level":"error","logger":"csp",)"
            R"("logentry":{"formatted":"Blocked 'style' from 'evil.example:8000'"},)"
            R"("culprit":"style-src cdn.example.com","release":"shop@1","environment":"edge\n",)"
            R"("tags":[["effective-directive","style-src"],)"
            R"(["blocked-uri","http://evil.example:8000/lol.css"],["blocked-host","evil.example"]],)"
            R"("request":{"url":"http://shop.example:8000/",)"
            R"("headers":[["Referer","http://search.example/"],["User-Agent","Browser/1"]]},)"
            R"("user":{"ip_address":"198.51.100.7"},)"
            R"("csp":{"document_uri":"http://shop.example:8000/","referrer":"http://search.example/",)"
            R"("violated_directive":"style-src cdn.example.com","effective_directive":"style-src",)"
            R"("original_policy":"default-src 'none'","blocked_uri":"http://evil.example:8000/lol.css",)"
            R"("status_code":200}})");
}

TEST(SecurityEvent, OfTheReportingApi) {
  const auto event = render(violation);
  for (const std::string_view part :
       {R"("formatted":"Blocked inline 'script'")", R"("culprit":"script-src-elem")",
        R"(["User-Agent","Browser/2"])", R"("document_uri":"https://shop.example/")",
        R"("blocked_uri":"inline")", R"("line_number":7)", R"("script_sample":"alert 1")"}) {
    EXPECT_NE(event.find(part), std::string::npos) << part << "\nin\n" << event;
  }
}

TEST(SecurityEvent, OfOtherPolicies) {
  struct Case {
    std::string_view report;
    std::string_view type;
    std::string_view message;
    std::string_view culprit;
  };
  for (const auto& [report, type, message, culprit] :
       {Case{R"({"expect-ct-report":{"hostname":"a.example","port":443}})", "expectct",
             "Expect-CT failed for 'a.example'", "a.example"},
        Case{R"({"expect-staple-report":{"hostname":"a.example","cert-status":"REVOKED"}})",
             "expectstaple", "Expect-Staple failed for 'a.example'", "a.example"},
        Case{R"({"hostname":"a.example","known-pins":["x"],"date-time":"2014-04-06T13:00:50Z"})",
             "hpkp", "Public key pinning validation failed for 'a.example'", ""}}) {
    const auto event = parse_event(render(report));
    ASSERT_TRUE(event) << report;
    EXPECT_EQ(wire_name(event->type), type);
    EXPECT_EQ(event->formatted, message);
    EXPECT_EQ(event->culprit, culprit);
  }
}

TEST(SecurityEvent, OfNothingIsNothing) {
  for (const std::string_view payload :
       {"", "7", "[]", "{}", "{", R"({"csp-report":7})", R"({"type":"csp-violation"})"}) {
    EXPECT_EQ(render(payload), "") << payload;
  }
}

TEST(DescribeCsp, SaysWhatWasBlockedAndFromWhere) {
  EXPECT_EQ(describe_csp("img-src", "https://a.example/x.png", ""), "Blocked 'image' from 'a.example'");
  EXPECT_EQ(describe_csp("default-src", "http://a.example", "default-src self"),
            "Blocked 'default-src' from 'a.example'");
  EXPECT_EQ(describe_csp("img-src", "data", ""), "Blocked 'image' from 'data'");
  EXPECT_EQ(describe_csp("style-src", "inline", ""), "Blocked inline 'style'");
  EXPECT_EQ(describe_csp("script-src", "eval", ""), "Blocked unsafe eval() 'script'");
  EXPECT_EQ(describe_csp("script-src", "", "script-src 'unsafe-inline'"),
            "Blocked unsafe inline 'script'");
  EXPECT_EQ(describe_csp("script-src", "self", ""), "Blocked unsafe (eval() or inline) 'script'");
  EXPECT_EQ(describe_csp("form-action", "https://a.example/pay", ""),
            "Blocked 'form' action to 'a.example'");
  EXPECT_EQ(describe_csp("", "", ""), "Blocked inline ''");
}

class SecurityReportDigest : public DigestTest {};

TEST_F(SecurityReportDigest, MakesIssuesThatGroupByDirectiveAndHost) {
  receive(envelope(item("raw_security", asset) + item("raw_security", asset) +
                       item("raw_security", violation),
                   id_text(1)));
  digest_all();
  EXPECT_EQ(outcomes()["security accepted"], 3U);
  ASSERT_EQ(issues().size(), 2U);
  const auto issue = issues()[0];
  EXPECT_EQ(issue.title(), "Blocked 'style' from 'evil.example:8000'");
  EXPECT_EQ(issue.culprit(), "style-src cdn.example.com");
  EXPECT_EQ(issue.metadata_json(),
            R"({"directive":"style-src","uri":"evil.example:8000",)"
            R"("message":"Blocked 'style' from 'evil.example:8000'"})");
  EXPECT_EQ(tag_count(issue.id(), "blocked-host", "evil.example").count(), 2U);
}

TEST_F(SecurityReportDigest, CountsWhatIsNoReport) {
  receive(envelope(item("raw_security", "{}"), id_text(1)));
  digest_all();
  EXPECT_EQ(outcomes()["security invalid/security_report"], 1U);
  EXPECT_TRUE(issues().empty());
}

TEST_F(SecurityReportDigest, IsReadAsTheEventThatItBecomes) {
  receive(envelope(item("raw_security", asset, R"(,"sentry_release":"shop@1")"), id_text(1)));
  const auto payload = read_payload(journal, 1, 0);
  ASSERT_TRUE(payload);
  EXPECT_EQ(payload->own().type, "raw_security");
  EXPECT_TRUE(payload->own().payload.starts_with(R"({"type":"csp")"));
  const auto copied = *payload;
  EXPECT_EQ(parse_event(copied.own().payload)->release, "shop@1");
}

}  // namespace
}  // namespace picket::digest

#include "api/rest/router.h"

#include "api/rest/rest_fixture.h"

namespace picket::rest {
namespace {

class Router : public Rest {};

TEST_F(Router, AnswersAnUnknownRouteWithAnEmpty404) {
  const auto answer = get("/api/0/nothing/here/");
  EXPECT_EQ(answer.status, 404U);
  EXPECT_EQ(answer.text, "");
  EXPECT_EQ(get("/api/0/organizations/picket/dashboards/").status, 404U);
}

TEST_F(Router, HintsAtAMissingTrailingSlash) {
  const auto text = get("/api/0/organizations");
  EXPECT_EQ(text.status, 404U);
  EXPECT_EQ(text.content_type, "text/plain");
  EXPECT_TRUE(text.text.starts_with("Route not found, did you forget a trailing slash?"));

  http::Request request;
  request.head.method = "POST";
  request.head.path = "/api/0/organizations/picket/releases";
  request.head.headers.add("Content-Type", "application/json; charset=utf-8");
  const auto json = send(request);
  EXPECT_EQ(json.status, 404U);
  EXPECT_EQ(json["info"], "Route not found, did you forget a trailing slash?");
}

TEST_F(Router, NamesTheAllowedMethodsForAWrongOne) {
  const auto answer = call("PATCH", "/api/0/organizations/picket/");
  EXPECT_EQ(answer.status, 405U);
  EXPECT_EQ(answer.detail(), "Method \"PATCH\" not allowed.");
  EXPECT_EQ(answer.headers.find("Allow"), "GET, HEAD, PUT, OPTIONS");
  EXPECT_EQ(call("\xff", "/api/0/organizations/").status, 405U);
}

TEST_F(Router, AsksForCredentialsBeforeItSaysAnythingElse) {
  http::Request request;
  request.head.method = "PATCH";
  request.head.path = "/api/0/organizations/nobody/";
  EXPECT_EQ(send(request).status, 401U);
}

TEST_F(Router, AnswersHeadAsGetAndOptionsWithoutCredentials) {
  EXPECT_EQ(call("HEAD", "/api/0/organizations/").status, 200U);
  http::Request request;
  request.head.method = "OPTIONS";
  request.head.path = "/api/0/organizations/";
  const auto answer = send(request);
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.headers.find("Allow"), "GET, HEAD, OPTIONS");
}

TEST_F(Router, TakesIdsAndSlugsAlike) {
  for (const std::string_view organization : {"picket", "1"}) {
    for (const std::string_view project : {"default", "1"}) {
      const auto path =
          "/api/0/projects/" + std::string(organization) + "/" + std::string(project) + "/";
      EXPECT_EQ(get(path)["slug"], "default") << path;
    }
    EXPECT_EQ(get("/api/0/teams/" + std::string(organization) + "/1/")["slug"], "picket");
  }
  EXPECT_EQ(get("/api/0/projects/picket/0/").status, 404U);
  EXPECT_EQ(get("/api/0/projects/picket/18446744073709551616/").status, 404U);
  EXPECT_EQ(get("/api/0/projects/picket/-1/").status, 404U);
}

TEST_F(Router, DecodesThePathPieceByPiece) {
  EXPECT_EQ(get("/api/0/projects/picket/d%65fault/").status, 200U);
  EXPECT_EQ(get("/api/0/projects/picket%2Fdefault/").status, 404U);
  EXPECT_EQ(get("/api/0/organizations/picket/releases/%2e%2e/").status, 404U);
}

TEST_F(Router, RefusesBytesThatNoNameCanHave) {
  for (const std::string_view bad : {"%00", "%ff", "a%00b", "%c0%af", "%ed%a0%80"}) {
    const auto path = "/api/0/projects/picket/" + std::string(bad) + "/";
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 404U) << path;
  }
}

TEST_F(Router, SurvivesVeryLongNames) {
  const std::string name(100'000, 'a');
  EXPECT_EQ(get("/api/0/projects/picket/" + name + "/").status, 404U);
  EXPECT_EQ(get("/api/0/organizations/" + name + "/").status, 404U);
  EXPECT_EQ(get("/api/0/organizations/picket/releases/" + name + "/").status, 404U);
  EXPECT_EQ(get("/api/0/projects/picket/default/environments/" + name + "/").status, 404U);
  EXPECT_EQ(get("/api/0/projects/picket/default/keys/" + name + "/").status, 404U);
  std::string deep = "/api/0/";
  for (int i = 0; i < 10'000; ++i)
    deep += "a/";
  EXPECT_EQ(get(deep).status, 404U);
}

TEST_F(Router, SaysThatABodyIsNotJson) {
  const auto deep = std::string(100'000, '[');
  for (const std::string& body :
       {std::string("{"), std::string("{\"name\":"), std::string("nonsense"), std::string("\xff"),
        std::string("{\"name\":\"\xed\xa0\x80\"}"), deep, std::string("{} {}")}) {
    const auto answer = call("PUT", "/api/0/organizations/picket/", body);
    EXPECT_EQ(answer.status, 400U) << body.substr(0, 20);
    EXPECT_TRUE(answer.detail().starts_with("JSON parse error - ")) << answer.text;
  }
}

TEST_F(Router, RefusesABodyPastTheLimit) {
  const auto answer =
      call("PUT", "/api/0/organizations/picket/", std::string(max_body_bytes + 1, ' '));
  EXPECT_EQ(answer.status, 413U);
}

TEST_F(Router, ComplainsAboutABodyThatIsNoObject) {
  for (const std::string body : {"[]", "3", "\"x\"", "true"}) {
    const auto answer = call("POST", "/api/0/organizations/picket/teams/", body);
    EXPECT_EQ(answer.status, 400U);
    EXPECT_TRUE(answer.json.as_object().contains("non_field_errors")) << answer.text;
  }
}

TEST_F(Router, MovesARenamedProjectsOldSlug) {
  ASSERT_EQ(call("PUT", "/api/0/projects/picket/default/", "{\"slug\":\"renamed\"}").status, 200U);
  const auto answer = get("/api/0/projects/picket/default/keys/?status=active");
  EXPECT_EQ(answer.status, 302U);
  EXPECT_EQ(answer.headers.find("Location"), "/api/0/projects/picket/renamed/keys/?status=active");
  EXPECT_EQ(answer["slug"], "renamed");
  EXPECT_EQ(answer["detail"].at("code"), "resource-moved");
  EXPECT_EQ(answer["detail"].at("extra").at("slug"), "renamed");
  EXPECT_EQ(get("/api/0/projects/picket/1/").status, 200U);
}

TEST_F(Router, SaysWhoIsCalling) {
  const auto root = get("/api/0/");
  EXPECT_EQ(root["user"].at("id"), "1");
  EXPECT_NE(text_of(root["user"].at("email")), "");
  EXPECT_EQ(root["auth"].at("scopes").as_array().size(), all_scopes.size());
  EXPECT_EQ(get("/api/0/auth/")["id"], "1");
  EXPECT_EQ(get("/api/0/users/me/regions/")["regions"].at(0).at("url"),
            "http://picket.example:3000");

  const auto bound = make_token({"org:ci"}, 1, false);
  const auto anonymous = call("GET", "/api/0/", {}, bound);
  EXPECT_TRUE(anonymous["user"].is_null());
  EXPECT_EQ(call("GET", "/api/0/auth/", {}, bound).status, 403U);
}

TEST(Utf8, ReplacesWhatIsNotUtf8AndKeepsTheRest) {
  EXPECT_EQ(replace_invalid_utf8("a\xffz"), "a\xef\xbf\xbdz");
  EXPECT_EQ(replace_invalid_utf8("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
            "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(replace_invalid_utf8("\xc3"), "\xef\xbf\xbd");
  EXPECT_EQ(replace_invalid_utf8("\xf4\x90\x80\x80").substr(0, 3), "\xef\xbf\xbd");
}

TEST(RenderTime, WritesWhatJavaScriptAndGoRead) {
  EXPECT_EQ(render_time(1'700'000'000'123), "2023-11-14T22:13:20.123000Z");
  EXPECT_TRUE(render_time(0).is_null());
  EXPECT_TRUE(render_time(-5).is_null());
  EXPECT_TRUE(render_time(INT64_MAX).is_null());
}

}  // namespace
}  // namespace picket::rest

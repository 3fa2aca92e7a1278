#include "api/rest/rest_fixture.h"

namespace picket::rest {
namespace {

class Projects : public Rest {
 protected:
  Answer create(const std::string& body) {
    return call("POST", "/api/0/teams/picket/picket/projects/", body);
  }
};

TEST_F(Projects, AreCreatedWithATeamAndAKey) {
  const auto before = generation();
  const auto made = create(R"({"name":"Pump Station","platform":"python"})");
  ASSERT_EQ(made.status, 201U) << made.text;
  EXPECT_EQ(made["slug"], "pump-station");
  EXPECT_EQ(made["platform"], "python");
  EXPECT_EQ(made["teams"].at(0).at("slug"), "picket");
  EXPECT_EQ(get("/api/0/projects/picket/pump-station/keys/").json.as_array().size(), 1U);
  EXPECT_EQ(get("/api/0/teams/picket/picket/projects/").json.as_array().size(), 2U);
  EXPECT_GT(generation(), before);
}

TEST_F(Projects, GetASlugOfTheirOwnFromTheirName) {
  const std::pair<std::string, std::string> cases[] = {
      {"Default", "default-2"}, {"default!", "default-3"}, {"123", "project"},
      {"Ünïcode", "n-code"},    {"日本語", "project-2"},   {"--a--b--", "a-b"},
      {"...", "project-3"}};
  for (const auto& [name, slug] : cases)
    EXPECT_EQ(text_of(create("{\"name\":\"" + name + "\"}")["slug"]), slug) << name;
  const auto longest = create("{\"name\":\"" + std::string(200, 'x') + "\"}");
  EXPECT_EQ(text_of(longest["slug"]).size(), longest_slug);
  const auto again = create("{\"name\":\"" + std::string(200, 'x') + "\"}");
  EXPECT_EQ(text_of(again["slug"]).size(), longest_slug);
  EXPECT_TRUE(text_of(again["slug"]).ends_with("-2"));
}

TEST_F(Projects, RefuseWhatIsWrongFieldByField) {
  EXPECT_EQ(create("{}").text, R"({"name":["This field is required."]})");
  EXPECT_EQ(create("").text, R"({"name":["This field is required."]})");
  EXPECT_EQ(create(R"({"name":null})").text, R"({"name":["This field may not be null."]})");
  EXPECT_EQ(create(R"({"name":"  "})").text, R"({"name":["This field may not be blank."]})");
  EXPECT_EQ(create(R"({"name":[]})").text, R"({"name":["Not a valid string."]})");
  EXPECT_EQ(create(R"({"name":"a\u0000b"})").text,
            R"({"name":["Null characters are not allowed."]})");
  EXPECT_EQ(create("{\"name\":\"" + std::string(201, 'x') + "\"}").status, 400U);
  for (const std::string slug : {"42", "A", "a b", "a/b", "ä"}) {
    EXPECT_EQ(create("{\"name\":\"x\",\"slug\":\"" + slug + "\"}").status, 400U) << slug;
  }
  EXPECT_EQ(create(R"({"name":"x","default_rules":"perhaps"})").status, 400U);
}

TEST_F(Projects, AnExplicitSlugThatIsTakenIsAConflict) {
  const auto answer = create(R"({"name":"x","slug":"default"})");
  EXPECT_EQ(answer.status, 409U);
  EXPECT_EQ(answer.detail(), "A project with this slug already exists.");
}

TEST_F(Projects, MayBeMadeWithoutNamingATeam) {
  const auto made = call("POST", "/api/0/organizations/picket/projects/", R"({"name":"solo"})");
  ASSERT_EQ(made.status, 201U) << made.text;
  EXPECT_EQ(made["team_slug"], "team-admin");
  EXPECT_EQ(made["isMember"], true);
  const auto second = call("POST", "/api/0/organizations/picket/projects/", R"({"name":"duo"})");
  EXPECT_EQ(second["team_slug"], "team-admin");
}

TEST_F(Projects, AreListedAcrossTheOrganization) {
  create(R"({"name":"alpha"})");
  const auto list = get("/api/0/organizations/picket/projects/");
  ASSERT_EQ(list.json.as_array().size(), 2U);
  EXPECT_EQ(list.json.at(0).at("slug"), "alpha");
  EXPECT_EQ(get("/api/0/organizations/picket/projects/?query=ALPH").json.as_array().size(), 1U);
  EXPECT_EQ(get("/api/0/organizations/picket/projects/?query=slug:default").json.as_array().size(),
            1U);
  EXPECT_EQ(get("/api/0/organizations/picket/projects/?query=id:1").json.at(0).at("slug"),
            "default");
  EXPECT_EQ(get("/api/0/projects/?per_page=1").json.at(0).at("organization").at("slug"), "picket");
}

TEST_F(Projects, KeepWhatAnUpdateSays) {
  const auto before = generation();
  const auto answer =
      call("PUT", "/api/0/projects/picket/default/",
           R"({"name":"Renamed","platform":"go","subjectPrefix":"[x]","resolveAge":24,
                               "highlightTags":["a"],"highlightContext":{"browser":["name"]},"unheardOf":true})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  const auto again = get("/api/0/projects/picket/default/");
  EXPECT_EQ(again["name"], "Renamed");
  EXPECT_EQ(again["platform"], "go");
  EXPECT_EQ(again["subjectPrefix"], "[x]");
  EXPECT_EQ(again["resolveAge"], 24);
  EXPECT_EQ(again["highlightTags"].at(0), "a");
  EXPECT_GT(generation(), before);
  ASSERT_EQ(call("PUT", "/api/0/projects/picket/default/", R"({"platform":null,"resolveAge":null})")
                .status,
            200U);
  EXPECT_TRUE(get("/api/0/projects/picket/default/")["platform"].is_null());
  EXPECT_EQ(get("/api/0/projects/picket/default/")["resolveAge"], 0);
}

TEST_F(Projects, MayBeBookmarkedByReadersOnly) {
  const auto reader = make_token({"project:read"});
  const auto path = "/api/0/projects/picket/default/";
  EXPECT_EQ(call("PUT", path, R"({"isBookmarked":true})", reader).status, 200U);
  EXPECT_EQ(get(path)["isBookmarked"], true);
  EXPECT_EQ(call("PUT", path, R"({"isBookmarked":true,"name":"mine"})", reader).status, 403U);
  EXPECT_EQ(call("PUT", path, R"({"name":"mine"})", reader).status, 403U);
}

TEST_F(Projects, ARenamedProjectGivesItsOldSlugToWhoeverTakesIt) {
  ASSERT_EQ(call("PUT", "/api/0/projects/picket/default/", R"({"slug":"first"})").status, 200U);
  EXPECT_EQ(get("/api/0/projects/picket/default/").status, 302U);
  const auto taker = create(R"({"name":"Default","slug":"default"})");
  ASSERT_EQ(taker.status, 201U) << taker.text;
  EXPECT_EQ(get("/api/0/projects/picket/default/")["id"], taker["id"]);
  EXPECT_EQ(call("PUT", "/api/0/projects/picket/first/", R"({"slug":"default"})").status, 400U);
  EXPECT_EQ(get("/api/0/projects/picket/first/")["id"], "1");
}

TEST_F(Projects, AreGoneAtOnceWhenDeleted) {
  ASSERT_EQ(call("PUT", "/api/0/projects/picket/default/", R"({"slug":"first"})").status, 200U);
  call("POST", "/api/0/organizations/picket/releases/",
       R"({"version":"1.0","projects":["first"]})");
  const auto before = generation();
  EXPECT_EQ(call("DELETE", "/api/0/projects/picket/first/").status, 204U);
  EXPECT_GT(generation(), before);
  for (const std::string_view path :
       {"/api/0/projects/picket/first/", "/api/0/projects/picket/default/",
        "/api/0/projects/picket/1/", "/api/0/projects/picket/1/keys/"}) {
    EXPECT_EQ(get(path).status, 404U) << path;
  }
  EXPECT_EQ(get("/api/0/organizations/picket/project-keys/").json.as_array().size(), 0U);
  EXPECT_EQ(get("/api/0/teams/picket/picket/projects/").json.as_array().size(), 0U);
  EXPECT_EQ(get("/api/0/organizations/picket/releases/1.0/")["projects"].as_array().size(), 0U);
  const auto snapshot = tables_->snapshot();
  EXPECT_EQ(snapshot.entries(buffer::Table::project_keys), 0U);
  EXPECT_EQ(snapshot.entries(buffer::Table::keys_by_project), 0U);
  EXPECT_EQ(snapshot.entries(buffer::Table::release_projects), 0U);
}

TEST_F(Projects, NeverGiveAnIdTwice) {
  call("DELETE", "/api/0/projects/picket/default/");
  EXPECT_EQ(create(R"({"name":"next"})")["id"], "2");
}

class Keys : public Rest {};

TEST_F(Keys, CarryTheDsnOfEveryWayIn) {
  const auto list = get("/api/0/projects/picket/default/keys/");
  ASSERT_EQ(list.json.as_array().size(), 1U);
  const auto& key = list.json.at(0).as_object();
  const auto hex = first.public_key;
  EXPECT_EQ(key.at("id"), boost::json::string(hex));
  EXPECT_EQ(key.at("projectId"), 1);
  EXPECT_EQ(text_of(key.at("dsn").at("public")), "http://" + hex + "@picket.example:3000/1");
  EXPECT_EQ(text_of(key.at("dsn").at("public")), first.dsn);
  EXPECT_EQ(text_of(key.at("dsn").at("secret")),
            "http://" + hex + ":" + text_of(key.at("secret")) + "@picket.example:3000/1");
  EXPECT_EQ(text_of(key.at("dsn").at("minidump")),
            "http://picket.example:3000/api/1/minidump/?sentry_key=" + hex);
  EXPECT_TRUE(key.at("rateLimit").is_null());
}

TEST_F(Keys, LiveFromCreationToDeletion) {
  const auto before = generation();
  const auto all = "/api/0/projects/picket/default/keys/";
  const auto made = call("POST", all, R"({"name":"mobile","rateLimit":{"count":100,"window":60}})");
  ASSERT_EQ(made.status, 201U) << made.text;
  EXPECT_EQ(made["name"], "mobile");
  EXPECT_EQ(made["rateLimit"].at("count"), 100);
  const auto one = std::string(all) + text_of(made["id"]) + "/";
  EXPECT_EQ(get(one)["label"], "mobile");

  const auto changed =
      call("PUT", one, R"({"name":"old","isActive":false,"rateLimit":null,"browserSdkVersion":"7.x",
                                            "dynamicSdkLoaderOptions":{"hasReplay":true}})");
  EXPECT_EQ(changed["isActive"], false);
  EXPECT_TRUE(changed["rateLimit"].is_null());
  EXPECT_EQ(get(one)["browserSdkVersion"], "7.x");
  EXPECT_EQ(get(std::string(all) + "?status=active").json.as_array().size(), 1U);
  EXPECT_EQ(get(std::string(all) + "?status=inactive").json.as_array().size(), 1U);
  EXPECT_EQ(get(std::string(all) + "?status=odd").status, 400U);

  EXPECT_EQ(call("DELETE", one).status, 204U);
  EXPECT_EQ(get(one).status, 404U);
  EXPECT_EQ(call("DELETE", one).status, 404U);
  EXPECT_EQ(generation() - before, 4U + 0U) << "made (twice written), changed, deleted";
}

TEST_F(Keys, AreNamedWhenNobodyNamesThem) {
  EXPECT_EQ(call("POST", "/api/0/projects/picket/default/keys/").status, 201U);
  EXPECT_EQ(call("POST", "/api/0/projects/picket/default/keys/", R"({"name":""})")["name"],
            "Key 3");
}

TEST_F(Keys, RefuseLimitsThatAreNone) {
  const auto all = "/api/0/projects/picket/default/keys/";
  for (const std::string limit :
       {R"("fast")", R"({"count":-1,"window":60})", R"({"count":1.5,"window":60})",
        R"({"count":1,"window":86401})", R"({"count":99999999999,"window":60})", "[]"}) {
    EXPECT_EQ(call("POST", all, "{\"rateLimit\":" + limit + "}").status, 400U) << limit;
  }
  EXPECT_TRUE(call("POST", all, R"({"rateLimit":{"count":10}})")["rateLimit"].is_null());
  EXPECT_EQ(get(all).json.as_array().size(), 2U) << "refused ones left nothing behind";
}

TEST_F(Keys, OfAnOrganizationCanBeFilteredByTeam) {
  call("POST", "/api/0/organizations/picket/teams/", R"({"name":"empty"})");
  EXPECT_EQ(get("/api/0/organizations/picket/project-keys/").json.as_array().size(), 1U);
  EXPECT_EQ(get("/api/0/organizations/picket/project-keys/?team=picket").json.as_array().size(),
            1U);
  EXPECT_EQ(get("/api/0/organizations/picket/project-keys/?team=empty").json.as_array().size(), 0U);
  EXPECT_EQ(get("/api/0/organizations/picket/project-keys/?team=none").status, 404U);
}

}  // namespace
}  // namespace picket::rest

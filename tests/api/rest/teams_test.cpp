#include "api/rest/rest_fixture.h"

namespace picket::rest {
namespace {

class Teams : public Rest {};

TEST_F(Teams, LiveFromCreationToDeletion) {
  const auto made =
      call("POST", "/api/0/organizations/picket/teams/", R"({"name":"Ancient Gabelers"})");
  ASSERT_EQ(made.status, 201U) << made.text;
  EXPECT_EQ(made["slug"], "ancient-gabelers");
  EXPECT_EQ(made["isMember"], true);
  EXPECT_EQ(made["memberCount"], 1);
  const auto one = "/api/0/teams/picket/ancient-gabelers/";
  EXPECT_EQ(get(one)["organization"].at("slug"), "picket");
  EXPECT_FALSE(
      get(std::string(one) + "?collapse=organization").json.as_object().contains("organization"));
  EXPECT_TRUE(get(std::string(one) + "?expand=x,projects").json.as_object().contains("projects"));

  const auto renamed = call("PUT", one, R"({"slug":"gabelers","name":"Gabelers"})");
  EXPECT_EQ(renamed["slug"], "gabelers");
  EXPECT_EQ(get(one).status, 404U);
  EXPECT_EQ(call("PUT", "/api/0/teams/picket/gabelers/", R"({"slug":"picket"})").status, 400U);
  EXPECT_EQ(call("DELETE", "/api/0/teams/picket/gabelers/").status, 204U);
  EXPECT_EQ(get("/api/0/teams/picket/gabelers/").status, 404U);
  EXPECT_EQ(get("/api/0/organizations/picket/teams/").json.as_array().size(), 1U);
}

TEST_F(Teams, NeedANameOrASlugThatIsFree) {
  const auto all = "/api/0/organizations/picket/teams/";
  EXPECT_EQ(call("POST", all, "{}").text, R"({"non_field_errors":["Name or slug is required"]})");
  EXPECT_EQ(call("POST", all, R"({"name":"Picket"})").status, 409U);
  EXPECT_EQ(call("POST", all, R"({"slug":"99"})").status, 400U);
  EXPECT_EQ(call("POST", all, R"({"slug":"only-slug"})")["name"], "only-slug");
}

TEST_F(Teams, TakeProjectsInAndLetThemGo) {
  call("POST", "/api/0/organizations/picket/teams/", R"({"name":"second"})");
  const auto link = "/api/0/projects/picket/default/teams/second/";
  const auto before = generation();
  const auto added = call("POST", link);
  EXPECT_EQ(added.status, 201U);
  EXPECT_EQ(added["teams"].as_array().size(), 2U);
  EXPECT_GT(generation(), before);
  EXPECT_EQ(call("POST", link).status, 201U);
  EXPECT_EQ(get("/api/0/projects/picket/default/teams/").json.as_array().size(), 2U);
  EXPECT_EQ(get("/api/0/teams/picket/second/projects/").json.at(0).at("slug"), "default");
  const auto dropped = call("DELETE", link);
  EXPECT_EQ(dropped.status, 200U);
  EXPECT_EQ(dropped["teams"].as_array().size(), 1U);
  EXPECT_EQ(call("POST", "/api/0/projects/picket/default/teams/nobody/").status, 404U);
}

TEST_F(Teams, DeletingOneKeepsItsProjects) {
  EXPECT_EQ(call("DELETE", "/api/0/teams/picket/picket/").status, 204U);
  const auto project = get("/api/0/projects/picket/default/");
  EXPECT_EQ(project.status, 200U);
  EXPECT_EQ(project["teams"].as_array().size(), 0U);
  EXPECT_FALSE(project.json.as_object().contains("team"));
}

class Members : public Rest {
 protected:
  const std::string all = "/api/0/organizations/picket/members/";
  std::string one(std::string_view id) { return all + std::string(id) + "/"; }
};

TEST_F(Members, AreInvitedChangedAndRemoved) {
  const auto made = call("POST", all, R"({"email":"new@example.com","orgRole":"admin",
                                         "teamRoles":[{"teamSlug":"picket","role":"contributor"}]})");
  ASSERT_EQ(made.status, 201U) << made.text;
  EXPECT_EQ(made["pending"], true);
  EXPECT_TRUE(made["user"].is_null());
  const auto id = text_of(made["id"]);
  EXPECT_EQ(get(one(id))["teams"].at(0), "picket");
  EXPECT_EQ(get("/api/0/teams/picket/picket/members/").json.as_array().size(), 2U);
  EXPECT_EQ(get("/api/0/projects/picket/default/members/").json.as_array().size(), 2U);

  const auto changed = call("PUT", one(id), R"({"orgRole":"manager","teamRoles":[]})");
  EXPECT_EQ(changed["orgRole"], "manager");
  EXPECT_EQ(changed["teams"].as_array().size(), 0U);
  EXPECT_EQ(call("DELETE", one(id)).status, 204U);
  EXPECT_EQ(get(one(id)).status, 404U);
}

TEST_F(Members, RefuseBadInvitations) {
  EXPECT_EQ(call("POST", all, "{}").text, R"({"email":["This field is required."]})");
  for (const std::string email : {"nobody", "@x", "x@", "a b@c", "a@b@c", "a@b\\nc"}) {
    EXPECT_EQ(call("POST", all, "{\"email\":\"" + email + "\"}").status, 400U) << email;
  }
  EXPECT_EQ(call("POST", all, R"({"email":"a@b","orgRole":"king"})").status, 400U);
  EXPECT_EQ(call("POST", all, R"({"email":"a@b","teamRoles":[{"teamSlug":"nowhere"}]})").status,
            400U);
  EXPECT_EQ(call("POST", all, R"({"email":"a@b","teamRoles":["picket"]})").status, 400U);
  EXPECT_EQ(get(all).json.as_array().size(), 1U);
  EXPECT_EQ(call("POST", all, R"({"email":"ADMIN@localhost"})").status, 400U) << "a member already";
}

TEST_F(Members, NobodyHandsOutMoreThanTheyHave) {
  const auto user = make_user("boss", 1, "manager");
  const auto manager =
      make_token_for(user, std::vector<std::string>(all_scopes.begin(), all_scopes.end()));
  EXPECT_EQ(call("POST", all, R"({"email":"x@y","orgRole":"owner"})", manager).status, 400U);
  EXPECT_EQ(call("POST", all, R"({"email":"x@y","orgRole":"manager"})", manager).status, 201U);
  EXPECT_EQ(call("PUT", one("1"), R"({"orgRole":"member"})", manager).status, 403U);
  EXPECT_EQ(call("DELETE", one("1"), {}, manager).status, 403U);
}

TEST_F(Members, TheLastOwnerStays) {
  EXPECT_EQ(call("PUT", one("me"), R"({"orgRole":"member"})").status, 400U);
  EXPECT_EQ(call("DELETE", one("1")).detail(),
            "You cannot remove the only remaining owner of the organization.");
  EXPECT_EQ(get(one("me"))["isOnlyOwner"], true);
  make_user("other", 1, "owner");
  EXPECT_EQ(get(one("1"))["isOnlyOwner"], false);
  EXPECT_EQ(call("DELETE", one("me")).status, 204U);
  EXPECT_EQ(get("/api/0/organizations/picket/").status, 403U) << "no longer a member";
}

TEST_F(Members, MayLeaveButNotRemoveOthers) {
  const auto user = make_user("junior", 1, "member");
  const auto junior = make_token_for(user, {"member:admin", "org:read"});
  EXPECT_EQ(call("DELETE", one("1"), {}, junior).status, 403U);
  EXPECT_EQ(call("PUT", one("1"), R"({"orgRole":"member"})", junior).status, 403U);
  EXPECT_EQ(call("DELETE", one("me"), {}, junior).status, 204U);
}

TEST_F(Members, JoinAndLeaveTeams) {
  make_user("second", 1, "member");
  const auto team = one("2") + "teams/picket/";
  EXPECT_EQ(call("PUT", team, R"({"teamRole":"admin"})").status, 404U);
  EXPECT_EQ(call("POST", team).status, 201U);
  EXPECT_EQ(call("POST", team).status, 204U);
  const auto role = call("PUT", team, R"({"teamRole":"admin"})");
  EXPECT_EQ(role.text, R"({"isActive":true,"teamRole":"admin"})");
  EXPECT_EQ(get(one("2"))["teamRoles"].at(0).at("role"), "admin");
  EXPECT_EQ(call("PUT", team, R"({"teamRole":"king"})").status, 400U);
  EXPECT_EQ(call("DELETE", team).status, 200U);
  EXPECT_EQ(call("DELETE", team).status, 404U);
  EXPECT_EQ(call("POST", one("99") + "teams/picket/").status, 404U);
}

TEST_F(Members, OthersAreNotMovedByThoseWhoMayOnlyRead) {
  const auto junior = make_token_for(make_user("junior", 1, "member"), {"org:read"});
  EXPECT_EQ(call("POST", one("1") + "teams/picket/", {}, junior).status, 403U);
  EXPECT_EQ(call("DELETE", one("1") + "teams/picket/", {}, junior).status, 403U);
  EXPECT_EQ(call("POST", one("me") + "teams/picket/", {}, junior).status, 201U);
}

TEST_F(Members, AnIdOfAnotherOrganizationIsNotFound) {
  const auto other = make_organization("other");
  make_user("stranger", other, "owner");
  EXPECT_EQ(get(one("2")).status, 404U);
  EXPECT_EQ(get(one("x")).status, 404U);
}

}  // namespace
}  // namespace picket::rest

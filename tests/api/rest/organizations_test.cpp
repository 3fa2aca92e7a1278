#include "api/rest/rest_fixture.h"

namespace picket::rest {
namespace {

class Organizations : public Rest {};

TEST_F(Organizations, ListsWhatClientsInsistOn) {
  const auto answer = get("/api/0/organizations/");
  ASSERT_EQ(answer.json.as_array().size(), 1U);
  const auto& one = answer.json.at(0).as_object();
  EXPECT_EQ(one.at("slug"), "picket");
  for (const std::string_view flag : {"isEarlyAdopter", "require2FA", "requireEmailVerification"}) {
    EXPECT_TRUE(one.at(flag).is_bool()) << flag;
  }
  EXPECT_TRUE(one.at("features").is_array());
  EXPECT_EQ(one.at("links").at("regionUrl"), "");
  EXPECT_EQ(one.at("links").at("organizationUrl"),
            "http://picket.example:3000/organizations/picket/");
}

TEST_F(Organizations, NamesTheRegionOnlyOverTls) {
  api_.public_url = "https://errors.example.com";
  EXPECT_EQ(get("/api/0/organizations/picket/")["links"].at("regionUrl"),
            "https://errors.example.com");
}

TEST_F(Organizations, FiltersTheListByNameAndOwner) {
  EXPECT_EQ(get("/api/0/organizations/?query=PICK").json.as_array().size(), 1U);
  EXPECT_EQ(get("/api/0/organizations/?query=nobody").json.as_array().size(), 0U);
  const auto owned = get("/api/0/organizations/?owner=1");
  EXPECT_EQ(owned.json.at(0).at("organization").at("slug"), "picket");
}

TEST_F(Organizations, GivesDetailsUnlessToldNotTo) {
  EXPECT_TRUE(get("/api/0/organizations/picket/").json.as_object().contains("teams"));
  EXPECT_FALSE(get("/api/0/organizations/picket/?detailed=0").json.as_object().contains("teams"));
}

TEST_F(Organizations, KeepsSettingsThatNothingActsOnYet) {
  const auto answer = call(
      "PUT", "/api/0/organizations/picket/",
      R"({"name":"Ünïcode ✓","openMembership":false,"sensitiveFields":["pin"],"unheardOf":1})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  EXPECT_EQ(answer["name"], "Ünïcode ✓");
  const auto again = get("/api/0/organizations/picket/");
  EXPECT_EQ(again["openMembership"], false);
  EXPECT_EQ(again["sensitiveFields"].at(0), "pin");
  EXPECT_FALSE(again.json.as_object().contains("unheardOf"));
  ASSERT_EQ(call("PUT", "/api/0/organizations/picket/", R"({"eventsMemberAdmin":false})").status,
            200U);
  EXPECT_EQ(get("/api/0/organizations/picket/")["openMembership"], false);
}

TEST_F(Organizations, RefusesSettingsOfTheWrongKind) {
  const auto answer = call(
      "PUT", "/api/0/organizations/picket/",
      R"({"name":"","openMembership":"yes","storeCrashReports":1.5,"defaultRole":"king","sensitiveFields":{}})");
  EXPECT_EQ(answer.status, 400U);
  for (const std::string_view field :
       {"name", "openMembership", "storeCrashReports", "defaultRole", "sensitiveFields"}) {
    EXPECT_TRUE(answer.json.as_object().contains(field)) << field << answer.text;
  }
  EXPECT_EQ(get("/api/0/organizations/picket/")["name"], "Picket");
}

TEST_F(Organizations, RefusesSettingsPastAllReason) {
  const std::string large(400'000, 'x');
  const auto answer =
      call("PUT", "/api/0/organizations/picket/", "{\"sensitiveFields\":[\"" + large + "\"]}");
  EXPECT_EQ(answer.status, 400U);
}

TEST_F(Organizations, CanBeRenamed) {
  make_organization("taken");
  EXPECT_EQ(call("PUT", "/api/0/organizations/picket/", R"({"slug":"taken"})").status, 400U);
  for (const std::string slug : {"12", "Big", "a b", "", "ü"}) {
    EXPECT_EQ(call("PUT", "/api/0/organizations/picket/", "{\"slug\":\"" + slug + "\"}").status,
              400U)
        << slug;
  }
  ASSERT_EQ(call("PUT", "/api/0/organizations/picket/", R"({"slug":"outpost"})").status, 200U);
  EXPECT_EQ(get("/api/0/organizations/picket/").status, 404U);
  EXPECT_EQ(get("/api/0/projects/outpost/default/").status, 200U);
}

TEST_F(Organizations, ListsItsEnvironmentsAndThoseOfChosenProjects) {
  write([&](buffer::Batch& batch) {
    schema::EnvironmentRow row;
    row.set_id(7);
    buffer::put_row(batch, buffer::Table::environments, buffer::Key().u64(1).text("production"),
                    row);
    row.set_id(8);
    row.set_hidden(true);
    buffer::put_row(batch, buffer::Table::environments, buffer::Key().u64(1).text("staging"), row);
  });
  EXPECT_EQ(get("/api/0/organizations/picket/environments/").text,
            R"([{"id":"7","name":"production"}])");
  EXPECT_EQ(get("/api/0/organizations/picket/environments/?visibility=all").json.as_array().size(),
            2U);
  EXPECT_EQ(get("/api/0/organizations/picket/environments/?visibility=none").status, 400U);
  EXPECT_EQ(get("/api/0/organizations/picket/environments/?project=99").status, 403U);
  EXPECT_EQ(get("/api/0/organizations/picket/environments/?project=1&project=-1").status, 200U);

  const auto project = "/api/0/projects/picket/default/environments/";
  EXPECT_EQ(get(project).json.as_array().size(), 1U);
  EXPECT_EQ(get(std::string(project) + "staging/")["isHidden"], true);
  EXPECT_EQ(get(std::string(project) + "nowhere/").status, 404U);
  EXPECT_EQ(call("PUT", std::string(project) + "staging/", R"({"isHidden":false})")["isHidden"],
            false);
  EXPECT_EQ(call("PUT", std::string(project) + "staging/", "{}").status, 400U);
  const auto both =
      call("PUT", project, R"({"environmentNames":["staging","production"],"isHidden":true})");
  EXPECT_EQ(both.json.as_array().size(), 2U);
  EXPECT_EQ(get(project).json.as_array().size(), 0U);
  EXPECT_EQ(
      call("PUT", project, R"({"environmentNames":["staging","nowhere"],"isHidden":false})").status,
      400U);
  EXPECT_EQ(get(project).json.as_array().size(), 0U) << "all or nothing";
}

}  // namespace
}  // namespace picket::rest

#include "issue_fixture.h"

namespace picket::rest {
namespace {

TEST_F(IssuesTest, TagsOfAnIssueAreCounted) {
  error("Alpha", R"(,"tags":{"color":"red"},"user":{"id":"7"})");
  error("Alpha", R"(,"tags":{"color":"red"})");
  error("Alpha", R"(,"tags":{"color":"blue"})");
  error("Beta", R"(,"tags":{"color":"green"})");
  const auto tag = get(organization_path("issues/1/tags/color/"));
  EXPECT_EQ(tag["name"], "Color");
  EXPECT_EQ(tag["uniqueValues"], 2);
  EXPECT_EQ(tag["totalValues"], 3);
  EXPECT_EQ(tag["topValues"].at(0).at("value"), "red");
  EXPECT_EQ(tag["topValues"].at(0).at("count"), 2);
  EXPECT_EQ(get(organization_path("issues/1/tags/user/"))["topValues"].at(0).at("query"), "user.id:\"7\"");
  EXPECT_EQ(get(organization_path("issues/1/tags/nothing/")).status, 404U);
  const auto all = get(organization_path("issues/1/tags/"));
  Titles keys;
  for (const auto& each : all.json.as_array()) keys.push_back(text_of(each.at("key")));
  EXPECT_EQ(keys, (Titles{"color", "level", "user"}));
  const auto values = get(organization_path("issues/1/tags/color/values/"));
  EXPECT_EQ(values.json.at(0).at("value"), "blue");
  EXPECT_EQ(get(organization_path("issues/1/tags/color/values/?sort=count")).json.at(0).at("value"), "red");
  EXPECT_EQ(get(organization_path("issues/1/tags/color/values/?sort=size")).status, 400U);
  EXPECT_FALSE(values.headers.find("Link").empty());
}

TEST_F(IssuesTest, TagsOfAProjectAreCounted) {
  error("Alpha", R"(,"tags":{"color":"red"})");
  error("Beta", R"(,"tags":{"color":"blue"})");
  const auto tags = get(project_path("tags/"));
  EXPECT_EQ(tags.json.at(0).at("key"), "color");
  EXPECT_EQ(tags.json.at(0).at("uniqueValues"), 2);
  const auto values = get(project_path("tags/color/values/?query=BL"));
  ASSERT_EQ(values.json.as_array().size(), 1U);
  EXPECT_EQ(values.json.at(0).at("name"), "blue");
  EXPECT_EQ(get(organization_path("tags/")).json.at(0).at("totalValues"), 2);
}

TEST_F(IssuesTest, ProjectStatsCountPerHour) {
  error("Alpha");
  error("Alpha");
  receive("{broken");
  digest();
  const auto last = [&](std::string_view query) {
    const auto answer = get(project_path("stats/?" + std::string(query)));
    EXPECT_EQ(answer.status, 200U) << answer.text;
    return answer.json.as_array().back().at(1).to_number<int>();
  };
  EXPECT_EQ(last(""), 3);
  EXPECT_EQ(last("stat=generated"), 2);
  EXPECT_EQ(last("stat=rejected&resolution=1d"), 1);
  EXPECT_EQ(get(project_path("stats/")).json.as_array().size(), 24U);
  EXPECT_EQ(get(project_path("stats/?stat=odd")).status, 400U);
  EXPECT_EQ(get(project_path("stats/?since=x")).status, 400U);
  EXPECT_LE(get(project_path("stats/?since=0&resolution=1h")).json.as_array().size(), 3000U);
}

TEST_F(IssuesTest, OrganizationStatsGroupAndFilter) {
  error("Alpha");
  error("Alpha");
  receive("{broken");
  receive(R"({"type":"transaction","transaction":"/"})", "transaction");
  digest();
  const auto stats = get(organization_path("stats_v2/?field=sum(quantity)&groupBy=outcome&groupBy=category&statsPeriod=24h&interval=1h"));
  ASSERT_EQ(stats.status, 200U) << stats.text;
  EXPECT_EQ(stats["intervals"].as_array().size(), 25U);
  std::map<std::string, std::int64_t> totals;
  for (const auto& group : stats["groups"].as_array()) {
    totals[text_of(group.at("by").at("outcome")) + " " + text_of(group.at("by").at("category"))] = group.at("totals").at("sum(quantity)").to_number<std::int64_t>();
    std::int64_t sum = 0;
    for (const auto& point : group.at("series").at("sum(quantity)").as_array()) sum += point.to_number<std::int64_t>();
    EXPECT_EQ(sum, group.at("totals").at("sum(quantity)").to_number<std::int64_t>());
  }
  EXPECT_EQ(totals["accepted error"], 2);
  EXPECT_EQ(totals["invalid error"], 1);
  EXPECT_EQ(totals["accepted transaction"], 1);
  const auto by_project = get(organization_path("stats_v2/?field=sum(quantity)&groupBy=project&outcome=accepted&category=error"));
  EXPECT_EQ(by_project["groups"].at(0).at("by").at("project"), first.project_id);
  EXPECT_EQ(by_project["groups"].at(0).at("totals").at("sum(quantity)"), 2);
  for (const auto* query : {"groupBy=outcome", "field=sum(quantity)&groupBy=size", "field=count()&groupBy=outcome", "field=sum(quantity)&category=odd",
                            "field=sum(quantity)&outcome=odd", "field=sum(quantity)&interval=5m", "field=sum(quantity)&interval=x",
                            "field=sum(quantity)&statsPeriod=1000d&interval=1h"}) {
    EXPECT_EQ(get(organization_path("stats_v2/?" + std::string(query))).status, 400U) << query;
  }
  const auto summary = get(organization_path("stats-summary/?field=sum(quantity)&statsPeriod=14d&interval=1d"));
  EXPECT_EQ(summary["projects"].at(0).at("stats").at(0).at("totals").at("dropped"), 1);
}

}  // namespace
}  // namespace picket::rest

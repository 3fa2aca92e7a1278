#include "rest_fixture.h"

namespace picket::rest {
namespace {

class SavedQueries : public Rest {
 protected:
  std::string path(std::string_view rest = "") const {
    return "/api/0/organizations/" + first.organization + "/discover/saved/" + std::string(rest);
  }
  std::string saved(std::string_view body) {
    const auto answer = call("POST", path(), std::string(body));
    EXPECT_EQ(answer.status, 201U) << answer.text;
    return answer.status == 201 ? text_of(answer["id"]) : "";
  }
  std::vector<std::string> names(std::string_view query) {
    std::vector<std::string> found;
    const auto answer = get(path("?" + std::string(query)));
    EXPECT_EQ(answer.status, 200U) << answer.text;
    for (const auto& one : answer.json.as_array()) found.push_back(text_of(one.at("name")));
    return found;
  }
};

using Names = std::vector<std::string>;

TEST_F(SavedQueries, LiveFromTheirMakingToTheirEnd) {
  const auto id = saved(R"json({"name":"Slow pumps","projects":[],"queryDataset":"transaction-like","range":"24h",
    "fields":["transaction","p95()","equation|count() * 2"],"orderby":"-p95","query":"transaction:*pump*","yAxis":["count()"],
    "display":"top5","topEvents":5,"environment":["quay"],"interval":"1h"})json");
  const auto shown = get(path(id + "/"));
  ASSERT_EQ(shown.status, 200U);
  EXPECT_EQ(shown["name"], "Slow pumps");
  EXPECT_EQ(shown["fields"].at(1), "p95()");
  EXPECT_EQ(shown["queryDataset"], "transaction-like");
  EXPECT_EQ(shown["topEvents"], 5);
  EXPECT_EQ(shown["environment"].at(0), "quay");
  EXPECT_EQ(shown["version"], 2);
  EXPECT_EQ(shown["expired"], false);
  EXPECT_TRUE(text_of(shown["dateCreated"]).ends_with("Z"));
  EXPECT_EQ(text_of(shown["createdBy"].at("id")).empty(), false);
  clock_.advance(std::chrono::minutes(1));
  const auto changed = call("PUT", path(id + "/"), R"({"name":"Pumps","fields":["title"]})");
  ASSERT_EQ(changed.status, 200U) << changed.text;
  EXPECT_EQ(changed["name"], "Pumps");
  EXPECT_FALSE(changed.json.as_object().contains("query")) << "all of it is replaced";
  EXPECT_NE(changed["dateUpdated"], changed["dateCreated"]);
  EXPECT_EQ(call("DELETE", path(id + "/")).status, 204U);
  EXPECT_EQ(get(path(id + "/")).status, 404U);
  EXPECT_EQ(call("DELETE", path(id + "/")).status, 404U);
}

TEST_F(SavedQueries, AreListedFoundAndSorted) {
  const auto b = saved(R"({"name":"b pumps","fields":["title"]})");
  clock_.advance(std::chrono::minutes(1));
  saved(R"({"name":"a valves","fields":["title"]})");
  EXPECT_EQ(names(""), (Names{"a valves", "b pumps"}));
  EXPECT_EQ(names("sortBy=-name"), (Names{"b pumps", "a valves"}));
  EXPECT_EQ(names("sortBy=dateCreated"), (Names{"b pumps", "a valves"}));
  EXPECT_EQ(names("sortBy=-dateCreated"), (Names{"a valves", "b pumps"}));
  EXPECT_EQ(names("query=PUMP"), (Names{"b pumps"}));
  EXPECT_EQ(names("query=name:valves"), (Names{"a valves"}));
  EXPECT_EQ(call("POST", path(b + "/visit/")).status, 204U);
  EXPECT_EQ(names("sortBy=mostPopular"), (Names{"b pumps", "a valves"}));
  EXPECT_EQ(names("sortBy=recentlyViewed"), (Names{"b pumps", "a valves"}));
  EXPECT_EQ(names("per_page=1"), (Names{"a valves"}));
  EXPECT_EQ(get(path("?sortBy=nonsense")).status, 400U);
}

TEST_F(SavedQueries, RefuseWhatCouldNotBeAsked) {
  for (const auto* body : {R"({})", R"({"name":""})", R"({"name":"x","queryDataset":"nonsense"})", R"({"name":"x","fields":"title"})",
                           R"({"name":"x","fields":["sum(a"]})", R"({"name":"x","fields":["equation|1"]})", R"({"name":"x","query":"a:"})",
                           R"({"name":"x","projects":[999]})", R"({"name":"x","topEvents":11})", R"({"name":"x","range":"soon"})",
                           R"({"name":"x","start":"yesterday"})", R"([])"}) {
    EXPECT_EQ(call("POST", path(), body).status, 400U) << body;
  }
  EXPECT_EQ(call("POST", path(), "{\"name\":\"" + std::string(256, 'x') + "\"}").status, 400U);
  EXPECT_EQ(names(""), Names{});
  EXPECT_EQ(get(path("nonsense/")).status, 404U);
  EXPECT_EQ(get(path("18446744073709551616/")).status, 404U);
}

}  // namespace
}  // namespace picket::rest

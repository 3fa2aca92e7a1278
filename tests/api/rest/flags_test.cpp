// Feature flags of events: searched, counted, and apart from the tags.
#include "issue_fixture.h"

namespace picket::rest {
namespace {

class Flags : public IssuesTest {
 protected:
  std::string flagged(std::string_view type, std::string_view values, std::string_view fields = "") {
    return error(type, R"(,"contexts":{"flags":{"values":[)" + std::string(values) + "]}}" + std::string(fields));
  }
  Titles found(std::string_view query) { return listed("query=" + std::string(query)); }
  std::size_t events(std::string_view query) {
    const auto answer = get(organization_path("events/?dataset=errors&field=id&query=" + std::string(query)));
    EXPECT_EQ(answer.status, 200U) << answer.text;
    return answer["data"].as_array().size();
  }
  static Titles keys(const Answer& answer) {
    Titles found;
    for (const auto& each : answer.json.as_array()) found.push_back(text_of(each.at("key")));
    return found;
  }
};

TEST_F(Flags, FindIssuesAndEvents) {
  flagged("Alpha", R"({"flag":"new-checkout","result":true},{"flag":"theme","result":"dark"},{"flag":"share","result":0.5})");
  flagged("Alpha", R"({"flag":"new-checkout","result":false})");
  flagged("Beta", R"({"flag":"new-checkout","result":false})");
  error("Gamma");
  EXPECT_EQ(found("flags%5Bnew-checkout%5D:true"), Titles{"Alpha"});
  EXPECT_EQ(found("flags%5B%22new-checkout%22%5D:false"), (Titles{"Beta", "Alpha"}));
  EXPECT_EQ(found("!flags%5B%22new-checkout%22%5D:true"), (Titles{"Gamma", "Beta"}));
  EXPECT_EQ(found("has:flags%5Btheme%5D"), Titles{"Alpha"});
  EXPECT_EQ(found("flags%5Btheme%5D:%5Blight,dark%5D"), Titles{"Alpha"});
  EXPECT_EQ(found("flags%5Btheme%5D:d*k"), Titles{"Alpha"});
  EXPECT_EQ(found("flags%5Bshare,number%5D:%3E0.4"), Titles{"Alpha"});
  EXPECT_EQ(found("theme:dark"), Titles{});  // a flag is no tag
  EXPECT_EQ(events("flags%5B%22new-checkout%22%5D:true"), 1U);
  EXPECT_EQ(events("flags%5Bnew-checkout%5D:false"), 2U);
  EXPECT_EQ(events("has:flags%5Bnew-checkout%5D+flags%5Btheme%5D:dark"), 1U);
  EXPECT_EQ(get(project_path("events/?query=flags%5Btheme%5D:dark")).json.as_array().size(), 1U);
  EXPECT_EQ(get(organization_path("issues/1/events/?query=flags%5Bnew-checkout%5D:false")).json.as_array().size(), 1U);
  const auto grouped = get(organization_path("events/?dataset=errors&field=flags%5B%22new-checkout%22%5D&field=count()&sort=-count()"));
  ASSERT_EQ(grouped.status, 200U) << grouped.text;
  EXPECT_EQ(grouped["data"].at(0).at("flags[\"new-checkout\"]"), "false");
  EXPECT_EQ(grouped["data"].at(0).at("count()"), 2);
}

TEST_F(Flags, AreCountedApartFromTags) {
  flagged("Alpha", R"({"flag":"new-checkout","result":true})", R"(,"tags":{"color":"red"})");
  flagged("Alpha", R"({"flag":"new-checkout","result":true},{"flag":"theme","result":"dark"})");
  flagged("Alpha", R"({"flag":"new-checkout","result":false})");
  const auto all = get(organization_path("issues/1/tags/?useFlagsBackend=1"));
  EXPECT_EQ(keys(all), (Titles{"new-checkout", "theme"}));
  EXPECT_EQ(all.json.at(0).at("topValues").at(0).at("value"), "true");
  EXPECT_EQ(all.json.at(0).at("topValues").at(0).at("count"), 2);
  EXPECT_EQ(all.json.at(0).at("topValues").at(0).at("key"), "new-checkout");
  EXPECT_EQ(all.json.at(0).at("totalValues"), 3);
  EXPECT_EQ(keys(get(organization_path("issues/1/tags/"))), (Titles{"color", "level"}));
  EXPECT_EQ(keys(get(project_path("tags/"))), (Titles{"color", "level"}));
  const auto one = get(organization_path("issues/1/tags/theme/?useFlagsBackend=1"));
  EXPECT_EQ(one["name"], "theme");
  EXPECT_EQ(one["uniqueValues"], 1);
  EXPECT_EQ(get(organization_path("issues/1/tags/theme/")).status, 404U);
  EXPECT_EQ(get(organization_path("issues/1/tags/color/?useFlagsBackend=1")).status, 404U);
  EXPECT_EQ(get(organization_path("issues/1/tags/new-checkout/values/?useFlagsBackend=1&sort=count")).json.at(1).at("value"), "false");
  EXPECT_EQ(keys(get(organization_path("tags/?useFlagsBackend=1"))), (Titles{"new-checkout", "theme"}));
  EXPECT_EQ(keys(get(organization_path("tags/?useFlagsBackend=0"))), (Titles{"color", "level"}));
  const auto facets = get(organization_path("events-facets/?dataset=errors"));
  for (const auto& facet : facets.json.as_array()) EXPECT_NE(facet.at("key"), "flags[theme]");
  const auto shown = get(organization_path("issues/1/"));
  for (const auto& tag : shown["tags"].as_array()) EXPECT_FALSE(text_of(tag.at("key")).starts_with("flags")) << shown.text;
}

// The last evaluation counts, nonsense does not, and there is an end to it.
TEST_F(Flags, OfHostileEventsAreBounded) {
  std::string many = R"({"flag":"f0","result":false},{"flag":7,"result":true},{"flag":"no result"},{"flag":"nothing","result":null},{"flag":"deep","result":{"a":1}},)"
                     R"("text",[1],{"result":true},{"flag":"","result":true},{"flag":"odd \"name\"]","result":true})";
  for (int i = 0; i < 3'000; ++i) many += ",{\"flag\":\"f" + std::to_string(i) + "\",\"result\":true}";
  flagged("Alpha", many);
  error("Beta", R"(,"contexts":{"flags":{"values":"none"}})");
  error("Beta", R"(,"contexts":{"flags":[1]})");
  const auto all = get(organization_path("issues/1/tags/?useFlagsBackend=1"));
  EXPECT_EQ(all.json.as_array().size(), 100U);
  EXPECT_EQ(found("flags%5Bf0%5D:true"), Titles{"Alpha"});
  EXPECT_EQ(found("flags%5Bf0%5D:false"), Titles{});
  EXPECT_EQ(found("has:flags%5Bdeep%5D"), Titles{});
  EXPECT_EQ(found("has:flags%5Bf2999%5D"), Titles{});
  EXPECT_TRUE(get(organization_path("issues/2/tags/?useFlagsBackend=1")).json.as_array().empty());
}

}  // namespace
}  // namespace picket::rest

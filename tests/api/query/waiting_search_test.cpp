// Searches by tags that wait to be added to their rows find what they find afterwards.
#include "api/digest/waiting_tags.h"
#include "issues_fixture.h"

#include <set>

namespace picket::query {
namespace {

using buffer::Key;
using buffer::Table;

class WaitingSearch : public IssueTables {
 protected:
  static std::vector<std::string> tags_of(std::uint64_t issue) {
    const auto tag = [](std::string_view key, std::string value) { return std::string(Key().text(key).text(value).view()); };
    std::vector<std::string> tags{tag("color", issue % 3 == 0 ? "red" : "blue"), tag("user", "id:" + std::to_string(issue % 11))};
    if (issue % 5 == 0) tags.push_back(tag("zone", "eu-" + std::to_string(issue)));
    if (issue % 7 == 0) tags.push_back(tag("url", "https://shop.example/cart/" + std::to_string(issue)));
    return tags;
  }
  void fill(std::uint64_t issues) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      for (std::uint64_t id = 1; id <= issues; ++id) put(batch, {.id = id, .title = "x", .last_seen_ms = static_cast<std::int64_t>(id), .project = 1 + id % 2});
    }));
    // Some of them twice: rows and what waits are the same tags then.
    for (std::uint64_t from : {std::uint64_t{1}, issues / 2}) {
      std::set<std::string> texts;
      for (auto id = from; id <= issues; ++id) {
        for (auto& text : tags_of(id)) texts.insert(text);
      }
      digest::TagIncrements added;
      added.tags.assign(texts.begin(), texts.end());
      for (auto id = from; id <= issues; ++id) {
        auto own = tags_of(id);
        std::ranges::sort(own);
        for (const auto& text : own)
          added.uses.push_back({static_cast<std::uint32_t>(std::distance(texts.begin(), texts.find(text))), {1, 5, 5}});
        added.owners.push_back({id, 1 + id % 2, added.uses.size()});
      }
      ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { digest::add_tags(batch, added); }));
    }
    ASSERT_GT(tables->snapshot().entries(Table::tag_runs), 0U);
  }
  void settle() {
    for (bool more = true; more;) {
      ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { more = digest::fold_some_tags(batch); }));
    }
  }
  void compare(std::uint64_t issues) {
    fill(issues);
    const std::vector<std::string> questions{"color:red",       "!color:red",        "color:[red,blue]", "has:zone",      "!has:zone",
                                             "zone:eu-1*",      "user.id:7",         "user.id:1*",       "url:*cart/14*", "color:red zone:*5",
                                             "color:red OR user.id:4", "has:url",    "7",                "shop.example/cart/21", "color:green"};
    std::map<std::string, Ids> waiting;
    for (const auto& question : questions) waiting[question] = find(question);
    settle();
    for (const auto& question : questions) EXPECT_EQ(waiting[question], find(question)) << question;
    Ids red;
    for (auto id = issues; id > 0; --id) {
      if (id % 3 == 0) red.push_back(id);
    }
    const auto& found = waiting["color:red"];
    EXPECT_EQ(found, Ids(red.begin(), red.begin() + static_cast<std::ptrdiff_t>(found.size())));
    EXPECT_GE(found.size(), 25U);
  }
};

TEST_F(WaitingSearch, FindsTheSameWhereFewIssuesAreLookedAtOneByOne) {
  compare(200);
}

TEST_F(WaitingSearch, FindsTheSameWhereTheHoldersOfATagAreReadAtOnce) {
  compare(1500);
}

}  // namespace
}  // namespace picket::query

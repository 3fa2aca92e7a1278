#include "api/digest/tag_run.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

using IssueAndTag = std::pair<std::uint64_t, std::string>;  // issue, tag

std::string numbered_tag(std::uint64_t number) {
  using std::string_literals::operator""s;
  return (number % 3 == 0 ? "user\0id:"s : "color\0"s) + std::to_string(number) + "\0"s;
}

// Increments of up to `issues` issues; texts live in `texts`.
TagIncrements random_increments(std::mt19937_64& random, std::size_t issues, std::map<std::string, int>& texts) {
  std::map<std::uint64_t, std::map<std::string, TagSum>> by_issue;
  for (std::size_t i = 0; i < issues; ++i) {
    auto& tags = by_issue[random() % 4 == 0 ? random() : random() % 1000];
    for (std::size_t tag = 0; tag < 1 + random() % 6; ++tag) {
      const auto first = static_cast<std::int64_t>(random() % 1000) - 10;
      const auto text = numbered_tag(random() % 500);
      tags[text] = {1 + (random() % 3 == 0 ? random() % 100'000 : 0), first, first + static_cast<std::int64_t>(random() % 2 * 5000)};
      texts[text];
    }
  }
  TagIncrements added;
  for (auto& [text, rank] : texts) {
    rank = static_cast<int>(added.tags.size());
    added.tags.push_back(text);
  }
  for (const auto& [issue, tags] : by_issue) {
    for (const auto& [text, sum] : tags) added.uses.push_back({static_cast<std::uint32_t>(texts[text]), sum});
    added.owners.push_back({issue, issue % 7, added.uses.size()});
  }
  return added;
}

std::map<IssueAndTag, TagSum> uses_in(const TagRun& run) {
  std::map<IssueAndTag, TagSum> all;
  for (std::size_t owner = 0; owner < run.owners(); ++owner) {
    for (TagRun::Uses uses(run, owner); uses.next();) all[{run.issue(owner), std::string(run.tag(uses.tag()))}] = uses.sum();
  }
  return all;
}

// Everything that can be asked, of whatever bytes.
void ask_everything(std::string_view bytes) {
  const auto run = TagRun::parse(bytes);
  if (!run) return;
  uses_in(*run);
  std::vector<std::size_t> owners;
  for (std::size_t tag = 0; tag < run->tags(); ++tag) run->holders(tag, owners);
  for (const auto owner : owners) ASSERT_LT(owner, run->owners());
  for (const std::uint64_t issue : {std::uint64_t{0}, std::uint64_t{500}, ~std::uint64_t{0}}) ASSERT_LE(run->lower_bound_owner(issue), run->owners());
  ASSERT_LE(run->lower_bound_tag(numbered_tag(7)), run->tags());
}

TEST(TagRun, SaysWhatWasPutIntoIt) {
  std::mt19937_64 random(5);
  for (const std::size_t issues : {1U, 2U, 63U, 700U}) {
    std::map<std::string, int> texts;
    const auto added = random_increments(random, issues, texts);
    const auto bytes = render_tag_run(added);
    const auto run = TagRun::parse(bytes);
    ASSERT_TRUE(run);
    std::map<IssueAndTag, TagSum> wanted;
    std::map<std::string, std::vector<std::size_t>> holders;
    std::size_t at = 0;
    for (std::size_t owner = 0; owner < added.owners.size(); ++owner) {
      EXPECT_EQ(run->project(owner), added.owners[owner].project);
      for (; at < added.owners[owner].end; ++at) {
        const std::string tag(added.tags[added.uses[at].tag]);
        wanted[{added.owners[owner].issue, tag}] = added.uses[at].sum;
        holders[tag].push_back(owner);
      }
    }
    EXPECT_EQ(uses_in(*run), wanted);
    for (const auto& [tag, owners] : holders) {
      const auto place = run->lower_bound_tag(tag);
      ASSERT_EQ(run->tag(place), tag);
      std::vector<std::size_t> found;
      run->holders(place, found);
      EXPECT_EQ(found, owners);
    }
    for (std::size_t owner = 0; owner < run->owners(); ++owner) {
      EXPECT_EQ(run->lower_bound_owner(run->issue(owner)), owner);
      EXPECT_EQ(run->lower_bound_owner(run->issue(owner), owner / 2), owner);
      EXPECT_EQ(run->lower_bound_owner(run->issue(owner) + 1, owner), owner + 1);
    }
  }
}

TEST(TagRun, RefusesBytesThatAreCutShortOrTooLong) {
  std::mt19937_64 random(6);
  std::map<std::string, int> texts;
  const auto bytes = render_tag_run(random_increments(random, 20, texts));
  ASSERT_TRUE(TagRun::parse(bytes));
  for (std::size_t kept = 0; kept < bytes.size(); ++kept) EXPECT_FALSE(TagRun::parse(bytes.substr(0, kept))) << kept;
  EXPECT_FALSE(TagRun::parse(bytes + "x"));
  EXPECT_FALSE(TagRun::parse("\x02" + bytes.substr(1)));
}

TEST(TagRun, NeverReadsOutsideOfDamagedBytes) {
  std::mt19937_64 random(7);
  std::map<std::string, int> texts;
  const auto whole = render_tag_run(random_increments(random, 30, texts));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const auto bits : {0xff, 0x80, 0x01}) {
      // Of its own memory, whose end the sanitizer knows.
      std::vector<char> damaged(whole.begin(), whole.end());
      damaged[at] = static_cast<char>(damaged[at] ^ bits);
      ask_everything({damaged.data(), damaged.size()});
    }
  }
  for (int round = 0; round < 500; ++round) {
    std::vector<char> damaged(whole.begin(), whole.end());
    for (int i = 0; i < 8; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    ask_everything({damaged.data(), damaged.size()});
  }
}

}  // namespace
}  // namespace picket::digest

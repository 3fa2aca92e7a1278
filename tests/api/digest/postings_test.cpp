#include "api/digest/postings.h"

#include "api/digest/batch_size.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace picket::digest {
namespace {

std::vector<std::uint64_t> issues_in(const std::string& row, std::uint64_t any_issue) {
  std::vector<std::uint64_t> issues;
  read_postings(posting_key(1, buffer::Key().text("k").text("v"), any_issue), row, issues);
  return issues;
}

TEST(Postings, HoldEveryIssueOnceAndInOrder) {
  std::string row;
  EXPECT_TRUE(add_posting(row, 9000));
  EXPECT_TRUE(add_posting(row, 8195));
  EXPECT_FALSE(add_posting(row, 9000));
  EXPECT_EQ(issues_in(row, 9000), (std::vector<std::uint64_t>{8195, 9000}));
  EXPECT_FALSE(remove_posting(row, 8196));
  EXPECT_TRUE(remove_posting(row, 9000));
  EXPECT_TRUE(remove_posting(row, 8195));
  EXPECT_TRUE(row.empty());
}

TEST(Postings, BehaveAsASetWhateverTheirNumber) {
  std::mt19937 random(1);
  std::string row;
  std::set<std::uint64_t> want;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t issue =
        posting_block * 3 + random() % (step < 10'000 ? posting_block : 300);
    const bool add = step < 10'000 ? random() % 4 != 0 : random() % 2 == 0;
    EXPECT_EQ(add ? add_posting(row, issue) : remove_posting(row, issue),
              add ? want.insert(issue).second : want.erase(issue) == 1);
    EXPECT_LE(row.size(), 512U);
    if (step % 500 == 0) {
      EXPECT_EQ(issues_in(row, issue), std::vector<std::uint64_t>(want.begin(), want.end()));
    }
  }
  for (const auto issue : want)
    EXPECT_TRUE(remove_posting(row, issue));
  EXPECT_TRUE(row.empty());
}

TEST(Postings, OfAFullBlockAreTheWholeBlock) {
  std::string row;
  for (std::uint64_t issue = posting_block; issue < 2 * posting_block; ++issue)
    add_posting(row, issue);
  const auto issues = issues_in(row, posting_block);
  ASSERT_EQ(issues.size(), posting_block);
  EXPECT_EQ(issues.front(), posting_block);
  EXPECT_EQ(issues.back(), 2 * posting_block - 1);
  EXPECT_TRUE(std::ranges::is_sorted(issues));
}

TEST(Postings, OfADamagedRowAreHarmless) {
  for (std::size_t size : {1U, 3U, 511U, 513U, 5000U}) {
    std::string row(size, '\xff');
    issues_in(row, 1);
    add_posting(row, 1);
    remove_posting(row, 1);
  }
  std::vector<std::uint64_t> none;
  read_postings("short", "xx", none);
  EXPECT_TRUE(none.empty());
}

TEST(BatchSize, FollowsTheTimeWritesTake) {
  BatchSize size(2000);
  EXPECT_EQ(size.get(), 1000U);
  for (int i = 0; i < 20; ++i)
    size.learn(10, 60);
  EXPECT_EQ(size.get(), 2000U);
  size.learn(80, 60);
  EXPECT_EQ(size.get(), 1600U);
  for (int i = 0; i < 20; ++i)
    size.learn(5000, 60);
  EXPECT_EQ(size.get(), 1000U);
}

TEST(BatchSize, StaysWithinASmallBound) {
  BatchSize size(3);
  size.learn(0, 60);
  EXPECT_EQ(size.get(), 3U);
  size.learn(1e9, 60);
  EXPECT_EQ(size.get(), 3U);
}

}  // namespace
}  // namespace picket::digest

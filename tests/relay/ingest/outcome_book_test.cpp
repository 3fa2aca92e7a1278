#include "relay/ingest/outcome_book.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace picket::ingest {
namespace {

Drop a_drop(std::string reason = "invalid_json") {
  Drop drop;
  drop.project = 7;
  drop.key = std::string(16, '\x01');
  drop.category = relay::DataCategory::error;
  drop.reason = std::move(reason);
  drop.hour_ms = 3'600'000;
  return drop;
}

std::uint64_t sum_of(const schema::OutcomeCounts& counts) {
  std::uint64_t sum = 0;
  for (const auto& row : counts.counts())
    sum += row.quantity();
  return sum;
}

TEST(OutcomeBook, SumsEqualDropsIntoOneRow) {
  OutcomeBook book;

  book.count(a_drop(), 2);
  book.count(a_drop(), 3);
  const auto counts = book.take();

  ASSERT_TRUE(counts);
  ASSERT_EQ(counts->counts_size(), 1);
  const auto& row = counts->counts(0);
  EXPECT_EQ(row.quantity(), 5U);
  EXPECT_EQ(row.project(), 7U);
  EXPECT_EQ(row.key(), std::string(16, '\x01'));
  EXPECT_EQ(row.category(), 1U);
  EXPECT_EQ(row.outcome(), 3U);
  EXPECT_EQ(row.reason(), "invalid_json");
  EXPECT_EQ(row.hour_ms(), 3'600'000);
}

TEST(OutcomeBook, IsEmptyAfterBeingTakenAndFullAgainAfterBeingGivenBack) {
  OutcomeBook book;
  EXPECT_FALSE(book.take());
  book.count(a_drop(), 4);

  const auto counts = book.take();
  EXPECT_FALSE(book.take());
  book.put_back(*counts);
  book.count(a_drop(), 1);

  EXPECT_EQ(sum_of(*book.take()), 5U);
}

TEST(OutcomeBook, KeepsHoursApart) {
  OutcomeBook book;
  auto later = a_drop();
  later.hour_ms += 3'600'000;

  book.count(a_drop(), 1);
  book.count(later, 1);

  EXPECT_EQ(book.take()->counts_size(), 2);
}

TEST(OutcomeBook, CountsNothingForNoQuantity) {
  OutcomeBook book;
  book.count(a_drop(), 0);
  EXPECT_FALSE(book.take());
}

TEST(OutcomeBook, StaysBoundedWithoutLosingNumbers) {
  OutcomeBook book;
  constexpr std::size_t many = OutcomeBook::max_entries + 5'000;

  for (std::size_t i = 0; i < many; ++i)
    book.count(a_drop(std::to_string(i)), 1);
  const auto counts = book.take();

  EXPECT_EQ(sum_of(*counts), many);
  EXPECT_LE(static_cast<std::size_t>(counts->counts_size()), OutcomeBook::max_entries + 8);
}

TEST(OutcomeBook, LosesNothingBetweenManyWritersAndATaker) {
  OutcomeBook book;
  constexpr int writers = 4;
  constexpr int each = 5'000;
  std::atomic<bool> done{false};
  std::uint64_t taken = 0;

  std::thread taker([&] {
    while (!done) {
      if (const auto counts = book.take()) taken += sum_of(*counts);
    }
  });
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w) {
    threads.emplace_back([&] {
      for (int i = 0; i < each; ++i)
        book.count(a_drop(std::to_string(i % 10)), 1);
    });
  }
  for (auto& thread : threads)
    thread.join();
  done = true;
  taker.join();
  if (const auto rest = book.take()) taken += sum_of(*rest);

  EXPECT_EQ(taken, static_cast<std::uint64_t>(writers) * each);
}

TEST(StartOfHour, RoundsDown) {
  EXPECT_EQ(start_of_hour_ms(time_from_ms(3'600'000)), 3'600'000);
  EXPECT_EQ(start_of_hour_ms(time_from_ms(7'199'999)), 3'600'000);
}

}  // namespace
}  // namespace picket::ingest

#include "upstream/modes.h"

#include "forwarder_fixture.h"
#include "upstream/unwanted.h"

namespace picket::upstream {
namespace {

std::vector<std::uint64_t> ranges(const Unwanted& unwanted) {
  schema::Destination row;
  unwanted.store(row);
  return {row.unwanted().begin(), row.unwanted().end()};
}

TEST(Unwanted, JoinsWhatTouchesAndOverlaps) {
  Unwanted unwanted;
  unwanted.note(5, 5);
  unwanted.note(7, 7);
  EXPECT_EQ(ranges(unwanted), (std::vector<std::uint64_t>{5, 5, 7, 7}));
  unwanted.note(6, 6);
  EXPECT_EQ(ranges(unwanted), (std::vector<std::uint64_t>{5, 7}));
  unwanted.note(1, 100);
  unwanted.note(50, 60);
  EXPECT_EQ(ranges(unwanted), (std::vector<std::uint64_t>{1, 100}));
  unwanted.forget_before(100);
  EXPECT_EQ(ranges(unwanted).size(), 2U);
  unwanted.forget_before(101);
  EXPECT_TRUE(ranges(unwanted).empty());
}

TEST(Unwanted, CoversEverythingNotedInABoundedNumberOfRanges) {
  Unwanted unwanted;
  std::vector<std::uint64_t> noted;
  for (std::uint64_t i = 0; i < 3'000; ++i) noted.push_back(1 + (i * 7'919) % 100'003);
  for (const auto sequence : noted) unwanted.note(sequence, sequence);
  const auto kept = ranges(unwanted);
  EXPECT_LE(kept.size(), 2 * Unwanted::most_ranges);
  for (const auto sequence : noted) {
    bool covered = false;
    for (std::size_t i = 0; i + 1 < kept.size(); i += 2) covered = covered || (kept[i] <= sequence && sequence <= kept[i + 1]);
    EXPECT_TRUE(covered) << sequence;
  }
  for (std::size_t i = 1; i < kept.size(); ++i) EXPECT_LE(kept[i - 1], kept[i]);
}

class ModesTest : public ForwarderTest {
 protected:
  std::vector<std::uint64_t> unwanted(const std::string& name = "hub") const {
    const auto stored = row(name);
    return {stored.unwanted().begin(), stored.unwanted().end()};
  }
  DestinationConfig moving() {
    auto config = destination(upstream);
    config.mode = "forward-only";
    return config;
  }
};

TEST_F(ModesTest, NotesWhatAForwardOnlyDestinationWasNotToHaveWhole) {
  auto config = moving();
  config.routing.categories.exclude = {"session"};
  post();
  post({.types = {"session"}, .described = true});
  post({.types = {"event", "session"}});
  post();
  start({config});
  ASSERT_TRUE(all_written());
  EXPECT_TRUE(row().forward_only());
  EXPECT_EQ(unwanted(), (std::vector<std::uint64_t>{2, 3}));
  EXPECT_TRUE(status().forward_only);
}

TEST_F(ModesTest, WhatWasPassedBeforeTheModeWasSwitchedOnStays) {
  post_many(3);
  start();
  ASSERT_TRUE(all_written());
  EXPECT_FALSE(row().forward_only());
  forwarder.reset();
  start({moving()});
  post_many(2);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(unwanted(), (std::vector<std::uint64_t>{1, 3}));
  restart();  // mirrors again
  ASSERT_TRUE(soon([&] { return !row().forward_only(); }));
  EXPECT_TRUE(unwanted().empty());
}

TEST_F(ModesTest, ANewOneThatStartsWithTheNextRecordHasNotHadTheEarlierOnes) {
  post_many(4);
  auto config = moving();
  config.backfill = false;
  start({config});
  ASSERT_TRUE(all_written());
  EXPECT_EQ(unwanted(), (std::vector<std::uint64_t>{1, 4}));
}

TEST_F(ModesTest, OneThatIsNoLongerConfiguredMovesNothingAndARetiredOneGoes) {
  start({moving()});
  ASSERT_TRUE(soon([&] { return cursor() == 1; }));
  forwarder.reset();
  ASSERT_TRUE(note_modes(*tables, {}));
  EXPECT_FALSE(row().forward_only());
  change_row([](schema::Destination& changed) { changed.set_retired_ms(1); });
  ASSERT_TRUE(note_modes(*tables, {}));
  EXPECT_EQ(row().name(), "");
}

}  // namespace
}  // namespace picket::upstream

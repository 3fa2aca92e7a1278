#include "upstream/lanes.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace picket::upstream {
namespace {

using buffer::Sequence;

TEST(Lane, LooksFromTheBeginningOrFromTheEnd) {
  Lane oldest;
  oldest.load({}, false);
  oldest.add({1, 10});
  oldest.pass({1, 4});
  oldest.add({10, 20});
  EXPECT_EQ(oldest.next(), (SequenceRange{4, 20}));
  oldest.add({30, 40});
  EXPECT_EQ(oldest.next(), (SequenceRange{4, 20}));
  oldest.pass({4, 20});
  EXPECT_EQ(oldest.next(), (SequenceRange{30, 40}));

  Lane newest;
  newest.load({}, true);
  newest.add({1, 10});
  newest.add({10, 15});
  EXPECT_EQ(newest.next(), (SequenceRange{1, 15})) << "nothing was looked at yet";
  newest.pass({12, 15});
  newest.add({15, 20});
  EXPECT_EQ(newest.next(), (SequenceRange{15, 20}));
  newest.pass({15, 20});
  EXPECT_EQ(newest.next(), (SequenceRange{1, 12}));
  newest.pass({1, 12});
  EXPECT_TRUE(newest.empty());
}

TEST(Lane, StaysSmallHoweverOftenOthersArrive) {
  Lane lane;
  lane.load({}, true);
  Sequence end = 1;
  std::size_t passed = 0;
  for (int i = 0; i < 10'000; ++i) {
    lane.add({end, end + 10});
    end += 10;
    const auto next = lane.next();
    lane.pass({next.end - 1, next.end});
    ++passed;
    ASSERT_LE(lane.ranges().size(), Lane::most_ranges + 1);
  }
  while (!lane.empty()) {
    const auto next = lane.next();
    passed += next.size();
    lane.pass(next);
  }
  EXPECT_EQ(passed, end - 1);
}

TEST(Lane, ForgetsWhatIsGone) {
  Lane lane;
  lane.load({{5, 10}, {20, 30}}, false);
  lane.forget_before(8);
  EXPECT_EQ(lane.next(), (SequenceRange{8, 10}));
  lane.forget_before(25);
  EXPECT_EQ(lane.next(), (SequenceRange{25, 30}));
  lane.forget_before(100);
  EXPECT_TRUE(lane.empty());
}

TEST(Lanes, AreReadAsTheyWereWritten) {
  Lanes lanes;
  lanes.hand_over({10, 100});
  lanes.lane(SendClass::errors).pass({10, 60});
  lanes.take(7);
  schema::LinkState row;
  lanes.store(row);
  Lanes read;
  read.load(row);
  EXPECT_EQ(read.waiting(), 83U);
  EXPECT_EQ(read.lowest(), 10U);
  EXPECT_EQ(read.lane(SendClass::errors).next(), (SequenceRange{60, 100}));
  EXPECT_EQ(read.lane(SendClass::other).next(), (SequenceRange{10, 100}));
}

TEST(Lanes, BearRowsOfOtherVersionsAndNonsense) {
  schema::LinkState row;
  for (const auto& [send_class, ranges] : std::map<std::uint32_t, std::vector<std::uint64_t>>{
           {0, {10, 5, 7, 7, 20, 30, 25, 40, 1, 2, 9}}, {7, {100, 200}}, {99, {150, 300}}}) {
    auto& lane = *row.add_lanes();
    lane.set_send_class(send_class);
    for (const auto bound : ranges) lane.add_ranges(bound);
  }
  Lanes lanes;
  lanes.load(row);
  EXPECT_EQ(lanes.lane(SendClass::errors).ranges(), (std::vector<SequenceRange>{{1, 2}, {20, 40}}));
  EXPECT_EQ(lanes.lane(SendClass::other).ranges(), (std::vector<SequenceRange>{{100, 300}}));
}

TEST(Lanes, SayWhenTheirRowNoLongerHolds) {
  schema::LinkState row;
  EXPECT_FALSE(lanes_hold(row, 0));
  Lanes lanes;
  lanes.hand_over({10, 100});
  lanes.store(row);
  row.set_kept_cursor(10);
  row.set_fresh_cursor(100);
  EXPECT_TRUE(lanes_hold(row, 10));
  EXPECT_FALSE(lanes_hold(row, 11)) << "an older version has moved the cursor";
}

TEST(Lanes, ForgetWhatTheJournalDoesNotReachToAnyMore) {
  Lanes lanes;
  lanes.hand_over({1, 101});
  lanes.lane(SendClass::errors).pass({1, 41});
  lanes.take(5);
  lanes.forget_from(31);
  EXPECT_TRUE(lanes.lane(SendClass::errors).empty());
  EXPECT_EQ(lanes.lane(SendClass::other).ranges(), (std::vector<SequenceRange>{{1, 31}}));
  EXPECT_EQ(lanes.waiting(), 30U) << "no more can be found than is left to look at";
  EXPECT_EQ(lanes.lowest(), 1U);
}

TEST(Lanes, KnowWhatIsLostOnceAllHaveBeenThrough) {
  Lanes lanes;
  lanes.hand_over({1, 101});
  lanes.take(30);
  EXPECT_FALSE(lanes.forget_before(1));
  EXPECT_TRUE(lanes.forget_before(51));
  EXPECT_EQ(lanes.take_lost(), 0U);
  for (const SendClass one : send_classes) lanes.lane(one).pass({51, 101});
  lanes.take(50);
  EXPECT_TRUE(lanes.empty());
  EXPECT_EQ(lanes.take_lost(), 20U);
  EXPECT_EQ(lanes.waiting(), 0U);
}

// A destination over lanes, as small as it can be: it takes records out of the lanes, has some under
// way, writes its state now and then and is killed at any moment.
class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {
    for (std::size_t i = 0; i < send_classes.size(); ++i) newest_.set(i, random_() % 2 == 0);
    lanes_ = Lanes(newest_);
  }

  void run() {
    for (int life = 0; life < 30; ++life) {
      const auto steps = random_() % 300;
      for (unsigned i = 0; i < steps; ++i) step();
      kill();
    }
    // All that is left, without another death.
    while (!lanes_.empty() || !under_way_.empty()) {
      if (!under_way_.empty()) deliver();
      take();
    }
    hand_over();
    while (!lanes_.empty() || !under_way_.empty()) {
      if (!under_way_.empty()) deliver();
      take();
    }
    check();
  }

 private:
  static SendClass class_of_record(Sequence sequence) { return send_classes[sequence * 2'654'435'761U / 7 % send_classes.size()]; }

  void step() {
    switch (random_() % 8) {
      case 0: journal_end_ += random_() % 60; return;
      case 1: return hand_over();
      case 2: return write();
      case 3:
      case 4: return deliver();
      default: return take();
    }
  }
  void hand_over() {
    if (journal_end_ == fresh_) return;
    lanes_.hand_over({fresh_, journal_end_});
    fresh_ = journal_end_;
  }
  void take() {
    const SendClass one = send_classes[random_() % send_classes.size()];
    Lane& lane = lanes_.lane(one);
    for (int looked = 0; looked < 20 && !lane.empty(); ++looked) {
      const auto next = lane.next();
      const auto at = newest_.test(static_cast<std::size_t>(one)) ? next.end - 1 : next.first;
      lane.pass({at, at + 1});
      if (class_of_record(at) != one) continue;
      lanes_.take(1);
      ASSERT_TRUE(under_way_.insert(at).second) << at;
      return;
    }
  }
  void deliver() {
    if (under_way_.empty()) return;
    auto at = under_way_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_() % under_way_.size()));
    ++delivered_[*at];
    delivered_since_written_.insert(*at);
    under_way_.erase(at);
  }
  void write() {
    row_ = {};
    lanes_.store(row_);
    row_.set_fresh_cursor(fresh_);
    written_under_way_ = under_way_;
    delivered_since_written_.clear();
    ASSERT_EQ(lanes_.waiting() + under_way_.size() + delivered_.size(), fresh_ - 1);
  }
  void kill() {
    // Only what was delivered after the last write may come twice.
    for (const auto sequence : delivered_since_written_) may_repeat_.insert(sequence);
    for (const auto sequence : delivered_since_written_) {
      if (--delivered_[sequence] == 0) delivered_.erase(sequence);
      ++earlier_[sequence];
    }
    delivered_since_written_.clear();
    lanes_ = Lanes(newest_);
    lanes_.load(row_);
    fresh_ = std::max<Sequence>(row_.fresh_cursor(), 1);
    under_way_ = written_under_way_;
  }
  void check() {
    EXPECT_EQ(lanes_.waiting(), 0U);
    for (Sequence sequence = 1; sequence < journal_end_; ++sequence) {
      ASSERT_EQ(delivered_[sequence], 1) << sequence;
      if (earlier_[sequence] > 0) {
        ASSERT_TRUE(may_repeat_.contains(sequence)) << sequence;
      }
    }
  }

  std::mt19937 random_;
  Lanes::NewestFirst newest_;
  Lanes lanes_;
  schema::LinkState row_;
  Sequence journal_end_ = 1;
  Sequence fresh_ = 1;
  std::set<Sequence> under_way_;
  std::set<Sequence> written_under_way_;
  std::map<Sequence, int> delivered_;
  std::map<Sequence, int> earlier_;
  std::set<Sequence> delivered_since_written_;
  std::set<Sequence> may_repeat_;
};

TEST(Lanes, LoseNothingAndRepeatOnlyWhatWasNotWrittenWheneverTheyAreKilled) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Model(seed).run();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace picket::upstream

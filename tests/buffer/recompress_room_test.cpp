#include "buffer/recompress_support.h"
#include "buffer/segment.h"
#include "buffer/segment_folder.h"

#include <algorithm>

namespace picket::buffer {
namespace {

using testing::append;
using testing::open_journal;
using testing::read_file;
using testing::record_of;
using testing::Recompress;
using testing::small_options;
using testing::TempDir;
using testing::What;

class RecompressRoom : public Recompress {
 protected:
  enum class Spare : std::uint8_t { there, gone };
  // Anew, with room for so many bytes more than there are.
  void reopen_with_room(std::uint64_t bytes, Spare spare) {
    journal_.reset();
    std::uint64_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.folder)) {
      if (entry.path().filename().string().starts_with("free-")) {
        std::filesystem::remove(entry.path());
      } else {
        files += entry.file_size();
      }
    }
    if (spare == Spare::there) {
      std::ofstream(options_.folder / "free-7.mdb") << std::string(options_.segment_bytes, '\0');
      files += options_.segment_bytes;
    }
    auto tight = options_;
    tight.max_bytes = files + bytes;
    journal_ = open_journal(tight, clock_);
  }
  // Until the newest segment is another one.
  void fill_newest() const {
    const auto segments = journal_->segments().size();
    for (std::uint64_t number = 1000; journal_->segments().size() == segments && number < 1100; ++number) {
      ASSERT_NE(append(*journal_, record_of(number, 8'000)), 0U) << number;
    }
    EXPECT_EQ(journal_->segments().size(), segments + 1);
  }
  std::uint64_t bytes_counted() const { return journal_->use().file_bytes; }
};

TEST_F(RecompressRoom, WhatTheCopyTakesCountsAsRoomMeanwhile) {
  // A page less would be a segment less.
  reopen_with_room(4 * options_.segment_bytes, Spare::there);
  journal_->judge_room(0);
  const auto room = journal_->use().room_bytes;
  const auto before = bytes_counted();
  std::uint64_t most = 0;
  const auto done = recompress(0, [&] {
    journal_->judge_room(0);
    EXPECT_EQ(journal_->use().room_bytes, room);
    most = std::max(most, bytes_counted());
    return true;
  });
  ASSERT_TRUE(done);
  EXPECT_EQ(done->what, What::done);
  EXPECT_GT(most, before);
  EXPECT_LT(bytes_counted(), before);
  journal_->judge_room(0);
  EXPECT_GE(journal_->use().room_bytes, room);
}

TEST_F(RecompressRoom, ACopyGivesWayToTheNextSegment) {
  reopen_with_room(options_.segment_bytes + (std::uint64_t{8} << 10), Spare::there);
  const auto before = bytes_counted();
  bool filled = false;
  const auto done = recompress(0, [&] {
    if (filled || bytes_counted() < before + (std::uint64_t{16} << 10)) return true;
    filled = true;
    fill_newest();  // with the spare one
    return true;
  });
  ASSERT_TRUE(done);
  EXPECT_TRUE(filled);
  EXPECT_EQ(done->what, What::no_room) << done->reason;
  EXPECT_EQ(files_like(".tmp"), 0U);
  EXPECT_EQ(bytes_counted(), before);
  EXPECT_FALSE(journal_->full());
  EXPECT_TRUE(journal_->use().rewrite_waits);
  const auto again = recompress(0);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->what, What::no_room) << "not beside the next one";
  fill_newest();
}

// Six bits of eight at random: three quarters of what they are, whatever the dictionary.
Record noisy(std::uint64_t number) {
  std::mt19937_64 random(number);
  auto record = record_of(number);
  std::string body(3'900, '\0');
  for (auto& c : body) c = static_cast<char>(' ' + random() % 64);
  record.body = std::move(body);
  return record;
}

TEST_F(RecompressRoom, ACopyThatCameToMoreThanThoughtWaitsForAllTheRoomItMayTake) {
  journal_.reset();
  std::filesystem::remove_all(options_.folder);
  journal_ = open_journal(options_, clock_);
  fill(*journal_, noisy);
  const auto used = journal_->segments()[0].used_bytes;
  reopen_with_room(used / 2 + 4096, Spare::gone);
  const auto before = bytes_counted();
  int asked = 0;
  const auto count_steps = [&asked] { return ++asked > 0; };
  const auto done = recompress(0, count_steps);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->what, What::no_room) << done->reason;
  EXPECT_GT(asked, 0);
  EXPECT_TRUE(journal_->use().rewrite_waits);
  EXPECT_EQ(files_like(".tmp"), 0U);
  EXPECT_EQ(bytes_counted(), before);
  asked = 0;
  const auto again = recompress(0, count_steps);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->what, What::no_room);
  EXPECT_EQ(asked, 0) << "nothing was tried";
  EXPECT_TRUE(journal_->use().rewrite_waits);
  reopen_with_room(used, Spare::there);
  const auto with_room = recompress(0);
  ASSERT_TRUE(with_room);
  EXPECT_EQ(with_room->what, What::done) << with_room->reason;
  EXPECT_FALSE(journal_->use().rewrite_waits);
}

TEST_F(RecompressRoom, DroppingBodiesKeepsToTheBudgetAsWell) {
  reopen_with_room(std::uint64_t{16} << 10, Spare::gone);
  const auto next = journal_->drop_bodies(0, [](const StoredRecord& record) { return record.sequence == 1; });
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().fault, Fault::unavailable);
  EXPECT_EQ(files_like(".tmp"), 0U);
  expect_all_as_before();
  reopen_with_room(2 * options_.segment_bytes, Spare::there);
  const auto before = bytes_counted();
  std::uint64_t most = 0;
  // Asked while the copy is written.
  const auto dropped = journal_->drop_bodies(0, [&](const StoredRecord& record) {
    most = std::max(most, bytes_counted());
    return record.sequence % 2 == 0;
  });
  ASSERT_TRUE(dropped);
  EXPECT_TRUE(*dropped);
  EXPECT_GT(most, before);
  EXPECT_LT(bytes_counted(), before);
}

TEST_F(RecompressRoom, NothingIsWrittenAnewBeforeSomethingBehindItIsDurable) {
  // Where commits fell decides what the newest segment holds; a record alone would not become smaller.
  auto next = count + 1;
  while (next < journal_->segments().back().first + 24) {
    ASSERT_EQ(append(*journal_, mixed(next)), next);
    ++next;
  }
  journal_.reset();
  {
    const auto segments = SegmentFolder::open({.path = options_.folder, .segment_bytes = options_.segment_bytes, .max_bytes = options_.max_bytes});
    ASSERT_TRUE(segments);
    ASSERT_TRUE((*segments)->take({next, 0}));
  }
  journal_ = open_journal(options_, clock_);
  const auto segments = journal_->segments();
  const auto& last = segments[segments.size() - 2];
  const auto bytes = read_file(last.path);
  const auto all_go = [](const StoredRecord&) { return true; };
  const auto dropped = journal_->drop_bodies(last.first, all_go);
  ASSERT_TRUE(dropped);
  EXPECT_FALSE(*dropped);
  const auto done = recompress(last.first);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->what, What::nothing);
  EXPECT_TRUE(read_file(last.path) == bytes);
  ASSERT_EQ(append(*journal_, mixed(next)), next);
  const auto later = recompress(last.first);
  ASSERT_TRUE(later);
  EXPECT_EQ(later->what, What::done) << later->reason;
  const auto dropped_later = journal_->drop_bodies(last.first, all_go);
  ASSERT_TRUE(dropped_later);
  EXPECT_TRUE(*dropped_later);
}

TEST_F(RecompressRoom, ACopyOfWhatChangedMeanwhileIsNotTaken) {
  bool thinned = false;
  const auto done = recompress(0, [&] {
    if (thinned) return true;
    thinned = true;
    const auto dropped = journal_->drop_bodies(0, [](const StoredRecord& record) { return record.sequence == 2; });
    EXPECT_TRUE(dropped && *dropped);
    return true;
  });
  ASSERT_TRUE(done);
  EXPECT_EQ(done->what, What::no_room);
  EXPECT_EQ(files_like(".tmp"), 0U);
  EXPECT_EQ(all().at(2).plain, "");
  const auto again = recompress(0);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->what, What::done) << again->reason;
  EXPECT_EQ(all().at(2).plain, "");
  EXPECT_TRUE(all().at(1) == before_.at(1));
}

TEST_F(RecompressRoom, ASegmentThatGoesMeanwhileIsNotPutBack) {
  const auto segments = journal_->segments();
  for (const int at_step : {1, 12, 30}) {
    const auto oldest = journal_->segments().at(0);
    const auto behind = journal_->segments().at(1).first;
    int step = 0;
    const auto done = recompress(oldest.first, [&] {
      if (++step == at_step) {
        EXPECT_TRUE(journal_->recycle_before(behind));
      }
      return true;
    });
    ASSERT_TRUE(done);
    ASSERT_GE(step, at_step);
    EXPECT_EQ(done->what, What::no_room) << done->reason;
    EXPECT_FALSE(std::filesystem::exists(oldest.path));
    EXPECT_EQ(files_like(".tmp"), 0U);
  }
  const auto left = all();
  EXPECT_EQ(left.begin()->first, journal_->use().first);
  for (const auto& [sequence, record] : left) EXPECT_TRUE(record == before_.at(sequence)) << sequence;
}

TEST(SegmentSize, IsKnownOfAFileThatACommitMadeGrow) {
  const TempDir folder;
  const auto options = small_options(folder / "journal");
  const auto segments = SegmentFolder::open({.path = options.folder, .segment_bytes = options.segment_bytes, .max_bytes = options.max_bytes});
  ASSERT_TRUE(segments && (*segments)->take({1, 0}));
  Segment segment((*segments)->path_of({1, 0}), {1, 0}, Segment::Mode::writing);
  ASSERT_TRUE(segment.open());
  const auto before = segment.file_bytes();
  const std::vector<Record> large{record_of(1, before)};
  ASSERT_FALSE(segment.fits(block_bytes(large)));
  ASSERT_TRUE(segment.append({1, 0}, block_bytes(large), [&](char* out) { pack_block(large, 1, out); }));
  EXPECT_GT(segment.file_bytes(), before);
  EXPECT_EQ(segment.file_bytes(), std::filesystem::file_size(segment.path()));
}

}  // namespace
}  // namespace picket::buffer

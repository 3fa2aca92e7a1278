#include "buffer/journal_repair.h"

#include "buffer/journal_support.h"
#include "buffer/segment_folder.h"
#include "buffer/storage_lock.h"
#include "buffer/verbs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

namespace picket::buffer {
namespace {

using testing::append_each;
using testing::body_of;
using testing::FakeClock;
using testing::open_journal;
using testing::read_all;
using testing::read_file;
using testing::record_of;
using testing::small_options;
using testing::TempDir;
using testing::write_over;

class JournalRepair : public ::testing::Test {
 protected:
  static constexpr std::uint64_t count = 120;
  // Several segments of 256 KiB.
  void fill(std::size_t bytes = 8'000) const {
    append_each(*open_journal(small_options(journal()), clock_), 1, count, bytes);
    ASSERT_GE(segments().size(), 3U);
  }
  std::vector<BlockKey> segments() const {
    return *(*SegmentFolder::open({.path = journal(), .read_only = true}))->segments();
  }
  std::filesystem::path path_of(BlockKey name) const { return journal() / render_segment_name(name); }
  std::filesystem::path journal() const { return folder_ / "data" / "journal"; }

  // Both meta pages: LMDB knows nothing of the file any more, whose blocks are all there.
  static void break_trees(const std::filesystem::path& path) { write_over(path, 0, std::string(8192, '\xee')); }

  RepairReport repair() const {
    auto report = repair_journal(folder_ / "data", clock_, [](const std::string&) {});
    EXPECT_TRUE(report) << report.error().detail;
    return report ? *std::move(report) : RepairReport();
  }
  static std::map<Sequence, std::string> scan(const std::filesystem::path& path, ScanRange range, ScanCounts* counts = nullptr) {
    std::map<Sequence, std::string> found;
    const auto scanned = scan_segment(path, range, [&](const StoredRecord& record) {
      EXPECT_TRUE(found.emplace(record.sequence, record.body).second);
      return true;
    });
    EXPECT_TRUE(scanned);
    if (counts != nullptr) *counts = *scanned;
    return found;
  }

  const TempDir folder_;
  const FakeClock clock_;
};

TEST_F(JournalRepair, LeavesAJournalThatIsWellAsItIs) {
  fill();
  const auto before = segments();
  const auto report = repair();
  EXPECT_TRUE(report.set_aside.empty());
  EXPECT_TRUE(report.before.empty());
  EXPECT_EQ(report.check.records, count);
  EXPECT_EQ(segments(), before);
}

TEST_F(JournalRepair, SetsABrokenSegmentAsideAndSaysWhatWasInIt) {
  fill();
  const auto names = segments();
  break_trees(path_of(names[1]));
  const auto report = repair();
  ASSERT_EQ(report.set_aside.size(), 1U);
  const auto& aside = report.set_aside[0];
  EXPECT_EQ(aside.file.filename().string(), render_segment_name(names[1]) + ".damaged");
  EXPECT_TRUE(std::filesystem::exists(aside.file));
  EXPECT_FALSE(std::filesystem::exists(path_of(names[1])));
  EXPECT_EQ(aside.range.first, names[1].first);
  EXPECT_EQ(aside.range.end, names[2].first);
  EXPECT_EQ(aside.readable.records, names[2].first - names[1].first);
  EXPECT_EQ(report.check.records, count - aside.readable.records);
  const auto again = repair();
  EXPECT_TRUE(again.set_aside.empty());
  ASSERT_EQ(again.before.size(), 1U);
  EXPECT_EQ(again.before[0].readable.records, aside.readable.records);
}

TEST_F(JournalRepair, WhatIsSetAsideCanStillBeReadRecordByRecord) {
  fill();
  const auto names = segments();
  const auto before = read_all(*open_journal(small_options(journal()), clock_), names[1].first);
  break_trees(path_of(names[1]));
  const auto found = scan(repair().set_aside.at(0).file, {names[1].first, names[2].first});
  ASSERT_EQ(found.size(), names[2].first - names[1].first);
  for (const auto& [sequence, body] : found) EXPECT_EQ(body, before.at(sequence)) << sequence;
}

TEST_F(JournalRepair, ADamagedRecordIsListedAndItsSegmentStays) {
  fill();
  const auto segment = path_of(segments()[0]);
  write_over(segment, read_file(segment).find(body_of(2, 8'000)) + 100, "!");
  const auto report = repair();
  EXPECT_TRUE(report.set_aside.empty());
  EXPECT_EQ(report.check.damaged, 1U);
  EXPECT_EQ(report.check.first_damaged, std::vector<Sequence>{2});
}

TEST_F(JournalRepair, TheJournalGoesOnBehindWhatWasSetAside) {
  fill();
  const auto newest = segments().back();
  break_trees(path_of(newest));
  const auto report = repair();
  ASSERT_EQ(report.set_aside.size(), 1U);
  EXPECT_EQ(report.set_aside[0].range.end, ~Sequence{0});
  const auto journal = open_journal(small_options(this->journal()), clock_);
  EXPECT_GT(testing::append(*journal, record_of(7)), count) << "a sequence that was read may not be given again";
}

TEST_F(JournalRepair, TheVerbIsRefusedBesideAPicketAndSaysNoWhenSomethingIsLost) {
  fill();
  const auto run = [&](std::map<std::string, std::string> options = {}) {
    std::ostringstream out;
    std::ostringstream err;
    CommandLine line{{}, std::move(options), folder_ / "data", out, err};
    for (const auto& command : buffer_commands()) {
      if (command.name != "journal repair") continue;
      const auto code = command.run(line);
      return std::pair(code, out.str() + err.str());
    }
    return std::pair(ExitCode::usage, std::string("no such verb"));
  };
  {
    const auto lock = StorageLock::take(folder_ / "data");
    ASSERT_TRUE(lock);
    EXPECT_EQ(run().first, ExitCode::configuration);
  }
  EXPECT_EQ(run().first, ExitCode::done);
  break_trees(path_of(segments()[1]));
  const auto said = run({{"json", ""}});
  EXPECT_EQ(said.first, ExitCode::no);
  EXPECT_NE(said.second.find("\"set_aside\":[{\"file\":"), std::string::npos) << said.second;
  EXPECT_NE(run().second.find("picket journal export --segment"), std::string::npos);
}

TEST_F(JournalRepair, RecordsInPartsArePutTogether) {
  auto options = small_options(journal());
  options.segment_bytes = 1 << 20;
  const auto large = body_of(2, 400'000);  // more than an eighth of a segment
  {
    const auto journal = open_journal(options, clock_);
    for (const std::uint64_t number : {1, 2, 3}) {
      ASSERT_NE(testing::append(*journal, record_of(number, number == 2 ? large.size() : 500)), 0U);
    }
  }
  const auto names = segments();
  ScanCounts counts;
  const auto found = scan(path_of(names[0]), {1, ~Sequence{0}}, &counts);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found.at(2), large);
  EXPECT_EQ(counts.broken, 0U);
}

TEST_F(JournalRepair, BlocksOfAnEarlierLifeOfTheFileAndThoseInBodiesAreNotTaken) {
  Record inner = record_of(1, 300);
  std::string block(block_bytes({&inner, 1}), '\0');
  pack_block({&inner, 1}, 2, block.data());
  {
    const auto journal = open_journal(small_options(this->journal()), clock_);
    auto outer = record_of(1);
    outer.body = Bytes("before " + block + " behind");
    ASSERT_NE(testing::append(*journal, std::move(outer)), 0U);
  }
  const auto path = path_of(segments()[0]);
  ScanCounts counts;
  EXPECT_EQ(scan(path, {1, 10}, &counts).size(), 1U) << "a body is no block";
  EXPECT_EQ(scan(path, {5, 10}).size(), 0U) << "sequences of another segment";
}

// Whatever is broken: never a wrong byte, never a crash, and what is untouched is found.
TEST_F(JournalRepair, ScansWhateverIsLeftOfAFile) {
  // Small ones share LMDB's pages, large ones have some of their own.
  {
    const auto journal = open_journal(small_options(this->journal()), clock_);
    append_each(*journal, 1, 60, 300);
    append_each(*journal, 61, 70, 9'000);
  }
  ASSERT_EQ(segments().size(), 1U);
  const auto before = read_all(*open_journal(small_options(journal()), clock_));
  const ScanRange all{1, ~Sequence{0}};
  const auto path = path_of(segments()[0]);
  EXPECT_EQ(scan(path, all), before);
  const auto whole = read_file(path);
  std::mt19937 random(7);
  std::size_t found = 0;
  for (int round = 0; round < 60; ++round) {
    auto bytes = whole;
    for (int hit = 0; hit < 20; ++hit) {
      const auto at = random() % bytes.size();
      const auto length = std::min<std::size_t>(random() % 3000, bytes.size() - at);
      for (std::size_t i = at; i < at + length; ++i) bytes[i] = static_cast<char>(random());
    }
    if (round % 3 == 0) bytes.resize(random() % bytes.size());
    const auto torn = folder_ / "torn.mdb";
    std::ofstream(torn, std::ios::binary) << bytes;
    for (const auto& [sequence, body] : scan(torn, all)) {
      ++found;
      EXPECT_EQ(body, before.at(sequence)) << "round " << round << ", record " << sequence;
    }
  }
  EXPECT_GT(found, 60U * 20) << "most of it is untouched in most rounds";
}

}  // namespace
}  // namespace picket::buffer

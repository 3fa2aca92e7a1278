#include "buffer/bundle.h"
#include "buffer/file_check.h"
#include "buffer/journal_repair.h"
#include "buffer/recompress_support.h"
#include "buffer/segment_scan.h"

namespace picket::buffer {
namespace {

using testing::append;
using testing::open_journal;
using testing::read_file;
using testing::Recompress;
using testing::seen;
using testing::Seen;
using testing::What;
using testing::write_over;

TEST_F(Recompress, LeavesADamagedSegmentAsItIs) {
  const auto path = path_of(1);
  const auto first = journal_->segments()[1].first;
  journal_.reset();
  // All, for small blocks lie in pages of which LMDB leaves old copies.
  const auto places = places_of("meta of ", read_file(path));
  ASSERT_FALSE(places.empty());
  for (const auto place : places) write_over(path, place, "?");
  journal_ = open_journal(options_, clock_);
  const auto broken = read_file(path);
  const auto done = recompress(first);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->what, What::left_alone);
  EXPECT_TRUE(read_file(path) == broken);
  EXPECT_EQ(files_like(".tmp"), 0U);
}

TEST_F(Recompress, ADamagedGroupCostsItsOwnRecordsOnly) {
  recompress_all();
  const auto use = journal_->segments()[1];
  journal_.reset();
  const auto bytes = read_file(use.path);
  const auto bundle = bytes.find(bundle_magic);
  ASSERT_NE(bundle, std::string::npos);
  const auto head = parse_bundle_head(std::string_view(bytes).substr(bundle));
  ASSERT_TRUE(head);
  ASSERT_GT(head->groups, 2U);
  const auto parsed = Bundle::parse(std::string_view(bytes).substr(bundle, head->bytes));
  ASSERT_TRUE(parsed);
  const auto group = parsed->group(1);
  const auto after = parsed->group(2).first;
  write_over(use.path, static_cast<std::uint64_t>(group.frame.data() - bytes.data()) + group.frame.size() / 2, "\x01\x02\x03\x04\x05\x06");
  journal_ = open_journal(options_, clock_);
  std::vector<Sequence> damaged;
  const auto found = all(1, &damaged);
  ASSERT_EQ(damaged.size(), after - group.first);
  EXPECT_EQ(damaged.front(), group.first);
  EXPECT_EQ(damaged.back(), after - 1);
  EXPECT_EQ(found.size(), count - damaged.size());
  const auto one = journal_->read_one(group.first);
  ASSERT_FALSE(one);
  EXPECT_EQ(one.error().fault, Fault::corrupt);
}

TEST_F(Recompress, OneOfTwoDictionariesIsEnough) {
  recompress_all();
  const auto path = path_of(1);
  const auto places = places_of(dictionary_magic, read_file(path));
  journal_.reset();
  // LMDB may have left old pages with a third.
  ASSERT_GE(places.size(), 2U);
  write_over(path, places.front() + 40, "rotten");
  journal_ = open_journal(options_, clock_);
  expect_all_as_before();
}

TEST_F(Recompress, WithoutItsDictionaryASegmentIsSetAsideWholeAndTheRestGoesOn) {
  recompress_all();
  const auto use = journal_->segments()[1];
  const auto places = places_of(dictionary_magic, read_file(use.path));
  journal_.reset();
  for (const auto at : places) write_over(use.path, at + 40, "rotten");
  journal_ = open_journal(options_, clock_);
  const auto found = all();
  EXPECT_EQ(found.size(), count - (use.last - use.first + 1));
  for (const auto& [sequence, record] : found) EXPECT_TRUE(record == before_.at(sequence)) << sequence;
  ASSERT_EQ(journal_->set_aside().size(), 1U);
  EXPECT_EQ(journal_->set_aside()[0], use.path.filename().string() + ".damaged");
}

TEST_F(Recompress, RepairNamesASegmentWithoutItsDictionary) {
  recompress_all();
  const auto use = journal_->segments()[1];
  const auto places = places_of(dictionary_magic, read_file(use.path));
  journal_.reset();
  for (const auto at : places) write_over(use.path, at + 40, "rotten");
  const auto report = repair_journal(folder_ / ".", clock_, [](const std::string&) {});
  ASSERT_TRUE(report) << report.error().detail;
  ASSERT_EQ(report->set_aside.size(), 1U);
  EXPECT_NE(report->set_aside[0].reason.find("dictionary"), std::string::npos);
  EXPECT_EQ(report->set_aside[0].range.first, use.first);
}

TEST_F(Recompress, GoingBackACommitLosesNoRecord) {
  recompress_all();
  const auto path = path_of(1);
  journal_.reset();
  const auto newest = read_newest_meta(path);
  ASSERT_TRUE(newest);
  const auto bytes = read_file(path);
  const auto at = bytes.find(newest->bytes);
  ASSERT_NE(at, std::string::npos);
  write_over(path, at, std::string(newest->bytes.size(), '\0'));
  journal_ = open_journal(options_, clock_);
  expect_all_as_before();
  EXPECT_TRUE(journal_->set_aside().empty());
}

TEST_F(Recompress, AFileThatWasCutShortIsNamedAndTheRestGoesOn) {
  recompress_all();
  const auto use = journal_->segments()[1];
  journal_.reset();
  std::filesystem::resize_file(use.path, std::filesystem::file_size(use.path) / 2);
  journal_ = open_journal(options_, clock_);
  EXPECT_EQ(all().size(), count - (use.last - use.first + 1));
  EXPECT_EQ(journal_->set_aside().size(), 1U);
}

TEST_F(Recompress, WhatIsSetAsideCanStillBeReadRecordByRecord) {
  recompress_all();
  const auto segments = journal_->segments();
  journal_.reset();
  write_over(segments[1].path, 0, std::string(8192, '\xee'));
  std::map<Sequence, Seen> found;
  const auto counts = scan_segment(segments[1].path, {segments[1].first, segments[1].last + 1}, [&](const StoredRecord& record) {
    found.emplace(record.sequence, seen(record));
    return true;
  });
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->broken, 0U);
  // One that begins or ends in a neighbour is not whole in this file.
  EXPECT_GE(found.size() + 2, segments[1].last - segments[1].first + 1);
  for (const auto& [sequence, record] : found) EXPECT_TRUE(record == before_.at(sequence)) << sequence;
}

TEST_F(Recompress, TakesOverAsNewestWhenTheNewestIsLost) {
  recompress_all();
  const auto segments = journal_->segments();
  journal_.reset();
  write_over(segments.back().path, 0, std::string(8192, '\xee'));
  journal_ = open_journal(options_, clock_);
  const auto next = journal_->use().next;
  EXPECT_GT(next, segments[segments.size() - 2].last);
  EXPECT_EQ(append(*journal_, mixed(1)), next);
  for (const auto& [sequence, record] : all()) {
    if (sequence >= segments.back().first) continue;
    EXPECT_TRUE(record == before_.at(sequence)) << sequence;
  }
}

}  // namespace
}  // namespace picket::buffer

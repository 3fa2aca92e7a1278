// Envelopes as a stream: written, read, taken in; whatever is broken is refused from there.
#include "api/journal_stream.h"
#include "api/rest/setup.h"
#include "api/stream_import.h"
#include "api/stream_verbs.h"

#include "buffer/keys.h"
#include "buffer/schema_number.h"
#include "buffer/schema/rows.pb.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <sstream>

namespace picket::api {
namespace {

using buffer::Journal;
using buffer::Record;
using buffer::Sequence;
using buffer::StoredRecord;

// An envelope of one event (or of `category`), as intake stores it.
Record make_envelope(std::uint64_t number, std::uint64_t category = 1, std::uint64_t project = 1) {
  schema::IntakeMeta meta;
  std::string id(16, '\0');
  id[15] = static_cast<char>(number);
  id[14] = static_cast<char>(number >> 8);
  meta.set_event_id(id);
  meta.add_item_counts(category);
  meta.add_item_counts(1);
  meta.set_user_agent("till/1.0");
  Record record;
  record.received = time_from_ms(static_cast<std::int64_t>(1'700'000'000'000 + number));
  record.project = project;
  record.key = std::string(16, '\xab');
  record.meta = meta.SerializeAsString();
  record.coding = 1;
  record.body = "body " + std::to_string(number) + std::string("\n\0\xff{\n", 5);
  return record;
}

// A Picket's data: tables with project 1, and a journal.
struct Site {
  explicit Site(std::uint64_t max_bytes = std::uint64_t{64} << 20) {
    tables = *buffer::Tables::open({.path = folder / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(rest::ensure_first(*tables, {folder.path(), "http://localhost:3000"}, clock.now()));
    open(max_bytes);
  }
  void open(std::uint64_t max_bytes = std::uint64_t{64} << 20) {
    journal.reset();
    journal = *Journal::open({.folder = folder / "journal", .segment_bytes = std::uint64_t{1} << 20, .max_bytes = max_bytes}, clock);
  }
  void append(Record record) {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    ASSERT_TRUE(journal->offer(std::move(record), [&](const Result<Sequence>& durable) {
      EXPECT_TRUE(durable);
      const std::lock_guard lock(mutex);
      done = true;
      changed.notify_all();
    }));
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
  }
  std::vector<StoredRecord> records() {
    batch = *journal->read(1, std::size_t{64} << 20, 100'000);
    return batch.records;
  }
  std::string stream() {
    std::string text = render_stream_head() + "\n";
    const auto all = records();
    for (const auto& record : all) text.append(render_stream_record(record)).append("\n").append(record.body).append("\n");
    return text + render_stream_end(all.size()) + "\n";
  }
  ImportReport import(const std::string& text, const ImportOptions& options = {}) {
    std::istringstream in(text);
    StreamReader reader(in, {});
    if (auto opened = reader.open(); !opened) return {.stopped = opened.error()};
    return import_stream(reader, *journal, *tables, options);
  }

  testing::TempDir folder;
  testing::FakeClock clock;
  std::unique_ptr<buffer::Tables> tables;
  std::unique_ptr<Journal> journal;
  buffer::ReadBatch batch;
};

TEST(JournalStream, WhatIsTakenInIsWhatWasWrittenOut) {
  Site from;
  Site to;
  for (std::uint64_t i = 1; i <= 20; ++i) from.append(make_envelope(i, i % 3 == 0 ? 5 : 1));
  const auto report = to.import(from.stream());
  EXPECT_FALSE(report.stopped) << report.stopped->detail;
  EXPECT_EQ(report.taken, 20U);
  EXPECT_EQ(report.duplicates, 0U);
  const auto before = from.records();
  const auto after = to.records();
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i].body, before[i].body);
    EXPECT_EQ(after[i].meta, before[i].meta);
    EXPECT_EQ(after[i].key, before[i].key);
    EXPECT_EQ(after[i].received, before[i].received);
    EXPECT_EQ(after[i].coding, before[i].coding);
    EXPECT_EQ(after[i].project, before[i].project);
  }
}

TEST(JournalStream, TheSameStreamAgainTakesNothing) {
  Site from;
  Site to;
  for (std::uint64_t i = 1; i <= 10; ++i) from.append(make_envelope(i, i % 2 == 0 ? 5 : 1));
  const auto stream = from.stream();
  EXPECT_EQ(to.import(stream).taken, 10U);
  const auto again = to.import(stream);
  EXPECT_EQ(again.taken, 0U);
  EXPECT_EQ(again.duplicates, 10U);
  EXPECT_FALSE(again.stopped);
  to.open();
  EXPECT_EQ(to.import(stream).duplicates, 10U) << "after a restart";
  EXPECT_EQ(from.import(stream).duplicates, 10U) << "into where it came from";
}

TEST(JournalStream, AnEventThatIsHereInOtherBytesIsADuplicateAndALateAttachmentIsNone) {
  Site from;
  Site to;
  from.append(make_envelope(1));
  auto attachment = make_envelope(1, 4);
  attachment.body = "a file that belongs to event 1";
  from.append(std::move(attachment));
  auto other = make_envelope(1);
  other.body = "the same event on another way";
  other.received += std::chrono::seconds(9);
  to.append(std::move(other));
  const auto report = to.import(from.stream());
  EXPECT_EQ(report.duplicates, 1U);
  EXPECT_EQ(report.taken, 1U);
  EXPECT_EQ(to.records().at(1).body, "a file that belongs to event 1");
}

TEST(JournalStream, AnEventThatOnlyTheTablesStillKnowIsADuplicate) {
  Site from;
  Site to;
  from.append(make_envelope(7));
  ASSERT_TRUE(to.tables->write([](buffer::Batch& batch) {
    std::string id(16, '\0');
    id[15] = 7;
    batch.put(buffer::Table::event_ids, buffer::Key().u64(1).raw(id), "place");
  }));
  EXPECT_EQ(to.import(from.stream()).duplicates, 1U);
}

TEST(JournalStream, AProjectThatIsNotHereStopsItUnlessAllGoToOne) {
  Site from;
  Site to;
  from.append(make_envelope(1));
  from.append(make_envelope(2, 1, 42));
  const auto stream = from.stream();
  const auto refused = to.import(stream);
  ASSERT_TRUE(refused.stopped);
  EXPECT_EQ(refused.taken, 1U);
  EXPECT_EQ(refused.last_read, 1U);
  EXPECT_NE(refused.stopped->detail.find("42"), std::string::npos);
  const auto mapped = to.import(stream, {.to_project = 1});
  EXPECT_FALSE(mapped.stopped);
  EXPECT_EQ(mapped.taken, 1U);
  EXPECT_EQ(mapped.duplicates, 1U);
  EXPECT_EQ(to.records().at(1).project, 1U);
  EXPECT_NE(to.records().at(1).key, std::string(16, '\xab')) << "the key of the project that it went to";
  EXPECT_TRUE(to.import(stream, {.to_project = 9}).stopped);
}

TEST(JournalStream, AFullJournalStopsItAndWhatIsCountedIsThere) {
  Site from;
  Site to(std::uint64_t{4} << 20);
  for (std::uint64_t i = 1; i <= 60; ++i) {
    auto record = make_envelope(i);
    record.body = std::string(100'000, static_cast<char>('a' + i % 26));
    from.append(std::move(record));
  }
  const auto report = to.import(from.stream());
  ASSERT_TRUE(report.stopped);
  EXPECT_EQ(report.stopped->fault, Fault::unavailable);
  EXPECT_GT(report.taken, 5U);
  EXPECT_LT(report.taken, 60U);
  EXPECT_EQ(to.records().size(), report.taken);
}

// Every cut and every flipped byte: refused, and what was taken before is a beginning of the stream.
TEST(JournalStream, ABrokenStreamIsTakenUpToWhereItBreaks) {
  Site from;
  for (std::uint64_t i = 1; i <= 6; ++i) from.append(make_envelope(i));
  const auto whole = from.stream();
  const auto bodies = from.records();
  std::mt19937 random(11);
  for (int round = 0; round < 400; ++round) {
    auto text = whole;
    const auto at = random() % (whole.size() - 1);
    if (round % 2 == 0) {
      text.resize(at);
    } else {
      text[at] = static_cast<char>(text[at] ^ (1 << random() % 8));
    }
    std::istringstream in(text);
    StreamReader reader(in, {});
    if (!reader.open()) continue;
    std::size_t taken = 0;
    bool broken = false;
    for (;;) {
      const auto next = reader.next();
      broken = !next;
      if (!next || !*next) break;
      ASSERT_EQ((*next)->record.body, bodies.at(taken).body) << "round " << round;
      ASSERT_EQ((*next)->record.project, bodies.at(taken).project) << "round " << round;
      ASSERT_EQ((*next)->record.key, bodies.at(taken).key) << "round " << round;
      ++taken;
    }
    // What a head says beside format and version does not matter.
    const bool in_head = at < whole.find('\n');
    EXPECT_TRUE(broken || in_head) << "round " << round << ", byte " << at;
  }
}

TEST(JournalStream, LengthsThatLieAndLinesWithoutEndAreRefused) {
  const auto read = [](const std::string& text) {
    std::istringstream in(text);
    StreamReader reader(in, {});
    if (auto opened = reader.open(); !opened) return opened.error().detail;
    const auto next = reader.next();
    return next ? std::string("taken") : next.error().detail;
  };
  const auto head = render_stream_head() + "\n";
  EXPECT_NE(read("{}\n").find("no stream"), std::string::npos);
  EXPECT_NE(read(R"({"format":"picket-envelopes","version":2})" "\n").find("version"), std::string::npos);
  EXPECT_NE(read(head + R"({"sequence":1,"bytes":99999999999,"crc32c":"00000000"})" "\n").find("length"), std::string::npos);
  EXPECT_NE(read(head + R"({"sequence":1,"bytes":-1,"crc32c":"00000000"})" "\n").find("length"), std::string::npos);
  EXPECT_NE(read(head + R"({"bytes":1})" "\n").find("checksum"), std::string::npos);
  EXPECT_NE(read(head + std::string(2'000'000, ' ')).find("too long"), std::string::npos);
  EXPECT_NE(read(head + R"({"end":true,"records":3})" "\n").find("missing"), std::string::npos);
  EXPECT_NE(read(head + std::string(5000, '[') + "\n").find("no JSON"), std::string::npos);
}

class StreamVerbs : public ::testing::Test {
 protected:
  struct Said {
    ExitCode code;
    std::string out;
    std::string err;
  };
  Said write_out(const Site& site, std::map<std::string, std::string> options = {}) const {
    std::ostringstream out;
    std::ostringstream err;
    CommandLine line{{}, std::move(options), site.folder.path(), out, err};
    const auto code = export_command().run(line);
    return {code, out.str(), err.str()};
  }
  Said take_in(const Site& site, const std::string& stream, std::map<std::string, std::string> options = {}) const {
    const auto file = site.folder / "stream";
    std::ofstream(file, std::ios::binary) << stream;
    std::ostringstream out;
    std::ostringstream err;
    options["json"] = "";
    CommandLine line{{file.string()}, std::move(options), site.folder.path(), out, err};
    buffer::StorageConfig storage;
    storage.path = site.folder.path();
    storage.segment_bytes = std::uint64_t{1} << 20;
    storage.disk_reserve_bytes = 0;
    const auto code = import_stream_into(line, storage);
    return {code, out.str(), err.str()};
  }
};

TEST_F(StreamVerbs, ExportChoosesByRangeTimeAndProject) {
  Site site;
  for (std::uint64_t i = 1; i <= 10; ++i) site.append(make_envelope(i, 1, i % 2 + 1));
  site.journal.reset();
  site.tables.reset();
  const auto count = [&](std::map<std::string, std::string> options) {
    options["json"] = "";
    const auto said = write_out(site, std::move(options));
    EXPECT_EQ(said.code, ExitCode::done) << said.err;
    return boost::json::parse(said.err).at("records").as_int64();
  };
  EXPECT_EQ(count({}), 10);
  EXPECT_EQ(count({{"from", "3"}, {"to", "5"}}), 3);
  EXPECT_EQ(count({{"project", "2"}}), 5);
  EXPECT_EQ(count({{"since", "2023-11-14T22:13:20.004Z"}, {"until", "2023-11-14T22:13:20.006Z"}}), 2);
  for (const auto& wrong : std::vector<std::map<std::string, std::string>>{{{"from", "x"}}, {{"project", "0"}}, {{"since", "yesterday"}}}) {
    EXPECT_EQ(write_out(site, wrong).code, ExitCode::usage);
  }
  EXPECT_EQ(write_out(site, {{"segment", "/nowhere.damaged"}}).code, ExitCode::configuration);
}

TEST_F(StreamVerbs, ExportLeavesNothingOutForWantOfANewerVersion) {
  Site site;
  site.append(make_envelope(1));
  site.journal.reset();
  ASSERT_TRUE(buffer::raise_minimum_reader(*site.tables, buffer::schema_number + 1));
  site.tables.reset();
  const auto said = write_out(site);
  EXPECT_EQ(said.code, ExitCode::configuration);
  EXPECT_NE(said.err.find("needs schema"), std::string::npos) << said.err;
  EXPECT_EQ(said.out, "");
}

TEST_F(StreamVerbs, ASegmentThatWasSetAsideComesBackThroughExportAndImport) {
  Site site;
  for (std::uint64_t i = 1; i <= 8; ++i) site.append(make_envelope(i));
  site.journal.reset();
  site.tables.reset();
  const auto segment = site.folder / "journal/00000000000000000001.00000.mdb";
  const auto damaged = segment.string() + ".damaged";
  std::filesystem::rename(segment, damaged);
  std::fstream(damaged, std::ios::in | std::ios::out | std::ios::binary) << std::string(8192, '\xee');
  const auto saved = write_out(site, {{"segment", damaged}});
  EXPECT_EQ(saved.code, ExitCode::done) << saved.err;
  const auto taken = take_in(site, saved.out);
  EXPECT_EQ(taken.code, ExitCode::done) << taken.err;
  EXPECT_EQ(boost::json::parse(taken.out).at("taken").as_int64(), 8);
}

TEST_F(StreamVerbs, ImportSaysWhatWentWrong) {
  Site from;
  Site to;
  for (std::uint64_t i = 1; i <= 4; ++i) from.append(make_envelope(i));
  const auto stream = from.stream();
  to.journal.reset();
  to.tables.reset();
  EXPECT_EQ(take_in(to, "no stream\n").code, ExitCode::no);
  const auto cut = take_in(to, stream.substr(0, stream.size() - 40));
  EXPECT_EQ(cut.code, ExitCode::no);
  EXPECT_NE(cut.err.find("stopped behind record"), std::string::npos) << cut.err;
  const auto whole = take_in(to, stream);
  EXPECT_EQ(whole.code, ExitCode::done) << whole.err;
  const auto taken_first = boost::json::parse(cut.out).at("taken").as_int64();
  EXPECT_EQ(boost::json::parse(whole.out).at("taken").as_int64() + taken_first, 4);
  EXPECT_EQ(take_in(to, stream, {{"to-project", "x"}}).code, ExitCode::usage);
}

}  // namespace
}  // namespace picket::api

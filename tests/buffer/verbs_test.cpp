#include "buffer/verbs.h"

#include "buffer/journal_support.h"
#include "buffer/schema_number.h"
#include "buffer/tables.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace picket::buffer {
namespace {

using testing::append_each;
using testing::body_of;
using testing::FakeClock;
using testing::open_journal;
using testing::small_options;
using testing::TempDir;

class BufferVerbs : public ::testing::Test {
 protected:
  struct Said {
    ExitCode code;
    std::string out;
    std::string err;
  };
  Said run(std::string_view name,
           std::vector<std::string> words,
           std::map<std::string, std::string> options = {}) const {
    std::ostringstream out;
    std::ostringstream err;
    const auto storage = options.contains("storage") ? std::filesystem::path(options["storage"]) : data();
    CommandLine line{.words = std::move(words),
                     .options = std::move(options),
                     .storage = storage,
                     .out = out,
                     .err = err};
    for (const auto& command : buffer_commands()) {
      if (command.name != name) continue;
      const auto code = command.run(line);
      return {code, out.str(), err.str()};
    }
    ADD_FAILURE() << "no verb " << name;
    return {ExitCode::usage, {}, {}};
  }
  void fill() const {
    std::filesystem::create_directories(data());
    ASSERT_TRUE(Tables::open({.path = data() / "tables.mdb", .map_bytes = std::uint64_t{1} << 30}));
    append_each(*open_journal(small_options(data() / "journal"), clock_), 1, 40, 10'000);
  }
  std::filesystem::path data() const { return folder_ / "data"; }

  const TempDir folder_;
  const FakeClock clock_;
};

TEST_F(BufferVerbs, EachHasAHelpTextWithItsUsageAndAnExample) {
  for (const auto& command : buffer_commands()) {
    EXPECT_TRUE(command.help.starts_with("usage: picket " + std::string(command.name)));
    EXPECT_NE(command.help.find("\nExample: picket "), std::string_view::npos) << command.name;
    EXPECT_FALSE(command.summary.empty());
  }
}

TEST_F(BufferVerbs, JournalLsListsTheSegments) {
  fill();
  const auto text = run("journal ls", {});
  EXPECT_EQ(text.code, ExitCode::done);
  EXPECT_NE(text.out.find("00000000000000000001.00000.mdb"), std::string::npos);
  EXPECT_NE(text.out.find("records 1 to 40"), std::string::npos);
  const auto parsed = run("journal ls", {}, {{"json", ""}});
  EXPECT_NE(parsed.out.find("\"next\":41"), std::string::npos);
  EXPECT_NE(parsed.out.find("\"first\":1,\"last\":"), std::string::npos);
}

TEST_F(BufferVerbs, JournalShowShowsARecordAndRawWritesItsBodyAlone) {
  fill();
  const auto text = run("journal show", {"3"});
  EXPECT_EQ(text.code, ExitCode::done);
  EXPECT_NE(text.out.find("sequence  3\n"), std::string::npos);
  EXPECT_NE(text.out.find("record 3 "), std::string::npos);
  EXPECT_NE(text.out.find("more bytes; --raw"), std::string::npos);
  EXPECT_EQ(run("journal show", {"3"}, {{"raw", ""}}).out, body_of(3, 10'000));
  EXPECT_NE(run("journal show", {"3"}, {{"json", ""}}).out.find("\"key\":\"30313233"), std::string::npos);
}

TEST_F(BufferVerbs, JournalShowSaysWhatIsNotThereAndWhatIsWrongUsage) {
  fill();
  EXPECT_EQ(run("journal show", {"41"}).code, ExitCode::no);
  EXPECT_EQ(run("journal show", {"0"}).code, ExitCode::no);
  for (const auto& words : std::vector<std::vector<std::string>>{{}, {"x"}, {"3x"}, {"-1"}, {"1", "2"}}) {
    const auto said = run("journal show", words);
    EXPECT_EQ(said.code, ExitCode::usage);
    EXPECT_FALSE(said.err.empty());
  }
}

TEST_F(BufferVerbs, JournalVerifyCountsAndSaysNoWhenSomethingIsDamaged) {
  fill();
  const auto good = run("journal verify", {});
  EXPECT_EQ(good.code, ExitCode::done);
  EXPECT_NE(good.out.find("40 records"), std::string::npos);
  const auto segment = data() / "journal" / "00000000000000000001.00000.mdb";
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  file.clear();
  file.seekp(static_cast<std::streamoff>(bytes.find(body_of(2, 10'000)) + 100));
  file << '!';
  file.close();
  const auto bad = run("journal verify", {}, {{"json", ""}});
  EXPECT_EQ(bad.code, ExitCode::no);
  EXPECT_NE(bad.out.find("\"first_damaged\":[2]"), std::string::npos);
}

TEST_F(BufferVerbs, WithoutAJournalTheyNameTheFolder) {
  for (const auto* const verb : {"journal ls", "journal verify"}) {
    const auto said = run(verb, {});
    EXPECT_EQ(said.code, ExitCode::configuration);
    EXPECT_NE(said.err.find(data().string()), std::string::npos);
  }
}

TEST_F(BufferVerbs, WhatNeedsANewerVersionIsNotCalledDamaged) {
  fill();
  {
    const auto tables = Tables::open({.path = data() / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    ASSERT_TRUE(raise_minimum_reader(**tables, schema_number + 1));
  }
  for (const auto* const verb : {"journal ls", "journal verify", "journal repair"}) {
    const auto said = run(verb, {});
    EXPECT_EQ(said.code, ExitCode::configuration) << verb;
    EXPECT_NE(said.err.find("needs schema " + std::to_string(schema_number + 1)), std::string::npos) << said.err;
    EXPECT_EQ(said.out, "") << verb;
  }
}

TEST_F(BufferVerbs, AJournalWhoseTablesCannotBeOpenedIsVerifiedAndRepaired) {
  fill();
  std::ofstream(data() / "tables.mdb") << "torn";
  for (const auto* const verb : {"journal verify", "journal repair"}) EXPECT_EQ(run(verb, {}).code, ExitCode::done) << verb;
}

TEST_F(BufferVerbs, BackupAndRestorePrintWhatThereIs) {
  fill();
  const auto copy = (folder_ / "copy").string();
  const auto back = (folder_ / "back").string();
  const auto made = run("backup", {copy});
  EXPECT_EQ(made.code, ExitCode::done) << made.err;
  EXPECT_NE(made.err.find("copied segment 1 of"), std::string::npos);
  EXPECT_EQ(run("restore", {copy}).code, ExitCode::usage);
  const auto restored = run("restore", {copy}, {{"storage", back}, {"json", ""}});
  EXPECT_EQ(restored.code, ExitCode::done) << restored.err;
  EXPECT_NE(restored.out.find("\"records\":40"), std::string::npos);
  EXPECT_EQ(run("restore", {copy}, {{"storage", back}}).code, ExitCode::configuration);
  EXPECT_EQ(run("backup", {}).code, ExitCode::usage);
}

}  // namespace
}  // namespace picket::buffer

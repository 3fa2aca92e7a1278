#include "buffer/version_history.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace picket::buffer {
namespace {

using testing::TempDir;

constexpr auto now = time_from_ms(1'800'000'000'000);

class VersionHistory : public ::testing::Test {
 protected:
  std::pair<ExitCode, std::string> run(std::string_view name, std::map<std::string, std::string> options = {}) const {
    std::ostringstream out;
    std::ostringstream err;
    CommandLine line{{}, std::move(options), folder.path(), out, err};
    for (const auto& command : version_commands()) {
      if (command.name == name) return {command.run(line), out.str() + err.str()};
    }
    return {ExitCode::usage, "no such verb"};
  }
  TempDir folder;
};

TEST_F(VersionHistory, AStartIsNotedOnceForEachBinary) {
  note_start(folder.path(), now);
  note_start(folder.path(), now + std::chrono::hours(1));
  auto entries = read_version_history(folder.path());
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].at, "2027-01-15T08:00:00Z");
  EXPECT_EQ(entries[0].what, "started");
  EXPECT_EQ(entries[0].version, PICKET_VERSION);
  EXPECT_EQ(entries[0].binary.size(), 8U);
  auto other = entries[0];
  other.binary = "00000000";
  ASSERT_TRUE(note_version(folder.path(), other));
  note_start(folder.path(), now);
  EXPECT_EQ(read_version_history(folder.path()).size(), 3U);
}

TEST_F(VersionHistory, ALineThatWasCutShortIsPassedOverAndHarmsNoOther) {
  ASSERT_TRUE(note_version(folder.path(), this_version("upgrading", "from\tthe\nfirst", now)));
  std::ofstream(folder / "versions", std::ios::app) << "2027-01-15T08:00:00Z\tstar";
  ASSERT_TRUE(note_version(folder.path(), this_version("upgraded", "", now)));
  const auto entries = read_version_history(folder.path());
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].words, "from the first");
  EXPECT_EQ(entries[1].what, "upgraded");
}

TEST_F(VersionHistory, StaysSmall) {
  {
    std::ofstream file(folder / "versions");
    for (int i = 0; i < 2500; ++i) file << "2027-01-15T08:00:00Z\tstarted\t0.1.0\t1\t" << 10'000'000 + i << "\t" << std::string(100, 'w') << "\n";
  }
  ASSERT_TRUE(note_version(folder.path(), this_version("upgraded", "", now)));
  const auto entries = read_version_history(folder.path());
  ASSERT_EQ(entries.size(), 1001U);
  EXPECT_EQ(entries[999].binary, "10002499") << "the latest are kept";
  EXPECT_EQ(entries[1000].what, "upgraded");
}

TEST_F(VersionHistory, LocksOnceWithAReasonAndUnlocks) {
  EXPECT_EQ(run("version unlock").first, ExitCode::no);
  EXPECT_EQ(run("version lock", {{"reason", "harvest"}}).first, ExitCode::done);
  EXPECT_EQ(read_version_lock(folder.path())->words, "harvest");
  const auto again = run("version lock");
  EXPECT_EQ(again.first, ExitCode::no);
  EXPECT_NE(again.second.find("harvest"), std::string::npos);
  EXPECT_NE(run("version history").second.find("locked to " PICKET_VERSION), std::string::npos);
  EXPECT_EQ(run("version unlock").first, ExitCode::done);
  EXPECT_FALSE(read_version_lock(folder.path()));
  const auto entries = read_version_history(folder.path());
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].what, "locked");
  EXPECT_EQ(entries[1].what, "unlocked");
}

TEST_F(VersionHistory, ALockThatSomebodyMadeByHandIsOne) {
  std::ofstream(folder / "version.lock") << "do not touch\n";
  EXPECT_EQ(read_version_lock(folder.path())->words, "do not touch");
  EXPECT_EQ(run("version lock").first, ExitCode::no);
}

TEST_F(VersionHistory, VersionTellsBuildsApart) {
  const auto said = run("version", {{"json", ""}});
  EXPECT_EQ(said.first, ExitCode::done);
  EXPECT_NE(said.second.find("\"version\":\"" PICKET_VERSION "\",\"schema\":"), std::string::npos) << said.second;
  EXPECT_NE(said.second.find("\"binary\":\""), std::string::npos);
}

}  // namespace
}  // namespace picket::buffer

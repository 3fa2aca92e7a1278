// The checks of `picket doctor` on disk, clock and limits: what they judge, and that they look.
#include "buffer/clock_check.h"
#include "buffer/disk_check.h"
#include "buffer/limits_check.h"

#include "buffer/storage_lock.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace picket::buffer {
namespace {

using namespace std::chrono_literals;
using testing::FakeClock;
using testing::TempDir;

constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;

Finding finding_of(const std::vector<Finding>& findings, std::string_view subject) {
  for (const Finding& finding : findings) {
    if (finding.subject == subject) return finding;
  }
  return {Grade::fail, "", "there is no finding about " + std::string(subject)};
}

constexpr std::string_view mounts =
    "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw,errors=remount-ro\n"
    "30 22 0:26 / /tmp rw,nosuid shared:2 master:1 - tmpfs tmpfs rw\n"
    "31 22 8:1 / /data rw - xfs /dev/sda1 rw,nobarrier\n"
    "32 22 8:2 / /with\\040space ro,noatime - ext4 /dev/sda2 ro\n"
    "33 31 8:3 / /data rw - ext4 /dev/sdb1 rw\n"
    "a line that is none\n";

TEST(FindMount, IsTheLongestPointAndTheLatestOfTwoOnIt) {
  EXPECT_EQ(find_mount(mounts, "/var/lib/picket").kind, "ext4");
  EXPECT_EQ(find_mount(mounts, "/tmp/x").kind, "tmpfs");
  EXPECT_EQ(find_mount(mounts, "/tmpx").point, "/");
  EXPECT_EQ(find_mount(mounts, "/data/picket").kind, "ext4");
  EXPECT_EQ(find_mount(mounts, "/with space/picket").options, "ro,noatime,ro");
  EXPECT_EQ(find_mount("", "/data").kind, "");
}

TEST(JudgeMount, KnowsWhatDoesNotLast) {
  const auto grade = [](std::string kind, std::string options) { return judge_mount({"/data", std::move(kind), std::move(options)}).grade; };
  EXPECT_EQ(grade("ext4", "rw,relatime,rw,errors=remount-ro"), Grade::ok);
  EXPECT_EQ(grade("tmpfs", "rw"), Grade::fail);
  EXPECT_EQ(grade("nfs4", "rw"), Grade::fail);
  EXPECT_EQ(grade("ext4", "ro,relatime,rw"), Grade::fail);
  EXPECT_EQ(grade("ext4", "rw,rw,barrier=0"), Grade::fail);
  EXPECT_EQ(grade("xfs", "rw,nobarrier"), Grade::fail);
  EXPECT_EQ(grade("overlay", "rw"), Grade::warn);
  EXPECT_EQ(grade("fuse.sshfs", "rw"), Grade::warn);
  EXPECT_EQ(grade("", ""), Grade::warn);
}

TEST(JudgeSyncs, ASyncThatCostsNothingIsNone) {
  EXPECT_EQ(judge_syncs({0us, 1us, 1us, 300us}).grade, Grade::fail);
  EXPECT_EQ(judge_syncs({30us, 25us, 28us}).grade, Grade::ok);
  EXPECT_EQ(judge_syncs({8'000us, 12'000us, 30'000us}).grade, Grade::ok);
  EXPECT_EQ(judge_syncs({80'000us, 90'000us}).grade, Grade::warn);
  EXPECT_EQ(judge_syncs({200us}).words, "1 fdatasync of 4 KiB: half within 0.2 ms, all within 0.2 ms");
}

TEST(JudgeRoom, ComparesWhatIsFreeWithReserveAndBudget) {
  StorageConfig config;  // 10 GiB of journal, 256 MiB kept free
  const auto disk = [&](std::uint64_t free, std::uint64_t journal) {
    return finding_of(judge_room({.free_bytes = free, .journal_bytes = journal}, config), "disk space");
  };
  EXPECT_EQ(disk(20 * gibibyte, 0).grade, Grade::ok);
  EXPECT_EQ(disk(gibibyte, 10 * gibibyte).grade, Grade::ok);
  EXPECT_EQ(disk(5 * gibibyte, gibibyte).grade, Grade::warn);
  EXPECT_NE(disk(5 * gibibyte, gibibyte).to_do.find("5888MiB"), std::string::npos);
  EXPECT_EQ(disk(100 << 20, 10 * gibibyte).grade, Grade::fail);
}

TEST(JudgeRoom, InodesRunOutAsWell) {
  const auto inodes = [](std::uint64_t all, std::uint64_t free) {
    return judge_room({.free_bytes = 20 * gibibyte, .inodes = all, .free_inodes = free}, {});
  };
  EXPECT_EQ(inodes(0, 0).size(), 1U) << "btrfs counts none";
  EXPECT_EQ(inodes(100'000, 50'000).at(1).grade, Grade::ok);
  EXPECT_EQ(inodes(100'000, 500).at(1).grade, Grade::warn);
  EXPECT_EQ(inodes(100'000, 5).at(1).grade, Grade::fail);
}

TEST(CheckDisk, LooksAtAFolderAndLeavesNothingInIt) {
  const TempDir folder;
  StorageConfig config;
  config.path = folder.path();
  config.journal_max_bytes = 8 << 20;
  config.disk_reserve_bytes = 0;
  ::chmod(config.path.c_str(), 0700);
  const auto findings = check_disk(config);
  EXPECT_EQ(finding_of(findings, "data folder").grade, Grade::ok);
  EXPECT_FALSE(finding_of(findings, "file system").words.empty());
  EXPECT_NE(finding_of(findings, "disk sync").words.find("fdatasync"), std::string::npos);
  EXPECT_EQ(finding_of(findings, "disk space").grade, Grade::ok);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(CheckDisk, SaysWhatIsOpenToOthersAndWhatIsNotThere) {
  const TempDir folder;
  StorageConfig config;
  config.path = folder / "data";
  EXPECT_EQ(finding_of(check_disk(config), "data folder").grade, Grade::warn);
  EXPECT_FALSE(std::filesystem::exists(config.path));
  std::filesystem::create_directory(config.path);
  ::chmod(config.path.c_str(), 0755);
  EXPECT_NE(finding_of(check_disk(config), "data folder").to_do.find("chmod o-rwx"), std::string::npos);
  ::chmod(config.path.c_str(), 0700);
  std::ofstream(config.path + "/token") << "secret";
  ::chmod((config.path + "/token").c_str(), 0644);
  EXPECT_NE(finding_of(check_disk(config), "data folder").to_do.find("chmod 600"), std::string::npos);
  config.path = folder / "data" / "token";
  EXPECT_EQ(finding_of(check_disk(config), "data folder").grade, Grade::fail);
}

TEST(JudgeClock, BelievesNoClockThatIsBehindWhatItHasSeen) {
  const auto now = time_from_ms(1'800'000'000'000);
  EXPECT_EQ(judge_clock({.now = now, .newest_file = now - 1h, .newest_record = now - 1h}).grade, Grade::ok);
  EXPECT_EQ(judge_clock({.now = now, .newest_file = now + 2s}).grade, Grade::ok);
  EXPECT_EQ(judge_clock({.now = now, .newest_file = now + 1h}).grade, Grade::fail);
  EXPECT_EQ(judge_clock({.now = now, .newest_record = now + 10min}).grade, Grade::fail);
  EXPECT_EQ(judge_clock({.now = now, .synchronised = false}).grade, Grade::warn);
  EXPECT_EQ(judge_clock({.now = time_from_ms(0)}).grade, Grade::fail);
}

TEST(CheckClock, ReadsTheDatesOfTheFiles) {
  const TempDir folder;
  std::ofstream(folder / "tables.mdb-lock") << "x";
  FakeClock clock;
  clock.set(SystemClock().now() - std::chrono::hours(24));
  const auto findings = check_clock_and_data(folder.path(), clock);
  EXPECT_EQ(finding_of(findings, "clock").grade, Grade::fail);
  EXPECT_EQ(finding_of(findings, "data").grade, Grade::warn);
}

TEST(JudgeLimits, ComparesWithWhatTheConfigurationWants) {
  const Wanted wanted{.files = 20'512, .memory_bytes = 96 << 20, .file_bytes = 256 << 20};
  const Limits plenty{.whose = "the service", .files = 65'536, .machine_bytes = 2 * gibibyte};
  for (const Finding& finding : judge_limits(plenty, wanted)) EXPECT_EQ(finding.grade, Grade::ok) << finding.words;
  const Limits tight{.whose = "this shell", .files = 1024, .address_bytes = gibibyte, .file_bytes = 1 << 20, .machine_bytes = 2 * gibibyte, .group_bytes = 128 << 20};
  const auto findings = judge_limits(tight, wanted);
  EXPECT_EQ(finding_of(findings, "open files").grade, Grade::warn);
  EXPECT_EQ(finding_of(findings, "addresses").grade, Grade::fail);
  EXPECT_EQ(finding_of(findings, "file size").grade, Grade::fail);
  EXPECT_EQ(finding_of(findings, "memory").grade, Grade::warn);
  EXPECT_NE(finding_of(findings, "memory").words.find("control group"), std::string::npos);
}

TEST(FindLimit, ReadsTheSoftOneOfProcfs) {
  constexpr std::string_view text =
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max file size             unlimited            unlimited            bytes     \n"
      "Max open files            1024                 524288               files     \n";
  EXPECT_EQ(find_limit(text, "Max open files"), 1024U);
  EXPECT_EQ(find_limit(text, "Max file size"), std::nullopt);
  EXPECT_EQ(find_limit(text, "Max address space"), std::nullopt);
}

TEST(ServedBy, NamesTheProcessThatHoldsTheLock) {
  const TempDir folder;
  EXPECT_EQ(served_by(folder.path()), 0);
  {
    const auto lock = StorageLock::take(folder.path());
    ASSERT_TRUE(lock);
    EXPECT_EQ(served_by(folder.path()), ::getpid());
  }
  EXPECT_EQ(served_by(folder.path()), 0);
}

TEST(PrintFindings, OneLineEachAndNoWhenSomethingFailed) {
  std::ostringstream out;
  std::ostringstream err;
  CommandLine line{{}, {}, {}, out, err};
  EXPECT_EQ(print_findings(line, {{Grade::ok, "disk", "well"}, {Grade::warn, "clock", "odd\x1b[2J\nly", "set it"}}), ExitCode::done);
  EXPECT_EQ(out.str(), "ok    disk   well\nwarn  clock  odd [2J ly; next: set it\n0 failed, 1 to look at, 1 well\n");
  out.str("");
  line.options["json"] = "";
  EXPECT_EQ(print_findings(line, {{Grade::fail, "disk", "broken", "mend it"}}), ExitCode::no);
  EXPECT_EQ(out.str(), "{\"checks\":[{\"grade\":\"fail\",\"subject\":\"disk\",\"words\":\"broken\",\"to_do\":\"mend it\"}],\"warned\":0,\"failed\":1}\n");
}

}  // namespace
}  // namespace picket::buffer

// A power cut takes back what was renamed and removed since the folder was last synced, though every file's data is on
// the disk: nothing acknowledged may lie in a file whose name is not there yet, or behind one that comes back.
#include "buffer/journal.h"
#include "buffer/journal_support.h"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <string>

namespace {

// The disk under one folder, as the calls below have it.
class Disk {
 public:
  struct Failing {
    unsigned folder_syncs = 0;  // of 100
    unsigned file_syncs = 0;
    unsigned renames = 0;
  };

  Disk(std::filesystem::path folder, std::filesystem::path inodes, unsigned seed)
      : folder_(std::move(folder)), inodes_(std::move(inodes)), random_(seed) {
    std::filesystem::create_directories(folder_);
    std::filesystem::create_directories(inodes_);
    current = this;
  }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  ~Disk() { current = nullptr; }

  void set(const Failing& failing) {
    const std::lock_guard lock(mutex_);
    failing_ = failing;
  }

  bool sync_fails(int file) {
    struct stat status {};
    if (::fstat(file, &status) != 0) return false;
    const std::lock_guard lock(mutex_);
    if (!S_ISDIR(status.st_mode)) return chance(failing_.file_syncs);
    struct stat own {};
    if (::stat(folder_.c_str(), &own) != 0 || own.st_ino != status.st_ino) return false;
    if (chance(failing_.folder_syncs)) return true;
    note_names(synced_);
    return false;
  }
  bool rename_fails() {
    const std::lock_guard lock(mutex_);
    return chance(failing_.renames);
  }

  // Makes `target` what is there after a power cut now, of names either what was synced or all.
  void cut(const std::filesystem::path& target, bool synced_only) {
    const std::lock_guard lock(mutex_);
    std::filesystem::create_directories(target);
    Names now;
    note_names(now);
    for (const auto& [name, inode] : synced_only ? synced_ : now) {
      std::filesystem::copy_file(inodes_ / std::to_string(inode), target / name);
    }
  }

  static inline std::atomic<Disk*> current{nullptr};

 private:
  using Names = std::map<std::string, ino_t>;

  // A second name elsewhere keeps what a file was.
  void note_names(Names& names) const {
    names.clear();
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      struct stat status {};
      if (::stat(entry.path().c_str(), &status) != 0 || entry.path().extension() == ".mdb-lock") continue;
      const auto kept = inodes_ / std::to_string(status.st_ino);
      if (::link(entry.path().c_str(), kept.c_str()) != 0 && errno != EEXIST) continue;
      names[entry.path().filename()] = status.st_ino;
    }
  }
  bool chance(unsigned of_100) { return random_() % 100 < of_100; }

  const std::filesystem::path folder_;
  const std::filesystem::path inodes_;
  std::mutex mutex_;
  std::mt19937 random_;  // guarded by mutex_, as what follows
  Failing failing_;
  Names synced_;
};

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

int no(int error) {
  errno = error;
  return -1;
}

}  // namespace

// Found before the C library's. What a disk has really written is of no matter here.
extern "C" int fsync(int file) {
  auto* const disk = Disk::current.load();
  return disk != nullptr && disk->sync_fails(file) ? no(EIO) : 0;
}

extern "C" int fdatasync(int file) {
  auto* const disk = Disk::current.load();
  return disk != nullptr && disk->sync_fails(file) ? no(EIO) : 0;
}

extern "C" int rename(const char* from, const char* to) noexcept {
  static const auto really = real<int (*)(const char*, const char*)>("rename");
  auto* const disk = Disk::current.load();
  return disk != nullptr && disk->rename_fails() ? no(EIO) : really(from, to);
}

namespace picket::buffer {
namespace {

using testing::append;
using testing::body_of;
using testing::FakeClock;
using testing::open_journal;
using testing::read_all;
using testing::record_of;
using testing::small_options;
using testing::TempDir;

class JournalNames : public ::testing::Test {
 protected:
  void try_seed(unsigned seed) {
    const TempDir folder;
    Disk disk(folder / "journal", folder / "inodes", seed);
    std::mt19937 random(seed);
    auto options = small_options(folder / "journal");
    options.max_bytes = std::uint64_t{3} << 20;
    std::map<Sequence, std::uint64_t> acknowledged;
    Sequence floor = 0;
    const auto size_of = [](std::uint64_t number) { return number % 3 == 0 ? 100'000 + number * 7919 % 400'000 : number * 1733 % 20'000; };
    {
      const auto journal = open_journal(options, clock_);
      ASSERT_TRUE(journal);
      for (std::uint64_t number = 1; number <= 40; ++number) {
        if (random() % 4 == 0) disk.set(pick_failing(random));
        if (random() % 12 == 0) {
          floor = journal->use().first + random() % 10;
          [[maybe_unused]] const auto recycled = journal->recycle_before(floor);
        }
        const auto sequence = append(*journal, record_of(number, size_of(number)));
        if (sequence != 0) {
          ASSERT_TRUE(acknowledged.emplace(sequence, number).second) << "sequence " << sequence << " was given twice";
        }
      }
      disk.cut(folder / "synced", true);
      disk.cut(folder / "all", false);
    }
    disk.set({});
    for (const auto* names : {"synced", "all"}) {
      SCOPED_TRACE(names);
      options.folder = folder / names;
      const auto journal = open_journal(options, clock_);
      ASSERT_TRUE(journal);
      EXPECT_TRUE(journal->set_aside().empty());
      const auto there = read_all(*journal, std::max<Sequence>(1, floor));
      for (const auto& [sequence, number] : acknowledged) {
        if (sequence < floor) continue;
        ASSERT_TRUE(there.contains(sequence)) << "record " << number << " was acknowledged as " << sequence << " and is lost";
        ASSERT_EQ(there.at(sequence), body_of(number, size_of(number)));
      }
      ASSERT_TRUE(journal->recycle_before(journal->use().next));
      const auto next = append(*journal, record_of(1));
      ASSERT_GT(next, acknowledged.empty() ? Sequence{0} : acknowledged.rbegin()->first);
    }
    acknowledged_ += acknowledged.size();
  }

  static Disk::Failing pick_failing(std::mt19937& random) {
    constexpr unsigned shares[] = {0, 0, 30, 100};
    const auto share = [&] { return shares[random() % 4]; };
    return {.folder_syncs = share(), .file_syncs = share() / 2, .renames = share() / 2};
  }

  const FakeClock clock_;
  std::size_t acknowledged_ = 0;
};

TEST_F(JournalNames, APowerCutWhileTheFolderCannotBeSyncedLosesNothingAcknowledged) {
  // 983 lost what was acknowledged while such names were not waited for.
  unsigned first = 950;
  unsigned count = 50;
  if (const char* asked = std::getenv("PICKET_NAMES_FIRST")) first = static_cast<unsigned>(std::atoi(asked));
  if (const char* asked = std::getenv("PICKET_NAMES_SEEDS")) count = static_cast<unsigned>(std::atoi(asked));
  for (auto seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    try_seed(seed);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(acknowledged_, 5 * count);
}

}  // namespace
}  // namespace picket::buffer

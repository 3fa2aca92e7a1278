// A disk that fails, by a seeded schedule: a library that is loaded before the C library (LD_PRELOAD)
// and stands between a process and the files under one folder. It needs nothing of ours.
//
//   PICKET_FAULT_FOLDER    files below this folder are touched, no others
//   PICKET_FAULT_SEED      decides which calls fail, and how
//   PICKET_FAULT_ARMED     faults happen while this file exists
//   PICKET_FAULT_FREE      while this file exists, the disk has so many bytes free as it says
//   PICKET_FAULT_LOG       takes a line for each fault
//
// What can happen: a write, sync, allocation, creation, rename or removal fails with ENOSPC, EIO, EROFS
// or EDQUOT; a write is short, or torn (a part of it is in the file, the rest is not); calls take long;
// a sync says that all is well and does nothing; and the power is cut. Then of all pages that were
// written and not synced since, any may be as they were before, whole or by sectors; renames and
// removals that their folder was not synced after are undone from the last one backwards; and the
// process is killed. Pages that a failed sync was about count as not written until they are written again.
//
// THREADS  Any; one call at a time.
#include "fault/schedule.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::fault {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t sector_bytes = 512;

// What a page held when it was last known to be on the disk.
struct Saved {
  std::string bytes;
  bool doubtful = false;  // a sync that was about it failed
};
using UnsyncedPages = std::map<std::uint64_t, Saved>;
using FileId = std::pair<dev_t, ino_t>;
// A rename (of `from` to `to`) or a removal (of `to`); `kept` is a link to what was at `to`.
struct FolderChange {
  std::string from;
  std::string to;
  std::string kept;
};

std::string text_of(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// The calls themselves, not through the names that this library has taken.
ssize_t real_pwrite(int file, const void* from, std::size_t bytes, off_t offset) {
  return ::syscall(SYS_pwrite64, file, from, bytes, offset);
}
int real_open(const char* path, int flags, unsigned mode) {
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
int real_rename(const char* from, const char* to) {
  return static_cast<int>(::syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}
int real_unlink(const char* path) {
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

class Shim {
 public:
  // Never destroyed: threads write until the process is gone.
  static Shim& get() {
    static Shim* const shim = new Shim();
    return *shim;
  }

  std::mutex& mutex() { return mutex_; }

  // "" when the file is none of ours.
  std::string path_of(int file) const {
    if (folder_.empty()) return {};
    std::array<char, 32> link{};
    std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", file);
    std::array<char, 4096> target{};
    const auto length = ::readlink(link.data(), target.data(), target.size());
    if (length <= 0) return {};
    std::string path(target.data(), static_cast<std::size_t>(length));
    return touches(path) ? path : std::string();
  }
  bool touches(std::string_view path) const { return !folder_.empty() && path.starts_with(folder_) && !is_lock(path); }

  // What is to happen to a call of that kind. Cuts the power when its time has come.
  Fault decide(Call call, std::string_view path) {
    if (armed_file_.empty() || ::access(armed_file_.c_str(), F_OK) != 0) return {};
    const auto fault = schedule_.next(call, path.find("/journal/") != std::string_view::npos);
    if (fault.kind != FaultKind::none) note(call, path, fault);
    if (fault.kind == FaultKind::power_cut) cut_power();
    if (fault.delay_us > 0) ::usleep(fault.delay_us);
    return fault;
  }

  // Before bytes at `offset` are written.
  void remember(int file, const std::string& path, off_t offset, std::size_t bytes) {
    if (path.ends_with(" (deleted)") || bytes == 0) return;
    auto* const unsynced = pages_of(file);
    if (unsynced == nullptr) return;
    std::array<char, 32> link{};
    std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", file);
    const int reader = real_open(link.data(), O_RDONLY | O_CLOEXEC, 0);
    const auto first = static_cast<std::uint64_t>(offset) / page_bytes;
    const auto last = (static_cast<std::uint64_t>(offset) + bytes - 1) / page_bytes;
    for (auto page = first; page <= last; ++page) {
      const auto [saved, added] = unsynced->try_emplace(page);
      saved->second.doubtful = false;
      if (!added) continue;
      saved->second.bytes.assign(page_bytes, '\0');
      if (reader >= 0) ::pread(reader, saved->second.bytes.data(), page_bytes, static_cast<off_t>(page * page_bytes));
    }
    if (reader >= 0) ::close(reader);
  }
  // After a write through a descriptor that syncs each of them.
  void forget_pages(int file, off_t offset, std::size_t bytes) {
    auto* const unsynced = pages_of(file);
    if (unsynced == nullptr || bytes == 0) return;
    const auto first = static_cast<std::uint64_t>(offset) / page_bytes;
    const auto last = (static_cast<std::uint64_t>(offset) + bytes - 1) / page_bytes;
    for (auto page = first; page <= last; ++page) unsynced->erase(page);
  }
  void synced(int file, bool success) {
    struct stat status {};
    if (::fstat(file, &status) != 0) return;
    if (S_ISDIR(status.st_mode)) {
      if (success) forget_changes();
      return;
    }
    auto* const unsynced = pages_of(file);
    if (unsynced == nullptr) return;
    for (auto page = unsynced->begin(); page != unsynced->end();) {
      if (success && !page->second.doubtful) {
        page = unsynced->erase(page);
      } else {
        page->second.doubtful = true;
        ++page;
      }
    }
  }

  // Before `to` is replaced (by `from`) or removed.
  void remember_change(std::string from, const std::string& to) {
    FolderChange change{std::move(from), to, {}};
    if (::access(to.c_str(), F_OK) == 0) {
      ::mkdir(kept_folder_.c_str(), 0700);
      change.kept = kept_folder_ + "/" + std::to_string(++kept_);
      if (::link(to.c_str(), change.kept.c_str()) != 0) change.kept.clear();
    }
    changes_.push_back(std::move(change));
  }
  void forget_last_change() {
    let_go(changes_.back().kept);
    changes_.pop_back();
  }

  std::optional<std::uint64_t> told_free() const {
    if (free_file_.empty()) return std::nullopt;
    const int file = real_open(free_file_.c_str(), O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) return std::nullopt;
    std::array<char, 32> text{};
    const auto length = ::read(file, text.data(), text.size() - 1);
    ::close(file);
    if (length <= 0) return std::nullopt;
    return std::strtoull(text.data(), nullptr, 10);
  }

 private:
  Shim()
      : folder_(text_of("PICKET_FAULT_FOLDER")),
        armed_file_(text_of("PICKET_FAULT_ARMED")),
        free_file_(text_of("PICKET_FAULT_FREE")),
        log_file_(text_of("PICKET_FAULT_LOG")),
        kept_folder_(folder_ + ".kept"),
        schedule_(std::strtoull(text_of("PICKET_FAULT_SEED").c_str(), nullptr, 10)) {
    if (!folder_.empty() && folder_.back() != '/') folder_ += '/';
  }

  // LMDB's lock files live in memory only.
  static bool is_lock(std::string_view path) { return path.ends_with("-lock") || path.ends_with(".lock"); }

  UnsyncedPages* pages_of(int file) {
    struct stat status {};
    if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink == 0) return nullptr;
    return &files_[{status.st_dev, status.st_ino}];
  }

  // The number of a file that is gone may become another one's.
  void let_go(const std::string& kept) {
    struct stat status {};
    if (kept.empty() || ::stat(kept.c_str(), &status) != 0) return;
    if (status.st_nlink == 1) files_.erase({status.st_dev, status.st_ino});
    real_unlink(kept.c_str());
  }

  void forget_changes() {
    for (const auto& change : changes_) let_go(change.kept);
    changes_.clear();
  }

  void note(Call call, std::string_view path, const Fault& fault) const {
    if (log_file_.empty()) return;
    const int file = real_open(log_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) return;
    std::string line(name_of(call));
    line.append(" ").append(name_of(fault.kind)).append(" ").append(std::to_string(fault.error)).append(" ").append(path).append("\n");
    ::syscall(SYS_write, file, line.data(), line.size());
    ::close(file);
  }

  // REQUIRES: mutex_ is held, so that nobody writes meanwhile.
  [[noreturn]] void cut_power() {
    // Who reads a mapped file meanwhile sees it change, as nobody does when the power goes: that ends nothing any more.
    struct sigaction frozen {};
    frozen.sa_handler = [](int) {
      for (;;) ::pause();
    };
    for (const int signal : {SIGABRT, SIGBUS, SIGSEGV}) ::sigaction(signal, &frozen, nullptr);
    for (const auto& [id, unsynced] : files_) {
      // By its number, for its name may be another one by now: through any descriptor that is open.
      const int file = open_by_id(id);
      if (file < 0) continue;
      for (const auto& [page, saved] : unsynced) put_back(file, page, saved.bytes);
      ::close(file);
    }
    for (auto left = schedule_.pick(changes_.size() + 1); left < changes_.size();) {
      const auto change = changes_.back();
      changes_.pop_back();
      if (!change.from.empty()) real_rename(change.to.c_str(), change.from.c_str());
      if (!change.kept.empty()) real_rename(change.kept.c_str(), change.to.c_str());
    }
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
  }

  static int open_by_id(const FileId& id) {
    DIR* const folder = ::opendir("/proc/self/fd");
    if (folder == nullptr) return -1;
    int found = -1;
    while (const dirent* const entry = ::readdir(folder)) {
      struct stat status {};
      const std::string link = std::string("/proc/self/fd/") + entry->d_name;
      if (entry->d_name[0] == '.' || ::stat(link.c_str(), &status) != 0) continue;
      if (FileId(status.st_dev, status.st_ino) != id) continue;
      found = real_open(link.c_str(), O_RDWR | O_CLOEXEC, 0);
      break;
    }
    ::closedir(folder);
    return found;
  }

  void put_back(int file, std::uint64_t page, const std::string& bytes) {
    const auto at = static_cast<off_t>(page * page_bytes);
    switch (schedule_.pick(4)) {
      case 0: return;  // it had reached the disk
      case 1:          // some of its sectors had
        for (std::size_t sector = 0; sector < page_bytes; sector += sector_bytes) {
          if (schedule_.pick(2) == 0) real_pwrite(file, bytes.data() + sector, sector_bytes, at + static_cast<off_t>(sector));
        }
        return;
      default: real_pwrite(file, bytes.data(), page_bytes, at);
    }
  }

  std::string folder_;
  const std::string armed_file_;
  const std::string free_file_;
  const std::string log_file_;
  const std::string kept_folder_;
  std::mutex mutex_;
  Schedule schedule_;  // this and the rest guarded by mutex_
  std::map<FileId, UnsyncedPages> files_;
  std::vector<FolderChange> changes_;
  std::uint64_t kept_ = 0;
};

ssize_t fail(int error) {
  errno = error;
  return -1;
}

// All writing comes down to this: `vector` at `offset`.
ssize_t write_at(int file, const iovec* vector, int count, off_t offset, const std::string& path) {
  auto& shim = Shim::get();
  const std::lock_guard lock(shim.mutex());
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes.append(static_cast<const char*>(vector[i].iov_base), vector[i].iov_len);
  const bool synchronous = (::fcntl(file, F_GETFL) & O_DSYNC) != 0;
  const auto fault = shim.decide(synchronous ? Call::synchronous_write : Call::write, path);
  if (fault.kind == FaultKind::error) return fail(fault.error);
  shim.remember(file, path, offset, bytes.size());
  switch (fault.kind) {
    case FaultKind::torn: {
      const auto part = bytes.size() > sector_bytes ? bytes.size() / 2 / sector_bytes * sector_bytes : bytes.size() / 2;
      real_pwrite(file, bytes.data(), part, offset);
      return fail(fault.error);
    }
    case FaultKind::lost_sync:  // of a synchronous write: all in the page cache, nothing on the disk
      real_pwrite(file, bytes.data(), bytes.size(), offset);
      return fail(fault.error);
    case FaultKind::short_write: bytes.resize(bytes.size() > 1 ? bytes.size() / 2 : bytes.size()); break;
    case FaultKind::none:
    case FaultKind::error:
    case FaultKind::lie:
    case FaultKind::power_cut: break;
  }
  const auto written = real_pwrite(file, bytes.data(), bytes.size(), offset);
  if (written > 0 && synchronous && fault.kind != FaultKind::lie) shim.forget_pages(file, offset, static_cast<std::size_t>(written));
  return written;
}

int sync_file(int file, long number) {
  auto& shim = Shim::get();
  const auto path = shim.path_of(file);
  if (path.empty()) return static_cast<int>(::syscall(number, file));
  const std::lock_guard lock(shim.mutex());
  const auto fault = shim.decide(Call::sync, path);
  if (fault.kind == FaultKind::lie) return 0;
  const bool fails = fault.kind != FaultKind::none;
  const int rc = fails ? -1 : static_cast<int>(::syscall(number, file));
  shim.synced(file, rc == 0);
  return fails ? static_cast<int>(fail(fault.error)) : rc;
}

// Of a call that changes the file at `path` and is none of the above.
int fails_with(Call call, const std::string& path) {
  auto& shim = Shim::get();
  if (path.empty()) return 0;
  const std::lock_guard lock(shim.mutex());
  const auto fault = shim.decide(call, path);
  return fault.kind == FaultKind::none || fault.kind == FaultKind::lie ? 0 : fault.error;
}

int open_file(const char* path, int flags, unsigned mode) {
  if ((flags & O_CREAT) != 0 && path != nullptr && Shim::get().touches(path)) {
    if (const int error = fails_with(Call::create, path)) return static_cast<int>(fail(error));
  }
  return real_open(path, flags, mode);
}

int remove_file(const char* path) {
  auto& shim = Shim::get();
  if (path == nullptr || !shim.touches(path)) return real_unlink(path);
  if (const int error = fails_with(Call::remove, path)) return static_cast<int>(fail(error));
  const std::lock_guard lock(shim.mutex());
  shim.remember_change({}, path);
  const int rc = real_unlink(path);
  const int error = errno;
  if (rc != 0) shim.forget_last_change();
  errno = error;
  return rc;
}

}  // namespace
}  // namespace picket::fault

using picket::fault::Call;
using picket::fault::Shim;

extern "C" {

ssize_t pwrite(int file, const void* from, size_t bytes, off_t offset) {
  const auto path = Shim::get().path_of(file);
  if (path.empty()) return picket::fault::real_pwrite(file, from, bytes, offset);
  const iovec vector{const_cast<void*>(from), bytes};
  return picket::fault::write_at(file, &vector, 1, offset, path);
}
ssize_t pwrite64(int file, const void* from, size_t bytes, off64_t offset) {
  return pwrite(file, from, bytes, offset);
}

ssize_t writev(int file, const iovec* vector, int count) {
  const auto path = Shim::get().path_of(file);
  const auto offset = path.empty() ? 0 : ::lseek(file, 0, SEEK_CUR);
  if (path.empty() || offset < 0) return ::syscall(SYS_writev, file, vector, count);
  const auto written = picket::fault::write_at(file, vector, count, offset, path);
  const int error = errno;
  if (written > 0) ::lseek(file, offset + written, SEEK_SET);
  errno = error;
  return written;
}
ssize_t write(int file, const void* from, size_t bytes) {
  const auto path = Shim::get().path_of(file);
  const bool appends = !path.empty() && (::fcntl(file, F_GETFL) & O_APPEND) != 0;
  if (path.empty() || appends) return ::syscall(SYS_write, file, from, bytes);
  const iovec vector{const_cast<void*>(from), bytes};
  return writev(file, &vector, 1);
}

int fsync(int file) {
  return picket::fault::sync_file(file, SYS_fsync);
}
int fdatasync(int file) {
  return picket::fault::sync_file(file, SYS_fdatasync);
}
int msync(void* address, size_t bytes, int flags) {
  return static_cast<int>(::syscall(SYS_msync, address, bytes, flags));
}

int ftruncate(int file, off_t bytes) noexcept {
  if (const int error = picket::fault::fails_with(Call::allocate, Shim::get().path_of(file))) {
    return static_cast<int>(picket::fault::fail(error));
  }
  return static_cast<int>(::syscall(SYS_ftruncate, file, bytes));
}
int ftruncate64(int file, off64_t bytes) noexcept {
  return ftruncate(file, bytes);
}
int fallocate(int file, int mode, off_t offset, off_t bytes) {
  if (const int error = picket::fault::fails_with(Call::allocate, Shim::get().path_of(file))) {
    return static_cast<int>(picket::fault::fail(error));
  }
  return static_cast<int>(::syscall(SYS_fallocate, file, mode, offset, bytes));
}
int fallocate64(int file, int mode, off64_t offset, off64_t bytes) {
  return fallocate(file, mode, offset, bytes);
}
int posix_fallocate(int file, off_t offset, off_t bytes) {
  const int before = errno;
  const int rc = fallocate(file, 0, offset, bytes) == 0 ? 0 : errno;
  errno = before;
  return rc;
}
int posix_fallocate64(int file, off64_t offset, off64_t bytes) {
  return posix_fallocate(file, offset, bytes);
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const auto mode = va_arg(more, unsigned);
  va_end(more);
  return picket::fault::open_file(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const auto mode = va_arg(more, unsigned);
  va_end(more);
  return picket::fault::open_file(path, flags, mode);
}

int rename(const char* from, const char* to) noexcept {
  auto& shim = Shim::get();
  if (from == nullptr || to == nullptr || !shim.touches(to)) return picket::fault::real_rename(from, to);
  if (const int error = picket::fault::fails_with(Call::rename, to)) return static_cast<int>(picket::fault::fail(error));
  const std::lock_guard lock(shim.mutex());
  shim.remember_change(from, to);
  const int rc = picket::fault::real_rename(from, to);
  const int error = errno;
  if (rc != 0) shim.forget_last_change();
  errno = error;
  return rc;
}
int unlink(const char* path) noexcept {
  return picket::fault::remove_file(path);
}
int remove(const char* path) noexcept {
  struct stat status {};
  const bool folder = ::stat(path, &status) == 0 && S_ISDIR(status.st_mode);
  return folder ? ::rmdir(path) : picket::fault::remove_file(path);
}

int statvfs(const char* path, struct statvfs* status) noexcept {
  using Function = int (*)(const char*, struct statvfs*);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "statvfs"));
  const int rc = real(path, status);
  const auto free = Shim::get().told_free();
  if (rc == 0 && free) status->f_bavail = status->f_bfree = *free / status->f_frsize;
  return rc;
}

}  // extern "C"

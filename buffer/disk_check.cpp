#include "buffer/disk_check.h"

#include "buffer/descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>

namespace picket::buffer {
namespace {

using std::chrono::microseconds;

std::string in_ms(microseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g ms", static_cast<double>(time.count()) / 1000);
  return text.data();
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string without_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      plain += static_cast<char>(((text[i + 1] - '0') << 6) | ((text[i + 2] - '0') << 3) | (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool lies_below(const std::filesystem::path& path, const std::string& point) {
  if (point == "/" || path == point) return true;
  return path.string().starts_with(point + "/");
}

bool has_option(const Mount& mount, std::string_view option) {
  return ("," + mount.options + ",").find("," + std::string(option) + ",") != std::string::npos;
}

Finding check_folder(const std::filesystem::path& folder) {
  constexpr auto subject = "data folder";
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) {
    return {Grade::warn, subject, folder.string() + " is not there yet", "picket init --storage " + folder.string()};
  }
  if (!S_ISDIR(status.st_mode)) {
    return {Grade::fail, subject, folder.string() + " is no folder", "name one with storage.path"};
  }
  if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
    return {Grade::fail, subject,
            folder.string() + " cannot be written by user " + std::to_string(::geteuid()) + ", it belongs to " + std::to_string(status.st_uid),
            "run doctor and the service as its owner, or chown -R it"};
  }
  if ((status.st_mode & S_IRWXO) != 0) {
    return {Grade::warn, subject, folder.string() + " is open to every user of this machine", "chmod o-rwx " + folder.string()};
  }
  struct stat token {};
  if (::stat((folder / "token").c_str(), &token) == 0 && (token.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return {Grade::warn, subject, "others can read the API token in it", "chmod 600 " + (folder / "token").string()};
  }
  return {Grade::ok, subject, folder.string() + ", owner " + std::to_string(status.st_uid)};
}

std::string read_mountinfo() {
  std::ifstream file("/proc/self/mountinfo");
  return {std::istreambuf_iterator<char>(file), {}};
}

// Nothing is left of the file, whatever happens.
Finding check_syncs(const std::filesystem::path& folder) {
  constexpr std::size_t rounds = 64;
  constexpr std::size_t step = 4096;
  constexpr std::size_t pages = 16;
  constexpr auto longest = std::chrono::seconds(2);
  const auto failed = [&](std::string_view doing) {
    return Finding{Grade::fail, "disk sync", file_error(doing, folder).detail,
                   "nothing can be acknowledged; look at the disk (dmesg, smartctl) and the folder's permissions"};
  };
  auto name = (folder / "doctor-XXXXXX").string();
  const Descriptor file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) return failed("write to");
  ::unlink(name.c_str());
  const std::string filling(step * pages, 'd');
  if (!file.write_at(filling, 0) || ::fdatasync(file.number()) != 0) return failed("write to");
  std::vector<microseconds> times;
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < rounds && std::chrono::steady_clock::now() - began < longest; ++i) {
    const std::string page(step, static_cast<char>('a' + i % 26));
    if (!file.write_at(page, i % pages * step)) return failed("write to");
    const auto before = std::chrono::steady_clock::now();
    if (::fdatasync(file.number()) != 0) return failed("sync");
    times.push_back(std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - before));
  }
  return judge_syncs(std::move(times));
}

std::uint64_t bytes_in(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code failed;
  for (auto entry = std::filesystem::directory_iterator(folder, failed); !failed && entry != std::filesystem::directory_iterator();
       entry.increment(failed)) {
    std::error_code gone;
    const auto size = entry->file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace

Mount find_mount(std::string_view mountinfo, const std::filesystem::path& path) {
  Mount found;
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string skipped;
    std::string point;
    Mount mount;
    words >> skipped >> skipped >> skipped >> skipped >> point >> mount.options;
    while (words >> skipped && skipped != "-") {
    }
    std::string source;
    std::string more;
    if (!(words >> mount.kind >> source >> more)) continue;
    mount.point = without_escapes(point);
    mount.options += "," + more;
    // Of two on the same point the later one hides the earlier.
    if (lies_below(path, mount.point) && mount.point.size() >= found.point.size()) found = std::move(mount);
  }
  return found;
}

Finding judge_mount(const Mount& mount) {
  constexpr auto subject = "file system";
  const auto is = [&](std::initializer_list<std::string_view> kinds) {
    return std::find(kinds.begin(), kinds.end(), mount.kind) != kinds.end();
  };
  const std::string where = mount.kind + " at " + mount.point;
  if (mount.kind.empty()) {
    return {Grade::warn, subject, "what the data folder lies on is not known", "see that it is a local disk: df -T"};
  }
  if (has_option(mount, "ro")) {
    return {Grade::fail, subject, where + " is mounted read-only", "dmesg says why (a failing disk often); then mount -o remount,rw " + mount.point};
  }
  if (is({"tmpfs", "ramfs", "devtmpfs"})) {
    return {Grade::fail, subject, where + " is memory: all is gone after a restart of the machine", "put storage.path on a disk"};
  }
  if (is({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs"})) {
    return {Grade::fail, subject, where + " is on another machine: memory maps and locks do not hold there", "put storage.path on a local disk"};
  }
  if (has_option(mount, "nobarrier") || has_option(mount, "barrier=0")) {
    return {Grade::fail, subject, where + " is mounted without barriers: a power cut can take what was acknowledged",
            "mount it with barriers, unless its cache has a battery"};
  }
  if (is({"overlay", "aufs"})) {
    return {Grade::warn, subject, where + " is a container's own layer: all is gone with the container", "mount a volume at storage.path"};
  }
  if (mount.kind.starts_with("fuse") || is({"virtiofs", "ceph", "glusterfs", "ocfs2", "gfs2", "vboxsf"})) {
    return {Grade::warn, subject, where + " is not a plain local disk; whether it keeps what was synced is up to what is behind it",
            "prefer ext4, xfs or btrfs on a local disk"};
  }
  return {Grade::ok, subject, where};
}

Finding judge_syncs(std::vector<microseconds> times) {
  constexpr auto subject = "disk sync";
  // A write that reaches any device takes longer, the fastest of 2024 included.
  constexpr auto too_good = microseconds(5);
  constexpr auto slow = microseconds(50'000);
  std::sort(times.begin(), times.end());
  const auto median = times.at(times.size() / 2);
  const std::string words = std::to_string(times.size()) + " fdatasync of 4 KiB: half within " + in_ms(median) + ", all within " + in_ms(times.back());
  if (median < too_good) {
    return {Grade::fail, subject, words + ": they reach no disk, and a power cut takes what was acknowledged",
            "find what swallows them: a file system in memory, eatmydata, sync=disabled"};
  }
  if (median > slow) {
    return {Grade::warn, subject, words + ": each acknowledgement waits that long", "see who else uses the disk (iostat -x 1), or use a faster one"};
  }
  return {Grade::ok, subject, words};
}

std::vector<Finding> judge_room(const DiskRoom& room, const StorageConfig& config) {
  std::vector<Finding> findings;
  const std::string free = render_size(room.free_bytes) + " free";
  const auto growth = config.journal_max_bytes - std::min(config.journal_max_bytes, room.journal_bytes);
  if (room.free_bytes < config.disk_reserve_bytes) {
    findings.push_back({Grade::fail, "disk space", free + ", less than storage.disk_reserve_bytes (" + render_size(config.disk_reserve_bytes) + "): new envelopes are refused",
                        "make room; intake goes on by itself"});
  } else if (room.free_bytes - config.disk_reserve_bytes < growth) {
    const auto fits = room.journal_bytes + room.free_bytes - config.disk_reserve_bytes;
    findings.push_back({Grade::warn, "disk space",
                        free + ", but the journal may grow by " + render_size(growth) + " with " + render_size(config.disk_reserve_bytes) + " kept free: the disk is full before its budget is used",
                        "make room, or set storage.journal_max_bytes to " + std::to_string(fits >> 20) + "MiB or less"});
  } else {
    findings.push_back({Grade::ok, "disk space", free + "; the journal has " + render_size(room.journal_bytes) + " of its " + render_size(config.journal_max_bytes)});
  }
  if (room.inodes == 0) return findings;
  const std::string inodes = std::to_string(room.free_inodes) + " of " + std::to_string(room.inodes) + " inodes free";
  if (room.free_inodes < 100) {
    findings.push_back({Grade::fail, "inodes", inodes + ": soon no file can be made", "remove small files: find " + config.path + " -xdev -type f | wc -l, and its neighbours"});
  } else if (room.free_inodes < 1000) {
    findings.push_back({Grade::warn, "inodes", inodes, "find what makes so many files on this file system"});
  } else {
    findings.push_back({Grade::ok, "inodes", inodes});
  }
  return findings;
}

std::vector<Finding> check_disk(const StorageConfig& config) {
  std::vector<Finding> findings;
  findings.push_back(check_folder(config.path));
  std::error_code failed;
  auto there = std::filesystem::absolute(config.path, failed);
  while (there.has_relative_path() && !std::filesystem::is_directory(there, failed)) there = there.parent_path();
  const auto plain = std::filesystem::canonical(there, failed);
  findings.push_back(judge_mount(find_mount(read_mountinfo(), failed ? there : plain)));
  findings.push_back(check_syncs(there));
  struct statvfs status {};
  if (::statvfs(there.c_str(), &status) != 0) {
    findings.push_back({Grade::fail, "disk space", file_error("ask about", there).detail, "mount the file system again"});
    return findings;
  }
  const DiskRoom room{.free_bytes = std::uint64_t{status.f_bavail} * status.f_frsize,
                      .journal_bytes = bytes_in(std::filesystem::path(config.path) / "journal"),
                      .inodes = status.f_files,
                      .free_inodes = status.f_favail};
  for (auto& finding : judge_room(room, config)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace picket::buffer

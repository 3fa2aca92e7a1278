#include "buffer/limits_check.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace picket::buffer {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<std::uint64_t> parse_limit(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr == text.data()) return std::nullopt;
  return number;
}

// Of control groups' version 2, the least of all from `group` up: "max" and files that are not there
// limit nothing.
std::optional<std::uint64_t> find_group_limit(std::string_view cgroups) {
  std::istringstream lines{std::string(cgroups)};
  std::optional<std::uint64_t> least;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::/")) continue;
    const std::filesystem::path root = "/sys/fs/cgroup";
    for (std::filesystem::path group = line.substr(3);; group = group.parent_path()) {
      if (const auto limit = parse_limit(read_text(root / group.relative_path() / "memory.max"))) {
        least = std::min(least.value_or(*limit), *limit);
      }
      if (!group.has_relative_path()) break;
    }
  }
  return least;
}

std::uint64_t machine_memory() {
  const auto pages = ::sysconf(_SC_PHYS_PAGES);
  const auto page_bytes = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes) : 0;
}

}  // namespace

std::optional<std::uint64_t> find_limit(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const auto value = text.find_first_not_of(' ', at + name.size());
  return value == std::string_view::npos ? std::nullopt : parse_limit(text.substr(value));
}

std::vector<Finding> judge_limits(const Limits& limits, const Wanted& wanted) {
  std::vector<Finding> findings;
  const std::string whose = "of " + std::string(limits.whose);
  if (limits.files && *limits.files < wanted.files) {
    findings.push_back({Grade::warn, "open files", std::to_string(*limits.files) + " " + whose + ", but the configuration may want " + std::to_string(wanted.files),
                        "LimitNOFILE=" + std::to_string(wanted.files) + " in the unit (ulimit -n), or a smaller server.max_connections"});
  } else {
    findings.push_back({Grade::ok, "open files", (limits.files ? std::to_string(*limits.files) : "any number") + " " + whose});
  }
  if (limits.address_bytes) {
    findings.push_back({Grade::fail, "addresses", render_size(*limits.address_bytes) + " " + whose + ": the tables map 256 GiB of addresses (not of memory)", "take the limit away: ulimit -v unlimited, LimitAS=infinity"});
  }
  if (limits.file_bytes && *limits.file_bytes < wanted.file_bytes) {
    findings.push_back({Grade::fail, "file size", "at most " + render_size(*limits.file_bytes) + " " + whose + ", less than a segment of the journal", "ulimit -f unlimited, LimitFSIZE=infinity"});
  }
  auto memory = limits.machine_bytes;
  if (limits.group_bytes) memory = memory == 0 ? *limits.group_bytes : std::min(memory, *limits.group_bytes);
  const std::string there = render_size(memory) + (limits.group_bytes && *limits.group_bytes == memory ? " in the control group" : " in the machine");
  const std::string full = "the configured buffers take " + render_size(wanted.memory_bytes) + " when all are full";
  if (memory == 0) {
    findings.push_back({Grade::warn, "memory", "how much there is cannot be read; " + full, "see that there is twice as much: free -m"});
  } else if (wanted.memory_bytes > memory / 2) {
    // The other half is for the pages of the tables that the kernel keeps, without which each look is a read of the disk.
    findings.push_back({Grade::warn, "memory", there + ", and " + full, "more memory (MemoryMax=), or less of storage.queue_bytes and server.max_body_memory_bytes"});
  } else {
    findings.push_back({Grade::ok, "memory", there + "; " + full});
  }
  return findings;
}

std::vector<Finding> check_limits(const Wanted& wanted, pid_t server) {
  const auto process = std::filesystem::path("/proc") / (server > 0 ? std::to_string(server) : "self");
  auto text = read_text(process / "limits");
  const bool seen = server > 0 && !text.empty();
  if (!seen) text = read_text("/proc/self/limits");
  return judge_limits({.whose = seen ? "the service" : "this shell",
                       .files = find_limit(text, "Max open files"),
                       .address_bytes = find_limit(text, "Max address space"),
                       .file_bytes = find_limit(text, "Max file size"),
                       .machine_bytes = machine_memory(),
                       .group_bytes = find_group_limit(read_text(seen ? process / "cgroup" : "/proc/self/cgroup"))},
                      wanted);
}

// "1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF": process, device and inode of the file.
pid_t served_by(const std::filesystem::path& storage) {
  struct stat status {};
  if (::stat((storage / "lock").c_str(), &status) != 0) return 0;
  std::istringstream lines(read_text("/proc/locks"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number;
    std::string kind;
    std::string manner;
    std::string mode;
    pid_t process = 0;
    std::string file;
    if (!(words >> number >> kind >> manner >> mode >> process >> file) || kind != "FLOCK" || mode != "WRITE") continue;
    const auto inode = file.rfind(':');
    if (inode == std::string::npos || file.substr(inode + 1) != std::to_string(status.st_ino) || process <= 0) continue;
    // btrfs gives stat() another device number than the kernel's own; there the name must do.
    std::array<char, 32> device{};
    std::snprintf(device.data(), device.size(), "%02x:%02x", major(status.st_dev), minor(status.st_dev));
    const bool same = file.substr(0, inode) == device.data();
    if (same || read_text(std::filesystem::path("/proc") / std::to_string(process) / "comm") == "picket\n") return process;
  }
  return 0;
}

}  // namespace picket::buffer

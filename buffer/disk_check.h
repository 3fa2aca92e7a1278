// Whether the disk keeps what it is given: the folder, its file system, honest syncs, room.
#pragma once

#include "buffer/config.h"
#include "buffer/finding.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {

// Looks at `config.path`, or while that is not there at the nearest folder above it. Writes a file of
// 64 KiB that has no name and is gone with the check; takes up to two seconds of syncs.
std::vector<Finding> check_disk(const StorageConfig& config);

// The parts that judge, apart from those that look.

struct Mount {
  std::string point;
  std::string kind;     // "ext4"
  std::string options;  // of the mount and of the file system: "rw,relatime,rw,errors=remount-ro"
};
// The mount that `path` (absolute, without links) lies on, by the text of /proc/self/mountinfo
// (proc_pid_mountinfo(5)). Empty when the text does not tell.
Mount find_mount(std::string_view mountinfo, const std::filesystem::path& path);
Finding judge_mount(const Mount& mount);

// `times` of fdatasync(2) after a write of 4 KiB each, at least one.
Finding judge_syncs(std::vector<std::chrono::microseconds> times);

struct DiskRoom {
  std::uint64_t free_bytes = 0;
  std::uint64_t journal_bytes = 0;  // that the journal takes already
  std::uint64_t inodes = 0;         // in all; 0: the file system does not count them
  std::uint64_t free_inodes = 0;
};
std::vector<Finding> judge_room(const DiskRoom& room, const StorageConfig& config);

}  // namespace picket::buffer

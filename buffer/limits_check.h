// Whether the kernel gives what the configuration wants: open files, memory, addresses; and who serves.
#pragma once

#include "buffer/finding.h"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace picket::buffer {

// What the configuration adds up to.
struct Wanted {
  std::uint64_t files = 0;         // descriptors at once
  std::uint64_t memory_bytes = 0;  // all bounded buffers when they are full
  std::uint64_t file_bytes = 0;    // of the largest file
};

// The limits of process `server` where they may be read, else of this one.
std::vector<Finding> check_limits(const Wanted& wanted, pid_t server);

// The process that holds a data folder's lock, by /proc/locks: 0 when nobody does, or it cannot be seen.
// Takes no lock itself: a Picket that starts meanwhile must not find it taken.
pid_t served_by(const std::filesystem::path& storage);

// The parts that judge, apart from those that look.

struct Limits {
  std::string_view whose;                       // "the service", "this shell"
  std::optional<std::uint64_t> files{};         // empty: unlimited, as below
  std::optional<std::uint64_t> address_bytes{};
  std::optional<std::uint64_t> file_bytes{};
  std::uint64_t machine_bytes = 0;              // of memory; 0: not known
  std::optional<std::uint64_t> group_bytes{};   // of the control group, or the nearest above it that has a limit
};
std::vector<Finding> judge_limits(const Limits& limits, const Wanted& wanted);

// The soft limit in the text of /proc/PID/limits; nothing when unlimited or not there.
std::optional<std::uint64_t> find_limit(std::string_view text, std::string_view name);

}  // namespace picket::buffer

// How much is free on the file system of a folder, asked at most once a second.
//
// THREADS  All members from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>

namespace picket::buffer {

// Bytes free for this process. Stands in for the file system in tests.
using DiskFree = std::function<std::uint64_t()>;

class DiskGauge {
 public:
  // Without `source` it is statvfs(2) that tells.
  explicit DiskGauge(std::filesystem::path folder, DiskFree source = {});

  // The most there is when the file system cannot be asked.
  std::uint64_t free_bytes() const;
  // Something was removed: the next reading asks again.
  void forget() { asked_ms_ = 0; }

 private:
  const std::filesystem::path folder_;
  const DiskFree source_;
  mutable std::atomic<std::int64_t> asked_ms_{0};
  mutable std::atomic<std::uint64_t> free_{~std::uint64_t{0}};
};

}  // namespace picket::buffer

#include "buffer/disk_gauge.h"

#include <sys/statvfs.h>

#include <chrono>
#include <utility>

namespace picket::buffer {
namespace {

std::uint64_t ask_file_system(const std::filesystem::path& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) return ~std::uint64_t{0};
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

std::int64_t gauge_now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

DiskGauge::DiskGauge(std::filesystem::path folder, DiskFree source)
    : folder_(std::move(folder)), source_(std::move(source)) {}

std::uint64_t DiskGauge::free_bytes() const {
  if (source_) return source_();
  const auto now = gauge_now_ms();
  auto asked = asked_ms_.load();
  if ((asked == 0 || now - asked >= 1000) && asked_ms_.compare_exchange_strong(asked, now)) {
    free_ = ask_file_system(folder_);
  }
  return free_;
}

}  // namespace picket::buffer

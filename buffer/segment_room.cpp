// Of the journal's folder: what there is room for, and files made in advance.
#include "buffer/logger.h"
#include "buffer/segment_file.h"
#include "buffer/segment_folder.h"
#include "buffer/thread.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace picket::buffer {
namespace {

constexpr std::size_t fill_step = std::size_t{1} << 20;

}  // namespace

bool SegmentFolder::has_free() const {
  const std::lock_guard lock(mutex_);
  return !free_.empty() || preparing_;
}

bool SegmentFolder::can_take() const {
  return has_free() || room_for(options_.segment_bytes);
}

void SegmentFolder::want_spare() {
  if (!room_for(options_.segment_bytes)) return;
  {
    const std::lock_guard lock(mutex_);
    if (wanted_ || !free_.empty()) return;
    wanted_ = true;
  }
  wake_.notify_all();
}

bool SegmentFolder::room_for(std::uint64_t bytes, std::uint64_t given_back) const {
  if (bytes_ + bytes > options_.max_bytes + given_back) return false;
  return options_.disk_reserve_bytes == 0 || disk_.free_bytes() + given_back >= options_.disk_reserve_bytes + bytes;
}

bool SegmentFolder::room_to_hold(std::uint64_t bytes) const {
  if (!room_for(bytes)) return false;
  return has_free() || !room_for(options_.segment_bytes) || room_for(options_.segment_bytes + bytes);
}

// Counts the bytes before they are there, so that two who make files at once keep to the budget.
bool SegmentFolder::reserve(std::uint64_t bytes) {
  if (!room_for(bytes)) return false;
  auto before = bytes_.load();
  do {
    if (before + bytes > options_.max_bytes) return false;
  } while (!bytes_.compare_exchange_weak(before, before + bytes));
  return true;
}

bool SegmentFolder::hold(std::uint64_t bytes) {
  // What was held before lies on the disk by now.
  disk_.forget();
  if (!reserve(bytes)) return false;
  held_ += bytes;
  if (!held_is_in_the_way()) return true;
  let_go(bytes);
  return false;
}

void SegmentFolder::let_go(std::uint64_t bytes) {
  held_ -= bytes;
  bytes_ -= bytes;
}

bool SegmentFolder::held_is_in_the_way() const {
  const std::uint64_t held = held_;
  return held > 0 && !can_take() && room_for(options_.segment_bytes, held);
}

bool SegmentFolder::disk_low() const {
  return options_.disk_reserve_bytes > 0 && disk_.free_bytes() < options_.disk_reserve_bytes;
}

void SegmentFolder::discard(const std::filesystem::path& path, bool counted) {
  if (!counted) bytes_ += size_of(path);
  std::error_code ignored;
  std::filesystem::remove(lock_of(path), ignored);
  if (remove(path)) return;
  const std::lock_guard lock(undeleted_mutex_);
  undeleted_.push_back(path);
}

void SegmentFolder::remove_undeleted() {
  const std::lock_guard lock(undeleted_mutex_);
  std::erase_if(undeleted_, [this](const std::filesystem::path& path) { return remove(path); });
}

void SegmentFolder::give_back_free() {
  remove_undeleted();
  if (!disk_low()) return;
  const std::lock_guard lock(mutex_);
  std::erase_if(free_, [this](const std::filesystem::path& path) {
    remove(path);
    return size_of(path) == 0;
  });
}

std::uint64_t SegmentFolder::room_bytes() const {
  std::uint64_t free = 0;
  {
    const std::lock_guard lock(mutex_);
    free = (free_.size() + (preparing_ ? 1U : 0U)) * options_.segment_bytes;
  }
  const std::uint64_t used = bytes_;
  const auto budget = used < options_.max_bytes ? options_.max_bytes - used : 0;
  const auto on_disk = disk_.free_bytes();
  const auto disk = on_disk > options_.disk_reserve_bytes ? on_disk - options_.disk_reserve_bytes : 0;
  const auto room = held_ + (options_.disk_reserve_bytes == 0 ? budget : std::min(budget, disk));
  return room / options_.segment_bytes * options_.segment_bytes + free;
}

void SegmentFolder::prepare(const std::stop_token& stop) {
  name_thread("spare segment");
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return wanted_; })) {
    if (free_.empty() && room_for(options_.segment_bytes)) {
      preparing_ = true;
      lock.unlock();
      const auto made = make_spare();
      if (!made && !stop.stop_requested()) {
        log(Level::warning, "buffer", "no spare segment", {{"reason", made.error().detail}});
      }
      lock.lock();
      if (made) free_.push_back(*made);
      preparing_ = false;
    }
    wanted_ = false;
    wake_.notify_all();
  }
}

Result<std::filesystem::path> SegmentFolder::make_spare() {
  const auto made = make_file(options_.segment_bytes, true);
  if (!made) return made.error();
  auto free = make_free_name();
  if (auto renamed = rename_durably(*made, free); !renamed) {
    discard(*made, true);
    return renamed.error();
  }
  return free;
}

Result<std::filesystem::path> SegmentFolder::make_file(std::uint64_t bytes, bool zeros) {
  if (!reserve(bytes)) {
    return Error{Fault::unavailable, "the journal's disk budget or the disk is used up"};
  }
  const auto path = make_temporary_name();
  auto filled = fill(path, bytes, zeros);
  if (filled) return path;
  // What is on the disk of it is counted, whatever it was to become.
  bytes_ -= bytes;
  discard(path, false);
  return filled.error();
}

Result<void> SegmentFolder::fill(const std::filesystem::path& path, std::uint64_t bytes, bool zeros) {
  const auto file = Descriptor::open(path, O_RDWR | O_CREAT | O_TRUNC);
  if (!file) return file.error();
  if (const int rc = ::posix_fallocate(file->number(), 0, static_cast<off_t>(bytes)); rc != 0) {
    errno = rc;
    return file_error("reserve space for", path);
  }
  if (auto written = file->write_at(meta_pages_, 0); !written) return written;
  const std::string nothing(zeros ? fill_step : 0, '\0');
  const auto stop = preparer_.get_stop_token();
  for (std::uint64_t at = meta_pages_.size(); zeros && at < bytes;) {
    if (stop.stop_requested()) return Error{Fault::unavailable, "stopping"};
    const auto step = std::min<std::uint64_t>(fill_step, bytes - at);
    if (auto written = file->write_at(std::string_view(nothing).substr(0, step), at); !written) {
      return written;
    }
    at += step;
    // In small steps: commits share this disk.
    if (at % (8 * fill_step) < fill_step && ::fdatasync(file->number()) != 0) {
      return file_error("sync", path);
    }
  }
  return file->sync();
}

}  // namespace picket::buffer

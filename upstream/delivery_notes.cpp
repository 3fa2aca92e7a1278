#include "upstream/delivery_notes.h"

#include "buffer/crc32c.h"
#include "buffer/keys.h"
#include "buffer/logger.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <utility>

namespace picket::upstream {
namespace {

constexpr std::size_t left_places = 2 * DeliveryNotes::places_per_half;

// What this boot of the machine is called; "" where it has no name.
std::string boot_name() {
  std::string name;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> name;
  return name;
}

}  // namespace

DeliveryNotes::DeliveryNotes(std::filesystem::path file) : file_(std::move(file)) {}

bool DeliveryNotes::open() {
  if (file_.empty()) return false;
  if (open_file_) return true;
  std::error_code failed;
  std::filesystem::create_directories(file_.parent_path(), failed);
  auto opened = buffer::Descriptor::open(file_, O_RDWR | O_CREAT);
  if (!opened) {
    complain(opened.error());
    return false;
  }
  open_file_ = *std::move(opened);
  return true;
}

void DeliveryNotes::complain(const Error& error) {
  if (std::exchange(complained_, true)) return;
  log(Level::warning, "upstream", "deliveries cannot be noted; a kill would send the last ones again", {{"file", file_.string()}, {"reason", error.detail}});
}

void DeliveryNotes::read_part(std::size_t first, std::size_t places, const Waits& waits) {
  const auto size = open_file_.size();
  const std::size_t from = first * sizeof(Note);
  if (!size || *size <= from) return;
  const auto read = open_file_.read_at(from, std::min<std::uint64_t>(*size - from, places * sizeof(Note)));
  if (!read) return complain(read.error());
  for (std::size_t at = 0; at + sizeof(Note) <= read->size(); at += sizeof(Note)) {
    Note note;
    std::memcpy(&note, read->data() + at, sizeof note);
    if (note.sequence == 0) return;
    if (waits(note.sequence)) left_[note.sequence] = note.check;
  }
}

std::size_t DeliveryNotes::load(std::string_view life, const Waits& waits) {
  const std::string boot = boot_name();
  seed_ = buffer::crc32c(life, buffer::crc32c(boot));
  left_.clear();
  added_.clear();
  unsaid_.clear();
  half_ = 0;
  used_ = 0;
  if (boot.empty() || !open()) return 0;
  read_part(0, left_places, waits);
  for (const std::size_t half : {0U, 1U}) read_part(left_places + half * places_per_half, places_per_half, waits);
  std::vector<Note> left;
  for (const auto& [sequence, check] : left_) {
    if (left.size() + 1 < left_places) left.push_back({sequence, check});
  }
  write(0, std::move(left));
  for (const std::size_t half : {0U, 1U}) write(left_places + half * places_per_half, {});
  return left_.size();
}

std::uint64_t DeliveryNotes::check_of(const buffer::StoredRecord& record, std::uint64_t resend) const {
  const buffer::Key numbers = buffer::Key().u64(record.project).u64(resend).raw(record.key);
  const std::uint32_t told = buffer::crc32c(record.meta, buffer::crc32c(numbers, seed_));
  return static_cast<std::uint64_t>(to_ms(record.received)) << 32 | told;
}

bool DeliveryNotes::take(buffer::Sequence sequence, std::uint64_t check) {
  const auto found = left_.find(sequence);
  if (found == left_.end() || found->second != check) return false;
  left_.erase(found);
  return true;
}

void DeliveryNotes::add(buffer::Sequence sequence, std::uint64_t check) {
  if (!open_file_ || used_ + added_.size() + 1 >= places_per_half) return;
  added_.push_back({sequence, check});
  unsaid_.push_back({sequence, check});
}

void DeliveryNotes::flush() {
  if (added_.empty()) return;
  const std::size_t notes = added_.size();
  write(left_places + half_ * places_per_half + used_, std::exchange(added_, {}));
  used_ += notes;
}

// With the end behind them, over which the next ones go.
void DeliveryNotes::write(std::size_t place, std::vector<Note> notes) {
  notes.push_back({});
  const std::string_view bytes(reinterpret_cast<const char*>(notes.data()), notes.size() * sizeof(Note));
  const auto written = open_file_.write_at(bytes, place * sizeof(Note));
  if (!written) return complain(written.error());
  complained_ = false;
}

void DeliveryNotes::turn(buffer::Sequence cursor, const Waits& waits) {
  if (!open_file_) return;
  flush();
  std::erase_if(left_, [&](const auto& note) { return !waits(note.first); });
  std::erase_if(unsaid_, [&](const Note& note) { return note.sequence < cursor; });
  half_ = 1 - half_;
  used_ = unsaid_.size();
  write(left_places + half_ * places_per_half, unsaid_);
}

}  // namespace picket::upstream

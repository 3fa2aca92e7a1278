#include "buffer/journal.h"

#include "buffer/journal_files.h"
#include "buffer/logger.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace picket::buffer {
namespace {

constexpr std::size_t most_block_bytes = std::size_t{4} << 20;
constexpr std::uint64_t least_segment_bytes = std::uint64_t{256} << 10;

// A folder that takes in next to nothing stays as small as its first segment.
constexpr std::uint64_t prepare_behind_bytes = std::uint64_t{2} << 20;

// What a record takes while it waits: all of it but a body that lies in a file.
std::size_t memory_bytes(const Record& record) {
  return record_bytes(record) - record.body.size() + record.body.memory_bytes();
}

Error refused(std::string why) {
  return {Fault::unavailable, std::move(why)};
}

}  // namespace

std::optional<SegmentUse> Journal::oldest_sealed() const {
  const auto all = segments();
  return all.size() > 1 ? std::optional(all.front()) : std::nullopt;
}

std::string_view name_of(RoomStep step) {
  switch (step) {
    case RoomStep::ample: return "ample";
    case RoomStep::low: return "low";
    case RoomStep::full: return "full";
  }
  std::abort();
}

Result<std::unique_ptr<Journal>> Journal::open(const JournalOptions& options, const Clock& clock) {
  auto sized = options;
  // Four segments at least, so that the budget can be given back in pieces.
  sized.segment_bytes = std::max(std::min(options.segment_bytes, options.max_bytes / 4), least_segment_bytes);
  sized.segment_bytes -= sized.segment_bytes % 65536;
  sized.low_room_bytes = std::min(options.low_room_bytes, options.max_bytes / 4);
  auto folder = SegmentFolder::open({.path = sized.folder,
                                     .segment_bytes = sized.segment_bytes,
                                     .max_bytes = sized.max_bytes,
                                     .disk_reserve_bytes = sized.disk_reserve_bytes,
                                     .read_only = sized.read_only,
                                     .disk_free = sized.disk_free});
  if (!folder) return folder.error();
  auto journal = std::make_unique<JournalFiles>(sized, clock, *std::move(folder));
  if (auto started = journal->start(); !started) return started.error();
  return std::unique_ptr<Journal>(std::move(journal));
}

JournalFiles::JournalFiles(const JournalOptions& options,
                           const Clock& clock,
                           std::unique_ptr<SegmentFolder> folder)
    : options_(options),
      clock_(clock),
      folder_(std::move(folder)),
      max_block_bytes_(std::min<std::size_t>(most_block_bytes, options.segment_bytes / 8)) {}

JournalFiles::~JournalFiles() {
  {
    const std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  offered_.notify_one();
  if (committer_.joinable()) committer_.join();
  interrupt();
}

Result<void> JournalFiles::offer(Record record, OnDurable on_durable) {
  constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
  if (record.key.size() > 255 || record.meta.size() > most || record.body.size() > most) {
    return Error{Fault::too_large, "record is too large for the journal"};
  }
  if (options_.read_only) return refused("the journal is open for reading only");
  if (full()) return refused("the journal is full");
  const auto bytes = memory_bytes(record);
  const bool large = record_bytes(record) > max_block_bytes_;
  {
    const std::lock_guard lock(queue_mutex_);
    if (stopping_) return refused("the journal is closing");
    // One that is larger than the whole queue is taken when nothing else waits.
    if (waiting_bytes_ > 0 && waiting_bytes_ + bytes > options_.queue_bytes) {
      return refused("too much is waiting for the disk");
    }
    waiting_bytes_ += bytes;
    if (large) {
      large_.push_back(std::move(record));
      large_answers_.push_back(std::move(on_durable));
    } else {
      queue_.push_back(std::move(record));
      answers_.push_back(std::move(on_durable));
    }
  }
  offered_.notify_one();
  return {};
}

bool JournalFiles::full() const {
  if (folder_->disk_low()) return true;
  return out_of_room_ && !folder_->can_take();
}

void JournalFiles::commit_waiting() {
  std::vector<Record> records;
  std::vector<OnDurable> answers;
  for (;;) {
    {
      std::unique_lock lock(queue_mutex_);
      offered_.wait(lock, [this] { return stopping_ || !queue_.empty() || !large_.empty(); });
      if (queue_.empty() && large_.empty()) return;
      records.swap(queue_);
      answers.swap(answers_);
      if (!large_.empty()) {
        records.push_back(std::move(large_.front()));
        answers.push_back(std::move(large_answers_.front()));
        large_.pop_front();
        large_answers_.pop_front();
      }
    }
    commit_all(records, answers);
    records.clear();
    answers.clear();
  }
}

void JournalFiles::commit_all(std::vector<Record>& records, std::vector<OnDurable>& answers) {
  for (std::size_t begin = 0; begin < records.size();) {
    std::size_t end = begin;
    std::size_t bytes = 0;
    std::size_t memory = 0;
    while (end < records.size() && end - begin < max_block_records) {
      const auto more = record_bytes(records[end]);
      if (end > begin && bytes + more > max_block_bytes_) break;
      bytes += more;
      memory += memory_bytes(records[end]);
      ++end;
    }
    const auto chunk = std::span<const Record>(records).subspan(begin, end - begin);
    const auto began = std::chrono::steady_clock::now();
    const auto first = next_;
    const auto stored = bytes > max_block_bytes_ ? commit_split(chunk.front()) : commit_block(chunk);
    if (stored) {
      next_ = first + chunk.size();
      committed(chunk.size(), began);
    } else {
      failed(stored.error());
    }
    for (std::size_t i = begin; i < end; ++i) {
      records[i] = Record();
      if (answers[i]) answers[i](stored ? Result<Sequence>(first + (i - begin)) : stored.error());
      answers[i] = nullptr;
    }
    // After the answers, which somebody waits for: readers would take the processor from them.
    if (stored) wake_readers();
    {
      const std::lock_guard lock(queue_mutex_);
      waiting_bytes_ -= memory;
    }
    update_room();
    begin = end;
  }
}

Result<void> JournalFiles::commit_block(std::span<const Record> records) {
  return write({next_, 0}, block_bytes(records),
               [&](char* out) { pack_block(records, next_, out); });
}

Result<void> JournalFiles::commit_split(const Record& record) {
  const auto bytes = record_bytes(record);
  RecordPart part{.key = {next_, 0},
                  .parts = static_cast<std::uint32_t>((bytes + max_block_bytes_ - 1) / max_block_bytes_)};
  for (; part.offset < bytes; part.offset += part.bytes) {
    part.bytes = std::min(max_block_bytes_, bytes - part.offset);
    auto written = write(part.key, block_head_bytes + block_entry_bytes + part.bytes,
                               [&](char* out) { pack_part(record, part, out); });
    if (!written) {
      if (part.key.part > 0 && next_ == part.key.first) discard_ = next_;
      return written;
    }
    ++part.key.part;
  }
  return {};
}

// One commit into the newest segment, or into a new one.
Result<void> JournalFiles::write(BlockKey key,
                                 std::size_t bytes,
                                 const std::function<void(char*)>& fill) {
  if (discard_ != 0) {
    // What cannot be removed is hidden by a new segment that starts at the same key.
    if (!discard(discard_)) {
      if (auto rotated = rotate({discard_, 0}); !rotated) return rotated;
    }
    discard_ = 0;
  }
  if (!active_ && to_reopen_) {
    active_ = to_reopen_;
    reopen_after_failure();
    if (next_ != key.first || discard_ != 0) return refused("the newest segment was read again");
  }
  if (!active_ || abandon_ || !active_->fits(bytes)) {
    auto rotated = rotate(key);
    const bool go_on = abandon_ && active_ && active_->fits(bytes);
    if (!rotated && !go_on) return rotated;
  }
  if (leftover_) {
    if (auto withdrawn = folder_->withdraw(*leftover_); !withdrawn) return withdrawn;
    leftover_.reset();
  }
  if (names_unsure_) {
    if (auto synced = folder_->sync(); !synced) return synced;
    names_unsure_ = false;
  }
  const auto before = active_->file_bytes();
  auto written = active_->append(key, bytes, fill);
  count_growth(*active_, before);
  if (!written) reopen_after_failure();
  return written;
}

Result<void> JournalFiles::rotate(BlockKey name) {
  const auto last = newest();
  if (last && last->name() > name) return refused("an unusable segment cannot be removed");
  if (leftover_ && *leftover_ != name) {
    if (auto withdrawn = folder_->withdraw(*leftover_); !withdrawn) return withdrawn;
    leftover_.reset();
  }
  // Of the same name: it holds nothing but parts of a record that was not stored whole.
  const bool replaces = last && last->name() == name;
  if (replaces) {
    last->close(true);
    if (last == active_) active_ = nullptr;
  }
  auto taken = folder_->take(name);
  const auto segment =
      std::make_shared<Segment>(folder_->path_of(name), name, Segment::Mode::writing);
  if (replaces) {
    const std::lock_guard lock(segments_mutex_);
    segments_.back() = segment;
  }
  if (replaces) {
    names_unsure_ = names_unsure_ || !taken;
  } else {
    leftover_ = name;
  }
  if (!taken) return taken;
  if (auto opened = segment->open(); !opened) {
    // What cannot be opened just now is replaced when there is a next time.
    if (opened.error().fault == Fault::corrupt) folder_->set_aside(name, opened.error().detail);
    return opened;
  }
  if (active_) active_->seal();
  active_ = segment;
  to_reopen_ = nullptr;
  leftover_.reset();
  abandon_ = false;
  const std::lock_guard lock(segments_mutex_);
  if (!replaces) segments_.push_back(segment);
  return {};
}

void JournalFiles::publish() {
  const std::lock_guard lock(wait_mutex_);
  durable_next_ = next_;
}

void JournalFiles::wake_readers() {
  durable_.notify_all();
  std::vector<std::function<void()>> listeners;
  {
    const std::lock_guard lock(wait_mutex_);
    listeners = listeners_;
  }
  for (const auto& listener : listeners)
    listener();
}

void JournalFiles::committed(std::size_t records, std::chrono::steady_clock::time_point began) {
  using std::chrono::microseconds;
  const auto took =
      std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - began).count();
  ++commits_;
  committed_records_ += records;
  last_commit_us_ = took;
  commit_us_ += took;
  last_commit_ms_ = to_ms(clock_.now());
  if (failing_) log(Level::info, "buffer", "commits succeed again");
  failing_ = false;
  publish();
}

void JournalFiles::failed(const Error& error) {
  ++failed_commits_;
  // At once, for the parts may be what fills the disk.
  if (discard_ != 0 && discard(discard_)) discard_ = 0;
  if (!failing_) log(Level::warning, "buffer", "commit failed", {{"reason", error.detail}});
  failing_ = true;
}

void JournalFiles::update_room() {
  const auto room = active_ ? active_->room_bytes() : 0;
  active_room_bytes_ = room;
  const auto used = active_ ? active_->used_bytes() : 0;
  if (used > std::min(prepare_behind_bytes, options_.segment_bytes / 2)) folder_->want_spare();
  out_of_room_ = discard_ == 0 && room < max_block_bytes_ + block_head_bytes && !folder_->can_take();
}

void JournalFiles::judge_room(Sequence read_before) {
  // It takes more to leave a step than to stay out of it, so that it is not left and entered all the time.
  constexpr std::uint64_t apart = 4;
  const auto room = folder_->room_bytes() + active_room_bytes_ + sealed_bytes_before(read_before);
  room_bytes_ = room;
  const auto enough = low_ ? options_.low_room_bytes + options_.low_room_bytes / apart : options_.low_room_bytes;
  low_ = room < enough;
}

void JournalFiles::interrupt() {
  {
    const std::lock_guard lock(wait_mutex_);
    ++interrupts_;
  }
  durable_.notify_all();
}

void JournalFiles::on_commit(std::function<void()> listener) {
  const std::lock_guard lock(wait_mutex_);
  listeners_.push_back(std::move(listener));
}

Result<void> JournalFiles::recycle_before(Sequence keep_from) {
  if (options_.read_only) return refused("the journal is open for reading only");
  folder_->give_back_free();
  const std::lock_guard exchanging(exchange_mutex_);
  keep_from = std::min<Sequence>(keep_from, durable_next_);
  for (;;) {
    SegmentPtr oldest;
    {
      const std::lock_guard lock(segments_mutex_);
      if (segments_.size() < 2) break;
      const auto next = segments_[1]->name();
      const auto last = next.part > 0 ? next.first : next.first - 1;
      if (last >= keep_from) break;
      oldest = segments_.front();
      segments_.erase(segments_.begin());
    }
    oldest->close(true);
    if (auto retired = folder_->retire(oldest->name()); !retired) {
      // Its file is still there, and must not be forgotten.
      const std::lock_guard lock(segments_mutex_);
      segments_.insert(segments_.begin(), std::make_shared<Segment>(oldest->path(), oldest->name(), Segment::Mode::sealed));
      return retired;
    }
  }
  return {};
}

}  // namespace picket::buffer

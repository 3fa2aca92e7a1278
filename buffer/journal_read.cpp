#include "buffer/journal_files.h"
#include "buffer/logger.h"

#include <algorithm>
#include <numeric>

namespace picket::buffer {
namespace {

constexpr std::size_t most_open_segments = 16;
constexpr BlockKey open_end{~Sequence{0}, 0};

// The first sequence that a segment of that name can have as its own.
Sequence first_whole(BlockKey name) {
  return name.part > 0 ? name.first + 1 : name.first;
}

// The last sequence that a segment can have as its own when the next one has that name.
Sequence last_before(BlockKey next) {
  return next.part > 0 ? next.first : next.first - 1;
}

}  // namespace

Result<ReadBatch> JournalFiles::read(Sequence from,
                                     std::size_t max_bytes,
                                     std::size_t max_records) const {
  std::optional<Error> stopped;
  auto builder = gather(std::max<Sequence>(from, 1),
                        {.end = durable_next_, .max_bytes = max_bytes, .max_records = max_records},
                        stopped);
  if (stopped && builder.empty()) return *stopped;
  return std::move(builder).finish();
}

Result<ReadBatch> JournalFiles::read_one(Sequence sequence) const {
  const Error missing{Fault::not_found, "no record " + std::to_string(sequence) + " in the journal"};
  const Sequence end = durable_next_;
  if (sequence == 0 || sequence >= end) return missing;
  std::optional<Error> stopped;
  auto builder = gather(sequence, {.end = sequence + 1, .max_bytes = 1, .max_records = 1}, stopped);
  if (stopped && builder.empty()) return *stopped;
  auto batch = std::move(builder).finish();
  if (!batch.damaged.empty()) {
    return Error{Fault::corrupt, "record " + std::to_string(sequence) + " is damaged"};
  }
  if (batch.records.empty()) return missing;
  return batch;
}

BatchBuilder JournalFiles::gather(Sequence from,
                                  const BatchBuilder::Limits& limits,
                                  std::optional<Error>& stopped) const {
  BatchBuilder builder(from, limits);
  while (!builder.done()) {
    const auto place = find({builder.next(), 0});
    if (!place) break;
    builder.skip_to(first_whole(place->segment->name()));
    if (builder.done()) break;
    const auto visited =
        place->segment->visit({builder.next(), 0}, [&](BlockKey key, std::string_view bytes) {
          return key < place->limit && builder.take(key, bytes);
        });
    if (!visited && visited.error().fault == Fault::unavailable) {
      stopped = visited.error();
      break;
    }
    if (!visited) {
      drop(place->segment, visited.error());
    } else if (builder.split()) {
      auto fetched = fetch_split(*builder.split());
      if (!fetched && fetched.error().fault == Fault::unavailable) {
        stopped = fetched.error();
        break;
      }
      builder.add_split(std::move(fetched));
    } else if (!builder.done()) {
      builder.skip_to(first_whole(place->limit));
    }
  }
  close_surplus();
  return builder;
}

Result<Bytes> JournalFiles::fetch_split(const BatchBuilder::Split& split) const {
  BytesBuilder bytes(reading_room());
  Result<void> appended;
  for (std::uint32_t part = 0; part < split.parts; ++part) {
    const BlockKey wanted{split.sequence, part};
    const auto place = find(wanted);
    bool added = false;
    const auto add = [&](BlockKey key, std::string_view packed) {
      const auto block = Block::parse(packed);
      if (key != wanted || !block || block->head().key != wanted ||
          block->head().parts != split.parts || block->head().count != 1) {
        return false;
      }
      const auto chunk = block->records(0, 1);
      added = checksum_holds(chunk, wanted, block->checksum(0));
      if (added) appended = bytes.append(chunk);
      return false;
    };
    const auto visited = place ? place->segment->visit(wanted, add) : Result<void>();
    if (!appended) return appended.error();
    if (added) continue;
    // Recycled before we came, or under our hands: gone, not damaged.
    const auto now = find(wanted);
    if (!now || wanted < now->segment->name()) return Error{Fault::not_found, "recycled"};
    if (!visited) return visited.error();
    return Error{Fault::corrupt, "part " + std::to_string(part) + " is damaged"};
  }
  return std::move(bytes).finish();
}

// The segment that holds `key`, or the first one behind it.
std::optional<JournalFiles::Place> JournalFiles::find(BlockKey key) const {
  const std::lock_guard lock(segments_mutex_);
  if (segments_.empty()) return std::nullopt;
  auto behind = std::upper_bound(
      segments_.begin(), segments_.end(), key,
      [](const BlockKey& wanted, const SegmentPtr& segment) { return wanted < segment->name(); });
  if (behind == segments_.begin()) ++behind;
  return Place{*(behind - 1), behind == segments_.end() ? open_end : (*behind)->name()};
}

JournalFiles::SegmentPtr JournalFiles::newest() const {
  const std::lock_guard lock(segments_mutex_);
  return segments_.empty() ? nullptr : segments_.back();
}

// Forgets a segment that turned out to be recycled or damaged.
void JournalFiles::drop(const SegmentPtr& segment, const Error& why) const {
  const std::lock_guard exchanging(exchange_mutex_);
  {
    const std::lock_guard lock(segments_mutex_);
    const auto there = std::find(segments_.begin(), segments_.end(), segment);
    if (there == segments_.end()) return;
    segments_.erase(there);
  }
  if (why.fault != Fault::corrupt) return;
  segment->close(true);
  if (options_.read_only) {
    log(Level::error, "buffer", "segment is damaged",
        {{"file", segment->path().string()}, {"reason", why.detail}});
  } else {
    folder_->set_aside(segment->name(), why.detail);
  }
}

void JournalFiles::close_surplus() const {
  std::vector<SegmentPtr> open;
  {
    const std::lock_guard lock(segments_mutex_);
    for (const auto& segment : segments_) {
      if (segment != segments_.back() && segment->is_open()) open.push_back(segment);
    }
  }
  if (open.size() <= most_open_segments) return;
  std::sort(open.begin(), open.end(), [](const SegmentPtr& left, const SegmentPtr& right) {
    return left->last_used() < right->last_used();
  });
  open.resize(open.size() - most_open_segments);
  for (const auto& segment : open) segment->try_close();
}

Result<SegmentUse> JournalFiles::describe(const Place& place) const {
  auto use = place.segment->use();
  if (use) set_bounds(place, *use);
  return use;
}

void JournalFiles::set_bounds(const Place& place, SegmentUse& use) const {
  use.first = first_whole(place.segment->name());
  const auto behind = std::min<Sequence>(durable_next_, first_whole(place.limit));
  use.last = behind > use.first ? behind - 1 : 0;
}

// Of the segments, the newest not among them, all of whose records are before `end`.
std::uint64_t JournalFiles::sealed_bytes_before(Sequence end) const {
  const std::lock_guard lock(segments_mutex_);
  if (segments_.size() < 2) return 0;
  // As recycle_before() takes them.
  const auto reaches_end = [](Sequence wanted, const SegmentPtr& next) { return wanted <= last_before(next->name()); };
  const auto first_kept = std::upper_bound(segments_.begin() + 1, segments_.end(), end, reaches_end);
  // One that was written anew takes less than the others.
  return std::accumulate(segments_.begin(), first_kept - 1, std::uint64_t{0},
                         [](std::uint64_t sum, const SegmentPtr& segment) { return sum + segment->file_bytes(); });
}

std::vector<SegmentUse> JournalFiles::segments() const {
  std::vector<Place> places;
  {
    const std::lock_guard lock(segments_mutex_);
    for (const auto& segment : segments_) {
      if (!places.empty()) places.back().limit = segment->name();
      places.push_back({segment, open_end});
    }
  }
  std::vector<SegmentUse> uses;
  for (const auto& place : places) {
    if (auto use = describe(place)) uses.push_back(*use);
    close_surplus();
  }
  return uses;
}

// What cannot be read must not keep what comes behind it from being recycled, though everybody is past it and nobody
// else would find out.
std::optional<SegmentUse> JournalFiles::oldest_sealed() const {
  for (;;) {
    const auto place = find({0, 0});
    if (!place || place->limit == open_end) return std::nullopt;
    auto use = describe(*place);
    if (!use && (use.error().fault == Fault::corrupt || use.error().fault == Fault::not_found)) {
      drop(place->segment, use.error());
      continue;
    }
    if (!use) {
      // Its bounds are known from names. It has no time, so it goes by room alone.
      use = SegmentUse{.path = place->segment->path(), .file_bytes = place->segment->file_bytes()};
      set_bounds(*place, *use);
    }
    if (use->last == 0) use->last = use->first;
    return *use;
  }
}

JournalUse JournalFiles::use() const {
  JournalUse use;
  use.next = durable_next_;
  use.first = use.next;
  {
    const std::lock_guard lock(segments_mutex_);
    if (!segments_.empty()) use.first = std::min(use.next, first_whole(segments_.front()->name()));
    for (const auto& segment : segments_) use.used_bytes += segment->used_bytes();
  }
  {
    const std::lock_guard lock(queue_mutex_);
    use.queued_bytes = waiting_bytes_;
  }
  use.file_bytes = folder_->file_bytes();
  use.commits = commits_;
  use.committed_records = committed_records_;
  use.failed_commits = failed_commits_;
  use.recompressed_segments = recompressed_segments_;
  use.recompressed_before_bytes = recompressed_before_bytes_;
  use.recompressed_after_bytes = recompressed_after_bytes_;
  const std::uint64_t waited_for = rewrite_room_;
  use.rewrite_waits = waited_for > 0 && !folder_->room_to_hold(waited_for);
  use.last_commit = time_from_ms(last_commit_ms_);
  use.last_commit_took = std::chrono::duration_cast<Duration>(std::chrono::microseconds(last_commit_us_));
  use.commit_time = std::chrono::microseconds(commit_us_);
  use.full = full();
  use.step = room_step();
  use.room_bytes = room_bytes_;
  use.disk_free_bytes = folder_->disk_free_bytes();
  use.disk_low = folder_->disk_low();
  use.spare = options_.read_only || folder_->can_take();
  return use;
}

bool JournalFiles::wait_for(Sequence from, Duration at_most) const {
  std::unique_lock lock(wait_mutex_);
  const auto interrupts = interrupts_;
  durable_.wait_for(lock, at_most,
                    [&] { return durable_next_ > from || interrupts_ != interrupts; });
  return durable_next_ > from;
}

}  // namespace picket::buffer

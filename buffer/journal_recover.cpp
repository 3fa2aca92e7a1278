#include "buffer/file_check.h"
#include "buffer/journal_files.h"
#include "buffer/logger.h"
#include "buffer/thread.h"

#include <algorithm>
#include <utility>

namespace picket::buffer {

Result<void> JournalFiles::start() {
  if (auto loaded = load_segments(); !loaded) return loaded;
  if (auto recovered = recover_newest(); !recovered) return recovered;
  if (options_.read_only) {
    durable_next_ = next_;
    return {};
  }
  // Sequences that a lost segment may have given are never given again: consumers have seen them.
  const auto last = newest();
  const auto after_damaged = folder_->after_damaged(last ? last->name() : BlockKey());
  if (!after_damaged) return after_damaged.error();
  const auto least = std::max(*after_damaged, options_.next_at_least);
  if (next_ < least) {
    log(Level::warning, "buffer", "journal goes on behind a gap", {{"from", next_}, {"to", least}});
    next_ = least;
  }
  durable_next_ = next_;
  if (!active_) {
    if (auto rotated = rotate({next_, 0}); !rotated) {
      log(Level::warning, "buffer", "no room for a segment", {{"reason", rotated.error().detail}});
    }
  }
  update_room();
  committer_ = std::thread([this] {
    name_thread("committer");
    commit_waiting();
  });
  return {};
}

Result<void> JournalFiles::load_segments() {
  const auto mode = options_.read_only ? Segment::Mode::watching : Segment::Mode::sealed;
  const auto names = folder_->segments();
  if (!names) return names.error();
  for (const auto name : *names) {
    auto segment = std::make_shared<Segment>(folder_->path_of(name), name, mode);
    if (const auto use = inspect_file(segment->path())) segment->set_use(*use);
    segments_.push_back(std::move(segment));
  }
  return {};
}

// Finds the next sequence to give, from the newest segment that can be used.
Result<void> JournalFiles::recover_newest() {
  // A broken one is set aside at once, not when a reader first comes by.
  for (const auto& segment : std::vector<SegmentPtr>(segments_)) {
    if (segment->used_bytes() > 0) continue;
    auto opened = segment->open();
    if (!opened && opened.error().fault == Fault::unavailable) return opened;
    if (!opened) drop(segment, opened.error());
  }
  while (const auto last = newest()) {
    discard_ = 0;
    auto opened = options_.read_only ? last->open() : last->open_for_writing();
    if (opened) opened = find_next(*last);
    if (!opened && opened.error().fault == Fault::unavailable) return opened;
    if (!opened) {
      drop(last, opened.error());
      continue;
    }
    if (options_.read_only) return {};
    if (discard_ != 0) {
      log(Level::info, "buffer", "discarding a record that was not stored whole",
          {{"sequence", discard_}});
    }
    if (discard_ != 0 && last->name().part > 0 && last->name().first == discard_) {
      if (auto dropped = give_back(last); !dropped) return dropped;
      continue;
    }
    active_ = last;
    if (discard_ == 0) return {};
    // What cannot be removed just now is hidden by the next commit.
    if (const auto removed = cut_back(*last, discard_)) {
      discard_ = 0;
    } else {
      log(Level::info, "buffer", "it is discarded later", {{"reason", removed.error().detail}});
    }
    return {};
  }
  return {};
}

// Makes a segment that holds nothing of worth a free file.
Result<void> JournalFiles::give_back(const SegmentPtr& segment) {
  if (segment == active_) active_ = nullptr;
  names_unsure_ = true;
  segment->close(true);
  auto retired = folder_->retire(segment->name());
  const std::lock_guard lock(segments_mutex_);
  const auto there = std::find(segments_.begin(), segments_.end(), segment);
  if (there == segments_.end()) return retired;
  if (retired) {
    segments_.erase(there);
  } else {
    *there = std::make_shared<Segment>(segment->path(), segment->name(), Segment::Mode::sealed);
  }
  return retired;
}

// Sets next_ behind the segment's last record, and discard_ when that one is not all there.
Result<void> JournalFiles::find_next(Segment& newest) {
  const auto last = newest.last();
  if (!last) return last.error();
  const auto name = newest.name();
  if (!*last) {
    next_ = name.first;
    if (name.part > 0) discard_ = name.first;
    return {};
  }
  const auto key = (*last)->key;
  const auto& head = (*last)->head;
  if (!head) {
    // It may have been acknowledged and read, so that none of its sequences can be given again.
    log(Level::error, "buffer", "the newest block of the journal is damaged",
        {{"file", newest.path().string()}, {"sequence", key.first}});
    next_ = key.first + (key.part > 0 ? 1 : max_block_records);
  } else if (head->parts == 1) {
    next_ = key.first + head->count;
  } else {
    const bool whole = key.part + 1 == head->parts;
    next_ = whole ? key.first + 1 : key.first;
    if (!whole) discard_ = key.first;
  }
  return {};
}

// Removes the parts of a record that was not stored whole. Segments that hold nothing else go first,
// newest before older, so that a crash in between leaves a shorter tail and never a hole.
// REQUIRES: no record from `torn` on was stored.
Result<void> JournalFiles::discard(Sequence torn) {
  while (const auto last = newest()) {
    if (last->name().first == torn && last->name().part > 0) {
      if (auto given = give_back(last); !given) return given;
      continue;
    }
    if (last != active_) {
      auto opened = last->open_for_writing();
      if (!opened && opened.error().fault == Fault::corrupt) {
        drop(last, opened.error());
        continue;
      }
      if (!opened) return opened;
      active_ = last;
    }
    return cut_back(*last, torn);
  }
  return {};
}

// A segment that was written anew has no page to spare for that: what its file grows by counts against the budget.
Result<void> JournalFiles::cut_back(Segment& newest, Sequence torn) {
  const auto before = newest.file_bytes();
  auto removed = newest.remove_from({torn, 0});
  count_growth(newest, before);
  return removed;
}

void JournalFiles::count_growth(const Segment& segment, std::uint64_t before) {
  if (const auto after = segment.file_bytes(); after > before) folder_->count_growth(after - before);
}

// What a failed commit has left on the disk is unknown: the file tells. LMDB refuses to go on with an
// environment whose meta page it could not write, so that it must be opened again anyhow.
void JournalFiles::reopen_after_failure() {
  if (!active_) return;
  const auto before = next_;
  auto opened = active_->open_for_writing();
  if (opened) opened = find_next(*active_);
  if (!opened) {
    log(Level::error, "buffer", "segment cannot be used after a failed commit",
        {{"file", active_->path().string()}, {"reason", opened.error().detail}});
    active_->close(false);
    to_reopen_ = std::exchange(active_, nullptr);
    next_ = before;
    return;
  }
  to_reopen_ = nullptr;
  next_ = std::max(next_, before);
  abandon_ = next_ > active_->name().first;
  if (next_ <= before) return;
  publish();
  wake_readers();
}

}  // namespace picket::buffer

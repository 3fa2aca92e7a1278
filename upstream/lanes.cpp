#include "upstream/lanes.h"

#include <cstdlib>
#include <utility>

namespace picket::upstream {
namespace {

// Ascending, without overlaps.
std::vector<SequenceRange> joined(std::vector<SequenceRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const SequenceRange& a, const SequenceRange& b) { return a.first < b.first; });
  std::vector<SequenceRange> joined;
  for (const SequenceRange& range : ranges) {
    if (!joined.empty() && range.first <= joined.back().end) {
      joined.back().end = std::max(joined.back().end, range.end);
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

}  // namespace

void Lane::load(std::vector<SequenceRange> ranges, bool newest_first) {
  ranges_ = std::move(ranges);
  newest_first_ = newest_first;
  untouched_ = false;
}

void Lane::add(SequenceRange range) {
  if (range.first >= range.end) return;
  const bool grows = !ranges_.empty() && ranges_.back().end == range.first && (untouched_ || !newest_first_);
  if (grows) {
    ranges_.back().end = range.end;
    return;
  }
  ranges_.push_back(range);
  untouched_ = true;
}

std::size_t Lane::next_index() const {
  if (!newest_first_) return 0;
  const bool too_many = untouched_ && ranges_.size() > most_ranges;
  return ranges_.size() - (too_many ? 2 : 1);
}

SequenceRange Lane::next() const {
  return ranges_[next_index()];
}

void Lane::pass(SequenceRange looked) {
  const auto index = next_index();
  SequenceRange& range = ranges_[index];
  if (looked.first < range.first || looked.end > range.end) std::abort();
  if (index + 1 == ranges_.size()) untouched_ = false;
  if (newest_first_) {
    if (looked.end != range.end) std::abort();
    range.end = looked.first;
  } else {
    if (looked.first != range.first) std::abort();
    range.first = looked.end;
  }
  if (range.first >= range.end) ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(index));
}

void Lane::forget_before(buffer::Sequence sequence) {
  for (SequenceRange& range : ranges_) range.first = std::max(range.first, sequence);
  std::erase_if(ranges_, [](const SequenceRange& range) { return range.first >= range.end; });
}

void Lane::forget_from(buffer::Sequence sequence) {
  for (SequenceRange& range : ranges_) range.end = std::min(range.end, sequence);
  std::erase_if(ranges_, [](const SequenceRange& range) { return range.first >= range.end; });
}

void Lanes::load(const schema::LinkState& row) {
  std::array<std::vector<SequenceRange>, send_classes.size()> ranges;
  for (const schema::Lane& stored : row.lanes()) {
    // A class of a newer version: whatever it is, it is in the charge of the last.
    const auto index = std::min<std::size_t>(stored.send_class(), send_classes.size() - 1);
    for (int i = 0; i + 1 < stored.ranges_size(); i += 2) {
      if (stored.ranges(i) < stored.ranges(i + 1)) ranges[index].push_back({stored.ranges(i), stored.ranges(i + 1)});
    }
  }
  for (std::size_t i = 0; i < lanes_.size(); ++i) lanes_[i].load(joined(std::move(ranges[i])), newest_first_.test(i));
  waiting_ = row.lanes_waiting();
}

void Lanes::store(schema::LinkState& row) const {
  row.clear_lanes();
  row.set_lanes_waiting(waiting_);
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].empty()) continue;
    schema::Lane& stored = *row.add_lanes();
    stored.set_send_class(static_cast<std::uint32_t>(i));
    for (const SequenceRange& range : lanes_[i].ranges()) {
      stored.add_ranges(range.first);
      stored.add_ranges(range.end);
    }
  }
}

bool Lanes::empty() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.empty(); });
}

buffer::Sequence Lanes::lowest() const {
  buffer::Sequence lowest = 0;
  for (const Lane& lane : lanes_) {
    if (!lane.empty() && (lowest == 0 || lane.ranges().front().first < lowest)) lowest = lane.ranges().front().first;
  }
  return lowest;
}

void Lanes::hand_over(SequenceRange range) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].empty()) lanes_[i].load({}, newest_first_.test(i));
    lanes_[i].add(range);
  }
  waiting_ += range.size();
}

bool Lanes::forget_before(buffer::Sequence first) {
  const auto before = lowest();
  if (before == 0 || before >= first) return false;
  for (Lane& lane : lanes_) lane.forget_before(first);
  return true;
}

void Lanes::forget_from(buffer::Sequence end) {
  std::vector<SequenceRange> left;
  for (Lane& lane : lanes_) {
    lane.forget_from(end);
    left.insert(left.end(), lane.ranges().begin(), lane.ranges().end());
  }
  // No more can be found than some lane has still to look at.
  std::uint64_t most = 0;
  for (const SequenceRange& range : joined(std::move(left))) most += range.size();
  waiting_ = std::min(waiting_, most);
}

std::uint64_t Lanes::take_lost() {
  return empty() ? std::exchange(waiting_, 0) : 0;
}

bool lanes_hold(const schema::LinkState& row, buffer::Sequence cursor) {
  return row.lanes_size() > 0 && row.kept_cursor() == cursor && row.fresh_cursor() >= cursor;
}

}  // namespace picket::upstream

#include "upstream/unwanted.h"

#include <algorithm>
#include <iterator>

namespace picket::upstream {

void Unwanted::note(buffer::Sequence first, buffer::Sequence last) {
  auto at = ranges_.upper_bound(first);
  if (at != ranges_.begin() && std::prev(at)->second + 1 >= first) --at;
  while (at != ranges_.end() && at->first <= last + 1) {
    first = std::min(first, at->first);
    last = std::max(last, at->second);
    at = ranges_.erase(at);
  }
  ranges_.emplace(first, last);
  if (ranges_.size() <= most_ranges) return;
  auto left = ranges_.begin();  // of the least gap
  for (auto one = ranges_.begin(); std::next(one) != ranges_.end(); ++one) {
    if (std::next(one)->first - one->second < std::next(left)->first - left->second) left = one;
  }
  left->second = std::next(left)->second;
  ranges_.erase(std::next(left));
}

void Unwanted::forget_before(buffer::Sequence first) {
  while (!ranges_.empty() && ranges_.begin()->second < first) ranges_.erase(ranges_.begin());
}

void Unwanted::load(const schema::Destination& row) {
  ranges_.clear();
  for (int i = 0; i + 1 < row.unwanted_size(); i += 2) {
    if (row.unwanted(i) <= row.unwanted(i + 1)) note(row.unwanted(i), row.unwanted(i + 1));
  }
}

void Unwanted::store(schema::Destination& row) const {
  row.clear_unwanted();
  for (const auto& [first, last] : ranges_) {
    row.add_unwanted(first);
    row.add_unwanted(last);
  }
}

}  // namespace picket::upstream

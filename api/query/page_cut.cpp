#include "api/query/page_cut.h"

#include <algorithm>
#include <limits>

namespace picket::query {
namespace {

// An offset beyond any list is as good as the longest list.
constexpr std::uint64_t most_skipped = std::numeric_limits<std::uint32_t>::max();

}  // namespace

PageCut::PageCut(std::uint64_t value, std::uint64_t id, bool previous, std::size_t most, bool all_hits)
    : by_offset_(value == 0),
      all_hits_(all_hits),
      previous_(previous && !by_offset_),
      pivot_{.id = id, .value = value},
      skip_(by_offset_ && !previous ? static_cast<std::size_t>(std::min(id, most_skipped)) : 0),
      most_(most),
      keep_(skip_ + most + 1) {}

void PageCut::add(const Candidate& issue) {
  ++hits_;
  if (!by_offset_ && !is_better(pivot_, issue)) return;
  ++considered_;
  if (worst_kept_ && !is_better(issue, *worst_kept_)) return;
  best_.push_back(issue);
  constexpr std::size_t slack = 512;
  if (best_.size() >= 2 * keep_ + slack) keep_best();
}

bool PageCut::enough_before(const Candidate& first) {
  if (!enough()) return false;
  keep_best();
  return !is_better(first, *worst_kept_);
}

// REQUIRES: at least keep_ of them
void PageCut::keep_best() {
  const auto last = best_.begin() + static_cast<std::ptrdiff_t>(keep_) - 1;
  std::nth_element(best_.begin(), last, best_.end(), [&](const Candidate& a, const Candidate& b) { return is_better(a, b); });
  worst_kept_ = *last;
  best_.resize(keep_);
}

CutPage PageCut::cut() && {
  std::ranges::sort(best_, [&](const Candidate& a, const Candidate& b) { return is_better(a, b); });
  const auto from = std::min(skip_, best_.size());
  const auto to = std::min(from + most_, best_.size());
  const bool more = to < best_.size();
  const bool behind_others = by_offset_ ? from > 0 : considered_ < hits_;
  CutPage page;
  page.hits = hits_;
  page.issues.assign(best_.begin() + static_cast<std::ptrdiff_t>(from), best_.begin() + static_cast<std::ptrdiff_t>(to));
  if (previous_) std::ranges::reverse(page.issues);
  page.has_previous = previous_ ? more : behind_others;
  page.has_next = previous_ ? behind_others : more;
  return page;
}

}  // namespace picket::query

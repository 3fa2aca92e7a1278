// The page of a list out of candidates that come one by one, in any order. Keeps little more than the
// page, however many there are.
//
// A list is ordered by (value, id), greatest first.
//
// THREADS  Belongs to one search.
#pragma once

#include "api/query/issue_filter.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace picket::query {

constexpr std::size_t most_told_hits = 1000;

// The order of a list.
inline bool comes_first(const Candidate& a, const Candidate& b) {
  return a.value != b.value ? a.value > b.value : a.id > b.id;
}

struct CutPage {
  std::vector<Candidate> issues;
  std::size_t hits = 0;  // of all pages
  bool has_previous = false;
  bool has_next = false;
};

class PageCut {
 public:
  // The page follows (or, `previous`, precedes) the pair of value and id; with value 0 it is the one
  // behind the first `id` issues. `all_hits`: hits are exact beyond those that are told, so there is never enough.
  PageCut(std::uint64_t value, std::uint64_t id, bool previous, std::size_t most, bool all_hits = false);

  void add(const Candidate& issue);
  // Whether issues that come after all that were added change nothing: page, links, hits as they are told.
  bool enough() const { return !previous_ && !all_hits_ && hits_ >= most_told_hits && considered_ >= keep_; }
  // The same of issues of which `first` comes first, wherever those that were added stand.
  bool enough_before(const Candidate& first);
  // Whether the issue would change any of that. Cheap, but some are held to matter that do not.
  bool may_matter(const Candidate& issue) {
    if (!enough()) return true;
    if (!worst_kept_) keep_best();
    return is_better(issue, *worst_kept_);
  }
  // How many must be added, at least, before there is enough.
  std::size_t least_enough() const { return keep_ > most_told_hits ? keep_ : most_told_hits; }

  CutPage cut() &&;

 private:
  bool is_better(const Candidate& a, const Candidate& b) const { return previous_ ? comes_first(b, a) : comes_first(a, b); }
  void keep_best();

  bool by_offset_;
  bool all_hits_;
  bool previous_;  // than the pivot; never by offset
  Candidate pivot_;
  std::size_t skip_;
  std::size_t most_;
  std::size_t keep_;  // what is before the page, the page, and one more

  std::size_t hits_ = 0;
  std::size_t considered_ = 0;  // on the right side of the pivot
  std::vector<Candidate> best_;
  std::optional<Candidate> worst_kept_;
};

}  // namespace picket::query

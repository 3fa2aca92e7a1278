// Finding issues: filter, sort, cut out a page.
//
// Columns decide first (IssueColumns, microseconds), then tags (postings in the tables), then rows.
// A list is ordered by (sort value, id), greatest first, and a page is named by the last pair of the
// one before: a page never repeats an issue of the page it follows, whatever arrives meanwhile. A pair
// of another search or another order is as good as any: the page shows what follows it in this one.
//
// THREADS  IssueSearch from any thread.
#pragma once

#include "api/query/condition.h"
#include "api/query/issue_filter.h"
#include "api/query/page_cut.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace picket::query {

// What each order goes by, greatest first; the id decides between equals:
//   date      last seen
//   new_      first seen
//   freq      events
//   user      users
//   priority  the issue's priority, and within one: last seen, ten minutes later for every e-fold of events
//   trends    events per day of age (`recommended` is the same)
//   inbox     what is to be reviewed (new, regressed, escalating) before the rest, each by last seen
enum class IssueSort : std::uint8_t { date, new_, freq, user, priority, trends, inbox };
std::optional<IssueSort> parse_issue_sort(std::string_view word);

struct IssueRequest {
  SearchScope scope;
  Condition condition;
  std::vector<std::string> environments;   // any of them; none: all
  std::optional<std::int64_t> from_ms;     // an event at or after
  std::optional<std::int64_t> to_ms;       // an event before
  std::optional<std::vector<std::uint64_t>> ids;  // ascending: only these
  IssueSort sort = IssueSort::date;

  std::uint64_t value = 0;  // the page follows (or, `previous`, precedes) this pair; 0, 0: the first
  std::uint64_t id = 0;     // with value 0: so many issues are skipped
  bool previous = false;
  std::size_t most = 100;
  bool all_hits = false;  // hits are exact, whatever that costs
};

struct IssuePage {
  buffer::Snapshot snapshot;  // what the page is of
  std::vector<Candidate> issues{};
  std::size_t hits = 0;  // of all pages; exact up to most_told_hits, at least so many beyond them
  bool has_previous = false;
  bool has_next = false;
};

class IssueSearch {
 public:
  explicit IssueSearch(ColumnRoom room = {}, std::chrono::milliseconds deadline = std::chrono::seconds(5))
      : columns_(room), deadline_(deadline) {}

  // Begins to read the columns in a thread of its own, where there are more issues than are read in a moment. Lists by
  // date are read from the tables meanwhile. At most once; `tables` must outlive this.
  void read_ahead(const buffer::Tables& tables, std::uint64_t above_issues = 20'000);

  // Fault::malformed for a query that makes no sense (400), Fault::unavailable past the deadline.
  Result<IssuePage> find(const buffer::Tables& tables, const IssueRequest& request);

 private:
  IssueColumns columns_;
  const std::chrono::milliseconds deadline_;
  std::jthread reader_;  // last: uses the columns
};

}  // namespace picket::query

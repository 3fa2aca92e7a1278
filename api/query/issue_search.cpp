#include "api/query/issue_search.h"

#include "api/query/issue_plan.h"
#include "api/query/issue_states.h"
#include "api/query/last_seen_walk.h"
#include "buffer/thread.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

namespace picket::query {
namespace {

constexpr std::size_t chunk = 2048;

// Sort values of counts start at 1: the cursor of the first page is 0.
std::uint64_t sort_value(IssueSort sort, const IssueColumn& issue, Time now) {
  const auto time = [](std::int64_t ms) { return static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 1)); };
  switch (sort) {
    case IssueSort::date: return time(issue.last_seen_ms);
    case IssueSort::new_: return time(issue.first_seen_ms);
    case IssueSort::freq: return issue.times_seen + 1;
    case IssueSort::user: return std::uint64_t{issue.users} + 1;
    case IssueSort::priority: {
      constexpr int score_bits = 54;
      const auto score = static_cast<double>(issue.last_seen_ms) + 600e3 * std::log(static_cast<double>(issue.times_seen + 1));
      return (std::uint64_t{issue.priority} << score_bits) | static_cast<std::uint64_t>(std::clamp(score, 1.0, 1e16));
    }
    case IssueSort::inbox: {
      constexpr std::uint64_t to_review = std::uint64_t{1} << 62;
      return time(issue.last_seen_ms) | (parse_state("for_review")(issue, now) ? to_review : 0);
    }
    case IssueSort::trends: {
      const auto days = std::max<std::int64_t>(0, to_ms(now) - issue.first_seen_ms) / 86'400'000 + 1;
      return issue.times_seen * 100 / static_cast<std::uint64_t>(days) + 1;
    }
  }
  std::abort();
}

// Issues that the columns let pass: counted and cut at once where the columns decide, kept as candidates
// where tables have to be read.
class Collector {
 public:
  Collector(const IssueRequest& request, const IssuePlan& plan)
      : request_(request), plan_(plan), cut_(request.value, request.id, request.previous, request.most, request.all_hits) {}

  // The greatest ids first: of issues that a list holds for equal they come first, so the rest matters less.
  void collect(const ColumnSet& set) {
    const auto issues = set.issues();
    std::for_each(issues.rbegin(), issues.rend(), [&](const IssueColumn& issue) { take(set, issue); });
  }

  // For issues that come newest last seen first: false once there is enough.
  bool collect_ordered(const ColumnSet& set) {
    for (const auto& issue : set.issues()) {
      if (plan_.columns_decide() && cut_.enough() && issue.last_seen_ms < last_seen_ms_) return false;
      last_seen_ms_ = issue.last_seen_ms;
      take(set, issue);
    }
    return true;
  }

  // The newest issues, as many as are likely to do; false, with nothing taken, where that is no less work
  // than to look at all.
  bool collect_newest(const ColumnSet& set, const buffer::Reader& reader) {
    constexpr std::size_t step = 256;
    const auto most_walked = set.issues().size() / walk_costs;
    const auto wanted = plan_.columns_decide() ? cut_.least_enough() : 2 * cut_.least_enough();
    if (most_walked < wanted) return false;
    LastSeenWalk walk(reader, request_.scope.projects);
    std::size_t walked = 0;
    std::size_t taken = 0;
    std::int64_t before_ms = 0;
    while (const auto place = walk.next()) {
      const bool enough = plan_.columns_decide() ? cut_.enough() : taken >= wanted;
      if (enough && place->last_seen_ms < before_ms) {
        partial_ = true;
        return true;
      }
      const auto* issue = set.find(place->issue);
      const bool sound = place->last_seen_ms > 1 && (issue == nullptr || issue->last_seen_ms == place->last_seen_ms);
      const bool promising = ++walked % step != 0 || taken * most_walked >= wanted * walked;
      if (!sound || !promising || walked > most_walked) {
        forget();
        return false;
      }
      before_ms = place->last_seen_ms;
      if (issue != nullptr && take(set, *issue)) ++taken;
    }
    return true;
  }

  // Reads the tables, for the candidates that come first in the list before those that come later: often a
  // few thousand are enough. False when the deadline came first.
  bool decide(const buffer::Reader& reader, Deadline& deadline) {
    if (plan_.columns_decide()) return !deadline.over();
    const auto all = candidates_.size();
    auto part = plan_.reads_little_each() ? 2 * cut_.least_enough() : all;
    std::size_t passed = 0;
    std::vector<Candidate> tried;
    for (auto rest = std::span(candidates_); !rest.empty(); part *= part_growth) {
      // The columns may have decided that others pass, before and behind these.
      if (cut_.enough() && cut_.enough_before(*std::ranges::min_element(rest, comes_first))) break;
      // Where few pass, all that are left are needed: at once is cheaper than in parts.
      const bool rare = passed * all < cut_.least_enough() * (all - rest.size());
      const auto count = rare ? rest.size() : std::min(part, rest.size());
      const auto end = rest.begin() + static_cast<std::ptrdiff_t>(count);
      if (count < rest.size()) std::nth_element(rest.begin(), end, rest.end(), comes_first);
      tried.assign(rest.begin(), end);
      std::ranges::sort(tried, {}, &Candidate::id);
      if (!plan_.keep_passing(reader, request_.scope.projects, marks_, tried, deadline)) return false;
      for (const auto& candidate : tried) cut_.add(candidate);
      passed += tried.size();
      rest = rest.subspan(count);
    }
    return !deadline.over();
  }

  // Whether issues were left out that belong to the page. REQUIRES: decide()
  bool lacks() const { return partial_ && !cut_.enough(); }
  CutPage page() && { return std::move(cut_).cut(); }

 private:
  // What one step along the index costs, in looks at the next column.
  static constexpr std::size_t walk_costs = 8;
  static constexpr std::size_t part_growth = 8;

  void forget() {
    cut_ = PageCut(request_.value, request_.id, request_.previous, request_.most, request_.all_hits);
    candidates_.clear();
    marks_.clear();
  }

  bool take(const ColumnSet& set, const IssueColumn& issue) {
    if (!asked_for(issue)) return false;
    // Once the page and its hits are there, only what comes before its last matters: few of a long list.
    if (cut_.enough() && !cut_.may_matter(candidate_of(issue))) return false;
    const auto verdict = plan_.judge(set, issue, marks_);
    if (verdict == IssuePlan::Verdict::fails) return false;
    verdict == IssuePlan::Verdict::passes ? cut_.add(candidate_of(issue)) : candidates_.push_back(candidate_of(issue));
    return true;
  }

  Candidate candidate_of(const IssueColumn& issue) const {
    return {issue.id, issue.project, sort_value(request_.sort, issue, request_.scope.now),
            issue.first_seen_ms, issue.last_seen_ms, static_cast<std::uint32_t>(candidates_.size())};
  }

  bool asked_for(const IssueColumn& issue) {
    if (!issue.listed) return false;
    if (issue.project != known_project_) {
      if (!std::ranges::binary_search(request_.scope.projects, issue.project)) return false;
      known_project_ = issue.project;
    }
    if (request_.from_ms && issue.last_seen_ms < *request_.from_ms) return false;
    if (request_.to_ms && issue.first_seen_ms >= *request_.to_ms) return false;
    return !request_.ids || std::ranges::binary_search(*request_.ids, issue.id);
  }

  const IssueRequest& request_;
  const IssuePlan& plan_;
  PageCut cut_;
  std::vector<Candidate> candidates_;
  std::vector<std::uint64_t> marks_;  // as the plan makes them, by candidate
  std::uint64_t known_project_ = 0;   // one of those asked for
  std::int64_t last_seen_ms_ = 0;     // of the issue before
  bool partial_ = false;              // only the newest were looked at
};

// `lean`: the columns have no texts. `at_once`: there are no columns, and issues are read in the list's order.
Result<IssuePlan> make_plan(const buffer::Reader& reader, const IssueRequest& request, bool lean, bool at_once) {
  auto scope = request.scope;
  scope.texts_at_once = at_once;
  auto test = make_issue_test(reader, scope, request.condition);
  if (!test) return test.error();
  if (lean) read_texts_from_rows(*test);
  IssuePlan plan(*std::move(test));
  if (!request.environments.empty()) {
    plan.add({.kind = IssueTest::Kind::tag, .tag = {.key = "environment", .exact = request.environments, .matches = {}}});
  }
  return plan;
}

// Whether the newest issues may be enough to answer, and following the index is worth a try.
bool may_walk(const IssueRequest& request, const IssuePlan& plan) {
  constexpr std::size_t most_projects = 64;
  return request.sort == IssueSort::date && !request.previous && !request.ids && !request.all_hits && plan.reads_little_each() &&
         request.scope.projects.size() <= most_projects;
}

Error too_slow() {
  return Error{Fault::unavailable, "The search took too long; name a project, a shorter period or fewer wildcards."};
}

IssuePage page_of(buffer::Snapshot snapshot, Collector collector) {
  auto cut = std::move(collector).page();
  return {std::move(snapshot), std::move(cut.issues), cut.hits, cut.has_previous, cut.has_next};
}

// Without columns in memory; newest first, so that a list by date ends early. False when it is too late.
bool collect_all(const buffer::Reader& reader, const IssueRequest& request, Collector& collector, const Deadline& deadline) {
  const bool ordered = request.sort == IssueSort::date;
  bool late = false;
  scan(reader, request.scope.projects, chunk, [&](const ColumnSet& set) {
    if (!ordered) collector.collect(set);
    const bool more = !ordered || collector.collect_ordered(set);
    late = std::chrono::steady_clock::now() >= deadline.at();
    return more && !late;
  });
  return !late;
}

Result<IssuePage> walk(const buffer::Tables& tables, const IssueRequest& request, Deadline& deadline) {
  auto snapshot = tables.snapshot();
  auto plan = make_plan(snapshot, request, false, true);
  if (!plan) return plan.error();
  Collector collector(request, *plan);
  if (!collect_all(snapshot, request, collector, deadline) || !collector.decide(snapshot, deadline)) return too_slow();
  return page_of(std::move(snapshot), std::move(collector));
}

}  // namespace

std::optional<IssueSort> parse_issue_sort(std::string_view word) {
  if (word.empty() || word == "date") return IssueSort::date;
  if (word == "inbox") return IssueSort::inbox;
  if (word == "priority") return IssueSort::priority;
  if (word == "new") return IssueSort::new_;
  if (word == "freq") return IssueSort::freq;
  if (word == "user") return IssueSort::user;
  if (word == "trends" || word == "recommended") return IssueSort::trends;
  return std::nullopt;
}

void IssueSearch::read_ahead(const buffer::Tables& tables, std::uint64_t above_issues) {
  if (tables.snapshot().entries(buffer::Table::issues) <= above_issues) return;
  reader_ = std::jthread([this, &tables](const std::stop_token& stop) {
    name_thread("columns");
    yield_to_intake();
    columns_.catch_up(tables, stop);
  });
}

Result<IssuePage> IssueSearch::find(const buffer::Tables& tables, const IssueRequest& request) {
  constexpr std::chrono::milliseconds patience(300);
  if (request.sort == IssueSort::date && !columns_.is_free(patience)) {
    Deadline deadline(std::min<std::chrono::milliseconds>(deadline_, std::chrono::seconds(2)));
    auto walked = walk(tables, request, deadline);
    if (walked || walked.error().fault != Fault::unavailable) return walked;
  }
  // A search may take so long, reading the columns of all issues for the first time may take longer.
  columns_.catch_up(tables);
  Deadline deadline(deadline_);
  bool lean = columns_.lean();
  for (bool walks = true;;) {
    const auto terms = tables.snapshot();
    auto plan = make_plan(terms, request, lean, false);
    if (!plan) return plan.error();
    Collector collector(request, *plan);
    bool surprised = false;
    bool late = false;
    walks = walks && may_walk(request, *plan);
    auto shown = columns_.with(tables, [&](const ColumnSet& set, const buffer::Reader& reader) {
      surprised = set.lean() && !lean;
      if (surprised || (walks && collector.collect_newest(set, reader))) return;
      late = !plan->know_tags(reader, request.scope.projects, deadline);
      if (!late) collector.collect(set);
    });
    if (late) return too_slow();
    if (surprised) {
      lean = true;
      continue;
    }
    if (!shown.complete) return walk(tables, request, deadline);
    if (!collector.decide(shown.snapshot, deadline)) return too_slow();
    if (collector.lacks()) {
      walks = false;
      continue;
    }
    return page_of(std::move(shown.snapshot), std::move(collector));
  }
}

}  // namespace picket::query

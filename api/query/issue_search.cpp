#include "api/query/issue_search.h"

#include "api/query/issue_plan.h"
#include "api/query/issue_states.h"

#include <algorithm>
#include <cmath>
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

bool comes_first(const Candidate& a, const Candidate& b) {
  return a.value != b.value ? a.value > b.value : a.id > b.id;
}

class Collector {
 public:
  Collector(const IssueRequest& request, const IssuePlan& plan) : request_(request), plan_(plan) {}

  void collect(const ColumnSet& set) {
    for (const auto& issue : set.issues()) {
      if (passes(set, issue)) {
        candidates.push_back({issue.id, issue.project, sort_value(request_.sort, issue, request_.scope.now),
                              issue.first_seen_ms, issue.last_seen_ms, static_cast<std::uint32_t>(candidates.size())});
      }
    }
  }

  std::vector<Candidate> candidates;
  std::vector<std::uint64_t> marks;  // as the plan makes them, by candidate

 private:
  bool passes(const ColumnSet& set, const IssueColumn& issue) {
    const auto& projects = request_.scope.projects;
    if (!issue.listed || !std::binary_search(projects.begin(), projects.end(), issue.project)) return false;
    if (request_.from_ms && issue.last_seen_ms < *request_.from_ms) return false;
    if (request_.to_ms && issue.first_seen_ms >= *request_.to_ms) return false;
    if (request_.ids && !std::binary_search(request_.ids->begin(), request_.ids->end(), issue.id)) return false;
    return plan_.passes_columns(set, issue, marks);
  }

  const IssueRequest& request_;
  const IssuePlan& plan_;
};

// Sorts no more than the page.
void cut_page(const IssueRequest& request, std::vector<Candidate> found, IssuePage& page) {
  page.hits = found.size();
  const Candidate pivot{.id = request.id, .value = request.value};
  const bool by_offset = request.value == 0;
  const auto after = [&](const Candidate& issue) { return comes_first(pivot, issue); };
  const auto before = [&](const Candidate& issue) { return comes_first(issue, pivot); };
  if (by_offset) {
    const auto skip = request.previous ? 0 : std::min<std::uint64_t>(request.id, found.size());
    const auto end = std::min<std::uint64_t>(skip + request.most, found.size());
    std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(end), found.end(), comes_first);
    page.has_previous = skip > 0;
    page.has_next = end < found.size();
    page.issues.assign(found.begin() + static_cast<std::ptrdiff_t>(skip), found.begin() + static_cast<std::ptrdiff_t>(end));
    return;
  }
  const auto kept_end = request.previous ? std::partition(found.begin(), found.end(), before)
                                         : std::partition(found.begin(), found.end(), after);
  const auto kept = static_cast<std::size_t>(kept_end - found.begin());
  const auto shown = std::min(kept, request.most);
  const auto shown_end = found.begin() + static_cast<std::ptrdiff_t>(shown);
  const bool others = kept < found.size();
  if (request.previous) {
    std::partial_sort(found.begin(), shown_end, kept_end,
                      [](const Candidate& a, const Candidate& b) { return comes_first(b, a); });
    std::reverse(found.begin(), shown_end);
  } else {
    std::partial_sort(found.begin(), shown_end, kept_end, comes_first);
  }
  page.has_previous = request.previous ? kept > shown : others;
  page.has_next = request.previous ? others : kept > shown;
  page.issues.assign(found.begin(), shown_end);
}

// Newest first, a page and as many hits as are ever told: what is older cannot change the answer.
bool enough(const IssueRequest& request, const std::vector<Candidate>& found) {
  if (request.sort != IssueSort::date || request.previous || found.size() <= most_told_hits) return false;
  if (request.value == 0) return found.size() > request.id + request.most;
  const Candidate pivot{.id = request.id, .value = request.value};
  const auto after = std::count_if(found.begin(), found.end(), [&](const Candidate& issue) { return comes_first(pivot, issue); });
  return static_cast<std::size_t>(after) > request.most;
}

Result<IssuePlan> make_plan(const buffer::Reader& reader, const IssueRequest& request, bool walks) {
  auto scope = request.scope;
  scope.texts_at_once = walks;
  auto test = make_issue_test(reader, scope, request.condition);
  if (!test) return test.error();
  IssuePlan plan(*std::move(test));
  if (!request.environments.empty()) {
    plan.add({.kind = IssueTest::Kind::tag, .tag = {.key = "environment", .exact = request.environments, .matches = {}}});
  }
  return plan;
}

Error too_slow() {
  return Error{Fault::unavailable, "The search took too long; name a project, a shorter period or fewer wildcards."};
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

Result<IssuePage> IssueSearch::find(const buffer::Tables& tables, const IssueRequest& request) {
  Deadline deadline(deadline_);
  auto terms_snapshot = tables.snapshot();
  auto made = make_plan(terms_snapshot, request, false);
  if (!made) return made.error();
  IssuePlan plan = *std::move(made);
  Collector collector(request, plan);
  auto shown = columns_.with(tables, [&](const ColumnSet& set) { collector.collect(set); });
  if (!shown.complete) {
    made = make_plan(terms_snapshot, request, true);
    if (!made) return made.error();
    plan = *std::move(made);
    bool late = false;
    scan(shown.snapshot, request.scope.projects, chunk, [&](const ColumnSet& set) {
      collector.collect(set);
      late = std::chrono::steady_clock::now() >= deadline.at();
      return !late && !(plan.columns_decide() && enough(request, collector.candidates));
    });
    if (late) return too_slow();
  }
  auto& candidates = collector.candidates;
  if (!plan.columns_decide()) std::ranges::sort(candidates, {}, &Candidate::id);
  if (!plan.keep_passing(shown.snapshot, request.scope.projects, collector.marks, candidates, deadline)) return too_slow();
  IssuePage page{std::move(shown.snapshot)};
  cut_page(request, std::move(candidates), page);
  return page;
}

}  // namespace picket::query

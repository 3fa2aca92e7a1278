#include "api/digest/issue_state.h"

#include "api/digest/json_shape.h"

#include <algorithm>
#include <cstdlib>

namespace picket::digest {
namespace {

// Adds `count` at `number` to a series of at most `most` numbers that begins at `start` and grows at
// its end.
template <class Counts>
std::uint64_t count_in_series(Counts& counts,
                              std::uint64_t start,
                              std::uint64_t number,
                              int most,
                              std::uint32_t count = 1) {
  if (counts.empty()) {
    counts.Add(count);
    return number;
  }
  const auto size = static_cast<std::uint64_t>(counts.size());
  const auto limit = static_cast<std::uint64_t>(most);
  if (number < start) {
    const auto missing = start - number;
    if (missing + size > limit) return start;
    Counts longer;
    longer.Reserve(static_cast<int>(missing + size));
    longer.Add(count);
    for (std::uint64_t i = 1; i < missing; ++i)
      longer.Add(0);
    for (const auto each : counts)
      longer.Add(each);
    counts.Swap(&longer);
    return number;
  }
  if (number - start >= limit) {
    const auto dropped = std::min(number - start - limit + 1, size);
    if (dropped == size) {
      counts.Clear();
      counts.Add(count);
      return number;
    }
    counts.erase(counts.begin(), counts.begin() + static_cast<int>(dropped));
    start += dropped;
  }
  const auto index = static_cast<int>(number - start);
  while (counts.size() <= index)
    counts.Add(0);
  counts.Set(index, counts.Get(index) + count);
  return start;
}

struct Version {
  std::vector<std::uint64_t> numbers;
  std::string_view prerelease;
};

std::optional<Version> parse_version(std::string_view text) {
  if (const auto at = text.rfind('@'); at != std::string_view::npos) text = text.substr(at + 1);
  text = text.substr(0, text.find('+'));
  if (text.starts_with('v')) text.remove_prefix(1);
  Version version;
  const auto dash = text.find('-');
  if (dash != std::string_view::npos) version.prerelease = text.substr(dash + 1);
  text = text.substr(0, dash);
  while (!text.empty()) {
    std::uint64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc()) return std::nullopt;
    version.numbers.push_back(number);
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    if (text.empty()) break;
    if (!text.starts_with('.') || text.size() == 1) return std::nullopt;
    text.remove_prefix(1);
  }
  // A single number is a build counter or a commit, not a version.
  if (version.numbers.size() < 2 || version.numbers.size() > 4) return std::nullopt;
  version.numbers.resize(4);
  return version;
}

int sign(auto order) {
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Semantic versioning 2.0, §11.4: numbers below words, fewer parts below more.
int compare_prereleases(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a.empty() == b.empty() ? 0 : a.empty() ? 1 : -1;
  while (!a.empty() && !b.empty()) {
    const auto x = a.substr(0, a.find('.'));
    const auto y = b.substr(0, b.find('.'));
    const bool numbers = is_number(x) && is_number(y);
    if (is_number(x) != is_number(y)) return is_number(x) ? -1 : 1;
    if (numbers && x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
    if (const int order = sign(x.compare(y)); order != 0) return order;
    a.remove_prefix(std::min(a.size(), x.size() + 1));
    b.remove_prefix(std::min(b.size(), y.size() + 1));
  }
  return a.empty() == b.empty() ? 0 : a.empty() ? -1 : 1;
}

}  // namespace

std::string_view wire_name(Status status) {
  switch (status) {
    case Status::unresolved: return "unresolved";
    case Status::resolved: return "resolved";
    case Status::ignored: return "ignored";
  }
  std::abort();
}

std::optional<Status> parse_status(std::string_view name) {
  if (name == "unresolved") return Status::unresolved;
  if (name == "resolved") return Status::resolved;
  if (name == "ignored" || name == "archived" || name == "muted") return Status::ignored;
  return std::nullopt;
}

Status status_of(const schema::Issue& issue) {
  switch (issue.status()) {
    case 1: return Status::resolved;
    case 2: return Status::ignored;
    default: return Status::unresolved;
  }
}

std::string_view wire_name(Substatus substatus) {
  switch (substatus) {
    case Substatus::none: return "";
    case Substatus::archived_until_escalating: return "archived_until_escalating";
    case Substatus::escalating: return "escalating";
    case Substatus::ongoing: return "ongoing";
    case Substatus::archived_until_condition_met: return "archived_until_condition_met";
    case Substatus::archived_forever: return "archived_forever";
    case Substatus::regressed: return "regressed";
    case Substatus::new_: return "new";
  }
  std::abort();
}

std::optional<Substatus> parse_substatus(std::string_view name) {
  for (int number = 1; number <= 7; ++number) {
    const auto substatus = static_cast<Substatus>(number);
    if (wire_name(substatus) == name) return substatus;
  }
  return std::nullopt;
}

std::string_view category_of_type(std::string_view issue_type) {
  if (issue_type == "feedback") return "feedback";
  if (issue_type == "monitor_check_in_failure") return "outage";
  return "error";
}

Substatus substatus_at(const schema::Issue& issue, Time now) {
  constexpr std::int64_t new_for_ms = std::int64_t{7} * 24 * 3600 * 1000;
  const auto stored =
      issue.substatus() <= 7 ? static_cast<Substatus>(issue.substatus()) : Substatus::none;
  const bool aged = to_ms(now) - issue.first_seen_ms() > new_for_ms;
  return stored == Substatus::new_ && aged ? Substatus::ongoing : stored;
}

std::string_view wire_name(Priority priority) {
  switch (priority) {
    case Priority::low: return "low";
    case Priority::medium: return "medium";
    case Priority::high: return "high";
  }
  std::abort();
}

std::optional<Priority> parse_priority(std::string_view name) {
  if (name == "low") return Priority::low;
  if (name == "medium") return Priority::medium;
  if (name == "high") return Priority::high;
  return std::nullopt;
}

Priority priority_of(EventLevel level, std::optional<bool> handled) {
  switch (level) {
    case EventLevel::sample:
    case EventLevel::debug:
    case EventLevel::info: return Priority::low;
    case EventLevel::warning: return Priority::medium;
    case EventLevel::error: return handled.value_or(false) ? Priority::medium : Priority::high;
    case EventLevel::fatal: return Priority::high;
  }
  std::abort();
}

Resolution resolution_of(const schema::Issue& issue) {
  Resolution resolution;
  resolution.release = issue.resolved_after();
  resolution.in_next_release = issue.next_release_named();
  if (resolution.in_next_release) return resolution;
  if (issue.status_details_json().empty()) return resolution;
  bool repaired = false;
  const auto root = parse_json(issue.status_details_json(), repaired);
  const auto object = root ? object_of(*root) : std::nullopt;
  if (!object) return resolution;
  TextArena arena;
  for (const auto [key, value] : *object) {
    if (key == "inNextRelease" || key == "inUpcomingRelease")
      resolution.in_next_release = flag_of(value).value_or(false);
    if (key == "inRelease") resolution.release = text_of(value, arena, {200, 0});
  }
  return resolution;
}

bool regresses(const schema::Issue& issue,
               const Resolution& resolution,
               const Recurrence& recurrence) {
  if (status_of(issue) != Status::resolved) return false;
  if (!resolution.in_next_release && resolution.release.empty()) return true;
  if (recurrence.release.empty() || recurrence.release == resolution.release) return false;
  if (!resolution.release.empty()) {
    if (const auto order = compare_versions(recurrence.release, resolution.release))
      return *order > 0;
    if (recurrence.resolved_release_ms != 0)
      return recurrence.release_ms > recurrence.resolved_release_ms;
  }
  return recurrence.release_ms > issue.resolved_ms();
}

std::optional<int> compare_versions(std::string_view a, std::string_view b) {
  const auto x = parse_version(a);
  const auto y = parse_version(b);
  if (!x || !y) return std::nullopt;
  if (x->numbers != y->numbers) return x->numbers < y->numbers ? -1 : 1;
  return compare_prereleases(x->prerelease, y->prerelease);
}

namespace {

constexpr std::int64_t hour_ms = 3'600'000;
constexpr int most_hours = 72;
constexpr int most_days = 90;

template <class Counts>
void take_from_series(Counts& counts, std::uint64_t start, std::uint64_t number) {
  const auto index = number - start;
  if (number < start || index >= static_cast<std::uint64_t>(counts.size())) return;
  const auto at = static_cast<int>(index);
  if (counts.Get(at) > 0) counts.Set(at, counts.Get(at) - 1);
}

template <class Counts>
std::uint64_t add_series(Counts& counts,
                         std::uint64_t start,
                         const Counts& more,
                         std::uint64_t more_start,
                         int most) {
  // Newest first: what does not fit is the oldest.
  for (int i = more.size(); i-- > 0;) {
    if (more.Get(i) == 0) continue;
    const auto number = more_start + static_cast<std::uint64_t>(i);
    start = count_in_series(counts, start, number, most, more.Get(i));
  }
  return start;
}

}  // namespace

void count_event(schema::IssueCounters& counters, Time time) {
  const auto ms = std::max<std::int64_t>(0, to_ms(time));
  const auto hour = static_cast<std::uint64_t>(ms / hour_ms);
  counters.set_hour_start(
      count_in_series(*counters.mutable_hours(), counters.hour_start(), hour, most_hours));
  counters.set_day_start(
      count_in_series(*counters.mutable_days(), counters.day_start(), hour / 24, most_days));
}

void take_event(schema::IssueCounters& counters, Time time) {
  const auto hour =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_ms(time)) / hour_ms);
  take_from_series(*counters.mutable_hours(), counters.hour_start(), hour);
  take_from_series(*counters.mutable_days(), counters.day_start(), hour / 24);
}

void add_counts(schema::IssueCounters& counters, const schema::IssueCounters& more) {
  counters.set_hour_start(add_series(*counters.mutable_hours(), counters.hour_start(),
                                     more.hours(), more.hour_start(), most_hours));
  counters.set_day_start(add_series(*counters.mutable_days(), counters.day_start(), more.days(),
                                    more.day_start(), most_days));
}

}  // namespace picket::digest

// The states of an issue, and how an event changes them.
#pragma once

#include "api/digest/event.h"
#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::digest {

// Stored in schema::Issue::status: never renumber.
enum class Status : std::uint8_t { unresolved = 0, resolved = 1, ignored = 2 };
std::string_view wire_name(Status status);
std::optional<Status> parse_status(std::string_view name);  // "archived" and "muted" are ignored
Status status_of(const schema::Issue& issue);

// Stored in schema::Issue::substatus, Sentry's numbers: never renumber.
enum class Substatus : std::uint8_t {
  none = 0,
  archived_until_escalating = 1,
  escalating = 2,
  ongoing = 3,
  archived_until_condition_met = 4,
  archived_forever = 5,
  regressed = 6,
  new_ = 7,
};
std::string_view wire_name(Substatus substatus);  // "" for none
std::optional<Substatus> parse_substatus(std::string_view name);

// What an issue is about, by Issue::issue_type: error, feedback, or outage (monitors; "cron" is its
// older name).
std::string_view category_of_type(std::string_view issue_type);

// What to show at `now`: an issue is new for seven days, then ongoing.
Substatus substatus_at(const schema::Issue& issue, Time now);

// Stored in schema::Issue::priority.
enum class Priority : std::uint8_t { low = 25, medium = 50, high = 75 };
std::string_view wire_name(Priority priority);
std::optional<Priority> parse_priority(std::string_view name);
// Of a new issue: high for what is fatal or an error that nobody handled (or of which that is not
// known), low for what is only information.
Priority priority_of(EventLevel level, std::optional<bool> handled);

// How a resolved issue was resolved, read from its row.
struct Resolution {
  bool in_next_release = false;
  std::string release;  // the newest release that it counts as resolved in; "" when not tied to one
};
Resolution resolution_of(const schema::Issue& issue);

// What an event says about a resolved issue. Release times are those at which the release was
// released, or else created here; 0 for unknown.
struct Recurrence {
  std::string_view release;
  std::int64_t release_ms = 0;
  std::int64_t resolved_release_ms = 0;  // of resolution.release
};
// True when the event brings the issue back: always when it was resolved without a release;
// otherwise only from a release that is newer than the resolved one, by version when both have one,
// else by time. Where the resolved one's time is not known, one from after the resolution is newer.
bool regresses(const schema::Issue& issue,
               const Resolution& resolution,
               const Recurrence& recurrence);

// Below, equal to or above zero as a is older than, as old as or newer than b; nothing when either
// is no semantic version ("package@1.2.3-beta+build", package and build ignored).
std::optional<int> compare_versions(std::string_view a, std::string_view b);

// Adds one event at `time` to the counts per hour and per day (numbers since the epoch). What is
// older than the series reaches back is not counted in it.
void count_event(schema::IssueCounters& counters, Time time);
// Takes one out of them again, where it is still in them.
void take_event(schema::IssueCounters& counters, Time time);
// Adds another issue's series.
void add_counts(schema::IssueCounters& counters, const schema::IssueCounters& more);

}  // namespace picket::digest

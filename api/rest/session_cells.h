// Counts and users of sessions, added up over hours, releases and environments.
#pragma once

#include "api/digest/session_state.h"
#include "api/digest/user_set.h"
#include "api/rest/access.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace picket::rest {

struct SessionCell {
  schema::SessionCounts counts;
  std::array<digest::UserSet, digest::user_kinds> users;

  void join_users(digest::UserKind kind, const digest::UserSet& set) {
    users[static_cast<std::size_t>(kind)].join(set);
  }
  std::uint64_t user_count(digest::UserKind kind) const {
    return users[static_cast<std::size_t>(kind)].count();
  }
};

// The statuses by which sessions are grouped, in Sentry's words.
enum class ShownStatus : std::uint8_t { healthy, errored, crashed, abnormal, unhandled };
constexpr std::array<std::string_view, 5> shown_statuses{"healthy", "errored", "crashed", "abnormal", "unhandled"};
std::uint64_t sessions_with(const SessionCell& cell, ShownStatus status);
std::uint64_t users_with(const SessionCell& cell, ShownStatus status);

struct SessionHour {
  std::int64_t hour_ms = 0;
  std::string_view release;
  std::string_view environment;
};

// Calls `visit(hour, rest, value)` with each row of session_counts or session_users of the project
// whose hour is in [from, to); `rest` is what follows in the key.
template <class Visit>
void for_each_session_hour(const buffer::Reader& reader,
                           buffer::Table table,
                           std::uint64_t project,
                           std::int64_t from_ms,
                           std::int64_t to_ms,
                           Visit visit) {
  auto cursor = reader.cursor(table);
  const auto from = static_cast<std::uint64_t>(from_ms < 0 ? 0 : from_ms);
  for (bool more = cursor.seek(buffer::Key().u64(project).u64(from)); more; more = cursor.next()) {
    buffer::KeyReader key(cursor.key());
    if (key.u64() != project) return;
    SessionHour hour;
    hour.hour_ms = static_cast<std::int64_t>(key.u64());
    if (hour.hour_ms >= to_ms) return;
    hour.release = key.text();
    hour.environment = key.text();
    visit(hour, key.rest(), cursor.value());
  }
}

// How healthy the releases of projects are, read once per project and asked for many.
class ReleaseHealth {
 public:
  // `period_ms` back from `now` for the sums; the series and the adoption are of the last day.
  ReleaseHealth(const buffer::Reader& reader, Time now, std::int64_t period_ms)
      : reader_(reader), now_(now), period_ms_(period_ms) {}

  // Sentry's healthData.
  boost::json::object render(std::uint64_t project, std::string_view release);
  // {"stage", "adopted", "unadopted"}; null when the release has no sessions.
  boost::json::value render_stage(std::uint64_t project, std::string_view release);
  bool has_data(std::uint64_t project, std::string_view release);

 private:
  struct OfRelease {
    SessionCell period;
    SessionCell day;
    std::map<std::int64_t, std::uint64_t> hours;  // of the day
  };
  struct OfProject {
    std::map<std::string, OfRelease, std::less<>> releases;
    SessionCell day;
  };
  const OfProject& of_project(std::uint64_t project);
  const OfRelease* find(std::uint64_t project, std::string_view release);

  const buffer::Reader& reader_;
  const Time now_;
  const std::int64_t period_ms_;
  std::map<std::uint64_t, OfProject> projects_;
};

}  // namespace picket::rest

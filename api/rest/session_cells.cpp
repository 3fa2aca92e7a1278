#include "api/rest/session_cells.h"

#include <algorithm>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::Table;
using digest::UserKind;

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t day_ms = 24 * hour_ms;

json::value percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return nullptr;
  return 100.0 * static_cast<double>(std::min(part, whole)) / static_cast<double>(whole);
}

json::value free_of(std::uint64_t crashed, std::uint64_t all) {
  return all == 0 ? json::value(nullptr) : percent(all - std::min(crashed, all), all);
}

json::value seconds(std::optional<double> ms) {
  return ms ? json::value(*ms / 1000.0) : json::value(nullptr);
}

std::uint64_t without(std::uint64_t whole, std::uint64_t part) {
  return whole - std::min(whole, part);
}

}  // namespace

std::uint64_t sessions_with(const SessionCell& cell, ShownStatus status) {
  const auto& counts = cell.counts;
  switch (status) {
    case ShownStatus::healthy:
      return without(counts.sessions(), counts.errored() + counts.crashed() + counts.abnormal() + counts.unhandled());
    case ShownStatus::errored: return counts.errored();
    case ShownStatus::crashed: return counts.crashed();
    case ShownStatus::abnormal: return counts.abnormal();
    case ShownStatus::unhandled: return counts.unhandled();
  }
  return 0;
}

std::uint64_t users_with(const SessionCell& cell, ShownStatus status) {
  const auto worse = cell.user_count(UserKind::crashed) + cell.user_count(UserKind::abnormal) + cell.user_count(UserKind::unhandled);
  switch (status) {
    case ShownStatus::healthy: return without(cell.user_count(UserKind::all), cell.user_count(UserKind::errored));
    case ShownStatus::errored: return without(cell.user_count(UserKind::errored), worse);
    case ShownStatus::crashed: return cell.user_count(UserKind::crashed);
    case ShownStatus::abnormal: return cell.user_count(UserKind::abnormal);
    case ShownStatus::unhandled: return cell.user_count(UserKind::unhandled);
  }
  return 0;
}

const ReleaseHealth::OfProject& ReleaseHealth::of_project(std::uint64_t project) {
  const auto [found, fresh] = projects_.try_emplace(project);
  auto& of = found->second;
  if (!fresh) return of;
  const auto until = to_ms(now_) + hour_ms;
  const auto from_day = to_ms(now_) - day_ms;
  const auto from = std::min(to_ms(now_) - period_ms_, from_day);
  const auto in_period = [&](std::int64_t hour) { return hour + hour_ms > to_ms(now_) - period_ms_; };
  const auto in_day = [&](std::int64_t hour) { return hour + hour_ms > from_day; };
  for_each_session_hour(reader_, Table::session_counts, project, from - hour_ms, until,
                        [&](const SessionHour& hour, std::string_view, std::string_view value) {
                          const auto counts = buffer::parse_row<schema::SessionCounts>(value);
                          auto& release = of.releases[std::string(hour.release)];
                          if (in_period(hour.hour_ms)) digest::add_counts(counts, release.period.counts);
                          if (!in_day(hour.hour_ms)) return;
                          digest::add_counts(counts, release.day.counts);
                          digest::add_counts(counts, of.day.counts);
                          release.hours[hour.hour_ms] += counts.sessions();
                        });
  for_each_session_hour(reader_, Table::session_users, project, from - hour_ms, until,
                        [&](const SessionHour& hour, std::string_view rest, std::string_view value) {
                          if (rest.empty() || static_cast<unsigned char>(rest.front()) >= digest::user_kinds) return;
                          const auto kind = static_cast<UserKind>(rest.front());
                          const digest::UserSet set(buffer::parse_row<schema::UserSet>(value));
                          auto& release = of.releases[std::string(hour.release)];
                          if (in_period(hour.hour_ms)) release.period.join_users(kind, set);
                          if (!in_day(hour.hour_ms)) return;
                          release.day.join_users(kind, set);
                          of.day.join_users(kind, set);
                        });
  return of;
}

const ReleaseHealth::OfRelease* ReleaseHealth::find(std::uint64_t project, std::string_view release) {
  const auto& releases = of_project(project).releases;
  // As it stands in keys: long names are cut there.
  const auto key = buffer::Key().text(release);
  const auto found = releases.find(key.view().substr(0, key.size() - 1));
  return found == releases.end() ? nullptr : &found->second;
}

bool ReleaseHealth::has_data(std::uint64_t project, std::string_view release) {
  const auto* of = find(project, release);
  return of != nullptr && of->period.counts.sessions() + of->day.counts.sessions() > 0;
}

json::object ReleaseHealth::render(std::uint64_t project, std::string_view release) {
  const OfRelease nothing;
  const auto* found = find(project, release);
  const auto& of = found == nullptr ? nothing : *found;
  const auto& all = of_project(project).day;
  const auto& counts = of.period.counts;
  const auto users = of.period.user_count(UserKind::all);
  json::array series;
  const auto last = to_ms(now_) / hour_ms * hour_ms;
  for (auto at = last - 23 * hour_ms; at <= last; at += hour_ms) {
    const auto hour = of.hours.find(at);
    series.push_back(json::array{at / 1000, hour == of.hours.end() ? std::uint64_t{0} : hour->second});
  }
  const auto day_users = of.day.user_count(UserKind::all);
  const auto project_users = all.user_count(UserKind::all);
  return {
      {"durationP50", seconds(digest::duration_quantile(counts, 0.5))},
      {"durationP90", seconds(digest::duration_quantile(counts, 0.9))},
      {"crashFreeUsers", free_of(of.period.user_count(UserKind::crashed), users)},
      {"crashFreeSessions", free_of(counts.crashed(), counts.sessions())},
      {"totalUsers", users},
      {"totalUsers24h", day_users},
      {"totalProjectUsers24h", project_users},
      {"totalSessions", counts.sessions()},
      {"totalSessions24h", of.day.counts.sessions()},
      {"totalProjectSessions24h", all.counts.sessions()},
      {"adoption", percent(day_users, project_users)},
      {"sessionsAdoption", percent(of.day.counts.sessions(), all.counts.sessions())},
      {"sessionsCrashed", counts.crashed()},
      {"sessionsErrored", counts.errored()},
      {"hasHealthData", counts.sessions() + of.day.counts.sessions() > 0},
      {"stats", json::object{{"24h", std::move(series)}}},
  };
}

json::value ReleaseHealth::render_stage(std::uint64_t project, std::string_view release) {
  if (!has_data(project, release)) return nullptr;
  const auto* of = find(project, release);
  const auto sessions = of->day.counts.sessions();
  const auto all = of_project(project).day.counts.sessions();
  // Adopted from a tenth of the sessions on, as Sentry has it.
  const bool adopted = sessions > 0 && sessions * 10 >= all;
  const std::string_view stage = adopted ? "adopted" : sessions > 0 ? "low_adoption" : "replaced";
  return json::object{{"stage", stage}, {"adopted", nullptr}, {"unadopted", nullptr}};
}

}  // namespace picket::rest

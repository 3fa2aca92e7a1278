#include "api/rest/issue_render.h"

#include "api/digest/event.h"
#include "api/digest/issue_state.h"
#include "api/digest/user_report.h"
#include "api/query/issue_names.h"
#include "api/rest/attachment_rows.h"
#include "api/rest/issue_tags.h"
#include "api/rest/release_rows.h"
#include "api/rest/render.h"
#include "buffer/stamp.h"

#include <algorithm>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::Table;

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t day_ms = 24 * hour_ms;

json::value parse_stored(std::string_view text, const json::storage_ptr& storage) {
  json::error_code error;
  auto value = text.empty() ? json::value(nullptr) : json::parse(text, error, storage);
  if (error || !value.is_object()) return json::object(storage);
  return value;
}

template <class Counts>
json::array series(const Counts& counts, std::uint64_t start, std::int64_t unit_ms, std::int64_t until_ms,
                   std::size_t points, const json::storage_ptr& storage) {
  json::array shown(storage);
  shown.reserve(points);
  const auto last = static_cast<std::uint64_t>(std::max<std::int64_t>(until_ms, 0) / unit_ms);
  for (std::size_t i = points; i-- > 0;) {
    const auto number = last < i ? 0 : last - i;
    const auto index = number - start;
    const bool kept = number >= start && index < static_cast<std::uint64_t>(counts.size());
    const std::uint64_t count = kept ? counts.Get(static_cast<int>(index)) : 0;
    json::array point(storage);
    point.reserve(2);
    point.emplace_back(static_cast<std::int64_t>(number) * (unit_ms / 1000));
    point.emplace_back(count);
    shown.push_back(std::move(point));
  }
  return shown;
}

json::object fitting_series(const schema::IssueCounters& counters, const std::optional<Period>& period, Time now,
                            const json::storage_ptr& storage) {
  constexpr std::int64_t most_hours = 72;
  constexpr std::int64_t most_days = 90;
  const auto from = period ? to_ms(period->from) : to_ms(now) - 14 * day_ms;
  const auto until = period ? period->to : now;
  const auto length = std::max<std::int64_t>(to_ms(until) - from, 1);
  json::object stats(storage);
  if (length <= most_hours * hour_ms) {
    stats["auto"] = hourly(counters, until, static_cast<std::size_t>((length + hour_ms - 1) / hour_ms), storage);
  } else {
    const auto days = std::min(most_days, (length + day_ms - 1) / day_ms);
    stats["auto"] = daily(counters, until, static_cast<std::size_t>(days), storage);
  }
  return stats;
}

json::object render_stats(const schema::IssueCounters& counters, const IssueShape& shape, Time now, const json::storage_ptr& storage) {
  json::object stats(storage);
  switch (shape.series) {
    case StatsSeries::none: break;
    case StatsSeries::day: stats["24h"] = hourly(counters, now, 24, storage); break;
    case StatsSeries::fortnight: stats["14d"] = daily(counters, now, 14, storage); break;
    case StatsSeries::fitting: return fitting_series(counters, shape.period, now, storage);
  }
  return stats;
}

json::value word_or_null(std::string_view word, const json::storage_ptr& storage) {
  if (word.empty()) return json::value(nullptr, storage);
  return json::value(json::string(word, storage));
}

std::string_view type_of(const schema::Issue& issue) {
  return issue.type().empty() ? std::string_view("default") : std::string_view(issue.type());
}

// Why an issue is worth a look, in Sentry's numbers.
int inbox_reason(digest::Substatus substatus) {
  switch (substatus) {
    case digest::Substatus::regressed: return 2;
    case digest::Substatus::escalating: return 5;
    case digest::Substatus::ongoing: return 6;
    default: return 0;
  }
}

}  // namespace

std::optional<StatsSeries> parse_stats_series(std::string_view word) {
  if (word.empty()) return StatsSeries::none;
  if (word == "24h") return StatsSeries::day;
  if (word == "14d") return StatsSeries::fortnight;
  if (word == "auto") return StatsSeries::fitting;
  return std::nullopt;
}

json::array hourly(const schema::IssueCounters& counters, Time until, std::size_t points, json::storage_ptr storage) {
  return series(counters.hours(), counters.hour_start(), hour_ms, to_ms(until), points, storage);
}

json::array daily(const schema::IssueCounters& counters, Time until, std::size_t points, json::storage_ptr storage) {
  return series(counters.days(), counters.day_start(), day_ms, to_ms(until), points, storage);
}

IssueRenderer::IssueRenderer(const Api& api, const Call& call, const buffer::Reader& reader)
    : api_(api),
      call_(call),
      reader_(reader),
      now_(api.clock.now()),
      storage_(json::make_shared_resource<json::monotonic_resource>()) {}

const json::object& IssueRenderer::project_summary(const schema::Project& project) {
  const auto known = projects_.find(project.id());
  if (known != projects_.end()) return known->second;
  return projects_.emplace(project.id(), json::object(render_project_summary(project), storage_)).first->second;
}

json::value IssueRenderer::render_assignee(const schema::Issue& issue) {
  if (issue.assigned_user() != 0) {
    auto& known = users_[issue.assigned_user()];
    if (known.is_null()) {
      const auto user = find_row<schema::User>(reader_, Table::users, Key().u64(issue.assigned_user()));
      if (!user) return nullptr;
      known = json::object{{"type", "user"},
                           {"id", std::to_string(user->id())},
                           {"name", user->name().empty() ? user->username() : user->name()},
                           {"email", user->email()}};
    }
    return json::value(known, storage_);
  }
  if (issue.assigned_team() != 0) {
    auto& known = teams_[issue.assigned_team()];
    if (known.is_null()) {
      const auto team = find_row<schema::Team>(reader_, Table::teams, Key().u64(issue.assigned_team()));
      if (!team) return nullptr;
      known = json::object{{"type", "team"}, {"id", std::to_string(team->id())}, {"name", team->slug()}};
    }
    return json::value(known, storage_);
  }
  return json::value(nullptr, storage_);
}

// What was asked for, and who did.
json::value IssueRenderer::render_status_details(const schema::Issue& issue) {
  auto details = parse_stored(issue.status_details_json(), storage_);
  if (issue.status_user() == 0) return details;
  auto& known = actors_[issue.status_user()];
  if (known.is_null()) {
    const auto user = find_row<schema::User>(reader_, Table::users, Key().u64(issue.status_user()));
    if (!user) return details;
    known = render_user(*user);
  }
  details.get_object()["actor"] = json::value(known, storage_);
  return details;
}

// For another Picket that keeps its issues as these are: when each part was last changed, and where.
void IssueRenderer::add_stamps(json::object& json, const schema::Issue& issue) {
  if (!call_.request.head.headers.contains("X-Picket-Sync")) return;
  json::object stamps(storage_);
  for (const auto part : buffer::issue_parts) {
    const auto stamp = buffer::stamp_of(issue, part);
    if (stamp.ms() != 0) stamps[buffer::part_name(part)] = buffer::render_stamp(stamp);
  }
  json["picketStamps"] = std::move(stamps);
}

void IssueRenderer::add_state(json::object& json, const schema::Issue& issue) {
  const auto substatus = digest::substatus_at(issue, now_);
  const auto priority = issue.priority() >= 75 ? "high" : issue.priority() >= 50 ? "medium" : issue.priority() != 0 ? "low" : "";
  add_stamps(json, issue);
  json["status"] = digest::wire_name(digest::status_of(issue));
  json["statusDetails"] = render_status_details(issue);
  json["substatus"] = word_or_null(digest::wire_name(substatus), storage_);
  json["isPublic"] = issue.is_public();
  json["shareId"] = issue.is_public() ? word_or_null(issue.share_id(), storage_) : json::value(nullptr);
  json["priority"] = word_or_null(priority, storage_);
  json["priorityLockedAt"] = render_time(issue.priority_locked_ms());
  json["assignedTo"] = render_assignee(issue);
  std::optional<schema::IssueMark> mark;
  if (call_.caller.user) {
    mark = find_row<schema::IssueMark>(reader_, Table::issue_marks, Key().u64(issue.id()).u64(call_.caller.user->id()));
  }
  json["isBookmarked"] = mark && mark->bookmarked();
  json["isSubscribed"] = mark && mark->subscribed();
  json["hasSeen"] = mark && mark->seen_ms() != 0;
  json["subscriptionDetails"] = nullptr;
  if (mark && mark->subscribed()) {
    const std::string_view reason = mark->reason().empty() ? std::string_view("unknown") : mark->reason();
    json["subscriptionDetails"] = json::object({{"reason", reason}}, storage_);
  }
}

json::object IssueRenderer::render(const IssueRows& rows, const IssueShape& shape) {
  const auto& issue = rows.issue;
  const auto id = std::to_string(issue.id());
  json::object json(storage_);
  json.reserve(64);
  json["id"] = id;
  json["shortId"] = query::render_short_id(rows.project.slug(), issue.short_number());
  json["title"] = issue.title();
  json["culprit"] = issue.culprit();
  json["permalink"] = api_.public_url + "/organizations/" + call_.organization->slug() + "/issues/" + id + "/";
  json["logger"] = word_or_null(issue.logger(), storage_);
  json["level"] = digest::wire_name(digest::level_of_number(issue.level()));
  json["platform"] = word_or_null(issue.platform(), storage_);
  json["project"] = json::object(project_summary(rows.project), storage_);
  json["type"] = type_of(issue);
  json["issueType"] = issue.issue_type().empty() ? std::string_view("error") : std::string_view(issue.issue_type());
  json["issueCategory"] = digest::category_of_type(issue.issue_type());
  json["metadata"] = parse_stored(issue.metadata_json(), storage_);
  json["numComments"] = issue.num_comments();
  json["annotations"] = json::array(storage_);
  json["seerFixabilityScore"] = nullptr;
  json["seerAutofixLastTriggered"] = nullptr;
  json["seerExplorerAutofixLastTriggered"] = nullptr;
  add_state(json, issue);
  json["isUnhandled"] = issue.unhandled();
  json["count"] = std::to_string(rows.counters.times_seen());
  json["userCount"] = rows.counters.users_seen();
  json["firstSeen"] = render_time(issue.first_seen_ms());
  json["lastSeen"] = render_time(rows.counters.last_seen_ms());
  json["derivedData"] = json::object({{"blocker", "none"},
                                      {"progress", "none"},
                                      {"status", digest::status_of(issue) == digest::Status::unresolved ? "open" : "closed"},
                                      {"viewCount", 0},
                                      {"hasOpenFixPr", false},
                                      {"isAssigned", issue.assigned_user() != 0 || issue.assigned_team() != 0},
                                      {"hasRootCause", false},
                                      {"lastCompletedAutofixStep", ""},
                                      {"lastProgressedAt", nullptr}},
                                     storage_);
  if (shape.listed) add_list_members(json, rows, shape);
  return json;
}

void IssueRenderer::add_list_members(json::object& json, const IssueRows& rows, const IssueShape& shape) {
  const auto& issue = rows.issue;
  const auto first_seen = render_time(issue.first_seen_ms());
  json["stats"] = render_stats(rows.counters, shape, now_, storage_);
  json::object lifetime(storage_);
  if (shape.lifetime) {
    lifetime["count"] = json["count"];
    lifetime["userCount"] = json["userCount"];
    lifetime["firstSeen"] = first_seen;
    lifetime["lastSeen"] = json["lastSeen"];
    lifetime["stats"] = json::object(storage_);
  }
  json["lifetime"] = std::move(lifetime);
  json["filtered"] = nullptr;
  json["sessionCount"] = 0;
  json["inbox"] = json::object({{"reason", inbox_reason(digest::substatus_at(issue, now_))},
                                {"reason_details", nullptr},
                                {"date_added", first_seen}},
                               storage_);
  std::string owner;
  if (issue.assigned_user() != 0) owner = "user:" + std::to_string(issue.assigned_user());
  if (issue.assigned_user() == 0 && issue.assigned_team() != 0) owner = "team:" + std::to_string(issue.assigned_team());
  const bool suggested = owner.empty() && (issue.owner_user() != 0 || issue.owner_team() != 0);
  if (suggested) owner = issue.owner_user() != 0 ? "user:" + std::to_string(issue.owner_user()) : "team:" + std::to_string(issue.owner_team());
  const auto since_ms = suggested ? issue.owner_ms() : issue.assigned_ms();
  json["owners"] = json::object({{"type", suggested ? "ownershipRule" : owner.empty() ? "none" : "assigned"},
                                 {"owner", owner},
                                 {"date_added", since_ms != 0 ? render_time(since_ms) : first_seen}},
                                storage_);
  json["integrationIssues"] = json::array(storage_);
  json["sentryAppIssues"] = json::array(storage_);
  json["latestEventHasAttachments"] =
      shape.attachments && !attachments_of(reader_, issue.project(), rows.counters.last_event_id()).empty();
  json["matchingEventId"] = nullptr;
  json["matchingEventEnvironment"] = nullptr;
}

json::array IssueRenderer::render_people(std::uint64_t issue, bool subscribed) {
  constexpr std::size_t most = 100;
  json::array people(storage_);
  for_each(reader_, Table::issue_marks, Key().u64(issue), [&](std::string_view rest, std::string_view value) {
    const auto mark = buffer::parse_row<schema::IssueMark>(value);
    if (subscribed ? !mark.subscribed() : mark.seen_ms() == 0) return true;
    const auto user = find_row<schema::User>(reader_, Table::users, Key().u64(buffer::KeyReader(rest).u64()));
    if (!user) return true;
    auto shown = render_user(*user);
    if (!subscribed) shown["lastSeen"] = render_time(mark.seen_ms());
    people.push_back(std::move(shown));
    return people.size() < most;
  });
  return people;
}

json::array IssueRenderer::render_activities(const IssueRows& rows) {
  constexpr std::size_t most = 100;
  json::array activities(storage_);
  for (const auto& activity : activities_of(reader_, rows.issue.id(), most)) {
    activities.push_back(render_activity(reader_, activity));
  }
  activities.push_back(json::object{{"id", "0"},
                                    {"type", "first_seen"},
                                    {"user", nullptr},
                                    {"sentry_app", nullptr},
                                    {"dateCreated", render_time(rows.issue.first_seen_ms())},
                                    {"data", json::object()}});
  return activities;
}

json::value IssueRenderer::render_release_of(std::string_view version) {
  if (version.empty()) return nullptr;
  const auto release = find_row<schema::Release>(reader_, Table::releases, release_key(call_.organization->id(), version));
  if (!release) return nullptr;
  return render_release(reader_, call_, *release);
}

json::object IssueRenderer::render_details(const IssueRows& rows, bool with_stats, bool with_tags, bool with_releases) {
  auto json = render(rows, {.listed = false});
  json["activity"] = render_activities(rows);
  json["seenBy"] = render_people(rows.issue.id(), false);
  json["participants"] = render_people(rows.issue.id(), true);
  json["userReportCount"] = digest::count_user_reports(reader_, rows.issue.id());
  json["pluginActions"] = json::array();
  json["pluginIssues"] = json::array();
  json["pluginContexts"] = json::array();
  if (with_releases) {
    json["firstRelease"] = render_release_of(rows.issue.first_release());
    json["lastRelease"] = render_release_of(rows.counters.last_release());
  }
  if (with_tags) json["tags"] = render_tag_summaries(reader_, rows.issue.id(), 0);
  if (with_stats) {
    json::object stats;
    stats["24h"] = hourly(rows.counters, now_, 24);
    stats["30d"] = daily(rows.counters, now_, 30);
    json["stats"] = std::move(stats);
  }
  return json;
}

}  // namespace picket::rest

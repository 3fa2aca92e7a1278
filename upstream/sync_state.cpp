#include "upstream/sync_state.h"

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace picket::upstream {
namespace {

namespace json = boost::json;
using buffer::find_row;
using buffer::IssuePart;
using buffer::Key;
using buffer::Table;

// Of schema::Issue: status, substatus and priority are stored as numbers that never change.
std::string_view status_word(std::uint32_t number) {
  return number == 1 ? "resolved" : number == 2 ? "ignored" : "unresolved";
}
std::string_view substatus_word(std::uint32_t number) {
  switch (number) {
    case 1: return "archived_until_escalating";
    case 4: return "archived_until_condition_met";
    case 5: return "archived_forever";
    default: return "";
  }
}
std::string_view priority_word(std::uint32_t number) {
  return number >= 75 ? "high" : number >= 50 ? "medium" : number > 0 ? "low" : "";
}

std::string_view text_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lowered;
}

// Of a commit Sentry shows all it knows; it takes its id and its repository's name.
std::optional<json::value> commit_of(const json::value& value) {
  const auto* shown = value.if_object();
  if (!shown) return std::nullopt;
  auto commit = text_member(*shown, "commit");
  if (commit.empty()) commit = text_member(*shown, "id");
  auto repository = text_member(*shown, "repository");
  if (const auto* named = shown->if_contains("repository"); named && named->is_object()) repository = text_member(named->get_object(), "name");
  if (commit.empty() || repository.empty()) return std::nullopt;
  return json::object{{"commit", commit}, {"repository", repository}};
}

json::object known_details(const json::object& given) {
  json::object details;
  for (const std::string_view name : {"inNextRelease", "inUpcomingRelease"}) {
    const auto* flag = given.if_contains(name);
    if (flag && flag->is_bool() && flag->get_bool()) details[name] = true;
  }
  for (const std::string_view name : {"inRelease", "ignoreUntil"}) {
    if (const auto text = text_member(given, name); !text.empty() && text.size() <= 250) details[name] = text;
  }
  for (const std::string_view name : {"ignoreCount", "ignoreWindow", "ignoreUserCount", "ignoreUserWindow"}) {
    const auto* number = given.if_contains(name);
    if (number && number->is_int64() && number->get_int64() > 0) details[name] = *number;
  }
  if (const auto* commit = given.if_contains("inCommit")) {
    if (auto known = commit_of(*commit)) details["inCommit"] = *std::move(known);
  }
  return details;
}

json::object parse_details(const std::string& text) {
  json::error_code error;
  const auto value = text.empty() ? json::value(nullptr) : json::parse(text, error);
  return !error && value.is_object() ? known_details(value.get_object()) : json::object();
}

std::string resolved_text(const json::object& details) {
  for (const std::string_view name : {"inNextRelease", "inUpcomingRelease"}) {
    if (details.contains(name)) return "resolved " + std::string(name);
  }
  if (const auto release = text_member(details, "inRelease"); !release.empty()) return "resolved inRelease " + std::string(release);
  return "resolved";
}

std::string ignored_text(const std::string& substatus, const json::object& details) {
  if (substatus == "archived_until_escalating") return "ignored until escalating";
  const auto until = relay::parse_timestamp(text_member(details, "ignoreUntil"));
  if (until) return "ignored until " + std::to_string(*until / 1'000);
  // How many are still missing goes down on either side at its own pace.
  return details.empty() || substatus == "archived_forever" ? "ignored forever" : "ignored until condition";
}

void read_assignee(const buffer::Reader& reader, const schema::Issue& issue, IssueWords& words) {
  if (issue.assigned_user() != 0) {
    const auto user = find_row<schema::User>(reader, Table::users, Key().u64(issue.assigned_user()));
    if (user) words.email = lower(user->email().empty() ? user->username() : user->email());
  } else if (issue.assigned_team() != 0) {
    const auto team = find_row<schema::Team>(reader, Table::teams, Key().u64(issue.assigned_team()));
    if (team) words.team = team->slug();
  }
}

void parse_assignee(const json::object& issue, IssueWords& words) {
  const auto* value = issue.if_contains("assignedTo");
  const auto* assignee = value ? value->if_object() : nullptr;
  if (!assignee) return;
  if (text_member(*assignee, "type") == "team") {
    words.team = text_member(*assignee, "name");
    if (words.team.starts_with('#')) words.team.erase(0, 1);
    return;
  }
  const auto email = text_member(*assignee, "email");
  words.email = lower(email.empty() ? text_member(*assignee, "name") : email);
}

struct Happening {
  IssuePart part = IssuePart::status;
  bool automatic = false;
};
std::optional<Happening> happening_of(const json::object& activity) {
  const auto type = text_member(activity, "type");
  const auto* data = activity.if_contains("data");
  if (type == "assigned" || type == "unassigned") {
    const bool by_rule = data && data->is_object() && !text_member(data->get_object(), "integration").empty();
    return Happening{IssuePart::assignee, by_rule};
  }
  if (type == "set_regression" || type == "set_escalating" || type == "set_resolved_by_age") return Happening{IssuePart::status, true};
  if (type.starts_with("set_resolved") || type == "set_unresolved" || type == "set_ignored") return Happening{IssuePart::status, false};
  return std::nullopt;
}

void parse_times(const json::object& issue, RemoteIssue& remote) {
  const auto at = [&](IssuePart part) -> PartThere& { return remote.parts[static_cast<std::size_t>(part)]; };
  at(IssuePart::priority).changed_ms = relay::parse_timestamp(text_member(issue, "priorityLockedAt")).value_or(0);
  const auto* activities = issue.if_contains("activity");
  if (!activities || !activities->is_array()) return;
  remote.has_times = true;
  for (const auto& entry : activities->get_array()) {
    const auto* activity = entry.if_object();
    const auto happening = activity ? happening_of(*activity) : std::nullopt;
    if (!happening) continue;
    const auto ms = relay::parse_timestamp(text_member(*activity, "dateCreated")).value_or(0);
    auto& part = at(happening->part);
    if (ms <= part.changed_ms) continue;
    part.changed_ms = ms;
    part.automatic = happening->automatic;
  }
}

void parse_stamps(const json::object& issue, RemoteIssue& remote) {
  const auto* value = issue.if_contains("picketStamps");
  const auto* stamps = value ? value->if_object() : nullptr;
  if (!stamps) return;
  remote.has_stamps = true;
  for (const auto part : buffer::issue_parts) {
    auto stamp = buffer::parse_stamp(text_member(*stamps, buffer::part_name(part)));
    remote.parts[static_cast<std::size_t>(part)].stamp = stamp ? *std::move(stamp) : schema::Stamp();
  }
}

std::optional<std::string> render_status(const LocalIssue& issue, Time now, bool plain) {
  const auto& words = issue.words;
  json::object body{{"status", words.status}};
  if (words.status == "unresolved") body["substatus"] = "ongoing";
  if (words.status == "resolved" && !plain && !words.details.empty()) body["statusDetails"] = words.details;
  if (words.status == "ignored") {
    auto details = words.details;
    details.erase("ignoreUntil");
    if (const auto until = relay::parse_timestamp(text_member(words.details, "ignoreUntil"))) {
      const auto left_ms = *until - to_ms(now);
      if (left_ms <= 0) return std::nullopt;
      details["ignoreDuration"] = (left_ms + 59'999) / 60'000;
    }
    body["substatus"] = words.substatus.empty() ? "archived_forever" : std::string_view(words.substatus);
    body["statusDetails"] = std::move(details);
  }
  return json::serialize(body);
}

}  // namespace

std::string IssueWords::text_of(IssuePart part) const {
  switch (part) {
    case IssuePart::status:
      if (status == "resolved") return resolved_text(details);
      return status == "ignored" ? ignored_text(substatus, details) : status;
    case IssuePart::assignee:
      if (!email.empty()) return "user " + email;
      return team.empty() ? "" : "team " + team;
    case IssuePart::priority: return priority;
  }
  std::abort();
}

PartHere LocalIssue::part(IssuePart part) const {
  return {words.text_of(part), stamps[static_cast<std::size_t>(part)]};
}

std::optional<LocalIssue> read_local(const buffer::Reader& reader, std::uint64_t id) {
  const auto row = find_row<schema::Issue>(reader, Table::issues, Key().u64(id));
  if (!row || row->merged_into() != 0) return std::nullopt;
  LocalIssue issue;
  issue.id = id;
  issue.project = row->project();
  issue.words.status = status_word(row->status());
  issue.words.substatus = substatus_word(row->substatus());
  issue.words.details = parse_details(row->status_details_json());
  read_assignee(reader, *row, issue.words);
  if (row->priority_locked_ms() != 0) issue.words.priority = priority_word(row->priority());
  for (const auto part : buffer::issue_parts) issue.stamps[static_cast<std::size_t>(part)] = buffer::stamp_of(*row, part);
  const auto add_event = [&](const std::string& raw) {
    auto hex = relay::render_hex(raw);
    if (raw.size() == 16 && std::find(issue.events.begin(), issue.events.end(), hex) == issue.events.end()) issue.events.push_back(std::move(hex));
  };
  if (const auto counters = find_row<schema::IssueCounters>(reader, Table::issue_counters, Key().u64(id))) {
    add_event(counters->last_event_id());
    issue.last_sequence = counters->last_sequence();
  }
  add_event(row->first_event_id());
  return issue;
}

Result<RemoteIssue> parse_remote(const json::value& value) {
  const auto* issue = value.if_object();
  if (!issue || text_member(*issue, "id").empty() || text_member(*issue, "status").empty()) {
    return Error{Fault::malformed, "what the API answered is no issue"};
  }
  RemoteIssue remote;
  remote.id = text_member(*issue, "id");
  remote.matching_event = lower(text_member(*issue, "matchingEventId"));
  std::erase(remote.matching_event, '-');
  auto& words = remote.words;
  words.status = text_member(*issue, "status");
  if (words.status == "ignored") words.substatus = text_member(*issue, "substatus");
  if (const auto* details = issue->if_contains("statusDetails"); details && details->is_object()) {
    words.details = known_details(details->get_object());
  }
  parse_assignee(*issue, words);
  if (!text_member(*issue, "priorityLockedAt").empty()) words.priority = text_member(*issue, "priority");
  parse_times(*issue, remote);
  parse_stamps(*issue, remote);
  for (const auto part : buffer::issue_parts) remote.parts[static_cast<std::size_t>(part)].value = words.text_of(part);
  return remote;
}

std::optional<std::string> render_change(const LocalIssue& issue, IssuePart part, Time now, std::string_view team_id, bool plain) {
  const auto& words = issue.words;
  switch (part) {
    case IssuePart::status: return render_status(issue, now, plain);
    case IssuePart::assignee:
      if (words.team.empty()) return json::serialize(json::object{{"assignedTo", words.email}});
      return json::serialize(json::object{{"assignedTo", "team:" + std::string(team_id)}});
    case IssuePart::priority:
      if (words.priority.empty()) return std::nullopt;
      return json::serialize(json::object{{"priority", words.priority}});
  }
  std::abort();
}

void add_part(schema::IssueWish& wish, const RemoteIssue& remote, IssuePart part, const SyncDecision& decision) {
  const auto& words = remote.words;
  switch (part) {
    case IssuePart::status:
      *wish.mutable_status_stamp() = decision.stamp;
      if (!decision.another) return;
      wish.set_status(words.status);
      wish.set_substatus(words.substatus);
      if (!words.details.empty()) wish.set_status_details_json(json::serialize(words.details));
      return;
    case IssuePart::assignee:
      *wish.mutable_assignee_stamp() = decision.stamp;
      wish.set_assignee_email(words.email);
      wish.set_assignee_team(words.team);
      return;
    case IssuePart::priority:
      *wish.mutable_priority_stamp() = decision.stamp;
      if (decision.another) wish.set_priority(words.priority);
      return;
  }
}

}  // namespace picket::upstream

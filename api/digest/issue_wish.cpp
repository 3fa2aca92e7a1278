#include "api/digest/issue_wish.h"

#include "api/digest/issue_decision.h"
#include "api/digest/issue_life.h"
#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/rows.h"
#include "relay/protocol/envelope.h"

#include <boost/json.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

namespace json = boost::json;
using buffer::find_row;
using buffer::IssuePart;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

json::object parse_details(const std::string& text) {
  json::error_code error;
  auto value = text.empty() ? json::value(nullptr) : json::parse(text, error);
  return !error && value.is_object() ? std::move(value.get_object()) : json::object();
}

std::uint64_t count_of(const json::object& details, std::string_view name, std::uint64_t most) {
  const auto* value = details.if_contains(name);
  if (!value) return 0;
  if (value->is_int64() && value->get_int64() > 0) return std::min(most, static_cast<std::uint64_t>(value->get_int64()));
  return value->is_uint64() ? std::min(most, value->get_uint64()) : 0;
}

ArchiveConditions conditions_of(const json::object& details) {
  constexpr std::uint64_t most_minutes = 7 * 24 * 60;
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  ArchiveConditions conditions;
  if (const auto* until = details.if_contains("ignoreUntil"); until && until->is_string()) {
    conditions.until_ms = relay::parse_timestamp(until->get_string()).value_or(0);
  }
  conditions.count = count_of(details, "ignoreCount", most);
  conditions.window_min = static_cast<std::uint32_t>(count_of(details, "ignoreWindow", most_minutes));
  conditions.users = count_of(details, "ignoreUserCount", most);
  conditions.user_window_min = static_cast<std::uint32_t>(count_of(details, "ignoreUserWindow", most_minutes));
  return conditions;
}

Substatus substatus_of(const schema::IssueWish& wish, Status status, const json::object& details) {
  if (status == Status::resolved) return Substatus::none;
  const auto named = parse_substatus(wish.substatus()).value_or(Substatus::none);
  if (status == Status::unresolved) return Substatus::ongoing;
  if (named == Substatus::archived_forever || named == Substatus::archived_until_escalating) return named;
  return details.empty() ? Substatus::archived_forever : Substatus::archived_until_condition_met;
}

class Granting {
 public:
  Granting(buffer::Batch& batch, schema::Issue issue, const schema::IssueWish& wish, Time now)
      : batch_(batch), issue_(std::move(issue)), wish_(wish), now_ms_(to_ms(now)) {}

  void run() {
    if (wish_.has_status_stamp()) set_state();
    if (wish_.has_assignee_stamp()) assign();
    if (wish_.has_priority_stamp()) set_priority();
    if (changed_) buffer::put_row(batch_, Table::issues, Key().u64(issue_.id()), issue_);
  }

 private:
  Deciding deciding(const schema::Stamp& stamp) { return {batch_, issue_, now_ms_, Elsewhere{stamp, wish_.origin()}}; }

  void note(const Deciding& made, std::string_view type, json::object data) {
    data["origin"] = wish_.origin();
    if (const auto& maker = made.elsewhere()->stamp.name(); !maker.empty()) data["madeAt"] = maker;
    put_activity(batch_, issue_.id(), type, made.at_ms(), json::serialize(data));
  }

  void set_state() {
    auto made = deciding(wish_.status_stamp());
    const auto status = parse_status(wish_.status());
    if (!status) {
      made.confirm(IssuePart::status);
      changed_ = changed_ || made.changed();
      return;
    }
    const auto details = parse_details(wish_.status_details_json());
    StateDecision decision;
    decision.status = *status;
    decision.substatus = substatus_of(wish_, *status, details);
    if (*status != Status::unresolved && !details.empty()) decision.details_json = json::serialize(details);
    if (*status == Status::ignored) decision.conditions = conditions_of(details);
    const bool another = made.set_state(decision);
    changed_ = changed_ || made.changed();
    if (!another) return;
    switch (*status) {
      case Status::unresolved: return note(made, "set_unresolved", {});
      case Status::ignored: return note(made, "set_ignored", details);
      case Status::resolved: break;
    }
    if (const auto* version = details.if_contains("inRelease")) return note(made, "set_resolved_in_release", {{"version", *version}});
    if (details.contains("inNextRelease") || details.contains("inUpcomingRelease")) {
      return note(made, "set_resolved_in_release", {{"version", ""}});
    }
    if (const auto* commit = details.if_contains("inCommit")) return note(made, "set_resolved_in_commit", {{"commit", *commit}});
    note(made, "set_resolved", {});
  }

  void assign() {
    auto made = deciding(wish_.assignee_stamp());
    std::uint64_t user = 0;
    std::uint64_t team = 0;
    if (!wish_.assignee_email().empty()) user = find_user();
    if (!wish_.assignee_team().empty()) team = find_team();
    const bool nobody = wish_.assignee_email().empty() && wish_.assignee_team().empty();
    if (!nobody && user == 0 && team == 0) {
      log(Level::info, "digest", "an upstream assigned an issue to somebody who is not known here",
          {{"issue", issue_.id()}, {"origin", wish_.origin()}});
      return;
    }
    const bool another = made.assign(user, team);
    changed_ = changed_ || made.changed();
    if (!another) return;
    if (nobody) return note(made, "unassigned", {});
    json::object data{{"assignee", std::to_string(user != 0 ? user : team)}, {"assigneeType", user != 0 ? "user" : "team"}};
    if (user != 0) data["assigneeEmail"] = wish_.assignee_email();
    note(made, "assigned", std::move(data));
  }

  void set_priority() {
    auto made = deciding(wish_.priority_stamp());
    const auto priority = parse_priority(wish_.priority());
    const bool another = priority && made.set_priority(*priority);
    if (!priority) made.confirm(IssuePart::priority);
    changed_ = changed_ || made.changed();
    if (another) note(made, "set_priority", {{"priority", wire_name(*priority)}, {"reason", "user_set"}});
  }

  std::uint64_t organization() const {
    const auto project = find_row<schema::Project>(batch_, Table::projects, Key().u64(issue_.project()));
    return project ? project->organization() : 0;
  }

  // A member of the issue's organization, by e-mail address.
  std::uint64_t find_user() const {
    const auto prefix = Key().u64(organization());
    auto cursor = batch_.cursor(Table::members);
    for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix.view()); there = cursor.next()) {
      const auto member = buffer::parse_row<schema::Member>(cursor.value());
      if (member.user() == 0) continue;
      const auto user = find_row<schema::User>(batch_, Table::users, Key().u64(member.user()));
      if (user && user->email() == wish_.assignee_email()) return user->id();
    }
    return 0;
  }

  // A team that has access to the issue's project, by slug.
  std::uint64_t find_team() const {
    constexpr std::uint8_t team_slugs = 3;  // Table::slugs
    const auto id = batch_.get(Table::slugs, Key().u8(team_slugs).u64(organization()).text(wish_.assignee_team()));
    if (!id) return 0;
    const auto team = KeyReader(*id).u64();
    return batch_.get(Table::team_projects, Key().u64(team).u64(issue_.project())) ? team : 0;
  }

  buffer::Batch& batch_;
  schema::Issue issue_;
  const schema::IssueWish& wish_;
  const std::int64_t now_ms_;
  bool changed_ = false;
};

// Follows merges.
std::optional<schema::Issue> find_issue(const buffer::Reader& reader, std::uint64_t id) {
  for (int merges = 0; merges < 8; ++merges) {
    auto issue = find_row<schema::Issue>(reader, Table::issues, Key().u64(id));
    if (!issue || issue->merged_into() == 0) return issue;
    id = issue->merged_into();
  }
  return std::nullopt;
}

}  // namespace

bool any_wish(const buffer::Reader& reader) {
  return reader.cursor(Table::issue_wishes).first();
}

void grant_wishes(buffer::Batch& batch, Time now, std::size_t most) {
  std::vector<std::pair<std::string, schema::IssueWish>> wishes;
  {
    auto cursor = batch.cursor(Table::issue_wishes);
    for (bool there = cursor.first(); there && wishes.size() < most; there = cursor.next()) {
      wishes.emplace_back(cursor.key(), buffer::parse_row<schema::IssueWish>(cursor.value()));
    }
  }
  for (const auto& [key, wish] : wishes) {
    batch.remove(Table::issue_wishes, key);
    if (auto issue = find_issue(batch, wish.issue())) Granting(batch, *std::move(issue), wish, now).run();
  }
}

}  // namespace picket::digest

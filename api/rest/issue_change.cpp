#include "api/rest/issue_change.h"

#include "api/query/people.h"
#include "api/query/tag_terms.h"
#include "api/rest/changes.h"
#include "api/rest/release_rows.h"
#include "api/rest/render.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::Table;
using digest::Status;
using digest::Substatus;

// Reads one body; gathers what is wrong with it.
class Reading {
 public:
  Reading(const buffer::Reader& reader, const Call& call, const std::vector<std::uint64_t>& projects, Time now)
      : reader_(reader), call_(call), projects_(projects), now_(now), fields_(call) {}

  std::variant<IssueChange, Reply> read() {
    read_state();
    read_assignee();
    if (const auto word = fields_.text("priority")) {
      change_.priority = digest::parse_priority(*word);
      if (!change_.priority) not_a_choice("priority", *word);
    }
    change_.seen = fields_.flag("hasSeen");
    change_.bookmarked = fields_.flag("isBookmarked");
    change_.subscribed = fields_.flag("isSubscribed");
    change_.is_public = fields_.flag("isPublic");
    change_.inbox = fields_.flag("inbox");
    for (const auto name : {"merge", "discard"}) {
      const auto* value = call_.field(name);
      const bool asked = value && ((value->is_bool() && value->get_bool()) || (value->is_int64() && value->get_int64() != 0));
      if (asked) fields_.fail(name, "Not supported by this server.");
    }
    if (auto refusal = fields_.refusal()) return *std::move(refusal);
    if (change_.names_release() && projects_.size() > 1) return refuse_several_projects();
    return std::move(change_);
  }

 private:
  void not_a_choice(std::string_view field, std::string_view word) {
    fields_.fail(field, "\"" + std::string(word) + "\" is not a valid choice.");
  }

  void read_state() {
    const auto word = fields_.text("status");
    bool next_release = false;
    if (word) {
      next_release = *word == "resolvedInNextRelease";
      change_.status = next_release ? Status::resolved : digest::parse_status(*word);
      if (!change_.status) return not_a_choice("status", *word);
    }
    read_substatus();
    if (!change_.status) return;
    if (*change_.status == Status::resolved) read_resolution(next_release);
    if (*change_.status == Status::ignored) read_ignoring();
    if (change_.substatus != Substatus::none) return;
    switch (*change_.status) {
      case Status::unresolved: change_.substatus = Substatus::ongoing; break;
      case Status::resolved: break;
      case Status::ignored:
        change_.substatus = change_.details.empty() ? Substatus::archived_forever : Substatus::archived_until_condition_met;
        break;
    }
  }

  // A substatus implies its status.
  void read_substatus() {
    if (fields_.is_null("substatus")) return;
    const auto word = fields_.text("substatus");
    if (!word) return;
    const auto substatus = digest::parse_substatus(*word);
    if (!substatus) return not_a_choice("substatus", *word);
    const auto implied = word->starts_with("archived") ? Status::ignored : Status::unresolved;
    if (change_.status && *change_.status != implied) {
      return fields_.fail("substatus", "\"" + *word + "\" does not go with that status.");
    }
    change_.status = implied;
    change_.substatus = *substatus;
  }

  const json::object* details() const {
    const auto* value = call_.field("statusDetails");
    return value ? value->if_object() : nullptr;
  }

  void read_resolution(bool next_release) {
    const auto* given = details();
    const auto* in_next = given ? given->if_contains("inNextRelease") : nullptr;
    const auto* in_release = given ? given->if_contains("inRelease") : nullptr;
    const auto* in_commit = given ? given->if_contains("inCommit") : nullptr;
    if (in_release && in_release->is_string()) {
      read_release(std::string(in_release->get_string()));
    } else if (next_release || (in_next && in_next->is_bool() && in_next->get_bool())) {
      change_.details["inNextRelease"] = true;
    } else if (in_commit && !in_commit->is_null()) {
      const auto* object = in_commit->if_object();
      const auto* commit = object ? object->if_contains("commit") : nullptr;
      const auto* repository = object ? object->if_contains("repository") : nullptr;
      if (!commit || !commit->is_string() || !repository || !repository->is_string()) {
        return fields_.fail("statusDetails", "inCommit needs a commit and a repository.");
      }
      change_.details["inCommit"] = json::object{{"commit", *commit}, {"repository", *repository}};
    }
  }

  void read_release(std::string version) {
    const auto organization = call_.organization->id();
    if (version == "latest") {
      version = query::latest_release(reader_, {organization, projects_, 0, now_});
      if (version.empty()) return fields_.fail("statusDetails", "No release data present in the system.");
    }
    const bool known = reader_.get(Table::releases, release_key(organization, version)).has_value();
    if (!known) return fields_.fail("statusDetails", "Unable to find a release with the given version.");
    change_.details["inRelease"] = version;
  }

  // Minutes and counts, of statusDetails or (older clients) of the body itself.
  void read_ignoring() {
    static constexpr std::array<std::string_view, 5> names = {"ignoreDuration", "ignoreCount", "ignoreWindow",
                                                              "ignoreUserCount", "ignoreUserWindow"};
    constexpr std::int64_t most = 1'000'000'000;
    for (const auto name : names) {
      const auto* given = details();
      const auto* value = given ? given->if_contains(name) : nullptr;
      if (!value) value = call_.field(name);
      if (!value && name == "ignoreDuration") value = call_.field("snoozeDuration");
      if (!value || value->is_null()) continue;
      if (!value->is_int64() || value->get_int64() < 0 || value->get_int64() > most) {
        fields_.fail(name, "A valid integer is required.");
        continue;
      }
      if (value->get_int64() == 0) continue;
      if (name == "ignoreDuration") {
        change_.details["ignoreUntil"] = render_time(to_ms(now_) + value->get_int64() * 60'000);
      } else {
        change_.details[name] = value->get_int64();
      }
    }
  }

  void read_assignee() {
    const auto* value = call_.field("assignedTo");
    if (!value) return;
    std::string name;
    if (value->is_string()) name = std::string(value->get_string());
    if (value->is_int64()) name = std::to_string(value->get_int64());
    if (name.empty()) {
      if (!value->is_null() && !value->is_string()) return fields_.fail("assignedTo", "Not a valid string.");
      change_.assignee = Assignee{};
      change_.assignee_shown = nullptr;
      return;
    }
    if (name.starts_with("team:") || name.starts_with('#')) return assign_team(name.substr(name.front() == '#' ? 1 : 5));
    if (name.starts_with("user:")) name = name.substr(5);
    const auto user = query::find_member_user(reader_, call_.organization->id(), name);
    if (!user) return fields_.fail("assignedTo", "No member of the organization goes by this name.");
    change_.assignee = Assignee{.user = user->id(), .team = 0};
    change_.assignee_shown = json::object{{"type", "user"},
                                          {"id", std::to_string(user->id())},
                                          {"name", user->name().empty() ? user->username() : user->name()},
                                          {"email", user->email()}};
  }

  void assign_team(std::string_view name) {
    const auto team = query::find_team(reader_, call_.organization->id(), name);
    if (!team) return fields_.fail("assignedTo", "No team of the organization goes by this name.");
    for (const auto project : projects_) {
      if (reader_.get(Table::team_projects, Key().u64(team->id()).u64(project))) continue;
      return fields_.fail("assignedTo", "The team has no access to the issue's project.");
    }
    change_.assignee = Assignee{.user = 0, .team = team->id()};
    change_.assignee_shown = json::object{{"type", "team"}, {"id", std::to_string(team->id())}, {"name", team->slug()}};
  }

  Reply refuse_several_projects() const {
    const std::string_view what = change_.details.contains("inNextRelease") ? "next release"
                                  : change_.details.contains("inCommit")    ? "commit"
                                                                            : "release";
    return Reply::error(400, "Cannot set resolved in " + std::string(what) + " for multiple projects.");
  }

  const buffer::Reader& reader_;
  const Call& call_;
  const std::vector<std::uint64_t>& projects_;
  const Time now_;
  Fields fields_;
  IssueChange change_;
};

// Applies one change to one issue's row; every difference leaves an activity.
class Applying {
 public:
  Applying(buffer::Batch& batch, schema::Issue issue, const Call& call, Time now)
      : batch_(batch), issue_(std::move(issue)), user_(call.caller.user ? call.caller.user->id() : 0), now_ms_(to_ms(now)) {}

  void run(const IssueChange& change) {
    if (change.status) set_state(change);
    if (change.assignee) assign(change);
    if (change.priority && issue_.priority() != static_cast<std::uint32_t>(*change.priority)) {
      issue_.set_priority(static_cast<std::uint32_t>(*change.priority));
      note("set_priority", {{"priority", digest::wire_name(*change.priority)}, {"reason", "user_set"}});
    }
    if (change.is_public && issue_.is_public() != *change.is_public) {
      issue_.set_is_public(*change.is_public);
      if (*change.is_public && issue_.share_id().empty()) issue_.set_share_id(random_hex(16));
      note(*change.is_public ? "set_public" : "set_private", {});
    }
    // Somebody without an account has no marks.
    if (user_ != 0 && (change.seen || change.bookmarked || change.subscribed || change.assignee)) mark(change);
    if (changed_) buffer::put_row(batch_, Table::issues, Key().u64(issue_.id()), issue_);
  }

 private:
  void note(std::string_view type, const json::object& data) {
    changed_ = true;
    schema::Activity activity;
    activity.set_type(std::string(type));
    activity.set_at_ms(now_ms_);
    activity.set_user(user_);
    activity.set_data_json(json::serialize(data));
    add_activity(batch_, issue_.id(), std::move(activity));
  }

  void set_state(const IssueChange& change) {
    const auto details = change.details.empty() ? std::string() : json::serialize(change.details);
    const auto status = static_cast<std::uint32_t>(*change.status);
    const auto substatus = static_cast<std::uint32_t>(change.substatus);
    const bool same = issue_.status() == status && issue_.status_details_json() == details;
    // An unresolved issue that is unresolved again stays new, or regressed.
    if (same && (issue_.substatus() == substatus || *change.status == Status::unresolved)) return;
    issue_.set_status(status);
    issue_.set_substatus(substatus);
    issue_.set_status_details_json(details);
    issue_.set_resolved_ms(*change.status == Status::resolved ? now_ms_ : 0);
    switch (*change.status) {
      case Status::unresolved: return note("set_unresolved", {});
      case Status::ignored: return note("set_ignored", change.details);
      case Status::resolved: break;
    }
    if (const auto* version = change.details.if_contains("inRelease")) return note("set_resolved_in_release", {{"version", *version}});
    if (change.details.contains("inNextRelease")) return note("set_resolved_in_release", {{"version", ""}});
    if (const auto* commit = change.details.if_contains("inCommit")) return note("set_resolved_in_commit", {{"commit", *commit}});
    note("set_resolved", {});
  }

  void assign(const IssueChange& change) {
    if (issue_.assigned_user() == change.assignee->user && issue_.assigned_team() == change.assignee->team) return;
    issue_.set_assigned_user(change.assignee->user);
    issue_.set_assigned_team(change.assignee->team);
    issue_.set_assigned_ms(now_ms_);
    const auto* shown = change.assignee_shown.if_object();
    if (!shown) return note("unassigned", {});
    json::object data{{"assignee", shown->at("id")}, {"assigneeType", shown->at("type")}};
    if (const auto* email = shown->if_contains("email")) data["assigneeEmail"] = *email;
    note("assigned", data);
  }

  void mark(const IssueChange& change) {
    const auto key = Key().u64(issue_.id()).u64(user_);
    auto mark = find_row<schema::IssueMark>(batch_, Table::issue_marks, key).value_or(schema::IssueMark());
    if (change.seen) mark.set_seen_ms(*change.seen ? now_ms_ : 0);
    if (change.bookmarked) mark.set_bookmarked(*change.bookmarked);
    if (change.subscribed) mark.set_subscribed(*change.subscribed);
    if (change.assignee && change.assignee->user == user_ && !change.subscribed) mark.set_subscribed(true);
    buffer::put_row(batch_, Table::issue_marks, key, mark);
  }

  buffer::Batch& batch_;
  schema::Issue issue_;
  const std::uint64_t user_;
  const std::int64_t now_ms_;
  bool changed_ = false;
};

}  // namespace

std::variant<IssueChange, Reply> parse_issue_change(const buffer::Reader& reader, const Call& call,
                                                    const std::vector<std::uint64_t>& projects, Time now) {
  return Reading(reader, call, projects, now).read();
}

void apply_issue_change(buffer::Batch& batch, const IssueChange& change, schema::Issue issue, const Call& call, Time now) {
  Applying(batch, std::move(issue), call, now).run(change);
}

json::object render_issue_change(const buffer::Reader& reader, const IssueChange& change, const Call& call,
                                 const std::optional<schema::Issue>& issue) {
  json::object answer;
  if (change.status) {
    answer["status"] = digest::wire_name(*change.status);
    auto details = change.details;
    if (!details.empty() && call.caller.user) details["actor"] = render_user(*call.caller.user);
    answer["statusDetails"] = std::move(details);
    if (change.substatus != Substatus::none) answer["substatus"] = digest::wire_name(change.substatus);
  }
  if (change.assignee) answer["assignedTo"] = change.assignee_shown;
  if (change.priority) answer["priority"] = digest::wire_name(*change.priority);
  if (change.seen) answer["hasSeen"] = *change.seen;
  if (change.bookmarked) answer["isBookmarked"] = *change.bookmarked;
  if (change.subscribed) {
    answer["isSubscribed"] = *change.subscribed;
    answer["subscriptionDetails"] = *change.subscribed ? json::object{{"reason", "unknown"}} : json::object{{"disabled", false}};
  }
  if (change.is_public) {
    answer["isPublic"] = *change.is_public;
    if (*change.is_public && issue) answer["shareId"] = issue->share_id();
  }
  if (change.inbox) answer["inbox"] = *change.inbox;
  if (issue) {
    json::array activities;
    for (const auto& activity : activities_of(reader, issue->id(), 100)) activities.push_back(render_activity(reader, activity));
    answer["activity"] = std::move(activities);
  }
  return answer;
}

}  // namespace picket::rest

#include "api/rest/issue_change.h"

#include "api/digest/issue_life.h"
#include "api/query/people.h"
#include "api/query/tag_terms.h"
#include "api/rest/changes.h"
#include "api/rest/release_rows.h"
#include "api/rest/render.h"

#include <algorithm>
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
    const auto asks = [&](std::string_view name) {
      const auto* flag = given ? given->if_contains(name) : nullptr;
      return flag && flag->is_bool() && flag->get_bool();
    };
    const auto* in_release = given ? given->if_contains("inRelease") : nullptr;
    const auto* in_commit = given ? given->if_contains("inCommit") : nullptr;
    if (in_release && in_release->is_string()) {
      read_release(std::string(in_release->get_string()));
    } else if (next_release || asks("inNextRelease")) {
      change_.details["inNextRelease"] = true;
      change_.resolved_after = current_release();
    } else if (asks("inUpcomingRelease")) {
      change_.details["inUpcomingRelease"] = true;
      change_.resolved_after = current_release();
    } else if (in_commit && !in_commit->is_null()) {
      read_commit(*in_commit);
    }
  }

  // Resolved at once; tied to the newest release that has the commit, if one does.
  void read_commit(const json::value& value) {
    const auto* object = value.if_object();
    const auto* commit = object ? object->if_contains("commit") : nullptr;
    const auto* repository = object ? object->if_contains("repository") : nullptr;
    if (!commit || !commit->is_string() || commit->get_string().empty() || !repository || !repository->is_string()) {
      return fields_.fail("statusDetails", "inCommit needs a commit and a repository.");
    }
    change_.details["inCommit"] = json::object{{"commit", *commit}, {"repository", *repository}};
    std::int64_t newest_ms = -1;
    for_each_release([&](const schema::Release& release) {
      const auto at_ms = release_time(release);
      if (at_ms <= newest_ms || !has_commit(release, commit->get_string())) return;
      newest_ms = at_ms;
      change_.resolved_after = release.version();
    });
  }

  static bool has_commit(const schema::Release& release, std::string_view id) {
    // Most releases are passed over without reading their list.
    if (release.commits_json().find(id) == std::string::npos) return false;
    for (const auto& each : parse_list(release.commits_json())) {
      const auto* commit = each.if_object();
      const auto* own = commit ? commit->if_contains("id") : nullptr;
      if (own && own->is_string() && own->get_string() == id) return true;
    }
    return false;
  }

  // Of the only project that is changed.
  template <class Use>
  void for_each_release(const Use& use) const {
    if (projects_.size() != 1) return;
    const auto organization = call_.organization->id();
    for_each(reader_, Table::releases, Key().u64(organization), [&](std::string_view, std::string_view value) {
      const auto release = buffer::parse_row<schema::Release>(value);
      const auto key = release_project_key(organization, release.version(), projects_.front());
      if (reader_.get(Table::release_projects, key)) use(release);
      return true;
    });
  }

  // What the next release comes after: the greatest version when the newest release has one, so that
  // a fix of an old line does not hide it; else the newest by time. "" while there is none.
  std::string current_release() const {
    std::string newest;
    std::string greatest;
    std::int64_t newest_ms = -1;
    for_each_release([&](const schema::Release& release) {
      const auto at_ms = release_time(release);
      if (at_ms > newest_ms) {
        newest_ms = at_ms;
        newest = release.version();
      }
      if (!digest::compare_versions(release.version(), release.version())) return;
      if (digest::compare_versions(release.version(), greatest).value_or(1) > 0) greatest = release.version();
    });
    return digest::compare_versions(newest, newest) ? greatest : newest;
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

  // Minutes and counts, of statusDetails or (older clients) of the body itself; 0 when not given.
  std::int64_t archive_number(std::string_view name, std::int64_t most) {
    const auto* given = details();
    const auto* value = given ? given->if_contains(name) : nullptr;
    if (!value) value = call_.field(name);
    if (!value && name == "ignoreDuration") value = call_.field("snoozeDuration");
    if (!value || value->is_null()) return 0;
    if (!value->is_int64() || value->get_int64() < 0) {
      fields_.fail(name, "A valid integer is required.");
      return 0;
    }
    if (value->get_int64() > most) {
      fields_.fail(name, "Ensure this value is less than or equal to " + std::to_string(most) + ".");
      return 0;
    }
    return value->get_int64();
  }

  void read_ignoring() {
    constexpr std::int64_t most = 1'000'000'000;
    constexpr std::int64_t most_window = 7 * 24 * 60;
    auto& conditions = change_.conditions;
    const auto number = [&](std::string_view name, std::int64_t bound) {
      const auto value = archive_number(name, bound);
      if (value != 0 && name != "ignoreDuration") change_.details[name] = value;
      return value;
    };
    if (const auto minutes = number("ignoreDuration", most)) {
      conditions.until_ms = to_ms(now_) + minutes * 60'000;
      change_.details["ignoreUntil"] = render_time(conditions.until_ms);
    }
    conditions.count = static_cast<std::uint64_t>(number("ignoreCount", most));
    conditions.window_min = static_cast<std::uint32_t>(number("ignoreWindow", most_window));
    conditions.users = static_cast<std::uint64_t>(number("ignoreUserCount", most));
    conditions.user_window_min = static_cast<std::uint32_t>(number("ignoreUserWindow", most_window));
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
    const std::string_view what = change_.details.contains("inNextRelease")       ? "next release"
                                  : change_.details.contains("inUpcomingRelease") ? "upcoming release"
                                  : change_.details.contains("inCommit")          ? "commit"
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
      issue_.set_priority_locked_ms(now_ms_);
      note("set_priority", {{"priority", digest::wire_name(*change.priority)}, {"reason", "user_set"}});
    }
    if (change.is_public && issue_.is_public() != *change.is_public) {
      share(*change.is_public);
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
    digest::forget_archive(batch_, issue_);
    issue_.set_status(status);
    issue_.set_substatus(substatus);
    issue_.set_status_details_json(details);
    issue_.set_status_user(*change.status == Status::unresolved ? 0 : user_);
    issue_.set_resolved_ms(*change.status == Status::resolved ? now_ms_ : 0);
    issue_.set_resolved_after(change.resolved_after);
    if (*change.status == Status::ignored) archive(change);
    const bool recent = change.substatus == Substatus::regressed || change.substatus == Substatus::escalating;
    if (*change.status == Status::unresolved && recent) digest::begin_recent(batch_, issue_, now_ms_);
    switch (*change.status) {
      case Status::unresolved: return note("set_unresolved", {});
      case Status::ignored: return note("set_ignored", change.details);
      case Status::resolved: break;
    }
    if (const auto* version = change.details.if_contains("inRelease")) return note("set_resolved_in_release", {{"version", *version}});
    if (change.details.contains("inNextRelease") || change.details.contains("inUpcomingRelease")) {
      json::object data{{"version", ""}};
      if (!change.resolved_after.empty()) data["current_release_version"] = change.resolved_after;
      return note("set_resolved_in_release", data);
    }
    if (const auto* commit = change.details.if_contains("inCommit")) return note("set_resolved_in_commit", {{"commit", *commit}});
    note("set_resolved", {});
  }

  // A share id is good for one time of being public.
  void share(bool is_public) {
    issue_.set_is_public(is_public);
    if (!issue_.share_id().empty()) batch_.remove(Table::shares, Key().text(issue_.share_id()));
    issue_.clear_share_id();
    if (!is_public) return;
    issue_.set_share_id(random_hex(16));
    batch_.put(Table::shares, Key().text(issue_.share_id()), Key().u64(issue_.id()));
  }

  void archive(const IssueChange& change) {
    const auto counters = find_row<schema::IssueCounters>(batch_, Table::issue_counters, Key().u64(issue_.id()));
    digest::begin_archive(batch_, issue_, counters.value_or(schema::IssueCounters()), change.conditions, time_from_ms(now_ms_));
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
    if (change.subscribed) {
      mark.set_subscribed(*change.subscribed);
      mark.set_reason("unknown");
    } else if (change.assignee && change.assignee->user == user_ && !mark.subscribed()) {
      mark.set_subscribed(true);
      mark.set_reason("assigned");
    }
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

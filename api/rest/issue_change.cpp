#include "api/rest/issue_change.h"

#include "api/query/people.h"
#include "api/query/tag_terms.h"
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

}  // namespace

std::variant<IssueChange, Reply> parse_issue_change(const buffer::Reader& reader, const Call& call,
                                                    const std::vector<std::uint64_t>& projects, Time now) {
  return Reading(reader, call, projects, now).read();
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

// Doing to an issue what a PUT says.
#include "api/digest/issue_decision.h"
#include "api/rest/changes.h"
#include "api/rest/issue_change.h"

#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::Table;
using digest::Status;

// Another Picket tells what was decided there, and when.
std::optional<digest::Elsewhere> made_elsewhere(const Call& call) {
  auto stamp = buffer::parse_stamp(call.request.head.headers.find(buffer::stamp_header));
  if (!stamp) return std::nullopt;
  std::string origin = stamp->name().empty() ? stamp->origin() : stamp->name();
  return digest::Elsewhere{*std::move(stamp), std::move(origin)};
}

// Applies one change to one issue's row; every difference leaves an activity.
class Applying {
 public:
  Applying(buffer::Batch& batch, schema::Issue issue, const Call& call, Time now)
      : batch_(batch),
        issue_(std::move(issue)),
        user_(call.caller.user ? call.caller.user->id() : 0),
        deciding_(batch_, issue_, to_ms(now), made_elsewhere(call)) {}

  void run(const IssueChange& change) {
    if (change.status) set_state(change);
    if (change.assignee) assign(change);
    if (change.priority && deciding_.set_priority(*change.priority)) {
      note("set_priority", {{"priority", digest::wire_name(*change.priority)}, {"reason", "user_set"}});
    }
    if (change.is_public && issue_.is_public() != *change.is_public) {
      share(*change.is_public);
      note(*change.is_public ? "set_public" : "set_private", {});
    }
    // Somebody without an account has no marks.
    if (user_ != 0 && (change.seen || change.bookmarked || change.subscribed || change.assignee)) mark(change);
    if (changed_ || deciding_.changed()) buffer::put_row(batch_, Table::issues, Key().u64(issue_.id()), issue_);
  }

 private:
  void note(std::string_view type, json::object data) {
    if (const auto& elsewhere = deciding_.elsewhere()) data["origin"] = elsewhere->origin;
    changed_ = true;
    schema::Activity activity;
    activity.set_type(std::string(type));
    activity.set_at_ms(deciding_.at_ms());
    activity.set_user(user_);
    activity.set_data_json(json::serialize(data));
    add_activity(batch_, issue_.id(), std::move(activity));
  }

  void set_state(const IssueChange& change) {
    digest::StateDecision decision;
    decision.status = *change.status;
    decision.substatus = change.substatus;
    if (!change.details.empty()) decision.details_json = json::serialize(change.details);
    decision.conditions = change.conditions;
    decision.resolved_after = change.resolved_after;
    decision.user = user_;
    if (!deciding_.set_state(decision)) return;
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

  void assign(const IssueChange& change) {
    if (!deciding_.assign(change.assignee->user, change.assignee->team)) return;
    const auto* shown = change.assignee_shown.if_object();
    if (!shown) return note("unassigned", {});
    json::object data{{"assignee", shown->at("id")}, {"assigneeType", shown->at("type")}};
    if (const auto* email = shown->if_contains("email")) data["assigneeEmail"] = *email;
    note("assigned", data);
  }

  void mark(const IssueChange& change) {
    const auto key = Key().u64(issue_.id()).u64(user_);
    auto mark = find_row<schema::IssueMark>(batch_, Table::issue_marks, key).value_or(schema::IssueMark());
    if (change.seen) mark.set_seen_ms(*change.seen ? deciding_.at_ms() : 0);
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
  digest::Deciding deciding_;
  bool changed_ = false;
};

}  // namespace

void apply_issue_change(buffer::Batch& batch, const IssueChange& change, schema::Issue issue, const Call& call, Time now) {
  Applying(batch, std::move(issue), call, now).run(change);
}

}  // namespace picket::rest

// One issue's turn: found over there, looked at, taken or told, part by part.
#include "upstream/sync_peer.h"

#include "buffer/logger.h"
#include "upstream/answer.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {
namespace {

namespace json = boost::json;
using buffer::IssuePart;

constexpr std::string_view collapsed = "collapse=stats&collapse=lifetime&collapse=filtered&collapse=unhandled";

std::optional<json::value> parse(const std::string& body) {
  json::error_code error;
  auto value = json::parse(body, error);
  if (error) return std::nullopt;
  return value;
}

// The issue that is shown for an event. Without the event none was found, but others whose text looks
// like its id.
std::optional<RemoteIssue> issue_of_event(const std::string& body, const std::string& event) {
  const auto value = parse(body);
  const auto* issues = value ? value->if_array() : nullptr;
  if (!issues || issues->empty()) return std::nullopt;
  auto remote = parse_remote(issues->front());
  if (!remote || remote->matching_event != event) return std::nullopt;
  return *std::move(remote);
}

// A second, two, four … six hours.
Duration patience(std::uint32_t attempts) {
  constexpr Duration most = std::chrono::hours(6);
  return std::min<Duration>(most, std::chrono::seconds(std::int64_t{1} << std::min(attempts, 20U)));
}

}  // namespace

void SyncPeer::ask_for_issue(CURLM* multi) {
  const auto organization = "organizations/" + config_.api_organization + "/issues/";
  if (!visit_.link.remote().empty()) {
    return ask(multi, Step::look, {false, organization + percent_encoded(visit_.link.remote()) + "/?collapse=stats&collapse=tags&collapse=release", {}, {}});
  }
  const auto& events = visit_.local.events;
  if (events.empty()) return on_lost("it has no events to be found by");
  ask_by_event(multi, Step::find, events[visit_.link.attempts() % events.size()]);
}

void SyncPeer::ask_by_event(CURLM* multi, Step step, const std::string& event) {
  const auto project = std::to_string(routes_.project_there(visit_.local.project));
  ask(multi, step,
      {false, "organizations/" + config_.api_organization + "/issues/?query=" + event + "&project=" + project + "&" + std::string(collapsed), {}, {}});
}

void SyncPeer::on_found(CURLM* multi, const ApiAnswer& answer) {
  const auto& events = visit_.local.events;
  const auto& event = events[visit_.link.attempts() % events.size()];
  const auto remote = issue_of_event(answer.body, event);
  if (!remote) return on_lost("not found over there");
  visit_.link.set_remote(remote->id);
  if (event == events.front()) visit_.link.set_confirmed(visit_.local.last_sequence);
  visit_.link.set_attempts(0);
  reconcile(multi, *remote);
}

void SyncPeer::on_looked(CURLM* multi, const ApiAnswer& answer) {
  const auto value = parse(answer.body);
  auto remote = value ? parse_remote(*value) : Result<RemoteIssue>(Error{Fault::malformed, "what the API answered is no JSON"});
  if (!remote) return on_lost(remote.error().detail);
  remote->has_times = true;  // all there are
  visit_.link.set_remote(remote->id);  // another's, after a merge over there
  reconcile(multi, *remote);
}

// To be looked for again, ever more seldom.
void SyncPeer::on_lost(const std::string& error) {
  visit_.link.clear_remote();
  visit_.link.set_error(printable(error, 300));
  const auto pause = patience(visit_.link.attempts());
  visit_.link.set_attempts(visit_.link.attempts() + 1);
  visit_.kind = DueKind::look;
  const auto due = clock_.now() + pause;
  write([&](buffer::Batch& batch) { book_.put_link(batch, visit_.link, DueKind::look, due); });
}

void SyncPeer::take(schema::IssueLink& link, std::optional<schema::IssueWish>& wish, const RemoteIssue& remote, IssuePart part,
                    const SyncDecision& decision) {
  if (!wish) {
    wish.emplace();
    wish->set_issue(link.issue());
    wish->set_origin("upstream " + config_.name);
  }
  add_part(*wish, remote, part, decision);
  settle(mutable_part(link, part), remote.part(part).value, decision.stamp);
}

void SyncPeer::reconcile(CURLM* multi, const RemoteIssue& remote) {
  std::vector<std::pair<IssuePart, SyncDecision>> decisions;
  bool all_settled = true;
  for (const auto part : buffer::issue_parts) {
    auto decision = decide(visit_.local.part(part), remote.part(part), settled_of(linked_part(visit_.link, part)), mode_, tracker_);
    const bool same = visit_.local.part(part).value == remote.part(part).value;
    all_settled = all_settled && same;
    decisions.emplace_back(part, std::move(decision));
  }
  // A Sentry's list does not say when things were changed.
  if (!all_settled && !remote.has_stamps && !remote.has_times) return ask_for_issue(multi);
  for (const auto& [part, decision] : decisions) {
    switch (decision.verdict) {
      case SyncVerdict::tell: visit_.to_tell.push_back(part); break;
      case SyncVerdict::take:
        row_.set_taken(row_.taken() + (decision.another ? 1 : 0));
        take(visit_.link, visit_.wish, remote, part, decision);
        break;
      case SyncVerdict::settle:
        settle(mutable_part(visit_.link, part), remote.part(part).value, visit_.local.part(part).stamp);
        break;
    }
  }
  if (must_confirm()) return ask_by_event(multi, Step::confirm, visit_.local.events.front());
  tell_next(multi);
}

// It may have the event and not show it yet: one that it takes up after a resolution brings the issue back.
bool SyncPeer::must_confirm() const {
  const bool closes = visit_.local.words.status == "resolved" &&
                      std::find(visit_.to_tell.begin(), visit_.to_tell.end(), IssuePart::status) != visit_.to_tell.end();
  return closes && !visit_.local.events.empty() && visit_.link.confirmed() < visit_.local.last_sequence;
}

void SyncPeer::on_confirmed(CURLM* multi, const ApiAnswer& answer) {
  constexpr unsigned most_attempts = 5;  // half a minute: what is not there by then has been dropped
  const bool there = issue_of_event(answer.body, visit_.local.events.front()).has_value();
  if (!there && visit_.link.attempts() < most_attempts) {
    visit_.kind = DueKind::changed;
    return postpone(patience(visit_.link.attempts()), "its latest event is not there yet");
  }
  visit_.link.set_confirmed(visit_.local.last_sequence);
  tell_next(multi);
}

void SyncPeer::tell_next(CURLM* multi) {
  const auto organization = "organizations/" + config_.api_organization + "/";
  while (!visit_.to_tell.empty()) {
    const auto part = visit_.to_tell.front();
    const auto& team = visit_.local.words.team;
    if (part == IssuePart::assignee && !team.empty() && visit_.team_id.empty()) {
      return ask(multi, Step::team, {false, "teams/" + config_.api_organization + "/" + percent_encoded(team) + "/", {}, {}});
    }
    auto body = render_change(visit_.local, part, clock_.now(), visit_.team_id, visit_.plain);
    auto stamp = visit_.local.part(part).stamp;
    if (!body) {
      auto& linked = mutable_part(visit_.link, part);
      settle(linked, std::string(linked.there()), stamp);
      visit_.to_tell.pop_front();
      continue;
    }
    if (stamp.origin().empty()) stamp.set_origin(buffer::find_instance(tables_.snapshot()));
    if (stamp.name().empty()) stamp.set_name(options_.own_name);
    const auto text = stamp.origin().empty() ? std::string() : buffer::render_stamp(stamp);
    return ask(multi, Step::tell, {true, organization + "issues/" + percent_encoded(visit_.link.remote()) + "/", *std::move(body), text});
  }
  finish();
}

void SyncPeer::on_team(CURLM* multi, const ApiAnswer& answer) {
  const auto value = parse(answer.body);
  const auto* team = value ? value->if_object() : nullptr;
  const auto* id = team ? team->if_contains("id") : nullptr;
  if (!id || !id->is_string() || id->get_string().empty()) return on_refused(multi, "there is no such team over there");
  visit_.team_id = std::string(id->get_string());
  tell_next(multi);
}

void SyncPeer::on_told(CURLM* multi, const ApiAnswer& answer) {
  const auto part = visit_.to_tell.front();
  const auto here = visit_.local.part(part);
  visit_.to_tell.pop_front();
  row_.set_told(row_.told() + 1);
  auto& linked = mutable_part(visit_.link, part);
  const auto value = parse(answer.body);
  const auto remote = value ? parse_remote(*value) : Result<RemoteIssue>(Error{Fault::malformed, "no JSON"});
  settle(linked, remote ? remote->part(part).value : here.value, here.stamp);
  // Somebody over there was later than that.
  if (remote && remote->has_stamps) {
    const auto decision = decide(here, remote->part(part), settled_of(linked), mode_, tracker_);
    if (decision.verdict == SyncVerdict::take) {
      row_.set_taken(row_.taken() + (decision.another ? 1 : 0));
      take(visit_.link, visit_.wish, *remote, part, decision);
    }
  }
  tell_next(multi);
}

// It will never take this change; the issue here stays as it is.
void SyncPeer::on_refused(CURLM* multi, const std::string& reason) {
  const auto part = visit_.to_tell.front();
  const bool of_release = part == IssuePart::status && visit_.local.words.status == "resolved" && !visit_.local.words.details.empty();
  if (of_release && !visit_.plain) {
    visit_.plain = true;  // without a release that it does not know
    return tell_next(multi);
  }
  log(Level::info, "upstream", "a change of an issue is refused",
      {{"destination", config_.name}, {"issue", visit_.local.id}, {"part", buffer::part_name(part)}, {"reason", reason}});
  visit_.refusal = std::string(buffer::part_name(part)) + ": " + reason;
  row_.set_refused(row_.refused() + 1);
  auto& linked = mutable_part(visit_.link, part);
  settle(linked, std::string(linked.there()), visit_.local.part(part).stamp);
  visit_.to_tell.pop_front();
  tell_next(multi);
}

void SyncPeer::finish() {
  visit_.link.set_attempts(0);
  visit_.link.set_error(printable(visit_.refusal, 300));
  write([&](buffer::Batch& batch) {
    book_.put_link(batch, visit_.link, DueKind::nothing, {});
    if (visit_.wish) put_wish(batch, *visit_.wish);
  });
}

// Its turn comes again by itself; what of it was told is told.
void SyncPeer::postpone(Duration pause, std::string_view why) {
  visit_.link.set_attempts(visit_.link.attempts() + 1);
  visit_.link.set_error(std::string(why));
  const auto due = clock_.now() + pause;
  write([&](buffer::Batch& batch) {
    book_.put_link(batch, visit_.link, visit_.kind, due);
    if (visit_.wish) put_wish(batch, *visit_.wish);
  });
}

}  // namespace picket::upstream

// The round over all issues that are linked, a hundred at a time: what was changed over there.
#include "upstream/sync_peer.h"

#include "buffer/logger.h"

#include <map>
#include <utility>

namespace picket::upstream {
namespace {

namespace json = boost::json;

constexpr std::size_t issues_at_once = 100;
// Until an issue that is gone over there is looked for again: an event may bring it back.
constexpr Duration gone_for = std::chrono::hours(1);

std::map<std::string, RemoteIssue> parse_issues(const std::string& body) {
  std::map<std::string, RemoteIssue> issues;
  json::error_code error;
  const auto value = json::parse(body, error);
  if (error || !value.is_array()) return issues;
  for (const auto& entry : value.get_array()) {
    auto issue = parse_remote(entry);
    if (issue) issues.emplace(issue->id, *std::move(issue));
  }
  return issues;
}

bool differs(const schema::IssueLink& link, const RemoteIssue& remote) {
  for (const auto part : buffer::issue_parts) {
    const auto& linked = linked_part(link, part);
    if (!linked.seen() || linked.there() != remote.part(part).value) return true;
  }
  return false;
}

}  // namespace

void SyncPeer::end_round() {
  row_.set_looked_at(0);
  dirty_ = true;
  next_round_ = Steady::now() + config_.status_interval;
}

bool SyncPeer::begin_round(CURLM* multi) {
  std::vector<std::uint64_t> gone;
  std::string groups;
  std::size_t passed = 0;
  round_.clear();
  round_last_ = row_.looked_at();
  {
    const auto snapshot = tables_.snapshot();
    for (auto& link : book_.links_after(snapshot, row_.looked_at(), issues_at_once)) {
      ++passed;
      round_last_ = link.issue();
      if (!read_local(snapshot, link.issue())) {
        gone.push_back(link.issue());
        continue;
      }
      if (link.remote().empty() || !mode_.receives) continue;
      groups += "&group=" + percent_encoded(link.remote());
      round_.push_back(std::move(link));
    }
  }
  round_ends_ = passed < issues_at_once;
  if (!gone.empty()) {
    const bool written = write([&](buffer::Batch& batch) {
      for (const auto id : gone) book_.remove_link(batch, id);
    });
    if (!written) return false;
  }
  if (round_.empty()) {
    row_.set_looked_at(round_last_);
    if (round_ends_) end_round();
    return !round_ends_;
  }
  allowance_ -= 1;
  ask(multi, Step::round,
      {false,
       "organizations/" + config_.api_organization +
           "/issues/?project=-1&limit=100&collapse=stats&collapse=lifetime&collapse=filtered&collapse=unhandled" + groups,
       {},
       {}});
  return true;
}

void SyncPeer::on_round(const ApiAnswer& answer) {
  const auto remotes = parse_issues(answer.body);
  const auto now = clock_.now();
  struct Next {
    schema::IssueLink link;
    DueKind kind = DueKind::nothing;
    Time due{};
  };
  std::vector<Next> next;
  std::vector<schema::IssueWish> wishes;
  std::uint64_t taken = 0;
  {
    const auto snapshot = tables_.snapshot();
    for (auto& link : round_) {
      const auto local = read_local(snapshot, link.issue());
      if (!local) continue;
      const auto found = remotes.find(link.remote());
      if (found == remotes.end()) {
        link.clear_remote();
        link.set_error("gone over there");
        next.push_back({std::move(link), DueKind::look, now + gone_for});
        continue;
      }
      const auto& remote = found->second;
      if (!remote.has_stamps) {
        // When it was changed is said by the issue itself, not by the list.
        if (differs(link, remote) && link.due_kind() == 0) next.push_back({std::move(link), DueKind::look, now});
        continue;
      }
      const auto before = link.SerializeAsString();
      bool tell = false;
      std::optional<schema::IssueWish> wish;
      for (const auto part : buffer::issue_parts) {
        const auto decision = decide(local->part(part), remote.part(part), settled_of(linked_part(link, part)), mode_, tracker_);
        if (decision.verdict == SyncVerdict::tell) {
          tell = true;
        } else if (decision.verdict == SyncVerdict::take) {
          taken += decision.another ? 1U : 0U;
          take(link, wish, remote, part, decision);
        } else {
          settle(mutable_part(link, part), remote.part(part).value, local->part(part).stamp);
        }
      }
      if (wish) wishes.push_back(*std::move(wish));
      if (link.SerializeAsString() == before && !tell) continue;
      const auto kind = tell ? DueKind::changed : static_cast<DueKind>(link.due_kind());
      const auto due = tell ? now : time_from_ms(link.due_ms());
      next.push_back({std::move(link), kind, due});
    }
  }
  const auto before = row_;
  row_.set_taken(row_.taken() + taken);
  row_.set_looked_at(round_last_);
  if (round_ends_) end_round();
  if (next.empty()) return;
  const bool written = write([&](buffer::Batch& batch) {
    for (const auto& [link, kind, due] : next) book_.put_link(batch, link, kind, due);
    for (const auto& wish : wishes) put_wish(batch, wish);
  });
  if (!written) row_ = before;
}

}  // namespace picket::upstream

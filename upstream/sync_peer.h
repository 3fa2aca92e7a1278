// The status sync with one destination: what was changed here and has to be told, what is to be
// looked at over there, one request at a time.
//
//   issue_changes ─► absorb() ─► link is due ─► visit:  find? ─► look? ─► decide ─┬─► tell, part by part ─► link
//   issues ────────► absorb() ─► (receiving) ─────┘                              └─► wish (for the digest) ─► link
//   links ─────────► round: a hundred at a time, those that differ are due
//
// INVARIANT  Everything it knows is in the tables: whatever dies, it goes on from there.
// INVARIANT  A change is told only once the destination has had the issue's events up to then, and (a
//            resolution) shows the latest, or never will: it is not taken back over there by
//            events that are older than it.
// THREADS    Belongs to the worker of the status sync.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"
#include "upstream/api_client.h"
#include "upstream/backoff.h"
#include "upstream/config.h"
#include "upstream/routes.h"
#include "upstream/status_sync.h"
#include "upstream/sync_book.h"
#include "upstream/sync_state.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::upstream {

class SyncPeer {
 public:
  using Steady = std::chrono::steady_clock;

  // REQUIRES: `config` is checked and syncs.
  SyncPeer(DestinationConfig config, buffer::Tables& tables, const Clock& clock, const SyncOptions& options);

  void load();
  // Starts what can be started now.
  void pump(CURLM* multi);
  bool owns(const CURL* easy) const { return client_.owns(easy); }
  void on_finished(CURLM* multi, CURLcode code);
  void stop(CURLM* multi);

  // Until pump() may have something to do without an event from outside.
  Duration wakes_in() const;

 private:
  enum class Step : std::uint8_t { probe, find, look, confirm, team, tell, round };
  struct Visit {
    LocalIssue local{};
    schema::IssueLink link{};
    DueKind kind = DueKind::look;
    std::optional<schema::IssueWish> wish{};
    std::deque<buffer::IssuePart> to_tell{};
    std::string team_id{};
    bool plain = false;  // the resolution is told without its release
    std::string refusal{};
  };

  // What happens here: sync_peer.cpp.
  void look(Steady::time_point now);
  void absorb();
  bool read_token();
  bool write(const std::function<void(buffer::Batch&)>& change);
  bool begin_next(CURLM* multi);
  bool begin_visit(CURLM* multi, DueKind kind, Steady::time_point now);
  bool may_spend(Steady::time_point now);
  void ask(CURLM* multi, Step step, ApiRequest request);
  void hold(const std::string& reason);
  void fail(const ApiAnswer& answer, const std::string& reason);
  void reached();

  // One issue: sync_visit.cpp.
  void ask_for_issue(CURLM* multi);
  void on_found(CURLM* multi, const ApiAnswer& answer);
  void on_looked(CURLM* multi, const ApiAnswer& answer);
  void on_lost(const std::string& error);
  bool must_confirm() const;
  void ask_by_event(CURLM* multi, Step step, const std::string& event);
  void on_confirmed(CURLM* multi, const ApiAnswer& answer);
  void on_team(CURLM* multi, const ApiAnswer& answer);
  void on_told(CURLM* multi, const ApiAnswer& answer);
  void on_refused(CURLM* multi, const std::string& reason);
  void reconcile(CURLM* multi, const RemoteIssue& remote);
  void take(schema::IssueLink& link, std::optional<schema::IssueWish>& wish, const RemoteIssue& remote, buffer::IssuePart part,
            const SyncDecision& decision);
  void tell_next(CURLM* multi);
  void finish();
  void postpone(Duration pause, std::string_view why);

  // A hundred issues: sync_round.cpp.
  bool begin_round(CURLM* multi);
  void on_round(const ApiAnswer& answer);
  void end_round();

  const DestinationConfig config_;
  const Routes routes_;
  buffer::Tables& tables_;
  const Clock& clock_;
  const SyncOptions options_;
  const SyncMode mode_;
  const std::string tracker_;  // what the destination is called in stamps that a Sentry gave occasion to
  const SyncBook book_;

  ApiClient client_;
  Backoff backoff_;
  std::string token_;
  schema::StatusSync row_;
  bool dirty_ = false;  // row_ differs from what is stored
  Step step_ = Step::probe;
  Visit visit_;
  std::vector<schema::IssueLink> round_;  // those asked for
  std::uint64_t round_last_ = 0;          // the last issue it passes
  bool round_ends_ = false;               // no link comes after
  bool probed_ = false;
  bool paused_ = false;
  std::uint64_t retry_generation_ = 0;
  Steady::time_point changed_early_until_{};
  Steady::time_point looked_early_until_{};
  Steady::time_point next_look_{};
  Steady::time_point next_round_{};
  Steady::time_point resume_at_{};
  double allowance_ = 0;  // of requests that nobody waits for
  Steady::time_point refilled_{};
};

}  // namespace picket::upstream

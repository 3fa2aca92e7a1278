#include "upstream/sync_peer.h"

#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/rows.h"
#include "upstream/answer.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace picket::upstream {
namespace {

using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

constexpr std::size_t absorbed_at_once = 200;
// Of requests that nobody waits for (finding issues, rounds): so many at once, and a second.
constexpr double most_allowance = 60;
constexpr double allowance_a_second = 2;
// Between an event's coming here and the first question for it there.
constexpr Duration on_the_way = std::chrono::seconds(2);
// While nothing is due but what the destination has not had the events of.
constexpr Duration early_pause = std::chrono::seconds(1);

Routes routes_of(const DestinationConfig& config) {
  auto routes = make_routes(config);
  if (!routes) std::abort();
  return *std::move(routes);
}

std::string api_origin(const DestinationConfig& config, const Routes& routes) {
  if (config.api_url.empty()) return routes.origin();
  auto origin = parse_origin(config.api_url);
  if (!origin) std::abort();
  return *std::move(origin);
}

}  // namespace

SyncPeer::SyncPeer(DestinationConfig config, buffer::Tables& tables, const Clock& clock, const SyncOptions& options)
    : config_(std::move(config)),
      routes_(routes_of(config_)),
      tables_(tables),
      clock_(clock),
      options_(options),
      mode_(parse_sync_mode(config_.status_sync)),
      tracker_(api_origin(config_, routes_) + "/" + config_.api_organization),
      book_(config_.name),
      client_(config_, api_origin(config_, routes_)),
      backoff_(config_.retry_min, config_.retry_max, 1),
      allowance_(most_allowance),
      refilled_(Steady::now()) {}

void SyncPeer::load() {
  const auto snapshot = tables_.snapshot();
  if (auto stored = book_.find(snapshot)) {
    row_ = *std::move(stored);
  } else if (!config_.backfill) {
    const auto last = snapshot.get(Table::meta, "next/issue_change");
    row_.set_next_change(last ? KeyReader(*last).u64() + 1 : 1);
  }
  row_.set_destination(config_.name);
  row_.set_mode(config_.status_sync);
  row_.clear_held_reason();
  row_.clear_last_error();
  const auto destination = find_row<schema::Destination>(snapshot, Table::destinations, config_.name);
  paused_ = destination && (destination->paused() || destination->retired_ms() != 0);
  retry_generation_ = destination ? destination->retry_generation() : 0;
  dirty_ = true;
}

bool SyncPeer::write(const std::function<void(buffer::Batch&)>& change) {
  const auto written = tables_.write([&](buffer::Batch& batch) {
    change(batch);
    book_.put(batch, row_);
  });
  if (written) {
    dirty_ = false;
    return true;
  }
  if (!backoff_.failing()) {
    log(Level::warning, "upstream", "what the status sync knows cannot be written; trying again",
        {{"destination", config_.name}, {"reason", written.error().detail}});
  }
  backoff_.on_failure(backoff_.epoch(), Duration(0), Steady::now());
  dirty_ = true;
  return false;
}

void SyncPeer::look(Steady::time_point now) {
  next_look_ = now + options_.look_every;
  const auto row = find_row<schema::Destination>(tables_.snapshot(), Table::destinations, config_.name);
  paused_ = row && (row->paused() || row->retired_ms() != 0);
  if (row && row->retry_generation() != retry_generation_) {
    retry_generation_ = row->retry_generation();
    resume_at_ = {};
    backoff_.reset();
    probed_ = false;
    dirty_ = dirty_ || !row_.held_reason().empty();
    row_.clear_held_reason();
  }
  absorb();
  if (dirty_) write([](buffer::Batch&) {});
}

// What was changed here, and issues that are new here, become due.
void SyncPeer::absorb() {
  std::vector<schema::IssueLink> changed;
  std::vector<schema::IssueLink> fresh;
  auto next_change = row_.next_change();
  auto next_issue = row_.next_issue();
  {
    const auto snapshot = tables_.snapshot();
    const auto link_of = [&](std::uint64_t issue) {
      auto link = book_.find_link(snapshot, issue).value_or(schema::IssueLink());
      link.set_issue(issue);
      return link;
    };
    auto changes = snapshot.cursor(Table::issue_changes);
    std::size_t seen = 0;
    for (bool there = changes.seek(Key().u64(next_change)); there && seen < absorbed_at_once; there = changes.next(), ++seen) {
      next_change = KeyReader(changes.key()).u64() + 1;
      KeyReader value(changes.value());
      const auto local = read_local(snapshot, value.u64());
      if (!local) continue;
      auto link = link_of(local->id);
      link.set_after(value.u64());
      const bool news = std::any_of(buffer::issue_parts.begin(), buffer::issue_parts.end(), [&](auto part) {
        return to_be_told(local->part(part).stamp, linked_part(link, part).settled(), mode_, tracker_);
      });
      if (news) changed.push_back(std::move(link));
    }
    if (mode_.receives) {
      auto issues = snapshot.cursor(Table::issues);
      for (bool there = issues.seek(Key().u64(next_issue)); there && fresh.size() < absorbed_at_once; there = issues.next()) {
        const auto id = KeyReader(issues.key()).u64();
        next_issue = id + 1;
        const auto local = read_local(snapshot, id);
        if (!local || book_.find_link(snapshot, id)) continue;
        fresh.push_back(link_of(id));
        fresh.back().set_after(local->last_sequence);
      }
    }
  }
  if (next_change == row_.next_change() && next_issue == row_.next_issue()) return;
  const auto before = row_;
  row_.set_next_change(next_change);
  row_.set_next_issue(next_issue);
  const auto now = clock_.now();
  const bool written = write([&](buffer::Batch& batch) {
    for (const auto& link : fresh) book_.put_link(batch, link, DueKind::look, now + on_the_way);
    for (const auto& link : changed) book_.put_link(batch, link, DueKind::changed, now);
  });
  if (!written) row_ = before;
}

bool SyncPeer::read_token() {
  token_ = config_.api_token;
  if (!config_.api_token_file.empty()) {
    std::ifstream file(config_.api_token_file);
    if (!(file >> token_)) {
      hold("the token cannot be read from " + config_.api_token_file);
      return false;
    }
  }
  if (is_token(token_)) return true;
  hold(config_.api_token_file + " holds no token");
  return false;
}

bool SyncPeer::may_spend(Steady::time_point now) {
  const std::chrono::duration<double> passed = now - refilled_;
  refilled_ = now;
  allowance_ = std::min(most_allowance, allowance_ + passed.count() * allowance_a_second);
  return allowance_ >= 1;
}

void SyncPeer::pump(CURLM* multi) {
  if (client_.busy()) return;
  const auto now = Steady::now();
  if (now >= next_look_) look(now);
  if (paused_ || now < resume_at_ || backoff_.waits(now)) return;
  if (token_.empty() && !read_token()) return;
  if (!probed_) {
    return ask(multi, Step::probe, {false, "organizations/" + config_.api_organization + "/issues/?limit=1&collapse=stats&query=", {}, {}});
  }
  constexpr int turns = 20;
  for (int turn = 0; turn < turns && !client_.busy() && !backoff_.waits(now); ++turn) {
    if (!begin_next(multi)) return;
  }
}

// True when it got something out of the way, or asked for it.
bool SyncPeer::begin_next(CURLM* multi) {
  const auto now = Steady::now();
  const bool spend = may_spend(now);
  if (begin_visit(multi, DueKind::changed, now)) return true;
  if (spend && begin_visit(multi, DueKind::look, now)) return true;
  return spend && now >= next_round_ && begin_round(multi);
}

// The first that is due and whose events the destination has had.
bool SyncPeer::begin_visit(CURLM* multi, DueKind kind, Steady::time_point now) {
  constexpr std::size_t at_once = 1'000;
  auto& early_until = kind == DueKind::changed ? changed_early_until_ : looked_early_until_;
  if (now < early_until) return false;
  std::vector<std::uint64_t> gone;
  bool early = false;
  bool found = false;
  {
    const auto snapshot = tables_.snapshot();
    for (const auto id : book_.due(snapshot, kind, clock_.now(), at_once)) {
      auto link = book_.find_link(snapshot, id).value_or(schema::IssueLink());
      link.set_issue(id);
      auto local = read_local(snapshot, id);
      if (!local) {
        gone.push_back(id);
      } else if (!book_.forwarded(snapshot, link.after())) {
        early = true;
      } else {
        visit_ = Visit{.local = *std::move(local), .link = std::move(link), .kind = kind};
        found = true;
        break;
      }
    }
  }
  if (!gone.empty()) {
    const bool written = write([&](buffer::Batch& batch) {
      for (const auto id : gone) book_.remove_link(batch, id);
    });
    if (!written) return false;
  }
  if (early && !found) early_until = now + early_pause;
  if (!found) return false;
  if (kind == DueKind::look) allowance_ -= 1;
  ask_for_issue(multi);
  return true;
}

void SyncPeer::ask(CURLM* multi, Step step, ApiRequest request) {
  step_ = step;
  row_.set_last_attempt_ms(to_ms(clock_.now()));
  dirty_ = true;
  client_.start(multi, std::move(request), token_);
}

void SyncPeer::hold(const std::string& reason) {
  if (row_.held_reason() != reason) {
    log(Level::error, "upstream", "status sync held: the upstream does not accept us; mend it, then resume",
        {{"destination", config_.name}, {"reason", reason}, {"resume", "picket upstream resume " + config_.name}});
  }
  row_.set_held_reason(reason);
  dirty_ = true;
  probed_ = false;
  token_.clear();  // it may be another one by then
  resume_at_ = Steady::now() + config_.hold_probe;
}

void SyncPeer::fail(const ApiAnswer& answer, const std::string& reason) {
  if (!backoff_.failing()) {
    log(Level::warning, "upstream", "status sync failed; trying again", {{"destination", config_.name}, {"reason", reason}});
  }
  row_.set_last_error(reason);
  dirty_ = true;
  backoff_.on_failure(backoff_.epoch(), Duration(0), Steady::now());
  // What errs for one issue alone must not keep the others from their turn.
  const bool of_issue = answer.failure.empty() && answer.status != 429 && step_ != Step::probe && step_ != Step::round;
  if (of_issue) postpone(jittered(config_.retry_min, config_.retry_max, visit_.link.attempts() + 1), reason);
}

void SyncPeer::reached() {
  if (backoff_.failing()) log(Level::info, "upstream", "status sync reached again", {{"destination", config_.name}});
  if (!row_.held_reason().empty()) log(Level::info, "upstream", "status sync accepted again", {{"destination", config_.name}});
  backoff_.on_success();
  row_.clear_held_reason();
  row_.clear_last_error();
  row_.set_last_success_ms(to_ms(clock_.now()));
  dirty_ = true;
}

void SyncPeer::on_finished(CURLM* multi, CURLcode code) {
  const ApiAnswer answer = client_.finish(multi, code);
  const auto [verdict, reason] = judge(answer);
  switch (verdict) {
    case ApiVerdict::later: return fail(answer, reason);
    case ApiVerdict::limited:
      row_.set_last_error(reason);
      dirty_ = true;
      resume_at_ = Steady::now() + pause_asked(answer, clock_.now());
      return;
    case ApiVerdict::held:
      // The token has passed the probe; that project is not there, or not for us.
      if (step_ == Step::find && answer.status == 403) return on_lost(reason);
      return hold(reason);
    case ApiVerdict::gone:
      if (step_ == Step::probe || step_ == Step::find || step_ == Step::confirm || step_ == Step::round) {
        return hold(reason + " (is api_organization \"" + config_.api_organization + "\" right?)");
      }
      reached();
      if (step_ == Step::team) return on_refused(multi, "there is no such team over there");
      return on_lost("gone over there");
    case ApiVerdict::refused:
      if (step_ == Step::probe || step_ == Step::round) return fail(answer, reason);
      reached();
      if (step_ == Step::tell || step_ == Step::team) return on_refused(multi, reason);
      return on_lost(reason);
    case ApiVerdict::done: break;
  }
  reached();
  switch (step_) {
    case Step::probe: probed_ = true; return;
    case Step::find: return on_found(multi, answer);
    case Step::look: return on_looked(multi, answer);
    case Step::confirm: return on_confirmed(multi, answer);
    case Step::team: return on_team(multi, answer);
    case Step::tell: return on_told(multi, answer);
    case Step::round: return on_round(answer);
  }
}

void SyncPeer::stop(CURLM* multi) {
  client_.abandon(multi);
  if (dirty_) write([](buffer::Batch&) {});
}

Duration SyncPeer::wakes_in() const {
  return std::max(std::chrono::ceil<Duration>(next_look_ - Steady::now()), Duration(0));
}

}  // namespace picket::upstream

#include "upstream/status.h"

#include "buffer/schema/rows.pb.h"
#include "upstream/lanes.h"
#include "upstream/metric_text.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace picket::upstream {
namespace {

constexpr std::array states = {DestinationState::running, DestinationState::retrying, DestinationState::limited,
                               DestinationState::held, DestinationState::paused, DestinationState::draining, DestinationState::drained,
                               DestinationState::retired, DestinationState::closed};

std::uint64_t resend_left(const schema::Resend& resend) {
  return resend.ended_ms() == 0 && resend.end() > resend.next() ? resend.end() - resend.next() : 0;
}

struct Metric {
  std::string_view name;
  std::string_view kind;
  std::string_view help;
  std::uint64_t (*value)(const DestinationStatus& status, Time now);
};

constexpr std::array<Metric, 28> metrics = {{
    {"forwarded_envelopes_total", "counter", "Envelopes that the destination has acknowledged.",
     [](const DestinationStatus& s, Time) { return s.forwarded; }},
    {"forwarded_bytes_total", "counter", "Bytes of request bodies that were acknowledged, as sent.",
     [](const DestinationStatus& s, Time) { return s.forwarded_bytes; }},
    {"quarantined_envelopes_total", "counter", "Envelopes that the destination has refused for good.",
     [](const DestinationStatus& s, Time) { return s.quarantined; }},
    {"expired_records_total", "counter", "Records recycled before they could be forwarded, and envelopes too old to be sent.",
     [](const DestinationStatus& s, Time) { return s.expired; }},
    {"not_routed_envelopes_total", "counter", "Envelopes of which nothing is for the destination.",
     [](const DestinationStatus& s, Time) { return s.not_routed; }},
    {"not_sampled_envelopes_total", "counter", "Envelopes that sampling left out.",
     [](const DestinationStatus& s, Time) { return s.not_sampled; }},
    {"failed_attempts_total", "counter", "Attempts that did not end in an acknowledgement, since start.",
     [](const DestinationStatus& s, Time) { return s.failures; }},
    {"waiting_records", "gauge", "Records that the destination has still to get.",
     [](const DestinationStatus& s, Time) { return s.depth; }},
    {"deferred_envelopes", "gauge", "Of those, the ones the cursor has passed (rate-limited categories).",
     [](const DestinationStatus& s, Time) { return s.deferred; }},
    {"resend_waiting_records", "gauge", "Records that the resend under way has still to look at.",
     [](const DestinationStatus& s, Time) { return resend_left(s.resend); }},
    {"resent_envelopes", "gauge", "Envelopes that the last resend has sent.",
     [](const DestinationStatus& s, Time) { return s.resend.sent(); }},
    {"in_flight_requests", "gauge", "Requests under way.",
     [](const DestinationStatus& s, Time) { return s.in_flight; }},
    {"oldest_waiting_seconds", "gauge", "Age of the oldest record that waits, 0 when none does.",
     [](const DestinationStatus& s, Time now) { return seconds_since(s.oldest, now); }},
    {"last_success_seconds", "gauge", "Since the last acknowledgement, 0 before the first.",
     [](const DestinationStatus& s, Time now) { return seconds_since(s.last_success, now); }},
    {"wire_sent_bytes_total", "counter", "Bytes that TCP carried there, since start: heads, handshakes and repetitions included.",
     [](const DestinationStatus& s, Time) { return s.link.wire.sent; }},
    {"wire_received_bytes_total", "counter", "Bytes that TCP carried from there, since start.",
     [](const DestinationStatus& s, Time) { return s.link.wire.received; }},
    {"day_bytes", "gauge", "Of these, both ways, in the current day of the destination's time zone.",
     [](const DestinationStatus& s, Time) { return s.link.day_bytes; }},
    {"month_bytes", "gauge", "Likewise in the current month.",
     [](const DestinationStatus& s, Time) { return s.link.month_bytes; }},
    {"day_cap_bytes", "gauge", "What max_bytes_per_day allows, 0 for no cap.",
     [](const DestinationStatus& s, Time) { return s.link.day_cap; }},
    {"month_cap_bytes", "gauge", "What max_bytes_per_month allows, 0 for no cap.",
     [](const DestinationStatus& s, Time) { return s.link.month_cap; }},
    {"window_closed", "gauge", "1 while the destination's windows are closed.",
     [](const DestinationStatus& s, Time) { return std::uint64_t{s.link.outside}; }},
    {"metered", "gauge", "1 while the link is metered and carries only some classes.",
     [](const DestinationStatus& s, Time) { return std::uint64_t{s.link.metered}; }},
    {"outlived_envelopes_total", "counter", "Of the expired ones, those that had passed the destination's time_to_live.",
     [](const DestinationStatus& s, Time) { return s.link.outlived; }},
    {"too_old_envelopes_total", "counter", "Of the expired ones, those that the upstream would have refused for their age.",
     [](const DestinationStatus& s, Time) { return s.link.too_old; }},
    {"relay_registered", "gauge", "1 while the destination knows us as a registered Relay; 0 where none is asked for.",
     [](const DestinationStatus& s, Time) { return std::uint64_t{s.registered}; }},
    {"relay_registrations_total", "counter", "Registrations as a Relay that succeeded, since start.",
     [](const DestinationStatus& s, Time) { return s.registrations; }},
    {"disabled_keys", "gauge", "Keys of which the destination's project configs say that it takes nothing for them now.",
     [](const DestinationStatus& s, Time) { return s.disabled_keys; }},
    {"drained_in_seconds", "gauge", "Until nothing waits any more, as estimated; 0 when nothing waits, or when it cannot be said.",
     [](const DestinationStatus& s, Time now) { return s.link.drained_at && *s.link.drained_at > now ? static_cast<std::uint64_t>((*s.link.drained_at - now).count()) / 1'000 : 0; }},
}};

}  // namespace

std::string_view state_name(DestinationState state) {
  switch (state) {
    case DestinationState::running: return "running";
    case DestinationState::retrying: return "retrying";
    case DestinationState::limited: return "limited";
    case DestinationState::held: return "held";
    case DestinationState::paused: return "paused";
    case DestinationState::draining: return "draining";
    case DestinationState::drained: return "drained";
    case DestinationState::retired: return "retired";
    case DestinationState::closed: return "closed";
  }
  std::abort();
}

DestinationStatus stored_status(const buffer::Journal* journal,
                                std::string_view row,
                                buffer::Sequence cursor,
                                Time now) {
  schema::Destination stored;
  stored.ParseFromArray(row.data(), static_cast<int>(row.size()));
  DestinationStatus status;
  status.name = stored.name();
  status.reason = stored.held_reason();
  status.cursor = cursor;
  status.deferred = static_cast<std::uint64_t>(stored.deferred_size());
  status.forwarded = stored.forwarded();
  status.quarantined = stored.quarantined();
  status.expired = stored.expired();
  status.not_routed = stored.not_routed();
  status.not_sampled = stored.not_sampled();
  status.forwarded_bytes = stored.forwarded_bytes();
  status.last_error = stored.last_error();
  status.forward_only = stored.forward_only();
  status.resend = stored.resend();
  if (stored.last_success_ms() != 0) status.last_success = time_from_ms(stored.last_success_ms());
  if (stored.last_attempt_ms() != 0) status.last_attempt = time_from_ms(stored.last_attempt_ms());
  status.link.waits = stored.link().waits();
  if (stored.link().waits_until_ms() > to_ms(now)) status.link.waits_until = time_from_ms(stored.link().waits_until_ms());
  status.link.day_bytes = stored.link().day_bytes();
  status.link.day_cap = stored.link().day_cap();
  status.link.month_bytes = stored.link().month_bytes();
  status.link.month_cap = stored.link().month_cap();
  status.link.outlived = stored.link().outlived();
  status.link.too_old = stored.link().too_old();
  if (stored.link().drained_at_ms() > to_ms(now)) status.link.drained_at = time_from_ms(stored.link().drained_at_ms());
  const bool limited = std::any_of(stored.limits().begin(), stored.limits().end(), [&](const auto& limit) {
    return time_from_ms(limit.until_ms()) > now;
  });
  if (stored.retired_ms() != 0) {
    status.state = DestinationState::retired;
    return status;
  }
  if (stored.paused()) {
    status.state = DestinationState::paused;
  } else if (stored.drain_until() != 0 && cursor >= stored.drain_until() && stored.deferred_size() == 0) {
    status.state = DestinationState::drained;
  } else if (!status.reason.empty()) {
    status.state = DestinationState::held;
  } else if (!status.last_error.empty()) {
    status.state = DestinationState::retrying;
  } else if (status.link.waits_until) {
    status.state = DestinationState::closed;
  } else if (limited) {
    status.state = DestinationState::limited;
  } else if (stored.drain_until() != 0) {
    status.state = DestinationState::draining;
  }
  buffer::Sequence oldest = stored.deferred_size() > 0 ? stored.deferred(0) : 0;
  if (lanes_hold(stored.link(), cursor)) {
    status.cursor = stored.link().fresh_cursor();
    status.handed = stored.link().lanes_waiting();
    oldest = oldest == 0 ? cursor : std::min(oldest, cursor);
  }
  if (journal != nullptr) measure_backlog(*journal, status, oldest);
  return status;
}

void measure_backlog(const buffer::Journal& journal, DestinationStatus& status, buffer::Sequence oldest_behind) {
  status.depth = 0;
  status.oldest.reset();
  if (status.state == DestinationState::retired) return;
  const auto next = journal.use().next;
  status.depth = status.deferred + status.handed + (next > status.cursor ? next - status.cursor : 0);
  if (status.depth == 0) return;
  const auto read = journal.read(oldest_behind != 0 ? oldest_behind : status.cursor, 1, 1);
  if (read && !read->records.empty()) status.oldest = read->records.front().received;
}

void render_metrics(const std::vector<DestinationStatus>& all, Time now, std::string& out) {
  if (all.empty()) return;
  for (const Metric& metric : metrics) {
    const std::string name = "picket_upstream_" + std::string(metric.name);
    add_head(out, name, metric.kind, metric.help);
    for (const DestinationStatus& status : all) {
      out += name + "{destination=\"" + status.name + "\"} " + std::to_string(metric.value(status, now)) + "\n";
    }
  }
  const std::string name = "picket_upstream_state";
  add_head(out, name, "gauge", "1 for the state the destination is in.");
  for (const DestinationStatus& status : all) {
    for (const DestinationState state : states) {
      out += name + "{destination=\"" + status.name + "\",state=\"" + std::string(state_name(state)) + "\"} " +
             (state == status.state ? "1" : "0") + "\n";
    }
  }
}

}  // namespace picket::upstream

#include "api/status.h"

#include "buffer/keys.h"
#include "buffer/recompression.h"
#include "buffer/retention.h"
#include "buffer/rows.h"
#include "relay/protocol/data_category.h"
#include "relay/protocol/envelope.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

namespace picket::api {
namespace {

namespace json = boost::json;
using buffer::Sequence;
using buffer::Table;

struct Backlog {
  std::uint64_t envelopes = 0;
  double oldest_age_s = 0;
};

// The journal as it was at one moment: what arrives while we look is left for the next look.
struct Span {
  const buffer::Journal* journal;
  buffer::JournalUse use;
  Time now;
};

// Counts what lies at and after `from`; exactly where that is cheap.
Backlog count_backlog(const Span& span, Sequence from) {
  constexpr std::uint64_t counted_exactly = 50'000;
  constexpr std::size_t bytes_at_once = std::size_t{4} << 20;
  const Sequence end = span.use.next;
  from = std::max(from, span.use.first);
  Backlog backlog;
  if (from >= end) return backlog;
  const bool exact = end - from <= counted_exactly;
  if (!exact) backlog.envelopes = end - from;
  bool first = true;
  while (from < end) {
    const auto batch = span.journal->read(from, exact ? bytes_at_once : 1, exact ? 4096 : 1);
    if (!batch || batch->next <= from) break;
    for (const buffer::StoredRecord& record : batch->records) {
      if (record.kind != buffer::RecordKind::envelope || record.sequence >= end) continue;
      if (first) {
        backlog.oldest_age_s = std::max(0.0, std::chrono::duration<double>(span.now - record.received).count());
        first = false;
      }
      if (exact) ++backlog.envelopes;
    }
    if (exact) backlog.envelopes += batch->damaged.size();
    from = batch->next;
    if (!exact && !first) break;
  }
  return backlog;
}

json::object render_ledger(const buffer::Reader& tables) {
  std::uint64_t stored = 0;
  std::map<std::string, std::uint64_t> reasons;
  auto cursor = tables.cursor(Table::outcomes);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    buffer::KeyReader key(cursor.key());
    key.u64();
    key.u64();
    key.u8();
    const auto outcome = static_cast<relay::Outcome>(key.u8());
    const std::string reason(key.text());
    const auto quantity = buffer::parse_row<schema::Count>(cursor.value()).quantity();
    if (outcome == relay::Outcome::client_discard) continue;  // never reached us
    if (outcome == relay::Outcome::accepted) {
      stored += quantity;
    } else {
      reasons[std::string(relay::wire_name(outcome)) + "/" + reason] += quantity;
    }
  }
  std::uint64_t dropped = 0;
  json::object by_reason;
  for (const auto& [reason, quantity] : reasons) {
    dropped += quantity;
    by_reason[reason] = quantity;
  }
  return {{"received", stored + dropped}, {"stored", stored}, {"dropped", dropped}, {"reasons", std::move(by_reason)}};
}

json::value render_when(std::int64_t ms) {
  if (ms == 0) return nullptr;
  return json::value(relay::render_timestamp(ms));
}

std::string_view state_of(const schema::Destination& row, Sequence cursor, std::uint64_t waiting, Time now) {
  if (row.retired_ms() != 0) return "retired";
  if (row.paused()) return "paused";
  if (row.drain_until() != 0 && cursor >= row.drain_until() && row.deferred().empty()) return "drained";
  if (!row.held_reason().empty()) return "held";
  if (waiting == 0) return "idle";
  if (row.link().waits_until_ms() > to_ms(now)) return "closed";
  if (!row.last_error().empty() && row.last_attempt_ms() >= row.last_success_ms()) return "retrying";
  return row.drain_until() != 0 ? "draining" : "sending";
}

// Null where states of issues are not synchronised.
json::value render_status_sync(const buffer::Reader& tables, const std::string& destination) {
  constexpr std::uint8_t changed = 1;  // IssueLink.due_kind
  const auto row = buffer::find_row<schema::StatusSync>(tables, Table::status_syncs, destination);
  if (!row || row->mode().empty()) return nullptr;
  std::uint64_t waiting = 0;
  const std::string prefix(buffer::Key().text(destination).u8(changed).view());
  auto cursor = tables.cursor(Table::issue_links_due);
  for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix); there = cursor.next()) ++waiting;
  return json::object{{"mode", row->mode()},
                      {"state", !row->held_reason().empty() ? "held" : row->last_error().empty() ? "running" : "retrying"},
                      {"waiting", waiting},
                      {"told", row->told()},
                      {"taken", row->taken()},
                      {"refused", row->refused()},
                      {"last_success", render_when(row->last_success_ms())},
                      {"last_error", row->held_reason().empty() ? row->last_error() : row->held_reason()}};
}

// Null where nobody asked for one.
json::value render_resend(const schema::Resend& resend) {
  if (resend.id() == 0) return nullptr;
  return json::object{{"state", resend.ended_ms() == 0 ? "under way" : resend.cancelled() ? "given up" : "done"},
                      {"records", resend.end() - resend.first()},
                      {"looked_at", resend.next() - resend.first()},
                      {"sent", resend.sent()},
                      {"already_there", resend.already_there()},
                      {"not_wanted", resend.not_wanted()},
                      {"refused", resend.refused()},
                      {"gone", resend.gone()}};
}

// What the link may still carry; caps are null where there are none.
json::object render_link(const schema::LinkState& link) {
  const auto cap = [](std::uint64_t bytes) { return bytes == 0 ? json::value(nullptr) : json::value(bytes); };
  return {{"waits", link.waits().empty() ? json::value(nullptr) : json::value(link.waits())},
          {"waits_until", render_when(link.waits_until_ms())},
          {"day_bytes", link.day_bytes()},
          {"day_cap", cap(link.day_cap())},
          {"month_bytes", link.month_bytes()},
          {"drained_at", render_when(link.drained_at_ms())},
          {"outlived", link.outlived()},
          {"too_old", link.too_old()},
          {"month_cap", cap(link.month_cap())}};
}

json::object render_destination(const buffer::Reader& tables, const Span& span, const schema::Destination& row) {
  const auto cursor = buffer::find_row<schema::Cursor>(tables, Table::cursors, "upstream/" + row.name());
  const Sequence next = cursor ? cursor->next_sequence() : 1;
  // What was handed over to the classes lies behind the cursor that counts.
  const auto& link = row.link();
  const bool handed = link.lanes_size() > 0 && link.kept_cursor() == next && link.fresh_cursor() >= next;
  Backlog backlog;
  if (row.retired_ms() == 0) backlog = count_backlog(span, handed ? link.fresh_cursor() : next);
  const auto consider_age = [&](Sequence sequence) {
    const auto record = span.journal->read_one(sequence);
    if (!record || record->records.empty()) return;
    const auto age = std::chrono::duration<double>(span.now - record->records[0].received).count();
    backlog.oldest_age_s = std::max(backlog.oldest_age_s, age);
  };
  if (handed) {
    backlog.envelopes += link.lanes_waiting();
    consider_age(next);
  }
  for (const Sequence deferred : row.deferred()) {
    ++backlog.envelopes;
    consider_age(deferred);
  }
  return {{"name", row.name()},
          {"state", state_of(row, next, backlog.envelopes, span.now)},
          {"mode", row.forward_only() ? "forward-only" : "mirror"},
          {"waiting", backlog.envelopes},
          {"oldest_waiting_s", backlog.oldest_age_s},
          {"forwarded", row.forwarded()},
          {"quarantined", row.quarantined()},
          {"expired", row.expired()},
          {"not_routed", row.not_routed()},
          {"not_sampled", row.not_sampled()},
          {"forwarded_bytes", row.forwarded_bytes()},
          {"last_success", render_when(row.last_success_ms())},
          {"last_error", row.last_error()},
          {"held_reason", row.held_reason()},
          {"given_up_waiting", row.given_up_waiting()},
          {"given_up_quarantined", row.given_up_quarantined()},
          {"resend", render_resend(row.resend())},
          {"link", render_link(row.link())},
          {"status_sync", render_status_sync(tables, row.name())}};
}

json::object render_room(const schema::JournalRoom& room) {
  const auto step = static_cast<buffer::RoomStep>(std::min(room.step(), 2U));
  return {{"step", buffer::name_of(step)},
          {"since", render_when(room.since_ms())},
          {"bytes", room.room_bytes()},
          {"disk_free_bytes", room.disk_free_bytes()}};
}

}  // namespace

json::object collect_status(const buffer::Reader& snapshot, const buffer::Journal& journal, Time now) {
  const Span span{&journal, journal.use(), now};
  const buffer::JournalUse& use = span.use;
  const auto digested = buffer::find_row<schema::Cursor>(snapshot, Table::cursors, "digest");
  const Backlog undigested = count_backlog(span, digested ? digested->next_sequence() : 1);

  json::array destinations;
  auto cursor = snapshot.cursor(Table::destinations);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    const auto row = buffer::parse_row<schema::Destination>(cursor.value());
    destinations.push_back(render_destination(snapshot, span, row));
  }
  const auto room = buffer::read_journal_room(snapshot).value_or(schema::JournalRoom());
  const bool full = journal.full() || room.step() == static_cast<std::uint32_t>(buffer::RoomStep::full);
  const std::uint64_t envelopes = (digested ? digested->envelopes() : 0) + undigested.envelopes;
  const auto smaller = buffer::read_recompression(snapshot);
  return {{"journal",
           {{"first", use.first},
            {"next", use.next},
            {"records", use.next - use.first},
            {"used_bytes", use.used_bytes},
            {"file_bytes", use.file_bytes},
            {"full", full},
            {"set_aside", json::value_from(journal.set_aside())},
            {"room", render_room(room)},
            {"recompressed",
             {{"segments", smaller.segments()},
              {"records", smaller.records()},
              {"bytes_before", smaller.bytes_before()},
              {"bytes_after", smaller.bytes_after()}}}}},
          {"digest",
           {{"next", digested ? digested->next_sequence() : 1},
            {"waiting", undigested.envelopes},
            {"lag_s", undigested.oldest_age_s}}},
          {"envelopes", {{"stored", envelopes}}},
          {"ledger", render_ledger(snapshot)},
          {"destinations", std::move(destinations)}};
}

}  // namespace picket::api

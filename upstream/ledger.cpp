#include "upstream/ledger.h"

#include "buffer/keys.h"
#include "buffer/rows.h"

#include <chrono>
#include <utility>

namespace picket::upstream {
namespace {

std::uint64_t moved(std::uint64_t stored, std::int64_t by) {
  if (by < 0 && stored < static_cast<std::uint64_t>(-by)) return 0;
  return stored + static_cast<std::uint64_t>(by);
}

// Field by field: what a newer version keeps beside them stays.
void copy_link(const schema::LinkState& from, schema::LinkState& to) {
  to.set_day(from.day());
  to.set_day_bytes(from.day_bytes());
  to.set_day_cap(from.day_cap());
  to.set_month(from.month());
  to.set_month_bytes(from.month_bytes());
  to.set_month_cap(from.month_cap());
  to.set_waits(from.waits());
  to.set_waits_until_ms(from.waits_until_ms());
  *to.mutable_lanes() = from.lanes();
  to.set_lanes_waiting(from.lanes_waiting());
  to.set_fresh_cursor(from.fresh_cursor());
  to.set_kept_cursor(from.kept_cursor());
  to.set_drained_at_ms(from.drained_at_ms());
  to.set_outlived(from.outlived());
  to.set_too_old(from.too_old());
  to.set_limits_passed(from.limits_passed());
  to.set_way_requests(from.way_requests());
  to.set_way_answer_us(from.way_answer_us());
  to.set_way_connect_us(from.way_connect_us());
}

std::int64_t hour_of(Time time) {
  constexpr std::int64_t hour = 3'600'000;
  return to_ms(time) / hour * hour;
}

}  // namespace

std::string cursor_name(std::string_view destination) {
  return "upstream/" + std::string(destination);
}

std::string quarantine_key(std::string_view destination, buffer::Sequence sequence) {
  return std::string(buffer::Key().text(destination).u64(sequence).view());
}

void apply(buffer::Batch& batch, const Change& change, Time now) {
  using buffer::Table;
  auto row = buffer::find_row<schema::Destination>(batch, Table::destinations, change.name)
                 .value_or(schema::Destination());
  if (row.retired_ms() != 0 || row.generation() != change.generation) return;
  schema::Cursor cursor;
  cursor.set_next_sequence(change.cursor);
  cursor.set_updated_ms(to_ms(now));
  buffer::put_row(batch, Table::cursors, cursor_name(change.name), cursor);

  row.set_name(change.name);
  row.set_held_reason(change.row.held_reason());
  row.set_last_success_ms(change.row.last_success_ms());
  row.set_last_attempt_ms(change.row.last_attempt_ms());
  row.set_last_error(change.row.last_error());
  *row.mutable_limits() = change.row.limits();
  *row.mutable_deferred() = change.row.deferred();
  if (change.row.has_link()) copy_link(change.row.link(), *row.mutable_link());
  row.set_forwarded(moved(row.forwarded(), change.forwarded));
  row.set_quarantined(moved(row.quarantined(), change.quarantined));
  row.set_expired(moved(row.expired(), change.expired));
  row.set_not_routed(moved(row.not_routed(), change.not_routed));
  row.set_not_sampled(moved(row.not_sampled(), change.not_sampled));
  *row.mutable_unsent() = change.row.unsent();
  *row.mutable_unwanted() = change.row.unwanted();
  if (row.started() == 0) row.set_started(change.row.started());
  if (row.resend().id() != 0 && change.row.resend().id() == row.resend().id() && row.resend().ended_ms() == 0) {
    const bool cancelled = row.resend().cancelled() || change.row.resend().cancelled();
    *row.mutable_resend() = change.row.resend();
    row.mutable_resend()->set_cancelled(cancelled);
    constexpr std::size_t rows_at_once = 10'000;  // of 4,096 records each; what is left goes with the journal
    if (row.resend().ended_ms() != 0) buffer::remove_marks(batch, change.name, buffer::Mark::picked, rows_at_once);
  }
  change.marks.apply(batch, change.name, change.journal_first);
  row.set_forwarded_bytes(moved(row.forwarded_bytes(), change.forwarded_bytes));
  buffer::put_row(batch, Table::destinations, change.name, row);

  for (const auto& [key, quantity] : change.counts) {
    const auto stored_key = buffer::Key().text(change.name).u64(key.project).u64(
        static_cast<std::uint64_t>(key.hour_ms)).u8(key.category).u8(key.fate);
    auto count = buffer::find_row<schema::Count>(batch, Table::forwarding, stored_key).value_or(schema::Count());
    count.set_quantity(moved(count.quantity(), quantity));
    buffer::put_row(batch, Table::forwarding, stored_key, count);
  }
  for (const buffer::Sequence sequence : change.released) {
    batch.remove(Table::quarantine, quarantine_key(change.name, sequence));
  }
  for (const schema::Quarantined& quarantined : change.quarantine) {
    buffer::put_row(batch, Table::quarantine, quarantine_key(change.name, quarantined.sequence()), quarantined);
  }
}

std::optional<Label> quarantined_label(const schema::Quarantined& row) {
  if (row.counts_size() == 0 && row.left_out_size() == 0) return std::nullopt;
  Label label;
  label.sequence = row.sequence();
  label.project = row.project();
  label.received = time_from_ms(row.received_ms());
  for (int i = 0; i + 1 < row.counts_size(); i += 2) {
    label.counts.push_back({static_cast<relay::DataCategory>(row.counts(i)), row.counts(i + 1)});
  }
  for (int i = 0; i + 2 < row.left_out_size(); i += 3) {
    label.left_out.push_back({static_cast<std::uint8_t>(row.left_out(i)),
                              static_cast<relay::DataCategory>(row.left_out(i + 1)), row.left_out(i + 2)});
  }
  return label;
}

void Ledger::count(const Label& label, Fate fate, std::int64_t sign) {
  const auto add = [&](relay::DataCategory category, std::uint8_t as, std::uint64_t quantity) {
    change_.counts[{label.project, hour_of(label.received), static_cast<std::uint8_t>(category), as}] +=
        sign * static_cast<std::int64_t>(quantity);
  };
  for (const auto& [category, quantity] : label.counts) add(category, static_cast<std::uint8_t>(fate), quantity);
  for (const auto& [as, category, quantity] : label.left_out) add(category, as, quantity);
}

void Ledger::add(const Settled& settled, Time now) {
  dirty_ = true;
  if (settled.fate == Fate::handed) return;
  if (settled.fate != Fate::not_routed && settled.fate != Fate::not_sampled) change_.settled += settled.records;
  const auto records = static_cast<std::int64_t>(settled.records);
  switch (settled.fate) {
    case Fate::skipped:
    case Fate::deferred:
    case Fate::handed: return;
    case Fate::forwarded:
      change_.forwarded += records;
      change_.forwarded_bytes += static_cast<std::int64_t>(settled.sent_bytes);
      break;
    case Fate::expired: change_.expired += records; break;
    case Fate::not_routed: change_.not_routed += records; break;
    case Fate::not_sampled: change_.not_sampled += records; break;
    case Fate::quarantined: {
      change_.quarantined += records;
      schema::Quarantined row;
      row.set_sequence(settled.label.sequence);
      row.set_project(settled.label.project);
      row.set_at_ms(to_ms(now));
      row.set_status(settled.status);
      row.set_answer(settled.answer);
      row.set_bytes(settled.label.stored_bytes);
      row.set_received_ms(to_ms(settled.label.received));
      for (const auto& [category, quantity] : settled.label.counts) {
        row.add_counts(static_cast<std::uint64_t>(category));
        row.add_counts(quantity);
      }
      for (const auto& [fate, category, quantity] : settled.label.left_out) {
        row.add_left_out(fate);
        row.add_left_out(static_cast<std::uint64_t>(category));
        row.add_left_out(quantity);
      }
      change_.quarantine.push_back(std::move(row));
      break;
    }
  }
  count(settled.label, settled.fate, 1);
}

void Ledger::release(const Label& label) {
  dirty_ = true;
  change_.quarantined -= 1;
  change_.released.push_back(label.sequence);
  count(label, Fate::quarantined, -1);
}

Change Ledger::take() {
  dirty_ = false;
  return std::exchange(change_, Change());
}

}  // namespace picket::upstream

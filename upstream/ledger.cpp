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
  schema::Cursor cursor;
  cursor.set_next_sequence(change.cursor);
  cursor.set_updated_ms(to_ms(now));
  buffer::put_row(batch, Table::cursors, cursor_name(change.name), cursor);

  auto row = buffer::find_row<schema::Destination>(batch, Table::destinations, change.name)
                 .value_or(schema::Destination());
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

void Ledger::count(const Label& label, Fate fate, std::int64_t sign) {
  for (const ItemCount& item : label.counts) {
    change_.counts[{label.project, hour_of(label.received), static_cast<std::uint8_t>(item.category),
                    static_cast<std::uint8_t>(fate)}] += sign * static_cast<std::int64_t>(item.quantity);
  }
}

void Ledger::add(const Settled& settled, Time now) {
  dirty_ = true;
  if (settled.fate == Fate::handed) return;
  change_.settled += settled.records;
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
    case Fate::quarantined: {
      change_.quarantined += records;
      schema::Quarantined row;
      row.set_sequence(settled.label.sequence);
      row.set_project(settled.label.project);
      row.set_at_ms(to_ms(now));
      row.set_status(settled.status);
      row.set_answer(settled.answer);
      row.set_bytes(settled.label.stored_bytes);
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

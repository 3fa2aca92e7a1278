#include "api/query/ledger.h"

#include "api/digest/item_ledger.h"
#include "api/digest/outcome_sums.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <limits>

namespace picket::query {
namespace {

using buffer::Sequence;
using buffer::Table;
using digest::ItemFate;
using relay::DataCategory;

constexpr std::uint64_t most_looked_at = 200'000;  // records, per destination
constexpr std::size_t bytes_at_once = std::size_t{4} << 20;
constexpr std::string_view digest_cursor = "digest";

// Where an item belongs, before it is grouped.
struct Place {
  std::uint64_t project = 0;
  std::int64_t hour_ms = 0;
  DataCategory category = DataCategory::unknown;
  std::string_view key;
};

// What destinations count by.
struct Spot {
  std::uint64_t project = 0;
  std::int64_t hour_ms = 0;
  DataCategory category = DataCategory::unknown;
  friend auto operator<=>(const Spot&, const Spot&) = default;
};
using Quantities = std::map<Spot, std::uint64_t>;

class Collector {
 public:
  Collector(const buffer::Reader& tables, const buffer::Journal& journal, const LedgerRequest& request)
      : tables_(tables), journal_(journal), request_(request) {}

  LedgerReport collect() {
    const auto use = journal_.use();
    const auto digested = cursor_of(digest_cursor);
    report_.undigested = use.next > digested ? use.next - digested : 0;
    read_items();
    read_outcomes();
    if (!request_.by.key) read_destinations(use, std::min(use.next, digested));
    std::vector<LedgerLine> lines;
    for (auto& [place, line] : lines_) lines.push_back(std::move(line));
    report_.lines = std::move(lines);
    if (report_.waiting_is_rest) fill_waiting();
    return std::move(report_);
  }

 private:
  using Order = std::tuple<std::int64_t, std::uint64_t, std::string, std::optional<DataCategory>>;

  Sequence cursor_of(std::string_view consumer) const {
    const auto row = buffer::find_row<schema::Cursor>(tables_, Table::cursors, consumer);
    return row ? std::max<Sequence>(1, row->next_sequence()) : 1;
  }

  bool wanted(std::uint64_t project, std::int64_t hour_ms) const {
    if (hour_ms < request_.from_ms || hour_ms >= request_.to_ms) return false;
    return request_.projects.empty() || std::binary_search(request_.projects.begin(), request_.projects.end(), project);
  }

  LedgerLine& line_of(const Place& place) {
    const auto& by = request_.by;
    LedgerLine line;
    line.hour_ms = by.hour ? place.hour_ms : 0;
    line.project = by.project ? place.project : 0;
    if (by.key) line.key = place.key;
    if (by.category) line.category = place.category;
    Order order = line.order();
    return lines_.try_emplace(std::move(order), std::move(line)).first->second;
  }

  void read_items() {
    auto cursor = tables_.cursor(Table::ledger);
    for (bool more = cursor.first(); more; more = cursor.next()) {
      buffer::KeyReader key(cursor.key());
      Place place;
      place.project = key.u64();
      place.hour_ms = static_cast<std::int64_t>(key.u64());
      place.category = static_cast<DataCategory>(key.u8());
      const auto fate = static_cast<ItemFate>(key.u8());
      place.key = key.raw(16);
      if (!wanted(place.project, place.hour_ms)) continue;
      const auto quantity = buffer::parse_row<schema::Count>(cursor.value()).quantity();
      LedgerLine& line = line_of(place);
      switch (fate) {
        case ItemFate::stored:
          line.stored += quantity;
          stored_[{place.project, place.hour_ms, place.category}] += quantity;
          break;
        case ItemFate::filtered: line.filtered += quantity; break;
        case ItemFate::rate_limited: line.rate_limited += quantity; break;
        case ItemFate::invalid: line.invalid += quantity; break;
        case ItemFate::abuse: line.abuse += quantity; break;
      }
    }
  }

  void read_outcomes() {
    auto cursor = tables_.cursor(Table::outcomes);
    for (bool more = cursor.first(); more; more = cursor.next()) {
      buffer::KeyReader key(cursor.key());
      Place place;
      place.project = key.u64();
      place.hour_ms = static_cast<std::int64_t>(key.u64());
      place.category = static_cast<DataCategory>(key.u8());
      const auto outcome = static_cast<relay::Outcome>(key.u8());
      const bool accepted = outcome == relay::Outcome::accepted;
      if (!accepted && outcome != relay::Outcome::client_discard) continue;
      if (accepted && !as_items(place.category)) continue;
      key.text();
      place.key = key.raw(16);
      if (!wanted(place.project, place.hour_ms)) continue;
      auto& line = line_of(place);
      (accepted ? line.accepted : line.client_discarded) += buffer::parse_row<schema::Count>(cursor.value()).quantity();
    }
  }

  // Outcomes count some items in bytes beside their number, and name an event by what was found in it.
  static bool as_items(DataCategory& category) {
    switch (category) {
      case DataCategory::attachment:
      case DataCategory::log_byte:
      case DataCategory::trace_metric_byte: return false;
      case DataCategory::attachment_item: return category = DataCategory::attachment, true;
      case DataCategory::default_: return category = DataCategory::error, true;
      default: return true;
    }
  }

  void read_destinations(const buffer::JournalUse& use, Sequence end) {
    const auto recycled = recycled_hour(use);
    auto cursor = tables_.cursor(Table::destinations);
    for (bool more = cursor.first(); more; more = cursor.next()) {
      const auto row = buffer::parse_row<schema::Destination>(cursor.value());
      if (row.retired_ms() != 0) continue;
      known_.clear();
      unread_.clear();
      read_fates(row.name());
      count_before(row, use.first, end);
      const bool counted = end == 0 || count_waiting(row, std::max(cursor_of("upstream/" + row.name()), use.first), end);
      const auto found = recycled ? count_recycled(row.name(), counted ? *recycled : *recycled - 1) : 0;
      count_unread(row.name(), found);
    }
    for (auto& [order, line] : lines_) {
      for (const auto& name : names_) line.destinations.try_emplace(name);
    }
  }

  // The latest hour that records which are gone from the journal may be of; nothing when none are.
  std::optional<std::int64_t> recycled_hour(const buffer::JournalUse& use) const {
    if (use.first <= 1) return std::nullopt;
    const auto oldest = journal_.read(use.first, 1, 1);
    if (!oldest || oldest->records.empty()) return std::numeric_limits<std::int64_t>::max();
    return digest::hour_of(oldest->records.front().received);
  }

  // What the journal has let go of before it was forwarded is known by what is left of what was stored
  // then. Of later hours nothing may be left: those are checked.
  std::uint64_t count_recycled(const std::string& destination, std::int64_t until_hour_ms) {
    auto nameless = count_nameless();
    std::uint64_t counted = 0;
    for (const auto& [spot, stored] : stored_) {
      const auto found = known_.find(spot);
      const auto known = found == known_.end() ? 0 : found->second;
      if (spot.hour_ms > until_hour_ms || known >= stored) continue;
      auto& elsewhere = nameless[spot.project];
      const auto left = stored - known - std::min(elsewhere, stored - known);
      elsewhere -= std::min(elsewhere, stored - known);
      if (left == 0) continue;
      line_of({spot.project, spot.hour_ms, spot.category, {}}).destinations[destination].expired += left;
      counted += left;
    }
    return counted;
  }

  // Of a project's records those that could not be read when they were to be sent: what they held is stored under
  // its own category, what became of it is not.
  std::map<std::uint64_t, std::uint64_t> count_nameless() const {
    std::map<std::uint64_t, std::uint64_t> nameless;
    for (const auto& [spot, known] : known_) {
      if (spot.category != DataCategory::unknown) continue;
      const auto found = stored_.find(spot);
      const auto stored = found == stored_.end() ? 0 : found->second;
      if (known > stored) nameless[spot.project] += known - stored;
    }
    return nameless;
  }

  // What was gone before it was sent, in so far as it was not found among what was stored: of segments that
  // were broken, whose records may be of any hour.
  void count_unread(const std::string& destination, std::uint64_t found) {
    for (const auto& [spot, quantity] : unread_) {
      const auto known = std::min(found, quantity);
      found -= known;
      if (quantity > known) line_of({spot.project, spot.hour_ms, spot.category, {}}).destinations[destination].expired += quantity - known;
    }
  }

  // What the journal held already when the destination began with the next record: `backfill = false`.
  void count_before(const schema::Destination& row, Sequence from, Sequence end) {
    const auto started = std::min<Sequence>(row.started(), end);
    if (started <= from || started - from > most_looked_at) return;
    each_record(from, started, [&](const buffer::StoredRecord& record) {
      each_item(record, [&](const Place& place, std::uint64_t quantity) { count_onward(row.name(), place, quantity).not_routed += quantity; });
    });
  }

  // Of the destination's at that place, of which that many are accounted for now.
  Onward& count_onward(const std::string& destination, const Place& place, std::uint64_t quantity) {
    known_[{place.project, place.hour_ms, place.category}] += quantity;
    return line_of(place).destinations[destination];
  }

  void read_fates(const std::string& destination) {
    names_.push_back(destination);
    const std::string prefix(buffer::Key().text(destination).view());
    auto cursor = tables_.cursor(Table::forwarding);
    for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next()) {
      buffer::KeyReader key(cursor.key());
      key.text();
      Place place;
      place.project = key.u64();
      place.hour_ms = static_cast<std::int64_t>(key.u64());
      place.category = static_cast<DataCategory>(key.u8());
      const auto fate = key.u8();
      if (!wanted(place.project, place.hour_ms)) continue;
      const auto quantity = buffer::parse_row<schema::Count>(cursor.value()).quantity();
      // Records that were gone before they were read, whatever they held: see count_unread().
      if (fate == 3 && place.project == 0 && place.category == DataCategory::unknown) {
        unread_[{place.project, place.hour_ms, place.category}] += quantity;
        continue;
      }
      Onward& to = count_onward(destination, place, quantity);
      if (fate == 1) to.forwarded += quantity;
      if (fate == 2) to.quarantined += quantity;
      if (fate == 3) to.expired += quantity;
      if (fate == 10) to.not_routed += quantity;
      if (fate == 11) to.not_sampled += quantity;
    }
  }

  // What lies in the journal between the destination's cursor and the digest's, and what was put off. False when
  // that is too much to be looked at.
  bool count_waiting(const schema::Destination& row, Sequence from, Sequence end) {
    // What was handed over to the classes is in no one place any more.
    const bool handed = row.link().lanes_size() > 0 && row.link().kept_cursor() == cursor_of("upstream/" + row.name());
    if (handed || (end > from && end - from > most_looked_at)) {
      report_.waiting_is_rest = true;
      return false;
    }
    const auto add = [&](const buffer::StoredRecord& record) {
      each_item(record, [&](const Place& place, std::uint64_t quantity) { count_onward(row.name(), place, quantity).waiting += quantity; });
    };
    each_record(from, end, add);
    for (const Sequence sequence : row.deferred()) {
      const auto record = journal_.read_one(sequence);
      if (record && !record->records.empty()) add(record->records.front());
    }
    return true;
  }

  template <class Visit>
  void each_record(Sequence from, Sequence end, Visit visit) const {
    while (from < end) {
      const auto batch = journal_.read(from, bytes_at_once, 4096);
      if (!batch || batch->next <= from) return;
      for (const auto& record : batch->records) {
        if (record.sequence < end) visit(record);
      }
      from = batch->next;
    }
  }

  template <class Visit>  // (place, quantity)
  void each_item(const buffer::StoredRecord& record, Visit visit) const {
    if (record.kind != buffer::RecordKind::envelope) return;
    Place place;
    place.project = record.project;
    place.hour_ms = digest::hour_of(record.received);
    if (!wanted(place.project, place.hour_ms)) return;
    schema::IntakeMeta meta;
    meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()));
    for (int i = 0; i + 1 < meta.item_counts_size(); i += 2) {
      place.category = static_cast<DataCategory>(std::min<std::uint64_t>(meta.item_counts(i), 255));
      visit(place, meta.item_counts(i + 1));
    }
  }

  void fill_waiting() {
    for (auto& line : report_.lines) {
      for (auto& [name, onward] : line.destinations) {
        const auto gone = onward.gone();
        onward.waiting = line.stored > gone ? line.stored - gone : 0;
      }
    }
  }

  const buffer::Reader& tables_;
  const buffer::Journal& journal_;
  const LedgerRequest& request_;
  std::map<Order, LedgerLine> lines_;
  Quantities stored_;
  Quantities known_;  // of the destination at hand: what became of so many is known
  Quantities unread_;  // of the same: records that were gone before they were read
  std::vector<std::string> names_;
  LedgerReport report_;
};

}  // namespace

LedgerReport collect_ledger(const buffer::Reader& tables,
                            const buffer::Journal& journal,
                            const LedgerRequest& request) {
  return Collector(tables, journal, request).collect();
}

std::vector<std::string> check_ledger(const LedgerReport& report) {
  std::vector<std::string> wrong;
  for (const auto& line : report.lines) {
    for (const auto& [name, onward] : line.destinations) {
      if (onward.sum() == line.stored) continue;
      std::string words = name + ": ";
      if (line.project != 0) words += "project " + std::to_string(line.project) + ", ";
      if (line.category) words += std::string(relay::wire_name(*line.category)) + ", ";
      words += "stored " + std::to_string(line.stored) + " is not forwarded " + std::to_string(onward.forwarded) +
               " + waiting " + std::to_string(onward.waiting) + " + quarantined " +
               std::to_string(onward.quarantined) + " + expired " + std::to_string(onward.expired) + " + not routed " + std::to_string(onward.not_routed) +
               " + not sampled " + std::to_string(onward.not_sampled);
      wrong.push_back(std::move(words));
    }
  }
  return wrong;
}

}  // namespace picket::query

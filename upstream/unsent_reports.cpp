#include "upstream/unsent_reports.h"

#include "relay/protocol/envelope.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {
namespace {

using relay::DataCategory;

// Words of the client report; "" for a fate that is none of theirs.
std::string_view reason_of(std::uint8_t fate) {
  switch (static_cast<Fate>(fate)) {
    case Fate::not_sampled: return "sample_rate";
    case Fate::not_routed: return "not_routed";
    case Fate::expired: return "expired";
    default: return "";
  }
}

// Sentry has no word for ours.
bool can_be_told(DataCategory category) {
  return category != DataCategory::client_report && category != DataCategory::user_report && category != DataCategory::unknown;
}

}  // namespace

void UnsentReports::add(const Place& place, const Kind& kind, std::uint64_t quantity, Time now) {
  if (quantity == 0 || reason_of(kind.first).empty() || !can_be_told(kind.second)) return;
  auto pile = piles_.find(place);
  const bool known = pile != piles_.end() && pile->second.sums.contains(kind);
  if (!known && sums_ >= most_sums) return;
  if (pile == piles_.end()) pile = piles_.emplace(place, Pile{{}, now + every_}).first;
  pile->second.sums[kind] += quantity;
  if (!known) ++sums_;
}

void UnsentReports::add(const Settled& settled, Time now) {
  if (every_.count() == 0) return;
  const Label& label = settled.label;
  const Place place{label.project, label.key};
  for (const auto& [fate, category, quantity] : label.left_out) add(place, {fate, category}, quantity, now);
  if (settled.fate != Fate::expired) return;
  for (const auto& [category, quantity] : label.counts) add(place, {static_cast<std::uint8_t>(settled.fate), category}, quantity, now);
}

std::optional<UnsentReports::Report> UnsentReports::start(Time now) {
  if (told_) return std::nullopt;
  const auto due = std::min_element(piles_.begin(), piles_.end(), [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
  if (due == piles_.end() || due->second.due > now) return std::nullopt;
  std::string entries;
  for (const auto& [kind, quantity] : due->second.sums) {
    entries += entries.empty() ? "" : ",";
    entries += "{\"reason\":\"" + std::string(reason_of(kind.first)) + "\",\"category\":\"" + std::string(relay::wire_name(kind.second)) +
               "\",\"quantity\":" + std::to_string(quantity) + "}";
  }
  const std::string payload =
      "{\"timestamp\":\"" + relay::render_timestamp(to_ms(now)) + "\",\"discarded_events\":[" + entries + "]}";
  told_.emplace(due->first, due->second.sums);
  return Report{due->first.first, due->first.second,
                "{}\n{\"type\":\"client_report\",\"length\":" + std::to_string(payload.size()) + "}\n" + payload + "\n"};
}

void UnsentReports::settle(Time now) {
  if (!told_) return;
  const auto [place, told] = *std::exchange(told_, std::nullopt);
  const auto pile = piles_.find(place);
  if (pile == piles_.end()) return;
  for (const auto& [kind, quantity] : told) {
    const auto sum = pile->second.sums.find(kind);
    sum->second -= quantity;
    if (sum->second > 0) continue;
    pile->second.sums.erase(sum);
    --sums_;
  }
  pile->second.due = now + every_;
  if (pile->second.sums.empty()) piles_.erase(pile);
}

void UnsentReports::put_back(Time now) {
  if (!told_) return;
  const auto pile = piles_.find(told_->first);
  if (pile != piles_.end()) pile->second.due = now + every_;
  told_.reset();
}

std::optional<Time> UnsentReports::next_look() const {
  if (told_) return std::nullopt;
  std::optional<Time> first;
  for (const auto& [place, pile] : piles_) first = std::min(first.value_or(pile.due), pile.due);
  return first;
}

void UnsentReports::on_clock_leap(Time now) {
  for (auto& [place, pile] : piles_) pile.due = now + every_;
}

void UnsentReports::load(const schema::Destination& row, Time now) {
  if (every_.count() == 0) return;
  for (const schema::UnsentSum& sum : row.unsent()) {
    add({sum.project(), sum.key()}, {static_cast<std::uint8_t>(sum.fate()), static_cast<DataCategory>(sum.category())}, sum.quantity(), now);
  }
}

void UnsentReports::store(schema::Destination& row) const {
  row.clear_unsent();
  for (const auto& [place, pile] : piles_) {
    for (const auto& [kind, quantity] : pile.sums) {
      schema::UnsentSum& sum = *row.add_unsent();
      sum.set_project(place.first);
      sum.set_key(place.second);
      sum.set_fate(kind.first);
      sum.set_category(static_cast<std::uint32_t>(kind.second));
      sum.set_quantity(quantity);
    }
  }
}

}  // namespace picket::upstream

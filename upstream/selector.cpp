#include "upstream/selector.h"

#include "relay/protocol/hex.h"
#include "upstream/item_facts.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace picket::upstream {
namespace {

using relay::DataCategory;

constexpr std::uint8_t goes = 0;
constexpr auto not_routed = static_cast<std::uint8_t>(Fate::not_routed);
constexpr auto not_sampled = static_cast<std::uint8_t>(Fate::not_sampled);

void add_left_out(std::vector<LeftOut>& all, const LeftOut& one) {
  for (LeftOut& known : all) {
    if (known.fate != one.fate || known.category != one.category) continue;
    known.quantity += one.quantity;
    return;
  }
  all.push_back(one);
}

}  // namespace

Result<Selector> Selector::make(const DestinationConfig& config) {
  Selector selector;
  auto routing = Routing::make(config.routing);
  if (!routing) return routing.error();
  selector.routing_ = *std::move(routing);
  auto sampling = Sampling::make(config.sample_rates);
  if (!sampling) return sampling.error();
  selector.sampling_ = *std::move(sampling);
  return selector;
}

void Selector::leave_all_out(Parcel& parcel, Fate fate) {
  Label& label = parcel.label;
  for (const auto& [category, quantity] : std::exchange(label.counts, {})) {
    add_left_out(label.left_out, {static_cast<std::uint8_t>(fate), category, quantity});
  }
  label.decisive.clear();
  label.key = parcel.key;
}

bool Selector::samples(const Label& label) const {
  return std::any_of(label.counts.begin(), label.counts.end(), [&](const ItemCount& count) {
    return sampling_.rate_of(count.category) < 1 ||
           (count.category == DataCategory::attachment && sampling_.rate_of(DataCategory::error) < 1);
  });
}

Selector::Quick Selector::judge_quickly(const Label& label) const {
  if (!routing_.takes_project(label.project)) return Quick::none;
  if (!routing_.has_categories()) return routing_.looks_inside() || samples(label) ? Quick::unsure : Quick::all;
  const auto taken = [&](const ItemCount& count) { return routing_.takes_category(count.category); };
  // A crash file counts as an attachment and is an error.
  const auto could_go = [&](const ItemCount& count) {
    return taken(count) || (count.category == DataCategory::attachment && routing_.takes_category(DataCategory::error));
  };
  if (!label.counts.empty() && std::none_of(label.counts.begin(), label.counts.end(), could_go)) return Quick::none;
  if (routing_.looks_inside() || samples(label)) return Quick::unsure;
  return std::all_of(label.counts.begin(), label.counts.end(), taken) ? Quick::all : Quick::unsure;
}

std::uint8_t Selector::judge_item(const relay::Envelope& envelope, const relay::Item& item, const Parcel& parcel) const {
  const auto category = deciding_category(item);
  if (!routing_.takes_category(category)) return not_routed;
  std::optional<ItemFacts> facts;
  if (routing_.looks_inside()) {
    facts = read_facts(envelope, item);
    if (!routing_.takes(*facts)) return not_routed;
  }
  const double rate = sampling_.rate_of(category);
  if (rate >= 1) return goes;
  std::string id = find_trace_id(envelope.header);
  if (id.empty()) {
    if (!facts) facts = read_facts(envelope, item);
    id = facts->trace_id.value_or("");
  }
  if (id.empty() && envelope.fields.event_id) id = relay::render_event_id(*envelope.fields.event_id);
  if (id.empty()) id = parcel.meta.event_id().empty() ? std::string(item.payload.substr(0, 4'096)) : relay::render_hex(parcel.meta.event_id());
  return number_of_id(id) < rate ? goes : not_sampled;
}

std::vector<std::uint8_t> Selector::judge_items(const relay::Envelope& envelope, const Parcel& parcel) const {
  const auto leaders = find_leaders(envelope);
  std::vector<std::uint8_t> fates(envelope.items.size(), goes);
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (leaders[i] == i) fates[i] = judge_item(envelope, envelope.items[i], parcel);
  }
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (leaders[i] == i) continue;
    const relay::Item& item = envelope.items[i];
    fates[i] = fates[leaders[i]];
    if (fates[i] == goes && routing_.excludes(relay::category_of(item)) && !is_crash_file(item)) fates[i] = not_routed;
  }
  return fates;
}

Result<void> Selector::select(Parcel& parcel) const {
  if (takes_all()) return {};
  switch (judge_quickly(parcel.label)) {
    case Quick::all: return {};
    case Quick::none: leave_all_out(parcel, Fate::not_routed); return {};
    case Quick::unsure: break;
  }
  const auto decoded = decode(parcel);
  if (!decoded) return decoded.error();
  const auto envelope = relay::parse_envelope(*decoded, {.max_items = SIZE_MAX});
  if (!envelope) return envelope.error();
  const auto fates = judge_items(*envelope, parcel);
  if (std::all_of(fates.begin(), fates.end(), [](std::uint8_t fate) { return fate == goes; })) return {};
  parcel.label.counts.clear();
  parcel.label.key = parcel.key;
  parcel.kept.resize(fates.size());
  for (std::size_t i = 0; i < fates.size(); ++i) {
    const relay::Item& item = envelope->items[i];
    parcel.kept[i] = fates[i] == goes;
    if (fates[i] == goes) add_count(parcel.label.counts, relay::category_of(item), item.item_count);
    else add_left_out(parcel.label.left_out, {fates[i], relay::category_of(item), item.item_count});
  }
  parcel.label.decisive = decisive_of(parcel.label.counts);
  return {};
}

void Selector::select_unseen(Parcel& parcel) const {
  if (judge_quickly(parcel.label) == Quick::none) leave_all_out(parcel, Fate::not_routed);
}

}  // namespace picket::upstream

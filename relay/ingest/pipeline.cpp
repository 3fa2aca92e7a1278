#include "relay/ingest/pipeline.h"

#include "relay/ingest/item_limits.h"
#include "relay/ingest/project_settings.h"
#include "relay/ingest/shedding.h"
#include "relay/protocol/json_index.h"
#include "relay/protocol/json_object.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace picket::ingest {
namespace {

using relay::DataCategory;

// What an item is to those beside it.
enum class Part : std::uint8_t { event, of_event, replay, of_replay, span, of_span, alone };

Part part_of(const relay::Item& item) {
  const std::string_view type = item.type;
  if (type == "event" || type == "transaction" || type == "feedback" || type == "unreal_report")
    return Part::event;
  // An attachment of a trace stands by itself, unless it says that spans own it.
  if (relay::is_trace_attachment(item)) return relay::belongs_to_span(item) ? Part::of_span : Part::alone;
  if (type == "span") return Part::span;
  if (type == "attachment" || type == "user_report" || type == "profile" || type == "form_data")
    return Part::of_event;
  if (type == "replay_event") return Part::replay;
  if (type == "replay_recording" || type == "replay_video") return Part::of_replay;
  return Part::alone;
}

// A crash is worth keeping without room for its dump's bytes: the event is made of it.
bool makes_event(const relay::Item& item) {
  return item.attachment_type == "event.minidump" ||
         item.attachment_type == "event.applecrashreport" ||
         item.attachment_type == "event.payload";
}

// Nothing: quotas do not count the item.
std::vector<Asked> asked_of(const relay::Item& item, bool with_event) {
  const std::uint64_t bytes = item.payload.size();
  const std::uint64_t count = item.item_count;
  const auto category = relay::category_of(item);
  switch (category) {
    case DataCategory::transaction:
      return {{category, 1}, {DataCategory::transaction_indexed, 1}};
    case DataCategory::attachment:
      if (makes_event(item)) {
        if (with_event) return {};
        return {{DataCategory::error, 1}};
      }
      return {{category, bytes}, {DataCategory::attachment_item, 1}};
    case DataCategory::span: return {{category, count}, {DataCategory::span_indexed, count}};
    case DataCategory::log_item: return {{category, count}, {DataCategory::log_byte, bytes}};
    case DataCategory::trace_metric:
      return {{category, count}, {DataCategory::trace_metric_byte, bytes}};
    case DataCategory::profile: return {{category, 1}, {DataCategory::profile_indexed, 1}};
    case DataCategory::client_report:
    case DataCategory::user_report: return {};
    default: return {{category, count}};
  }
}

std::string_view trace_of(const relay::Envelope& envelope) {
  relay::JsonObjectReader reader(envelope.header);
  while (const auto member = reader.next()) {
    if (member->named("trace") && member->is_object()) return member->value;
  }
  return {};
}

// Of a sender without any: nothing is limited, filtered or scrubbed.
const ProjectSettings& settings_of(const Sender& sender) {
  static const ProjectSettings none;
  return sender.settings ? *sender.settings : none;
}

class Judging {
 public:
  Judging(QuotaBook& book,
          const Sender& sender,
          const relay::Envelope& envelope,
          const Circumstances& circumstances,
          Time now,
          const buffer::ByteRoom& room)
      : book_(book),
        sender_(sender),
        settings_(settings_of(sender)),
        items_(envelope.items),
        envelope_(envelope),
        circumstances_(circumstances),
        now_(now),
        room_(room) {
    for (const auto& item : items_) {
      const auto part = part_of(item);
      if (part == Part::event) ++events_left_;
      if (part == Part::replay) ++replays_left_;
      if (part == Part::span) ++spans_left_;
    }
  }

  Judgement run() {
    const bool limited = sender_.key_quota || !settings_.quotas.empty();
    shed();
    if (limited) apply_quotas();
    if (!settings_.filters.empty()) apply_filters();
    // What is decided by the trace alone is the same before scrubbing, and dropped items need none.
    const bool early = !settings_.sampling.reads_payload();
    if (early) apply_sampling();
    scrub();
    if (!early) apply_sampling();
    Judgement judgement;
    if (limited) judgement.limits = book_.active(sender_, now_);
    if (!circumstances_.shed.empty()) judgement.limits.push_back(low_room_limit(circumstances_.shed, now_));
    if (fates_.empty() && scrubbed_.empty()) {
      judgement.kept = count_items(envelope_);
      return judgement;
    }
    count(judgement);
    if (judgement.kept.empty()) return judgement;
    auto rendered = render();
    if (rendered) {
      judgement.envelope = *std::move(rendered);
    } else {
      judgement.no_room = rendered.error();
    }
    return judgement;
  }

 private:
  struct Fate {
    bool dropped = false;
    relay::Outcome outcome = relay::Outcome::filtered;
    std::string reason;
  };

  bool dropped(std::size_t index) const { return !fates_.empty() && fates_[index].dropped; }

  void drop(std::size_t index, relay::Outcome outcome, std::string_view reason) {
    if (fates_.empty()) fates_.resize(items_.size());
    if (fates_[index].dropped) return;
    fates_[index] = {true, outcome, std::string(reason)};
    // Once the last event (replay, span) of the envelope has gone, so does what came with it.
    const auto part = part_of(items_[index]);
    if (part == Part::event && --events_left_ == 0) drop_all(Part::of_event, outcome, reason);
    if (part == Part::replay && --replays_left_ == 0) drop_all(Part::of_replay, outcome, reason);
    if (part == Part::span && --spans_left_ == 0) drop_all(Part::of_span, outcome, reason);
  }
  void drop_all(Part part, relay::Outcome outcome, std::string_view reason) {
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (part_of(items_[i]) == part) drop(i, outcome, reason);
    }
  }

  void shed() {
    for (std::size_t i = 0; i < items_.size() && !circumstances_.shed.empty(); ++i) {
      const auto category = makes_event(items_[i]) ? DataCategory::error : relay::category_of(items_[i]);
      if (std::ranges::find(circumstances_.shed, category) == circumstances_.shed.end()) continue;
      drop(i, relay::Outcome::rate_limited, low_room_reason);
    }
  }

  // Events first: what comes with one that has no room is not counted under its own quota.
  void apply_quotas() {
    const bool with_event = events_left_ > 0;
    const bool with_replay = replays_left_ > 0;
    for (const bool leading : {true, false}) {
      for (std::size_t i = 0; i < items_.size(); ++i) {
        const auto part = part_of(items_[i]);
        if ((part == Part::event || part == Part::replay || part == Part::span) != leading || dropped(i)) continue;
        // A replay is counted once, however many items it is in.
        if (part == Part::of_replay && with_replay) continue;
        const auto asked = asked_of(items_[i], with_event);
        if (asked.empty()) continue;
        const auto refused = book_.admit(sender_, asked, now_);
        if (refused) drop(i, relay::Outcome::rate_limited, refused->reason);
      }
    }
  }

  void apply_filters() {
    const filter::Sent sent{circumstances_.client_address, circumstances_.user_agent, trace()};
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (dropped(i)) continue;
      const auto reason = settings_.filters.judge(items_[i], sent, indexed(i));
      if (!reason.empty()) drop(i, relay::Outcome::filtered, reason);
    }
  }

  // One decision for all that belongs to the trace.
  void apply_sampling() {
    if (settings_.sampling.empty()) return;
    const auto samples = [this](std::size_t i) {
      return !dropped(i) && (items_[i].type == "transaction" || items_[i].type == "span" || relay::is_trace_attachment(items_[i]));
    };
    // A transaction's payload may be asked for: it speaks for what is beside it.
    auto first = items_.size();
    for (auto i = items_.size(); i-- > 0;) {
      if (samples(i) && (first == items_.size() || !relay::is_trace_attachment(items_[i]))) first = i;
    }
    if (first == items_.size()) return;
    const auto reservoir = [this](std::uint32_t rule, std::uint64_t limit) {
      return book_.fill_reservoir(sender_.project, rule, limit);
    };
    const bool transaction = items_[first].type == "transaction";
    const auto reason =
        settings_.sampling.judge(transaction ? "event" : "", transaction ? payload(first) : "",
                                 trace(), now_, reservoir);
    if (reason.empty()) return;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (samples(i)) drop(i, relay::Outcome::filtered, reason);
    }
  }

  void scrub() {
    for (const auto& scrubber : settings_.scrubbers) {
      auto recording_bytes = scrub::max_recording_bytes;
      for (std::size_t i = 0; i < items_.size(); ++i) {
        if (dropped(i)) continue;
        auto changed = scrubbed_.empty() || !scrubbed_[i] ? scrubber.scrub(items_[i], indexed(i), recording_bytes)
                                                          : scrubber.scrub(changed_item(i));
        if (!changed) continue;
        if (scrubbed_.empty()) scrubbed_.resize(items_.size());
        scrubbed_[i] = std::move(changed);
      }
    }
  }
  relay::Item changed_item(std::size_t index) const { return relay::with_payload(items_[index], *scrubbed_[index]); }

  void count(Judgement& judgement) const {
    bool limited = false;
    bool otherwise = false;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const ItemCount items{relay::category_of(items_[i]), items_[i].item_count};
      if (!dropped(i)) {
        add(judgement.kept, items);
        continue;
      }
      const auto& fate = fates_[i];
      (fate.outcome == relay::Outcome::rate_limited ? limited : otherwise) = true;
      const auto same = std::find_if(
          judgement.dropped.begin(), judgement.dropped.end(), [&](const DroppedItems& other) {
            return other.items.category == items.category && other.outcome == fate.outcome &&
                   other.reason == fate.reason;
          });
      if (same == judgement.dropped.end()) {
        judgement.dropped.push_back({items, fate.outcome, fate.reason});
      } else {
        same->items.quantity += items.quantity;
      }
    }
    judgement.all_limited = judgement.kept.empty() && limited && !otherwise;
  }
  static void add(std::vector<ItemCount>& counts, const ItemCount& items) {
    const auto found = std::find_if(counts.begin(), counts.end(), [&](const ItemCount& other) {
      return other.category == items.category;
    });
    if (found == counts.end()) {
      counts.push_back(items);
    } else {
      found->quantity += items.quantity;
    }
  }

  // The header and every kept item as they came, but for payloads that changed and their lengths.
  Result<buffer::Bytes> render() const {
    std::size_t size = envelope_.header.size() + 1;
    for (std::size_t i = 0; i < items_.size(); ++i)
      size += dropped(i) ? 0 : items_[i].header.size() + payload(i).size() + 16;
    buffer::BytesBuilder out(room_);
    auto added = out.expect(size);
    const auto add = [&](std::string_view bytes) {
      if (added) added = out.append(bytes);
    };
    add(envelope_.header);
    add("\n");
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (dropped(i)) continue;
      const auto& item = items_[i];
      const auto bytes = payload(i);
      const bool changed = !scrubbed_.empty() && scrubbed_[i];
      if (changed && (item.length || item.meta_length || bytes.find('\n') != std::string_view::npos)) {
        add(relay::render_item_header(item, bytes.size()));
      } else {
        add(item.header);
      }
      add("\n");
      add(bytes);
      add("\n");
    }
    if (!added) return added.error();
    return std::move(out).finish();
  }
  std::string_view payload(std::size_t index) const {
    if (scrubbed_.empty() || !scrubbed_[index]) return items_[index].payload;
    return *scrubbed_[index];
  }

  // Of the item's payload as it came; the one before it ends.
  relay::IndexedJson& indexed(std::size_t index) {
    thread_local relay::JsonIndex kept;
    if (!indexed_ || indexed_item_ != index) {
      indexed_.emplace(items_[index].payload, kept);
      indexed_item_ = index;
    }
    return *indexed_;
  }

  // Looked for once, by those who need it.
  std::string_view trace() {
    if (!trace_) trace_ = trace_of(envelope_);
    return *trace_;
  }

  QuotaBook& book_;
  const Sender& sender_;
  const ProjectSettings& settings_;
  const std::vector<relay::Item>& items_;
  const relay::Envelope& envelope_;
  const Circumstances& circumstances_;
  const Time now_;
  const buffer::ByteRoom& room_;
  std::size_t events_left_ = 0;
  std::size_t replays_left_ = 0;
  std::size_t spans_left_ = 0;
  std::optional<std::string_view> trace_;
  std::optional<relay::IndexedJson> indexed_;  // of one item
  std::size_t indexed_item_ = 0;
  std::vector<Fate> fates_;                          // empty: nothing was dropped
  std::vector<std::optional<std::string>> scrubbed_;  // empty: nothing has changed
};

}  // namespace

Judgement Pipeline::judge(const Sender& sender,
                          const relay::Envelope& envelope,
                          const Circumstances& circumstances,
                          Time now,
                          const buffer::ByteRoom& room) const {
  if (envelope.items.empty() || (!sender.settings && circumstances.shed.empty())) {
    Judgement judgement;
    judgement.kept = count_items(envelope);
    return judgement;
  }
  return Judging(book_, sender, envelope, circumstances, now, room).run();
}

}  // namespace picket::ingest

#include "relay/scrub/scrubber.h"

#include "relay/protocol/json_object.h"
#include "relay/protocol/json_repair.h"
#include "relay/protocol/recording.h"
#include "relay/scrub/blob.h"
#include "relay/scrub/pii_config.h"
#include "relay/scrub/recording.h"
#include "relay/scrub/schema.h"
#include "relay/scrub/walk.h"

#include <utility>

namespace picket::scrub {
namespace {

// The root's member `items`: the token of its value, or nothing.
std::optional<std::size_t> find_items(const relay::JsonIndex& index) {
  if (index.size() == 0 || index.first(0) != '{') return std::nullopt;
  std::size_t token = 1;
  while (token + 2 < index.size() && index.first(token) == '"' && index.first(token + 1) == ':') {
    if (index.content(token) == "items") return token + 2;
    token = index.after(token + 2);
    if (token >= index.size() || index.first(token) != ',') break;
    ++token;
  }
  return std::nullopt;
}

void walk_all(Walk& walk, const relay::JsonIndex& index, std::size_t list, const Node& node) {
  if (index.first(list) != '[') return;
  std::size_t token = list + 1;
  while (token < index.size() && index.first(token) != ']') {
    token = walk.walk_root(token, node);
    if (token >= index.size() || index.first(token) != ',') break;
    ++token;
  }
}

struct Attempt {
  std::optional<std::string> scrubbed;
  bool broken = false;  // it is no JSON, and something in it matches or cannot be looked at
};

Attempt try_json(const RuleSet& rules, std::string_view type, relay::IndexedJson& indexed, relay::JsonIndex& spare) {
  const auto& schema = Schema::get();
  const Node* node = schema.root_of(type);
  if (node == nullptr) return {};
  if (indexed.index() == nullptr) return {std::nullopt, true};
  const auto& index = *indexed.index();
  const auto payload = indexed.text();
  Walk walk(rules, payload, index, &spare);
  const Node* item = schema.container_of(type);
  const auto items = item == nullptr ? std::nullopt : find_items(index);
  if (items) {
    walk_all(walk, index, *items, *item);
  } else if (index.first(0) == '[') {
    walk_all(walk, index, 0, *node);
  } else if (type == "view_hierarchy") {
    walk.walk_bare(0, *node);
  } else {
    walk.walk_root(0, *node);
  }
  if (walk.edits().empty()) return {};
  if (!relay::is_json(payload)) return {std::nullopt, true};
  return {render_edits(payload, walk.edits())};
}

// What is not quite JSON is mended by those who read it later, and would show what is in it.
std::optional<std::string> scrub_mended(const RuleSet& rules, std::string_view type, std::string_view payload) {
  const auto mended = relay::repair_json(payload);
  if (!relay::is_json(mended)) return std::nullopt;
  relay::JsonIndex index;
  relay::JsonIndex spare;
  relay::IndexedJson indexed(mended, index);
  return try_json(rules, type, indexed, spare).scrubbed;
}

constexpr std::size_t kept_index_bytes = std::size_t{1} * 1024 * 1024;

Attempt try_json(const RuleSet& rules, std::string_view type, relay::IndexedJson& payload) {
  if (payload.text().size() > kept_index_bytes) {
    relay::JsonIndex spare;
    return try_json(rules, type, payload, spare);
  }
  thread_local relay::JsonIndex spare;
  return try_json(rules, type, payload, spare);
}

std::optional<std::string> scrub_json(const RuleSet& rules, std::string_view type, relay::IndexedJson& payload) {
  if (payload.text().size() > max_json_bytes) return std::nullopt;
  auto attempt = try_json(rules, type, payload);
  return attempt.broken ? scrub_mended(rules, type, payload.text()) : std::move(attempt.scrubbed);
}

std::optional<std::string> scrub_video(const RuleSet& rules, std::string_view item, std::size_t& recording_bytes) {
  return relay::rewrite_replay_video(
      item, [&](std::string_view key, std::string_view part) -> std::optional<std::string> {
        if (key == "replay_recording") return scrub_recording(rules, part, recording_bytes);
        if (key != "replay_event") return std::nullopt;
        thread_local relay::JsonIndex index;
        relay::IndexedJson event(part, index);
        return scrub_json(rules, "replay_event", event);
      });
}

// A text of an object; "" when it has none of that name.
std::string text_member(std::string_view object, std::string_view name) {
  relay::JsonObjectReader reader(object);
  while (const auto member = reader.next()) {
    if (member->named(name) && member->is_string()) return relay::unescape_json(member->raw_text());
  }
  return {};
}

// What it says of itself as JSON, its body as a file of that name.
std::optional<std::string> scrub_trace_attachment(const RuleSet& rules, const relay::TraceAttachment& parts) {
  thread_local relay::JsonIndex index;
  relay::IndexedJson meta(parts.meta, index);
  const auto changed_meta = scrub_json(rules, "trace_attachment", meta);
  const auto changed_body = scrub_attachment(rules, text_member(parts.meta, "filename"), parts.body);
  if (!changed_meta && !changed_body) return std::nullopt;
  std::string changed(changed_meta ? std::string_view(*changed_meta) : parts.meta);
  return changed.append(changed_body ? std::string_view(*changed_body) : parts.body);
}

// What stood on the screen, which is JSON; then as any other file.
std::optional<std::string> scrub_view_hierarchy(const RuleSet& rules, const relay::Item& item, relay::IndexedJson& payload) {
  auto changed = scrub_json(rules, "view_hierarchy", payload);
  auto as_file = scrub_attachment(rules, text_member(item.header, "filename"), changed ? std::string_view(*changed) : item.payload);
  return as_file ? std::move(as_file) : std::move(changed);
}

}  // namespace

struct Scrubber::State {
  RuleSet rules;
};

Result<Scrubber> Scrubber::make(const Settings& settings) {
  auto rules = make_rule_set(settings);
  if (!rules) return rules.error();
  return Scrubber(std::make_shared<const State>(State{*std::move(rules)}));
}

std::optional<std::string> Scrubber::scrub(const relay::Item& item) const {
  thread_local relay::JsonIndex index;
  relay::IndexedJson payload(item.payload, index);
  auto recording_bytes = max_recording_bytes;
  return scrub(item, payload, recording_bytes);
}

std::optional<std::string> Scrubber::scrub(const relay::Item& item,
                                           relay::IndexedJson& payload,
                                           std::size_t& recording_bytes) const {
  const auto& rules = state_->rules;
  if (rules.empty() || item.payload.empty()) return std::nullopt;
  if (const auto parts = relay::split_trace_attachment(item)) return scrub_trace_attachment(rules, *parts);
  if (item.type == "attachment" && item.attachment_type == "event.view_hierarchy") return scrub_view_hierarchy(rules, item, payload);
  if (item.type == "attachment") return scrub_attachment(rules, text_member(item.header, "filename"), item.payload);
  if (item.type == "replay_recording") return scrub_recording(rules, item.payload, recording_bytes);
  if (item.type == "replay_video") return scrub_video(rules, item.payload, recording_bytes);
  return scrub_json(rules, item.type, payload);
}

bool Scrubber::does_anything() const {
  return !state_->rules.empty();
}

}  // namespace picket::scrub

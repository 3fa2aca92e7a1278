#include "upstream/item_facts.h"

#include "relay/protocol/json_object.h"

namespace picket::upstream {
namespace {

using relay::DataCategory;
using relay::JsonMember;
using relay::JsonObjectReader;

constexpr std::size_t nobody = SIZE_MAX;

bool is_main(const relay::Item& item) {
  return item.type == "event" || item.type == "transaction" || item.type == "feedback" || item.type == "security" ||
         item.type == "raw_security" || item.type == "unreal_report";
}

bool belongs(const relay::Item& item) {
  return relay::requires_event_id(item) || item.type == "replay_recording" || item.type == "replay_video";
}

// The less, the rather it decides for what belongs to the same event.
int rank_of(const relay::Item& item) {
  if (is_main(item)) return 0;
  if (item.type == "replay_event") return 1;
  if (item.type == "replay_video") return 2;
  return is_crash_file(item) ? 3 : 4;
}

void take_text(const JsonMember& member, std::optional<std::string>& field) {
  if (!field && member.is_string()) field = relay::unescape_json(member.raw_text());
}

// "value", or {"value": "value", "type": "string"} as attributes of logs and spans are written.
void take_attribute(const JsonMember& member, std::optional<std::string>& field) {
  if (!member.is_object()) return take_text(member, field);
  JsonObjectReader reader(member.value);
  while (const auto inner = reader.next()) {
    if (inner->named("value")) take_text(*inner, field);
  }
}

void read_trace_context(std::string_view contexts, ItemFacts& facts) {
  JsonObjectReader reader(contexts);
  while (const auto context = reader.next()) {
    if (!context->named("trace") || !context->is_object()) continue;
    JsonObjectReader trace(context->value);
    while (const auto member = trace.next()) {
      if (member->named("trace_id")) take_text(*member, facts.trace_id);
    }
  }
}

void read_attributes(std::string_view attributes, ItemFacts& facts) {
  JsonObjectReader reader(attributes);
  while (const auto member = reader.next()) {
    if (member->named("sentry.environment") || member->named("environment")) take_attribute(*member, facts.environment);
    if (member->named("sentry.release") || member->named("release")) take_attribute(*member, facts.release);
  }
}

void read_object(std::string_view object, ItemFacts& facts) {
  JsonObjectReader reader(object);
  while (const auto member = reader.next()) {
    if (member->named("environment")) take_text(*member, facts.environment);
    else if (member->named("release")) take_text(*member, facts.release);
    else if (member->named("level")) take_text(*member, facts.level);
    else if (member->named("trace_id")) take_text(*member, facts.trace_id);
    else if (member->named("contexts") && member->is_object()) read_trace_context(member->value, facts);
    else if ((member->named("attributes") || member->named("attrs")) && member->is_object()) {
      read_attributes(member->value, facts);
    }
  }
}

// The first entry of {"items": [{…}, …]}, as it was written.
std::string_view first_entry(std::string_view container) {
  JsonObjectReader reader(container);
  while (const auto member = reader.next()) {
    if (!member->named("items") || member->value.front() != '[') continue;
    const auto entries = JsonObjectReader::split_array(member->value, SIZE_MAX);
    return entries && !entries->empty() ? entries->front() : std::string_view();
  }
  return {};
}

std::string_view find_trace(std::string_view header) {
  JsonObjectReader reader(header);
  while (const auto member = reader.next()) {
    if (member->named("trace") && member->is_object()) return member->value;
  }
  return {};
}

bool is_json_like(const relay::Item& item) {
  const auto start = item.payload.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && item.payload[start] == '{' && item.type != "attachment";
}

}  // namespace

bool is_crash_file(const relay::Item& item) {
  return item.type == "attachment" &&
         (item.attachment_type == "event.minidump" || item.attachment_type == "event.applecrashreport");
}

DataCategory deciding_category(const relay::Item& item) {
  return is_crash_file(item) ? DataCategory::error : relay::category_of(item);
}

std::vector<std::size_t> find_leaders(const relay::Envelope& envelope) {
  const auto& items = envelope.items;
  std::size_t leader = nobody;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (belongs(items[i]) && (leader == nobody || rank_of(items[i]) < rank_of(items[leader]))) leader = i;
  }
  std::vector<std::size_t> leaders(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    leaders[i] = belongs(items[i]) && !is_main(items[i]) ? leader : i;
  }
  return leaders;
}

ItemFacts read_facts(const relay::Envelope& envelope, const relay::Item& item) {
  ItemFacts facts;
  if (is_json_like(item)) {
    read_object(item.content_type.starts_with("application/vnd.sentry.items.") ? first_entry(item.payload) : item.payload, facts);
  }
  if (const auto trace = find_trace(envelope.header); !trace.empty() && (!facts.environment || !facts.release)) {
    ItemFacts around;
    read_object(trace, around);
    if (!facts.environment) facts.environment = std::move(around.environment);
    if (!facts.release) facts.release = std::move(around.release);
  }
  const bool is_event = deciding_category(item) == DataCategory::error || item.type == "feedback" ||
                        relay::category_of(item) == DataCategory::security;
  // Upstream's own defaults: an event without one is an error, a crash file a fatal one.
  if (!is_event) facts.level.reset();
  else if (!facts.level) facts.level = is_crash_file(item) ? "fatal" : "error";
  return facts;
}

std::string find_trace_id(std::string_view header) {
  std::optional<std::string> id;
  JsonObjectReader reader(find_trace(header));
  while (const auto member = reader.next()) {
    if (member->named("trace_id")) take_text(*member, id);
  }
  return id.value_or("");
}

}  // namespace picket::upstream

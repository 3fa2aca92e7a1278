// Items that belong to an event or a trace which may be elsewhere: user reports and attachments.
#include "api/digest/fact_values.h"
#include "api/digest/item_reader.h"
#include "api/digest/json_shape.h"
#include "relay/protocol/json_object.h"
#include "relay/protocol/json_repair.h"

#include <openssl/evp.h>

namespace picket::digest {
namespace {

using relay::DataCategory;
using relay::Outcome;

std::string_view trimmed_member(JsonObject object, std::string_view name, TextArena& arena, std::size_t most) {
  JsonElement found;
  if (object[name].get(found) != simdjson::SUCCESS) return {};
  return without_outer_space(text_of(found, arena, {most, 0}));
}

// A text of the item's own header.
std::string header_text(const relay::Item& item, std::string_view name) {
  relay::JsonObjectReader reader(item.header);
  while (const auto member = reader.next()) {
    if (member->named(name) && member->is_string()) return relay::unescape_json(member->raw_text());
  }
  return {};
}

std::string sha1_of(std::string_view bytes) {
  unsigned char digest[20] = {};
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha1(), nullptr) != 1) return {};
  return {reinterpret_cast<const char*>(digest), length};
}

}  // namespace

void read_user_report_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  bool repaired = false;
  const auto root = parse_json(item.payload, repaired);
  const auto payload = root ? object_of(*root) : std::nullopt;
  if (!payload) return context.count(DataCategory::user_report, Outcome::invalid, "invalid_json", 1);
  auto& text = context.batch.text;
  const auto named = relay::parse_event_id(trimmed_member(*payload, "event_id", text, 64));
  const auto id = named ? std::optional(*named) : context.header_id;
  if (!id) return context.count(DataCategory::user_report, Outcome::invalid, "invalid_json", 1);
  context.batch.user_reports.push_back({.place = context.place(index),
                                        .event_id = *id,
                                        .name = trimmed_member(*payload, "name", text, 128),
                                        .email = trimmed_member(*payload, "email", text, 75),
                                        .comments = trimmed_member(*payload, "comments", text, 4096)});
  add_raw(context, item, index, id);
  count_accepted(context, item);
}

namespace {

// As the envelope's header names it, "" otherwise.
std::string trace_of_envelope(std::string_view header) {
  relay::JsonObjectReader reader(header);
  while (const auto member = reader.next()) {
    if (!member->named("trace") || !member->is_object()) continue;
    relay::JsonObjectReader trace(member->value);
    while (const auto part = trace.next()) {
      if (part->named("trace_id") && part->is_string()) return relay::unescape_json(part->raw_text());
    }
  }
  return {};
}

void refuse_trace_attachment(EnvelopeContext& context, const relay::Item& item) {
  constexpr std::string_view reason = "invalid_trace_attachment";
  context.count(DataCategory::attachment, Outcome::invalid, reason, item.payload.size());
  context.count(DataCategory::attachment_item, Outcome::invalid, reason, 1);
}

// One of a trace says of itself in its payload what another's header says.
void read_trace_attachment(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  add_raw(context, item, index, std::nullopt);
  const auto parts = relay::split_trace_attachment(item);
  bool repaired = false;
  const auto root = parts ? parse_json(parts->meta, repaired) : std::nullopt;
  const auto meta = root ? object_of(*root) : std::nullopt;
  if (!meta) return refuse_trace_attachment(context, item);
  auto& text = context.batch.text;
  const auto own = relay::parse_event_id(trimmed_member(*meta, "attachment_id", text, 64));
  const auto named = relay::parse_event_id(trimmed_member(*meta, "trace_id", text, 64));
  const auto trace = named ? named : relay::parse_event_id(trace_of_envelope(context.header));
  if (!own || !trace) return refuse_trace_attachment(context, item);
  count_accepted(context, item);
  const auto name = trimmed_member(*meta, "filename", text, 256);
  context.batch.attachments.push_back({.place = context.place(index),
                                       .event_id = *trace,
                                       .name = name.empty() ? std::string_view("Unnamed Attachment") : name,
                                       .type = "trace.attachment",
                                       .content_type = trimmed_member(*meta, "content_type", text, 128),
                                       .bytes = parts->body.size(),
                                       .sha1 = text.keep(sha1_of(parts->body)),
                                       .trace_item = text.keep(relay::raw_bytes(*own)),
                                       .span_id = text.keep(raw_id(header_text(item, "span_id")))});
}

}  // namespace

void read_attachment_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  if (relay::is_trace_attachment(item)) return read_trace_attachment(context, item, index);
  add_raw(context, item, index, context.header_id);
  count_accepted(context, item);
  if (!context.header_id) return;
  auto& text = context.batch.text;
  const auto name = relay::repair_utf8(header_text(item, "filename"));
  const auto type = relay::repair_utf8(relay::unescape_json(item.attachment_type));
  const auto content_type = relay::repair_utf8(relay::unescape_json(item.content_type));
  context.batch.attachments.push_back(
      {.place = context.place(index),
       .event_id = *context.header_id,
       .name = name.empty() ? std::string_view("Unnamed Attachment") : text.keep(name, {256, 0}),
       .type = type.empty() ? std::string_view("event.attachment") : text.keep(type, {64, 0}),
       .content_type = text.keep(content_type, {128, 0}),
       .bytes = item.payload.size(),
       .sha1 = text.keep(sha1_of(item.payload))});
}

}  // namespace picket::digest

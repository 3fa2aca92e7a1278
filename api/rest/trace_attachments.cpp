// Attachments of a trace: list, describe, download, delete; and one as a trace item. Sentry has only the
// last of these; the rest has the shape of an event's attachments.
#include "api/digest/json_shape.h"
#include "api/digest/payload.h"
#include "api/rest/access.h"
#include "api/rest/attachment_rows.h"
#include "api/rest/changes.h"
#include "api/rest/render.h"
#include "relay/protocol/hex.h"

namespace picket::rest {

namespace json = boost::json;

namespace {

std::string raw_id(std::string_view text) {
  const auto id = relay::parse_event_id(text);
  return id ? std::string(relay::raw_bytes(*id)) : std::string();
}

json::object render(const AttachmentPlace& attachment, std::string_view raw_trace) {
  const auto& row = attachment.row;
  auto shown = render_attachment(attachment, "");
  shown["id"] = relay::render_hex(row.trace_item());
  shown["event_id"] = nullptr;
  shown["trace_id"] = relay::render_hex(raw_trace);
  shown["span_id"] = row.span_id().empty() ? json::value(nullptr) : json::value(relay::render_hex(row.span_id()));
  return shown;
}

// What its id names; of several with the same id the one that came first.
std::optional<AttachmentPlace> find(const buffer::Reader& reader, std::uint64_t project, std::string_view raw_trace, std::string_view raw_id) {
  if (raw_trace.empty() || raw_id.empty()) return std::nullopt;
  auto found = trace_attachments_of(reader, project, raw_trace, raw_id);
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

Reply list(Api& api, const Call& call) {
  const auto trace = raw_id(call.path_text("trace_id"));
  if (trace.empty()) return Reply::error(404, "Trace not found");
  json::array shown;
  for (const auto& attachment : trace_attachments_of(api.tables.snapshot(), call.project->id(), trace)) shown.push_back(render(attachment, trace));
  return paginate(api, call, std::move(shown));
}

Reply get(Api& api, const Call& call) {
  const auto trace = raw_id(call.path_text("trace_id"));
  const auto attachment = find(api.tables.snapshot(), call.project->id(), trace, raw_id(call.path_text("attachment_id")));
  if (!attachment) return Reply::error(404, "Attachment not found");
  if (call.query.find("download")) return download_attachment(api, *attachment);
  return Reply::json(render(*attachment, trace));
}

Reply remove(Api& api, const Call& call) {
  const auto trace = raw_id(call.path_text("trace_id"));
  const auto own = raw_id(call.path_text("attachment_id"));
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    auto attachment = find(batch, call.project->id(), trace, own);
    if (!attachment) return Reply::error(404, "Attachment not found");
    delete_attachment_row(batch, call.project->id(), trace, *std::move(attachment));
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none();
}

void add(json::array& attributes, std::string_view name, std::string_view type, json::value value) {
  attributes.push_back(json::object{{"name", name}, {"type", type}, {"value", std::move(value)}});
}

// A scalar of the attachment's own attributes; nothing is shown of what is none.
void add_attribute(json::array& attributes, std::string_view name, digest::JsonElement value) {
  using digest::JsonType;
  switch (value.type()) {
    case JsonType::STRING: return add(attributes, name, "str", json::string(value.get_string().value_unsafe()));
    case JsonType::BOOL: return add(attributes, name, "bool", value.get_bool().value_unsafe());
    case JsonType::INT64: return add(attributes, name, "int", value.get_int64().value_unsafe());
    case JsonType::UINT64: return add(attributes, name, "int", value.get_uint64().value_unsafe());
    case JsonType::DOUBLE: return add(attributes, name, "float", value.get_double().value_unsafe());
    case JsonType::ARRAY:
    case JsonType::OBJECT:
    case JsonType::NULL_VALUE: return;
  }
}

// From what the attachment says of itself; the time it claims, if it claims one.
std::optional<std::int64_t> add_metadata(json::array& attributes, std::string_view text) {
  bool repaired = false;
  const auto root = digest::parse_json(text, repaired);
  const auto meta = root ? digest::object_of(*root) : std::nullopt;
  if (!meta) return std::nullopt;
  const auto given = digest::member_of(*meta, "attributes");
  digest::JsonObject own;
  if (given && given->get(own) == simdjson::SUCCESS) {
    for (const auto [name, attribute] : own) {
      digest::JsonObject typed;
      const auto value = attribute.get(typed) == simdjson::SUCCESS ? digest::member_of(typed, "value") : std::optional(attribute);
      if (value) add_attribute(attributes, name, *value);
    }
  }
  const auto at = digest::member_of(*meta, "timestamp");
  return at ? digest::time_of(*at) : std::nullopt;
}

}  // namespace

Reply show_trace_attachment(Api& api, const Call& call) {
  const auto trace = raw_id(call.query.text("trace_id"));
  if (trace.empty()) return Reply::error(400, "trace_id is required for item_type attachments");
  const auto attachment = find(api.tables.snapshot(), call.project->id(), trace, raw_id(call.path_text("item_id")));
  if (!attachment) return Reply::not_found();
  const auto& row = attachment->row;
  json::array attributes;
  auto at_ms = row.received_ms();
  const auto payload = digest::read_payload(api.journal, attachment->sequence, attachment->item);
  if (const auto parts = payload ? relay::split_trace_attachment(payload->own()) : std::nullopt)
    at_ms = add_metadata(attributes, parts->meta).value_or(at_ms);
  add(attributes, "file.name", "str", json::string(row.name()));
  add(attributes, "file.size", "int", row.bytes());
  if (!row.content_type().empty()) add(attributes, "sentry.content-type", "str", json::string(row.content_type()));
  if (!row.span_id().empty()) add(attributes, "sentry.span_id", "str", json::string(relay::render_hex(row.span_id())));
  add(attributes, "trace", "str", json::string(relay::render_hex(trace)));
  add(attributes, "project_id", "int", call.project->id());
  return Reply::json(json::object{{"itemId", call.path_text("item_id")},
                                  {"timestamp", render_time(at_ms)},
                                  {"attributes", std::move(attributes)},
                                  {"meta", json::object()},
                                  {"links", nullptr}});
}

std::vector<Route> trace_attachment_routes() {
  constexpr std::string_view all = "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/traces/{trace_id}/attachments/";
  constexpr std::string_view one = "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/traces/{trace_id}/attachments/{attachment_id}/";
  const std::vector<std::string_view> read{"project:read", "project:write", "project:admin"};
  return {
      {"GET", all, read, list},
      {"GET", one, read, get},
      {"DELETE", one, {"project:write", "project:admin", "event:admin"}, remove},
  };
}

}  // namespace picket::rest

// Items as they came: of types that nothing here reads, and those that could not be read. Picket's own
// view; Sentry has none.
//
// INVARIANT  Only what has a row in raw_items is shown: a deleted attachment is not among them.
#include "api/digest/payload.h"
#include "api/rest/access.h"
#include "api/rest/render.h"
#include "relay/protocol/hex.h"
#include "relay/protocol/json_repair.h"

#include <charconv>

namespace picket::rest {

namespace json = boost::json;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

namespace {

struct ItemId {
  std::uint64_t sequence = 0;
  std::uint16_t item = 0;
};

// "12-3": the record's number and the place in its envelope.
std::optional<ItemId> parse_raw_item_id(std::string_view text) {
  ItemId id;
  const auto* const end = text.data() + text.size();
  const auto sequence = std::from_chars(text.data(), end, id.sequence);
  if (sequence.ec != std::errc() || sequence.ptr == end || *sequence.ptr != '-') return std::nullopt;
  const auto item = std::from_chars(sequence.ptr + 1, end, id.item);
  if (item.ec != std::errc() || item.ptr != end) return std::nullopt;
  return id;
}

json::object render_row(const schema::RawItem& row, const ItemId& id) {
  json::value event;
  if (!row.event_id().empty()) event = relay::render_hex(row.event_id());
  return {{"id", std::to_string(id.sequence) + "-" + std::to_string(id.item)},
          {"type", row.type()},
          {"dateReceived", render_time(row.received_ms())},
          {"eventID", std::move(event)}};
}

// The types there are, each with its oldest and newest: two steps of the cursor a type.
json::array list_types(const buffer::Reader& reader, std::uint64_t project) {
  json::array types;
  const Key prefix = Key().u64(project);
  auto cursor = reader.cursor(Table::raw_items);
  bool there = cursor.seek(prefix);
  while (there && cursor.key().starts_with(prefix.view())) {
    KeyReader key(cursor.key().substr(prefix.size()));
    const auto past = Key().u64(project).text(key.text()).raw(std::string(11, '\xff'));
    const auto oldest = buffer::parse_row<schema::RawItem>(cursor.value());
    there = cursor.seek_before(past);
    const auto newest = buffer::parse_row<schema::RawItem>(cursor.value());
    types.push_back(json::object{{"type", oldest.type()},
                                 {"firstReceived", render_time(oldest.received_ms())},
                                 {"lastReceived", render_time(newest.received_ms())}});
    there = cursor.seek(past);
  }
  return types;
}

// Newest first.
Reply list_of_type(Api& api, const Call& call, std::string_view type) {
  const auto parsed = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& page = std::get<Page>(parsed);
  const auto snapshot = api.tables.snapshot();
  const Key prefix = Key().u64(call.project->id()).text(type);
  auto cursor = snapshot.cursor(Table::raw_items);
  json::array list;
  std::uint64_t passed = 0;
  bool more = false;
  for (bool there = cursor.seek_before(Key().raw(prefix).raw(std::string(11, '\xff')));
       there && cursor.key().starts_with(prefix.view()); there = cursor.previous()) {
    if (passed++ < page.offset) continue;
    more = list.size() == page.per_page;
    if (more) break;
    KeyReader key(cursor.key().substr(prefix.size()));
    ItemId id{.sequence = key.u64()};
    id.item = key.u16();
    list.push_back(render_row(buffer::parse_row<schema::RawItem>(cursor.value()), id));
  }
  const auto shown = list.size();
  auto reply = Reply::json(std::move(list));
  add_links(reply, api, call, page, shown, more);
  return reply;
}

Reply list_raw_items(Api& api, const Call& call) {
  const auto type = call.query.find("type");
  if (type) return list_of_type(api, call, *type);
  return paginate(api, call, list_types(api.tables.snapshot(), call.project->id()));
}

// JSON as it came; null when it is none.
json::value parse_header(std::string_view text) {
  json::error_code error;
  auto value = json::parse(relay::repair_utf8(text), error);
  return error ? json::value(nullptr) : value;
}

Reply get_raw_item(Api& api, const Call& call) {
  const auto id = parse_raw_item_id(call.path_text("item_id"));
  auto payload = id ? digest::read_payload(api.journal, id->sequence, id->item)
                    : Result<digest::ItemPayload>(Error{Fault::not_found, "no such id"});
  if (!payload || payload->project != call.project->id()) return Reply::error(404, "Item not found");
  const auto& item = payload->own();
  const auto row = buffer::find_row<schema::RawItem>(
      api.tables.snapshot(), Table::raw_items,
      Key().u64(call.project->id()).text(digest::raw_type(item)).u64(id->sequence).u16(id->item));
  if (!row) return Reply::error(404, "Item not found");
  if (call.query.find("download")) {
    auto reply = Reply::raw({}, "application/octet-stream");
    if (payload->bytes->in_file()) {
      reply.file = buffer::Bytes(payload->bytes, item.payload);
    } else {
      reply.bytes = item.payload;
    }
    reply.headers.set("Content-Disposition", "attachment; filename=\"" + std::string(call.path_text("item_id")) + "\"");
    reply.headers.set("X-Content-Type-Options", "nosniff");
    return reply;
  }
  auto shown = render_row(*row, *id);
  shown["size"] = item.payload.size();
  shown["header"] = parse_header(item.header);
  shown["envelopeHeader"] = parse_header(payload->envelope.header);
  return Reply::json(std::move(shown));
}

}  // namespace

std::vector<Route> raw_item_routes() {
  const std::vector<std::string_view> read{"project:read", "project:write", "project:admin", "event:read"};
  return {
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/raw-items/", read, list_raw_items},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/raw-items/{item_id}/", read, get_raw_item},
  };
}

}  // namespace picket::rest

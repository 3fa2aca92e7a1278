// Attachments of an event: list, describe, download, delete.
//
// What is downloaded was chosen by whoever sent it: it goes out as a file to be saved, never as a page
// of ours.
#include "buffer/event_ids.h"
#include "api/digest/payload.h"
#include "api/rest/access.h"
#include "api/rest/attachment_rows.h"
#include "api/rest/changes.h"
#include "api/rest/render.h"
#include "relay/protocol/hex.h"

#include <algorithm>

namespace picket::rest {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

namespace {

template <class Wanted>
std::vector<AttachmentPlace> rows_under(const buffer::Reader& reader, std::uint64_t project, std::string_view raw_id, Wanted wanted) {
  constexpr std::size_t most = 1000;
  std::vector<AttachmentPlace> found;
  for_each(reader, Table::attachments, Key().u64(project).raw(raw_id), [&](std::string_view rest, std::string_view value) {
    KeyReader key(rest);
    AttachmentPlace place;
    place.row = buffer::parse_row<schema::Attachment>(value);
    place.sequence = key.u64();
    place.item = key.u16();
    if (!place.row.deleted() && wanted(place.row)) found.push_back(std::move(place));
    return found.size() < most;
  });
  return found;
}

}  // namespace

std::vector<AttachmentPlace> attachments_of(const buffer::Reader& reader, std::uint64_t project, std::string_view raw_event_id) {
  return rows_under(reader, project, raw_event_id, [](const schema::Attachment& row) { return row.trace_item().empty(); });
}

std::vector<AttachmentPlace> trace_attachments_of(const buffer::Reader& reader,
                                                  std::uint64_t project,
                                                  std::string_view raw_trace_id,
                                                  std::string_view raw_id) {
  return rows_under(reader, project, raw_trace_id, [&](const schema::Attachment& row) {
    return !row.trace_item().empty() && (raw_id.empty() || row.trace_item() == raw_id);
  });
}

namespace {

// A type as a header may carry it; anything else is bytes.
std::string content_type_of(const schema::Attachment& row) {
  constexpr std::string_view unknown = "application/octet-stream";
  const auto& given = row.content_type();
  const bool plain = std::ranges::all_of(given, [](char c) { return c >= 0x20 && c < 0x7f; });
  if (!given.empty() && plain && given.find('/') != std::string::npos) return given;
  const auto ends = [&](std::string_view suffix) { return row.name().ends_with(suffix); };
  if (ends(".png")) return "image/png";
  if (ends(".jpg") || ends(".jpeg")) return "image/jpeg";
  if (ends(".json")) return "application/json";
  if (ends(".txt") || ends(".log")) return "text/plain";
  return std::string(unknown);
}

// RFC 6266: a plain name for old clients, the whole name for others. Neither can leave its quotes or
// name a folder.
std::string content_disposition(std::string_view name) {
  std::string plain;
  std::string encoded;
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : name) {
    const bool folder = c == '/' || c == '\\';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    const bool safe = letter || c == '.' || c == '-' || c == '_';
    const char shown = folder ? '_' : c;
    plain += safe || c == ' ' ? c : '_';
    if (safe || folder) {
      encoded += shown;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += digits[byte >> 4];
      encoded += digits[byte & 15];
    }
  }
  return "attachment; filename=\"" + plain + "\"; filename*=UTF-8''" + encoded;
}

std::optional<std::string> raw_event_id(const Call& call) {
  const auto id = relay::parse_event_id(call.path_text("event_id"));
  return id ? std::optional(std::string(relay::raw_bytes(*id))) : std::nullopt;
}

bool is_screenshot(const schema::Attachment& row) {
  return contains_text(row.name(), "screenshot") && content_type_of(row).starts_with("image/");
}

// "is:screenshot" and parts of names.
bool passes(const schema::Attachment& row, std::string_view query) {
  while (!query.empty()) {
    const auto space = query.find(' ');
    const auto word = query.substr(0, space);
    query.remove_prefix(space == std::string_view::npos ? query.size() : space + 1);
    if (word == "is:screenshot" ? !is_screenshot(row) : !contains_text(row.name(), word)) return false;
  }
  return true;
}

}  // namespace

json::object render_attachment(const AttachmentPlace& attachment, std::string_view event_id) {
  const auto& row = attachment.row;
  const auto type = content_type_of(row);
  return {
      {"id", std::to_string(row.id())},
      {"event_id", event_id},
      {"type", row.type()},
      {"name", row.name()},
      {"mimetype", type},
      {"dateCreated", render_time(row.received_ms())},
      {"size", row.bytes()},
      {"headers", json::object{{"Content-Type", type}}},
      {"sha1", row.sha1().empty() ? json::value(nullptr) : json::value(relay::render_hex(row.sha1()))},
  };
}

namespace {

Reply list_attachments(Api& api, const Call& call) {
  const auto id = raw_event_id(call);
  if (!id) return Reply::error(404, "Event not found");
  const auto snapshot = api.tables.snapshot();
  const auto found = attachments_of(snapshot, call.project->id(), *id);
  const bool known = !found.empty() || buffer::find_event_id(snapshot, call.project->id(), *id);
  if (!known) return Reply::error(404, "Event not found");
  json::array list;
  for (const auto& attachment : found) {
    if (passes(attachment.row, call.query.text("query"))) list.push_back(render_attachment(attachment, relay::render_hex(*id)));
  }
  return paginate(api, call, std::move(list));
}

std::optional<AttachmentPlace> find_attachment(const buffer::Reader& reader, const Call& call, std::string_view raw_id) {
  const auto number = parse_id(call.path_text("attachment_id"));
  for (auto& attachment : attachments_of(reader, call.project->id(), raw_id)) {
    if (number && attachment.row.id() == *number) return std::move(attachment);
  }
  return std::nullopt;
}

}  // namespace

Reply download_attachment(Api& api, const AttachmentPlace& attachment) {
  const auto payload = digest::read_payload(api.journal, attachment.sequence, attachment.item);
  if (!payload) return Reply::error(404, "The attachment's bytes are no longer available");
  const auto of_trace = relay::split_trace_attachment(payload->own());
  const auto bytes = of_trace ? of_trace->body : payload->own().payload;
  auto reply = Reply::raw({}, content_type_of(attachment.row));
  // A large record was unpacked into a file: it is sent from there.
  if (payload->bytes->in_file() && !payload->made) {
    reply.file = buffer::Bytes(payload->bytes, bytes);
  } else {
    reply.bytes = bytes;
  }
  reply.headers.set("Content-Disposition", content_disposition(attachment.row.name()));
  reply.headers.set("X-Content-Type-Options", "nosniff");
  reply.headers.set("Content-Security-Policy", "default-src 'none'; sandbox");
  return reply;
}

void delete_attachment_row(buffer::Batch& batch, std::uint64_t project, std::string_view raw_event_id, AttachmentPlace attachment) {
  attachment.row.set_deleted(true);
  const auto key = Key().u64(project).raw(raw_event_id).u64(attachment.sequence).u16(attachment.item);
  buffer::put_row(batch, Table::attachments, key, attachment.row);
}

namespace {

Reply get_attachment(Api& api, const Call& call) {
  const auto id = raw_event_id(call);
  const auto attachment = id ? find_attachment(api.tables.snapshot(), call, *id) : std::nullopt;
  if (!attachment) return Reply::error(404, "Attachment not found");
  if (call.query.find("download")) return download_attachment(api, *attachment);
  return Reply::json(render_attachment(*attachment, relay::render_hex(*id)));
}

Reply delete_attachment(Api& api, const Call& call) {
  const auto id = raw_event_id(call);
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    auto attachment = id ? find_attachment(batch, call, *id) : std::nullopt;
    if (!attachment) return Reply::error(404, "Attachment not found");
    delete_attachment_row(batch, call.project->id(), *id, *std::move(attachment));
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none();
}

}  // namespace

std::vector<Route> attachment_routes() {
  constexpr std::string_view all = "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/events/{event_id}/attachments/";
  constexpr std::string_view one = "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/events/{event_id}/attachments/{attachment_id}/";
  const std::vector<std::string_view> read{"project:read", "project:write", "project:admin"};
  return {
      {"GET", all, read, list_attachments},
      {"GET", one, read, get_attachment},
      {"DELETE", one, {"project:write", "project:admin", "event:admin"}, delete_attachment},
  };
}

}  // namespace picket::rest

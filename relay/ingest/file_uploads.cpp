#include "relay/ingest/file_uploads.h"

#include "relay/ingest/crash_event.h"
#include "relay/ingest/file_envelope.h"
#include "relay/ingest/replies.h"
#include "relay/ingest/request_body.h"
#include "relay/protocol/content_stream.h"
#include "relay/protocol/minidump.h"
#include "relay/protocol/msgpack.h"
#include "relay/protocol/multipart.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace picket::ingest {
namespace {

using buffer::Bytes;
using Parts = std::vector<relay::FormPart>;

constexpr std::string_view dump_field = "upload_file_minidump";

Refusal bad_multipart(const Error& error) {
  if (error.fault == Fault::too_large) return too_large(error.detail);
  return make_refusal(400, "invalid multipart data", error.detail, "invalid_multipart");
}

Refusal missing_dump() {
  return make_refusal(400, "missing minidump", "no file upload_file_minidump", "missing_minidump_upload");
}

std::variant<Parts, Refusal> parse_form(const Inbound& inbound) {
  const auto boundary = relay::find_boundary(inbound.head.headers.find("Content-Type"));
  if (!boundary) return bad_multipart(boundary.error());
  auto parts = relay::parse_multipart(inbound.body, *boundary);
  if (!parts) return bad_multipart(parts.error());
  return *std::move(parts);
}

bool is_raw(const Inbound& inbound) {
  const auto type = inbound.head.headers.find("Content-Type");
  return type.starts_with("application/octet-stream") || type.starts_with("application/x-dmp");
}

const relay::FormPart* find_file(const Parts& parts, std::string_view name) {
  const auto found = std::find_if(parts.begin(), parts.end(), [name](const relay::FormPart& part) {
    return part.is_file && (part.name == name || part.filename == name);
  });
  return found == parts.end() ? nullptr : &*found;
}

// The dump within what was uploaded as one; `bytes` shows it, `unpacked` owns it when it had to be.
struct Dump {
  std::string_view bytes;
  Bytes unpacked;
};

std::optional<Refusal> unpack(const Inbound& inbound, Dump& dump) {
  if (!relay::is_packed_file(dump.bytes)) return std::nullopt;
  const auto most = static_cast<std::size_t>(inbound.config.max_attachment_bytes);
  auto unpacked = relay::unpack_file(dump.bytes, most, inbound.room);
  if (!unpacked) {
    if (unpacked.error().fault == Fault::too_large) return too_large(unpacked.error().detail);
    if (unpacked.error().fault == Fault::unavailable) return no_room(unpacked.error().detail);
    return make_refusal(400, "invalid minidump", unpacked.error().detail, "invalid_minidump");
  }
  dump.unpacked = *std::move(unpacked);
  dump.bytes = dump.unpacked;
  return std::nullopt;
}

// A form within the part: its own dump is what counts.
std::optional<Refusal> unwrap(Dump& dump) {
  const auto boundary = relay::guess_boundary(dump.bytes);
  if (boundary.empty()) return std::nullopt;
  const auto parts = relay::parse_multipart(dump.bytes, boundary);
  if (!parts) return bad_multipart(parts.error());
  const auto* const inner = find_file(*parts, dump_field);
  if (inner == nullptr) return missing_dump();
  dump.bytes = inner->body;
  return std::nullopt;
}

std::optional<Refusal> open_dump(const Inbound& inbound, Dump& dump) {
  if (auto refusal = unpack(inbound, dump)) return refusal;
  if (auto refusal = unwrap(dump)) return refusal;
  // Unpacked again only when the outside was not: no bombs in bombs.
  if (dump.unpacked.empty()) {
    if (auto refusal = unpack(inbound, dump)) return refusal;
  }
  if (relay::is_minidump(dump.bytes)) return std::nullopt;
  return make_refusal(400, "invalid minidump", "the file does not begin with MDMP or PMDM", "invalid_minidump");
}

// Parts that became the event, or stand in its place.
bool is_consumed(const relay::FormPart& part) {
  return part.name == dump_field || part.name == "__sentry-event" || part.name == "__sentry-breadcrumb1" ||
         part.name == "__sentry-breadcrumb2" || !part.is_file;
}

std::optional<Refusal> read_event(const Inbound& inbound, const Parts& parts, CrashEvent& event) {
  const auto most = static_cast<std::size_t>(inbound.config.max_event_bytes);
  if (const auto* const packed = find_file(parts, "__sentry-event")) {
    auto bytes = packed->body;
    const auto json = relay::read_msgpack(bytes, most);
    if (!json || !event.merge(*json)) {
      return make_refusal(400, "invalid event", json ? "not an object" : json.error().detail, "invalid_msgpack");
    }
  }
  const auto crumbs = [&](std::string_view name) {
    const auto* const file = find_file(parts, name);
    return relay::read_msgpack_stream(file == nullptr ? std::string_view() : file->body, most);
  };
  event.add_breadcrumbs(crumbs("__sentry-breadcrumb1"), crumbs("__sentry-breadcrumb2"));
  std::size_t bytes = 0;
  for (const auto& part : parts) {
    if (part.is_file) continue;
    bytes += part.body.size();
    if (bytes > most) return too_large("the fields of the form exceed the size limit of an event");
    event.add_field(part.name, part.body);
  }
  return std::nullopt;
}

std::string_view base_name(std::string_view path) {
  return path.substr(std::min(path.find_last_of("/\\") + 1, path.size()));
}

AttachedFile attached(const relay::FormPart& part) {
  const auto name = base_name(part.filename);
  AttachedFile file{.filename = name.empty() ? std::string_view(part.name) : name,
                    .content_type = part.content_type,
                    .contents = part.body};
  if (file.filename == "view-hierarchy.json") file.type = "event.view_hierarchy";
  return file;
}

std::variant<Converted, Refusal> finished(FileEnvelope& envelope, http::Response answer) {
  auto bytes = envelope.finish();
  if (!bytes) return no_room(bytes.error().detail);
  Converted converted;
  converted.envelope = *std::move(bytes);
  converted.answer = std::move(answer);
  return converted;
}

}  // namespace

std::variant<Converted, Refusal> convert_minidump(const Inbound& inbound) {
  Parts parts;
  Dump dump;
  std::string_view filename = "Minidump";
  if (is_raw(inbound)) {
    if (inbound.body.empty()) return missing_dump();
    dump.bytes = inbound.body;
  } else {
    auto form = parse_form(inbound);
    if (auto* refusal = std::get_if<Refusal>(&form)) return std::move(*refusal);
    parts = std::get<Parts>(std::move(form));
    const auto* const file = find_file(parts, dump_field);
    if (file == nullptr) return missing_dump();
    dump.bytes = file->body;
    if (!base_name(file->filename).empty()) filename = base_name(file->filename);
  }
  if (auto refusal = open_dump(inbound, dump)) return *std::move(refusal);
  CrashEvent event;
  if (auto refusal = read_event(inbound, parts, event)) return *std::move(refusal);
  const auto facts = relay::read_minidump_facts(dump.bytes);
  event.add_facts(facts);
  const auto id = event.finish(facts.reason);

  FileEnvelope envelope(inbound.room, id);
  envelope.add_event(event.render());
  envelope.add({.filename = filename,
                .type = "event.minidump",
                .content_type = "application/x-dmp",
                .contents = dump.bytes});
  for (const auto& part : parts) {
    if (!is_consumed(part)) envelope.add(attached(part));
  }
  return finished(envelope, uuid_reply(id));
}

std::variant<Converted, Refusal> convert_attachments(const Inbound& inbound) {
  const auto id = relay::parse_event_id(inbound.route.name);
  if (!id) return make_refusal(400, "invalid event id", id.error().detail, "invalid_multipart");
  auto form = parse_form(inbound);
  if (auto* refusal = std::get_if<Refusal>(&form)) return std::move(*refusal);
  FileEnvelope envelope(inbound.room, *id);
  for (const auto& part : std::get<Parts>(form)) envelope.add(attached(part));
  return finished(envelope, empty_reply(201));
}

}  // namespace picket::ingest

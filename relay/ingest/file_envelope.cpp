#include "relay/ingest/file_envelope.h"

#include "relay/ingest/envelope_writer.h"
#include "relay/ingest/replies.h"

#include <utility>

namespace picket::ingest {

FileEnvelope::FileEnvelope(const buffer::ByteRoom& room, const relay::EventId& event_id) : bytes_(room) {
  append(R"({"event_id":")" + relay::render_event_id(event_id) + "\"}\n");
}

void FileEnvelope::append(std::string_view bytes) {
  if (appended_) appended_ = bytes_.append(bytes);
}

void FileEnvelope::add_event(std::string_view json) {
  append(R"({"type":"event","length":)" + std::to_string(json.size()) + "}\n");
  append(json);
  append("\n");
}

void FileEnvelope::add(const AttachedFile& file) {
  std::string header = R"({"type":"attachment","length":)" + std::to_string(file.contents.size());
  header += ",\"filename\":" + json_text(file.filename);
  header += ",\"attachment_type\":" + json_text(file.type);
  if (!file.content_type.empty()) header += ",\"content_type\":" + json_text(file.content_type);
  append(header + "}\n");
  append(file.contents);
  append("\n");
}

Result<buffer::Bytes> FileEnvelope::finish() {
  if (!appended_) return appended_.error();
  return std::move(bytes_).finish();
}

http::Response uuid_reply(const relay::EventId& id) {
  auto text = relay::render_event_id(id);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  http::Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  add_cors(response);
  return response;
}

}  // namespace picket::ingest

// The envelope of an upload that carries files: an event, if there is one, and attachments. Written
// piece by piece to where there is room, so that its size costs no memory.
#pragma once

#include "buffer/bytes.h"
#include "buffer/result.h"
#include "buffer/spool.h"
#include "relay/http/message.h"
#include "relay/ingest/refusal.h"
#include "relay/protocol/envelope.h"

#include <string>
#include <string_view>

namespace picket::ingest {

struct AttachedFile {
  std::string_view filename;
  std::string_view type = "event.attachment";  // Sentry's attachment_type
  std::string_view content_type = {};          // "" when nobody said
  std::string_view contents = {};
};

class FileEnvelope {
 public:
  FileEnvelope(const buffer::ByteRoom& room, const relay::EventId& event_id);

  // What goes wrong is told by finish().
  void add_event(std::string_view json);
  void add(const AttachedFile& file);
  // Fault::unavailable when there was no room.
  Result<buffer::Bytes> finish();

 private:
  void append(std::string_view bytes);

  buffer::BytesBuilder bytes_;
  Result<void> appended_;
};

// "936da01f-9abd-4d9d-80c7-02af85c822a8" as text: what uploaders of files are answered.
http::Response uuid_reply(const relay::EventId& id);

}  // namespace picket::ingest

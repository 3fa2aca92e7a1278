// Envelopes of a journal as a stream: what `picket journal export` writes and `import` reads.
//
//   stream := head '\n' ( record '\n' bytes '\n' )* end '\n'
//   head   := {"format":"picket-envelopes","version":1,"picket":"0.1.0"}
//   record := {"sequence":17,"received":"2026-03-01T10:00:00.000Z","project":1,"key":"<32 hex>",
//              "event_id":"<32 hex>","coding":"gzip","meta":"<hex>","bytes":123,"crc32c":"<8 hex>"}
//   bytes  := `bytes` many: the envelope as it is stored, in the coding that is named
//   end    := {"end":true,"records":2}
//
// head, record and end are one line of JSON each. `crc32c` is the last member of a record, and the
// checksum of the line up to the comma before it, then of the bytes. `meta` is what intake knew of the
// request (IntakeMeta of buffer/schema/rows.proto, serialised); it, `key` and `event_id` may be absent.
// Unknown members are passed over.
//
// INVARIANT  A reader gives out nothing whose checksum does not hold, and takes no more memory for a
//            line than a mebibyte, for a body than `room` gives.
#pragma once

#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/spool.h"

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

namespace picket::api {

std::string render_stream_head();
// The line of a record, without its '\n'.
std::string render_stream_record(const buffer::StoredRecord& record);
std::string render_stream_end(std::uint64_t records);

class StreamReader {
 public:
  // REQUIRES: `in` outlives the reader.
  StreamReader(std::istream& in, buffer::ByteRoom room) : in_(in), room_(std::move(room)) {}

  // Fault::malformed when it is no such stream, or of a version that is not known here.
  Result<void> open();

  struct Streamed {
    buffer::Sequence sequence = 0;  // where it came from
    buffer::Record record;
  };
  // The next record; nothing at a proper end. Fault::malformed when the stream is broken or cut short:
  // nothing behind that can be believed. Fault::unavailable when there is no room for a body.
  Result<std::optional<Streamed>> next();

  std::uint64_t records() const { return records_; }  // given out

 private:
  Result<std::string> read_line();
  Result<buffer::Bytes> read_body(std::uint64_t bytes, std::uint32_t& checksum);
  Error broken(std::string_view why) const;

  std::istream& in_;
  const buffer::ByteRoom room_;
  std::uint64_t records_ = 0;
};

}  // namespace picket::api

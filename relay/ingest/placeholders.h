// Attachments that came ahead of their envelope: an item of content type
// `application/vnd.sentry.attachment-ref+json` stands for the bytes of a finished upload, whose
// location its payload names. The bytes take its place, so that everything behind intake sees an
// ordinary attachment.
//
//   {"type":"attachment","content_type":"…attachment-ref+json","attachment_length":N,…}
//   {"location":"/api/1/upload/…","content_type":"…"}
#pragma once

#include "buffer/bytes.h"
#include "buffer/result.h"
#include "buffer/spool.h"
#include "relay/ingest/config.h"
#include "relay/ingest/refusal.h"
#include "relay/ingest/upload_store.h"
#include "relay/protocol/envelope.h"

#include <cstdint>
#include <string>
#include <vector>

namespace picket::ingest {

// Of one upload: as an attachment, and within an envelope beside its event.
std::uint64_t most_upload_bytes(const IngestConfig& config);

bool has_placeholders(const relay::Envelope& envelope);

struct FilledEnvelope {
  buffer::Bytes envelope;
  std::vector<std::string> uploads;   // what it holds now: to be used up once it is durable
  std::vector<DroppedItems> dropped;  // placeholders without a finished upload of the project
};

// `store` may be none: then no placeholder stands for anything. Fault::unavailable: no room.
Result<FilledEnvelope> fill_placeholders(const relay::Envelope& envelope,
                                         relay::ProjectId project,
                                         const UploadStore* store,
                                         const IngestConfig& config,
                                         const buffer::ByteRoom& room);

}  // namespace picket::ingest

// Where an upload is, as its sender is told and says again: in requests that go on with it, and in
// the envelope that refers to it.
//
//   /api/{project}/upload/{id}/?length={bytes}&signature={64 hex digits}
//
// The signature is HMAC-SHA256 of all that stands before it, with the storage's own secret: whoever
// has the address may write there, and nobody can make one up.
#pragma once

#include "relay/protocol/dsn.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::ingest {

struct UploadLocation {
  relay::ProjectId project = 0;
  std::string id;  // 32 lowercase hex digits
  std::uint64_t length = 0;
  friend bool operator==(const UploadLocation&, const UploadLocation&) = default;
};

std::string render_upload_location(const UploadLocation& location, std::string_view secret);

// Also with a scheme and host before it, a path that a proxy has put before it, repeated slashes, and
// other parameters beside ours. Nothing when it is none, or was not signed with the secret.
std::optional<UploadLocation> parse_upload_location(std::string_view text, std::string_view secret);

}  // namespace picket::ingest

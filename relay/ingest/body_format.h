// What a request's body is said to be, and how it falls into parts.
#pragma once

#include "buffer/result.h"
#include "relay/http/message.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace picket::ingest {

// The content type without its parameters, in lower case: "application/json".
std::string find_mime_type(const http::RequestHead& head);

// The entries of a JSON array, or the one JSON object that the body is; each as it was written and
// valid JSON. Fault::malformed, and Fault::too_large past `most` entries.
Result<std::vector<std::string_view>> split_objects(std::string_view body, std::size_t most);

// The lines of NDJSON that are not blank, unchecked; too_large past `most`.
Result<std::vector<std::string_view>> split_lines(std::string_view body, std::size_t most);

}  // namespace picket::ingest

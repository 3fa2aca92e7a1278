// multipart/form-data (RFC 7578, RFC 2046 §5.1), split into views: no part is copied, whatever its
// size. Linear in the input; hostile input costs at most `max_parts` small allocations.
//
//   [preamble CRLF] --boundary CRLF headers CRLF CRLF body CRLF --boundary … CRLF --boundary--
//
// THREADS  Every function from any thread.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace picket::relay {

struct FormPart {
  std::string name;
  std::string filename;  // as sent, paths included; "" when it is a field or has none
  bool is_file = false;  // has a filename, be it empty
  std::string content_type;
  std::string_view body;
};

struct MultipartLimits {
  std::size_t max_parts = 1'000;
  std::size_t max_header_bytes = std::size_t{8} << 10;  // of one part
};

// Of a Content-Type header. Fault::malformed when it is no multipart type or names no boundary.
Result<std::string> find_boundary(std::string_view content_type);

// The boundary that stands in the first line of a body whose header was lost: uploaders that wrap
// one form into a part of another.
std::string_view guess_boundary(std::string_view bytes);  // "" when it is none

// Fault::malformed, also without an end boundary; Fault::too_large past a limit.
// REQUIRES: `bytes` outlives the parts.
Result<std::vector<FormPart>> parse_multipart(std::string_view bytes,
                                              std::string_view boundary,
                                              const MultipartLimits& limits = {});

}  // namespace picket::relay

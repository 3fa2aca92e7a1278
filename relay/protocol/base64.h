// Base64, RFC 4648.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace picket::relay {

// Both alphabets, line breaks anywhere, padding optional; nothing when another byte is in it.
std::optional<std::string> parse_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);  // with padding
std::string encode_base64_url(std::string_view bytes);  // the alphabet for URLs, without padding

}  // namespace picket::relay

#include "api/config.h"

#include <algorithm>

namespace picket::rest {

void bind(Settings& settings, ApiConfig& config) {
  settings.text("public_url", config.public_url);
}

Result<std::string> parse_public_url(std::string_view text) {
  while (text.ends_with('/'))
    text.remove_suffix(1);
  const bool web = text.starts_with("http://") || text.starts_with("https://");
  const auto host = web ? text.substr(text.find("//") + 2) : std::string_view();
  const bool clean = std::all_of(host.begin(), host.end(), [](char c) {
    return c > ' ' && c < 0x7f && std::string_view("@<>\"'\\?#").find(c) == std::string_view::npos;
  });
  if (host.empty() || host.starts_with(':') || !clean || host.find('/') != std::string_view::npos) {
    return Error{Fault::malformed, "\"" + std::string(text) +
                                       "\" is no address; write for example http://localhost:3000"};
  }
  return std::string(text);
}

}  // namespace picket::rest

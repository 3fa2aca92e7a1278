// Browser, operating system and device of a User-Agent header and of client hints, for the SDKs that
// send nothing better. Reads the families that Sentry shows most; anything else stays unknown.
//
// THREADS  Any. Views into the headers or constants; "" for unknown.
#pragma once

#include <string_view>

namespace picket::digest {

struct UserAgent {
  std::string_view browser;
  std::string_view browser_version;  // at most three parts
  std::string_view os;
  std::string_view os_version;
  std::string_view device_family;
  std::string_view device_model;
  std::string_view device_brand;
};
UserAgent read_user_agent(std::string_view header);

// Sec-CH-UA and its kin, as the headers have them.
struct ClientHints {
  std::string_view brands;            // Sec-CH-UA
  std::string_view platform;          // Sec-CH-UA-Platform
  std::string_view platform_version;  // Sec-CH-UA-Platform-Version
  std::string_view model;             // Sec-CH-UA-Model
};
// Where `header` is the lower-cased name of a hint, its place; else nullptr.
std::string_view* hint_named(ClientHints& hints, std::string_view header);
// Hints are believed before the header, field by field.
UserAgent read_user_agent(std::string_view header, const ClientHints& hints);

}  // namespace picket::digest

// What sensitive values look like: e-mail addresses, card numbers, keys … Each detector finds its
// values in a text with one pass over it.
//
// Shapes are Sentry's. Three are stricter, to spare numbers that only look the part: card numbers
// must pass Luhn's check, IBANs their check digits (ISO 13616), and IPv6 addresses must parse.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace picket::scrub {

enum class Detector : std::uint8_t {
  imei,
  mac,
  uuid,
  email,
  ip,
  creditcard,
  iban,
  userpath,      // the name in C:\Users\name, /home/name
  pemkey,        // between BEGIN and END of a private or public key
  url_auth,      // user:password before the host of a URL
  url_password,  // only the password
  us_ssn,
  bearer,  // `Bearer` and the token
};

struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

// Cheap facts about a text, enough to see that most detectors find nothing in it.
struct Traits {
  std::size_t bytes = 0;
  std::size_t digits = 0;
  bool at = false;  // @
  bool colon = false;
  bool dot = false;
  bool dash = false;
  bool slash = false;  // / or a backslash
  bool backslash = false;
  bool upper = false;  // A to Z
};
Traits traits_of(std::string_view text);
bool may_find(Detector detector, const Traits& traits);

// Spans in order, not overlapping, none of them empty.
std::vector<Span> find_all(Detector detector, std::string_view text);

bool passes_luhn(std::string_view digits);          // separators are passed over
bool has_iban_check_digits(std::string_view iban);  // letters and digits only

}  // namespace picket::scrub

#include "relay/scrub/detectors.h"

#include "relay/scrub/selector.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace picket::scrub {
namespace {

constexpr auto npos = std::string_view::npos;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return fold(c) >= 'a' && fold(c) <= 'z';
}

bool is_alnum(char c) {
  return is_digit(c) || is_letter(c);
}

bool is_hex(char c) {
  return is_digit(c) || (fold(c) >= 'a' && fold(c) <= 'f');
}

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// Part of a word; every byte of a character beyond ASCII is.
bool is_word(char c) {
  return is_alnum(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

// Between a part of a word and something else, or an end of the text.
bool is_boundary(std::string_view text, std::size_t at) {
  const bool before = at > 0 && is_word(text[at - 1]);
  const bool after = at < text.size() && is_word(text[at]);
  return before != after;
}

template <class Accepts>
std::size_t skip_while(std::string_view text, std::size_t at, Accepts accepts) {
  while (at < text.size() && accepts(text[at]))
    ++at;
  return at;
}

using Spans = std::vector<Span>;

// Tries `match` (text, start → end or nothing) at the beginning of every word.
template <class Match>
Spans at_word_starts(std::string_view text, Match match) {
  Spans spans;
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_word(text[at])) {
      ++at;
      continue;
    }
    if (const auto end = match(text, at); end && is_boundary(text, *end)) {
      spans.push_back({at, *end});
      at = *end;
    } else {
      at = skip_while(text, at, is_word);
    }
  }
  return spans;
}

// `count` characters of a class, then a dash that may be missing.
template <class Accepts>
bool take_group(std::string_view text, std::size_t& at, std::size_t count, Accepts accepts) {
  if (text.size() - at < count) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!accepts(text[at + i])) return false;
  }
  at += count;
  return true;
}

void skip_dash(std::string_view text, std::size_t& at) {
  if (at < text.size() && text[at] == '-') ++at;
}

std::optional<std::size_t> match_imei(std::string_view text, std::size_t at) {
  for (const std::size_t group : {2U, 6U, 6U}) {
    if (!take_group(text, at, group, is_digit)) return std::nullopt;
    skip_dash(text, at);
  }
  if (!take_group(text, at, 1, is_digit)) return std::nullopt;
  if (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

std::optional<std::size_t> match_uuid(std::string_view text, std::size_t at) {
  for (const std::size_t group : {8U, 4U, 4U, 4U}) {
    if (!take_group(text, at, group, is_alnum)) return std::nullopt;
    skip_dash(text, at);
  }
  if (!take_group(text, at, 12, is_alnum)) return std::nullopt;
  return at;
}

std::optional<std::size_t> match_mac(std::string_view text, std::size_t at) {
  for (int pair = 0; pair < 5; ++pair) {
    if (!take_group(text, at, 2, is_hex)) return std::nullopt;
    if (at == text.size() || (text[at] != ':' && text[at] != '-')) return std::nullopt;
    ++at;
  }
  if (!take_group(text, at, 2, is_hex)) return std::nullopt;
  return at;
}

std::optional<std::size_t> match_us_ssn(std::string_view text, std::size_t at) {
  for (const std::size_t group : {3U, 2U}) {
    if (!take_group(text, at, group, is_digit)) return std::nullopt;
    if (at == text.size() || text[at] != '-') return std::nullopt;
    ++at;
  }
  if (!take_group(text, at, 4, is_digit)) return std::nullopt;
  return at;
}

// How many digits a card number has that begins like this; 0 for none.
std::size_t card_digits(std::string_view prefix) {
  const auto number = [&prefix](std::size_t count) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i)
      value = value * 10 + (prefix[i] - '0');
    return value;
  };
  const int two = number(2);
  if (two == 34 || two == 37) return 15;          // American Express
  if (prefix[0] == '4') return 16;                // Visa
  if (two >= 51 && two <= 55) return 16;          // Mastercard
  if (two == 65 || number(4) == 6011) return 16;  // Discover
  return 0;
}

std::optional<std::size_t> match_card(std::string_view text, std::size_t at) {
  const auto start = at;
  if (text.size() - at < 15 ||
      !std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at),
                   text.begin() + static_cast<std::ptrdiff_t>(at) + 3, is_digit))
    return std::nullopt;
  const auto length = card_digits(text.substr(at, 4));
  if (length == 0) return std::nullopt;
  if (length == 16 && !is_digit(text[at + 3])) return std::nullopt;
  at += length - 12;
  for (int i = 0; i < 12; ++i) {
    if (at < text.size() && (text[at] == '-' || is_space(text[at]))) ++at;
    if (at == text.size() || !is_digit(text[at])) return std::nullopt;
    ++at;
  }
  if (!passes_luhn(text.substr(start, at - start))) return std::nullopt;
  return at;
}

std::optional<std::size_t> match_iban(std::string_view text, std::size_t at) {
  constexpr std::size_t shortest = 15;
  constexpr std::size_t longest = 34;
  const auto start = at;
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (!take_group(text, at, 2, is_upper) || !take_group(text, at, 2, is_digit)) return std::nullopt;
  at = skip_while(text, at, is_alnum);
  const auto length = at - start;
  if (length < shortest || length > longest) return std::nullopt;
  if (!has_iban_check_digits(text.substr(start, length))) return std::nullopt;
  return at;
}

// The end of a number up to 255, in at most three digits.
std::optional<std::size_t> match_octet(std::string_view text, std::size_t at) {
  int value = 0;
  std::size_t end = at;
  while (end < text.size() && end < at + 3 && is_digit(text[end]))
    value = value * 10 + (text[end++] - '0');
  if (end == at || value > 255) return std::nullopt;
  return end;
}

std::optional<std::size_t> match_ipv4(std::string_view text, std::size_t at) {
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (at == text.size() || text[at] != '.') return std::nullopt;
      ++at;
    }
    const auto end = match_octet(text, at);
    if (!end) return std::nullopt;
    at = *end;
  }
  return at;
}

bool is_ipv6(std::string_view text) {
  const std::string address(text);
  if (std::none_of(address.begin(), address.end(), is_hex)) return false;  // "::"
  in6_addr parsed{};
  return ::inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
}

// The longest address that begins at `at`, of the characters that addresses have.
std::optional<std::size_t> match_ipv6(std::string_view text, std::size_t at) {
  constexpr std::size_t longest = 45;
  auto end = skip_while(text.substr(0, at + longest + 1), at,
                        [](char c) { return is_hex(c) || c == ':' || c == '.'; });
  if (end - at > longest) return std::nullopt;
  if (end < text.size() && text[end] == '%' && same_folded(text.substr(at, 4), "fe80")) {
    const auto zone = skip_while(text, end + 1, is_alnum);
    if (zone > end + 1 && is_ipv6(text.substr(at, end - at))) return zone;
  }
  if (end < text.size() && is_word(text[end])) return std::nullopt;
  // A full stop or a colon behind the address is not its part.
  for (int attempt = 0; attempt < 2 && end > at; ++attempt, --end) {
    if (is_ipv6(text.substr(at, end - at))) return end;
    if (text[end - 1] != '.' && text[end - 1] != ':') break;
  }
  return std::nullopt;
}

Spans find_ips(std::string_view text) {
  Spans spans;
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    const bool starts = at == 0 || !is_word(text[at - 1]);
    if (!starts || (!is_hex(c) && c != ':')) {
      ++at;
      continue;
    }
    auto end = match_ipv6(text, at);
    if (!end && is_digit(c)) {
      end = match_ipv4(text, at);
      if (end && !is_boundary(text, *end)) end.reset();
    }
    if (end) {
      spans.push_back({at, *end});
      at = *end;
    } else {
      at = std::max(at + 1, skip_while(text, at, is_word));
    }
  }
  return spans;
}

bool is_email_local(char c) {
  return is_alnum(c) || std::string_view(".!#$%&'*+/=?^_`{|}~-").find(c) != npos;
}

// The end of a host name with a top-level domain of letters.
std::optional<std::size_t> match_domain(std::string_view text, std::size_t at) {
  std::optional<std::size_t> end;
  bool first = true;
  while (at < text.size()) {
    const auto label = skip_while(text, at, [](char c) { return is_alnum(c) || c == '-'; });
    if (label == at) break;
    const auto letters = skip_while(text.substr(0, label), at, is_letter);
    if (!first && letters - at >= 2 && is_boundary(text, letters)) end = letters;
    first = false;
    if (label == text.size() || text[label] != '.') break;
    at = label + 1;
  }
  return end;
}

Spans find_emails(std::string_view text) {
  Spans spans;
  std::size_t floor = 0;  // where the last match or `@` ended
  for (auto at = text.find('@'); at != npos; at = text.find('@', at + 1)) {
    auto start = at;
    while (start > floor && is_email_local(text[start - 1]))
      --start;
    while (start < at && !is_boundary(text, start))
      ++start;
    floor = at + 1;
    if (start == at) continue;
    const auto end = match_domain(text, at + 1);
    if (!end) continue;
    spans.push_back({start, *end});
    floor = *end;
  }
  return spans;
}

// Between "//" and the "@" before the host. `whole`: user and password, else the password.
Spans find_url_auth(std::string_view text, bool whole) {
  constexpr std::string_view ends = "/?#\\\"'<>()[]{},;";
  Spans spans;
  for (auto slashes = text.find("//"); slashes != npos; slashes = text.find("//", slashes)) {
    const auto start = slashes + 2;
    slashes = start;
    std::size_t colon = npos;
    auto at = start;
    while (at < text.size() && text[at] != '@' && !is_space(text[at]) &&
           ends.find(text[at]) == npos) {
      if (text[at] == ':' && colon == npos) colon = at;
      ++at;
    }
    slashes = at;
    if (at == text.size()) break;
    if (text[at] != '@') continue;
    const auto begin = whole ? start : colon == npos ? at : colon + 1;
    if (begin < at) spans.push_back({begin, at});
  }
  return spans;
}

bool starts_folded(std::string_view text, std::size_t at, std::string_view word) {
  return at <= text.size() && same_folded(text.substr(at, word.size()), word);
}

// The folder before the slash at `slash` holds the users' folders.
bool holds_homes(std::string_view text, std::size_t slash) {
  for (const std::string_view folder : {"users", "home", "documents and settings"}) {
    if (slash >= folder.size() && starts_folded(text, slash - folder.size(), folder) &&
        is_boundary(text, slash - folder.size()))
      return true;
  }
  constexpr std::string_view profiles = "profiles";
  if (slash <= profiles.size() || !starts_folded(text, slash - profiles.size(), profiles))
    return false;
  const char before = text[slash - profiles.size() - 1];
  return (before == '/' || before == '\\') && slash > profiles.size() + 1;
}

Spans find_user_paths(std::string_view text) {
  constexpr std::string_view ends = "/\\\r\n\"<>|*?:";
  Spans spans;
  for (auto slash = text.find_first_of("/\\"); slash != npos;
       slash = text.find_first_of("/\\", slash)) {
    auto start = slash + 1;
    if (!holds_homes(text, slash)) {
      slash = start;
      continue;
    }
    // A backslash that is itself escaped is written twice.
    if (start < text.size() && text[slash] == '\\' && text[start] == '\\') ++start;
    auto end = text.find_first_of(ends, start);
    if (end == npos) end = text.size();
    if (const auto nul = text.substr(start, end - start).find('\0'); nul != npos) end = start + nul;
    if (end > start) spans.push_back({start, end});
    slash = std::max(end, start);
  }
  return spans;
}

// The end of `-----BEGIN … KEY-----` or `-----END … KEY-----` that starts at `at`.
std::optional<std::size_t> match_pem_line(std::string_view text,
                                          std::size_t at,
                                          std::string_view word) {
  constexpr std::string_view dashes = "-----";
  if (text.substr(at, dashes.size()) != dashes) return std::nullopt;
  at += dashes.size();
  if (text.substr(at, word.size()) != word) return std::nullopt;
  const auto start = at + word.size();
  const auto end =
      skip_while(text, start, [](char c) { return c == ' ' || (c >= 'A' && c <= 'Z'); });
  const auto label = text.substr(start, end - start);
  if (!label.ends_with(" PRIVATE KEY") && !label.ends_with(" PUBLIC KEY")) return std::nullopt;
  if (text.substr(end, dashes.size()) != dashes) return std::nullopt;
  return end + dashes.size();
}

// A key that was cut off before its END reaches to the end of the text.
Spans find_pem_keys(std::string_view text) {
  Spans spans;
  for (auto at = text.find("-----BEGIN"); at != npos; at = text.find("-----BEGIN", at)) {
    auto start = match_pem_line(text, at, "BEGIN");
    if (!start) {
      at += 5;
      continue;
    }
    while (*start < text.size() && is_space(text[*start]))
      ++*start;
    auto end = text.find("-----END", *start);
    while (end != npos && !match_pem_line(text, end, "END"))
      end = text.find("-----END", end + 5);
    at = end == npos ? text.size() : end;
    auto last = at;
    while (last > *start && is_space(text[last - 1]))
      --last;
    if (last > *start) spans.push_back({*start, last});
  }
  return spans;
}

std::optional<std::size_t> match_bearer(std::string_view text, std::size_t at) {
  constexpr std::string_view word = "bearer";
  if (!starts_folded(text, at, word)) return std::nullopt;
  const auto token = skip_while(text, at + word.size(), is_space);
  if (token == at + word.size()) return std::nullopt;
  const auto end = skip_while(text, token, [](char c) { return !is_space(c); });
  return end > token ? std::optional(end) : std::nullopt;
}

Spans find_bearers(std::string_view text) {
  Spans spans;
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_word(text[at])) {
      ++at;
    } else if (const auto end = match_bearer(text, at)) {
      spans.push_back({at, *end});
      at = *end;
    } else {
      at = skip_while(text, at, is_word);
    }
  }
  return spans;
}

// What a byte says about the text it is in.
enum Class : std::uint8_t {
  class_at = 1,
  class_colon = 2,
  class_dot = 4,
  class_dash = 8,
  class_slash = 16,
  class_backslash = 32,
  class_upper = 64,
  class_digit = 128,  // the highest: counted by a shift
};

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  classes['@'] = class_at;
  classes[':'] = class_colon;
  classes['.'] = class_dot;
  classes['-'] = class_dash;
  classes['/'] = class_slash;
  classes['\\'] = class_slash | class_backslash;
  for (std::size_t c = '0'; c <= '9'; ++c)
    classes[c] = class_digit;
  for (std::size_t c = 'A'; c <= 'Z'; ++c)
    classes[c] = class_upper;
  return classes;
}
constexpr auto classes = make_classes();

}  // namespace

Traits traits_of(std::string_view text) {
  unsigned seen = 0;
  std::size_t digits = 0;
  for (const char c : text) {
    const unsigned of_byte = classes[static_cast<unsigned char>(c)];
    seen |= of_byte;
    digits += of_byte >> 7U;
  }
  return {text.size(),
          digits,
          (seen & class_at) != 0,
          (seen & class_colon) != 0,
          (seen & class_dot) != 0,
          (seen & class_dash) != 0,
          (seen & class_slash) != 0,
          (seen & class_backslash) != 0,
          (seen & class_upper) != 0};
}

bool may_find(Detector detector, const Traits& traits) {
  switch (detector) {
    case Detector::imei: return traits.digits >= 15;
    case Detector::mac: return traits.bytes >= 17 && (traits.colon || traits.dash);
    case Detector::uuid: return traits.bytes >= 32;
    case Detector::email: return traits.at && traits.dot;
    case Detector::ip: return (traits.dot && traits.digits >= 4) || traits.colon;
    case Detector::creditcard: return traits.digits >= 15;
    case Detector::iban: return traits.digits >= 2 && traits.upper && traits.bytes >= 15;
    case Detector::userpath: return traits.slash;
    case Detector::pemkey: return traits.dash && traits.bytes > 20;
    case Detector::url_auth:
    case Detector::url_password: return traits.at && traits.slash;
    case Detector::us_ssn: return traits.dash && traits.digits >= 9;
    case Detector::bearer: return traits.bytes >= 8;
  }
  std::abort();
}

std::vector<Span> find_all(Detector detector, std::string_view text) {
  switch (detector) {
    case Detector::imei: return at_word_starts(text, match_imei);
    case Detector::mac: return at_word_starts(text, match_mac);
    case Detector::uuid: return at_word_starts(text, match_uuid);
    case Detector::email: return find_emails(text);
    case Detector::ip: return find_ips(text);
    case Detector::creditcard: return at_word_starts(text, match_card);
    case Detector::iban: return at_word_starts(text, match_iban);
    case Detector::userpath: return find_user_paths(text);
    case Detector::pemkey: return find_pem_keys(text);
    case Detector::url_auth: return find_url_auth(text, true);
    case Detector::url_password: return find_url_auth(text, false);
    case Detector::us_ssn: return at_word_starts(text, match_us_ssn);
    case Detector::bearer: return find_bearers(text);
  }
  std::abort();
}

bool passes_luhn(std::string_view digits) {
  int sum = 0;
  bool doubled = false;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    if (!is_digit(*digit)) continue;
    int value = *digit - '0';
    if (doubled) value = value * 2 > 9 ? value * 2 - 9 : value * 2;
    sum += value;
    doubled = !doubled;
  }
  return sum % 10 == 0;
}

bool has_iban_check_digits(std::string_view iban) {
  if (iban.size() < 5) return false;
  int remainder = 0;
  const auto add = [&remainder](char c) {
    if (is_digit(c)) {
      remainder = (remainder * 10 + (c - '0')) % 97;
    } else {
      remainder = (remainder * 100 + (fold(c) - 'a' + 10)) % 97;
    }
  };
  for (const char c : iban.substr(4))
    add(c);
  for (const char c : iban.substr(0, 4))
    add(c);
  return remainder == 1;
}

}  // namespace picket::scrub

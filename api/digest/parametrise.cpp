#include "api/digest/parametrise.h"

#include <array>

namespace picket::digest {
namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool hex_digit(char c) {
  return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
// Bytes of other scripts are letters too: "…" within a word is no boundary.
bool word_character(char c) {
  return digit(c) || letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

// Each matcher gets the text from a word boundary on and returns how many bytes match, 0 for none.
using Matcher = std::size_t (*)(std::string_view);

bool ends_word(std::string_view text, std::size_t at) {
  return at >= text.size() || !word_character(text[at]);
}

template <class Accept>
std::size_t run_of(std::string_view text, std::size_t at, Accept accept) {
  std::size_t end = at;
  while (end < text.size() && accept(text[end]))
    ++end;
  return end - at;
}

std::size_t match_url(std::string_view text) {
  const std::size_t scheme =
      run_of(text.substr(0, 32), 0, [](char c) { return letter(c) || digit(c) || c == '+'; });
  if (scheme == 0 || !letter(text[0]) || text.substr(scheme, 3) != "://") return 0;
  const auto rest = run_of(text, scheme + 3, [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '"' && c != '\'' && c != '<' && c != '>' &&
           c != ')' && c != ',';
  });
  return rest == 0 ? 0 : scheme + 3 + rest;
}

std::size_t match_email(std::string_view text) {
  const auto local = run_of(text.substr(0, 65), 0, [](char c) {
    return letter(c) || digit(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-';
  });
  if (local == 0 || local >= text.size() || text[local] != '@') return 0;
  auto domain = run_of(text.substr(0, local + 256), local + 1,
                       [](char c) { return letter(c) || digit(c) || c == '.' || c == '-'; });
  while (domain > 0 && !letter(text[local + domain]) && !digit(text[local + domain]))
    --domain;
  return text.substr(local + 1, domain).find('.') == std::string_view::npos ? 0
                                                                            : local + 1 + domain;
}

std::size_t match_uuid(std::string_view text) {
  constexpr std::array<std::size_t, 5> groups = {8, 4, 4, 4, 12};
  std::size_t at = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i > 0 && (at >= text.size() || text[at++] != '-')) return 0;
    if (run_of(text.substr(0, at + groups[i]), at, hex_digit) != groups[i]) return 0;
    at += groups[i];
  }
  return ends_word(text, at) ? at : 0;
}

std::size_t match_ipv4(std::string_view text) {
  std::size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at >= text.size() || text[at++] != '.')) return 0;
    const auto digits = run_of(text, at, digit);
    if (digits == 0 || digits > 3) return 0;
    at += digits;
  }
  const bool goes_on = at + 1 < text.size() && text[at] == '.' && digit(text[at + 1]);
  return ends_word(text, at) && !goes_on ? at : 0;
}

std::size_t match_ipv6(std::string_view text) {
  const auto length =
      run_of(text.substr(0, 40), 0, [](char c) { return hex_digit(c) || c == ':'; });
  std::size_t colons = 0;
  for (const char c : text.substr(0, length))
    colons += c == ':' ? 1U : 0U;
  const bool shortened = text.substr(0, length).find("::") != std::string_view::npos;
  const bool address = colons == 7 || (shortened && colons >= 2 && length > 3);
  return address && ends_word(text, length) ? length : 0;
}

// 2024-01-31, with or without a time; 12:34:56.789.
std::size_t match_time_of_day(std::string_view text) {
  if (run_of(text.substr(0, 2), 0, digit) != 2 || text.substr(2, 1) != ":") return 0;
  if (run_of(text.substr(0, 5), 3, digit) != 2) return 0;
  std::size_t at = 5;
  if (text.substr(5, 1) == ":" && run_of(text.substr(0, 8), 6, digit) == 2) at = 8;
  if (at == 8 && at + 1 < text.size() && (text[8] == '.' || text[8] == ',') && digit(text[9])) {
    at = 9 + run_of(text, 9, digit);
  }
  return at;
}

std::size_t match_zone(std::string_view text) {
  if (text.starts_with('Z')) return 1;
  if (!text.starts_with('+') && !text.starts_with('-')) return 0;
  const auto hours = run_of(text.substr(0, 5), 1, digit);
  if (hours == 4) return 5;
  if (hours == 2 && text.substr(3, 1) == ":" && run_of(text.substr(0, 6), 4, digit) == 2) return 6;
  return 0;
}

std::size_t match_date(std::string_view text) {
  std::size_t at = 0;
  const char separator = text.size() > 4 ? text[4] : '\0';
  const bool date = run_of(text.substr(0, 5), 0, digit) == 4 &&
                    (separator == '-' || separator == '/') &&
                    run_of(text.substr(0, 7), 5, digit) == 2 && text.size() > 9 &&
                    text[7] == separator && run_of(text.substr(0, 10), 8, digit) == 2;
  if (date) at = 10;
  const bool gap = date && at < text.size() && (text[at] == 'T' || text[at] == ' ');
  const auto time = match_time_of_day(text.substr(gap ? at + 1 : at));
  if (!date && time == 0) return 0;
  if (time > 0 && (gap || !date)) at += time + (gap ? 1 : 0);
  if (time > 0) at += match_zone(text.substr(at));
  return ends_word(text, at) ? at : 0;
}

// 0x… or at least eight hex digits of which some are digits and some letters.
std::size_t match_hex(std::string_view text) {
  const bool prefixed = text.starts_with("0x") || text.starts_with("0X");
  const std::size_t begin = prefixed ? 2 : 0;
  const auto length = run_of(text, begin, hex_digit);
  if (length == 0 || !ends_word(text, begin + length)) return 0;
  if (prefixed) return begin + length;
  bool digits = false;
  bool letters = false;
  for (const char c : text.substr(0, length))
    (digit(c) ? digits : letters) = true;
  return digits && letters && length >= 8 ? length : 0;
}

std::size_t match_float(std::string_view text) {
  const auto whole = run_of(text, 0, digit);
  if (whole == 0 || text.substr(whole, 1) != ".") return 0;
  const auto fraction = run_of(text, whole + 1, digit);
  return fraction == 0 ? 0 : whole + 1 + fraction;
}

std::size_t match_int(std::string_view text) {
  return run_of(text, 0, digit);
}

// A quotation that begins where a word could not and ends where none goes on: not an apostrophe.
std::size_t match_quoted(std::string_view text) {
  constexpr std::size_t longest = 256;
  const char quote = text[0];
  if (quote != '\'' && quote != '"') return 0;
  for (auto end = text.find(quote, 1); end != std::string_view::npos && end <= longest;
       end = text.find(quote, end + 1)) {
    if (text.substr(0, end).find('\n') != std::string_view::npos) return 0;
    if (end > 1 && ends_word(text, end + 1)) return end + 1;
  }
  return 0;
}

struct Pattern {
  Matcher match;
  std::string_view name;
};
constexpr std::array<Pattern, 9> patterns = {{
    {match_quoted, "<quoted>"},
    {match_url, "<url>"},
    {match_email, "<email>"},
    {match_uuid, "<uuid>"},
    {match_date, "<date>"},
    {match_ipv4, "<ip>"},
    {match_ipv6, "<ip>"},
    {match_hex, "<hex>"},
    {match_float, "<float>"},
}};

}  // namespace

std::string parametrised(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool within_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto rest = text.substr(at);
    std::size_t taken = 0;
    if (!within_word && static_cast<unsigned char>(rest[0]) > ' ') {
      for (const auto& pattern : patterns) {
        taken = pattern.match(rest);
        if (taken == 0) continue;
        out += pattern.name;
        break;
      }
    }
    if (taken == 0 && digit(rest[0])) {
      taken = match_int(rest);
      out += "<int>";
    }
    if (taken == 0) {
      taken = 1;
      out += rest[0];
    }
    at += taken;
    within_word = word_character(text[at - 1]);
  }
  return out;
}

}  // namespace picket::digest

#include "relay/protocol/json_object.h"

#include "relay/protocol/hex.h"

#include <simdjson.h>

#include <array>
#include <charconv>

namespace picket::relay {
namespace {

// Bytes that end the fast run through a string: the quote, the backslash, control characters.
constexpr std::array<bool, 256> make_stops() {
  std::array<bool, 256> stops{};
  for (std::size_t c = 0; c < 0x20; ++c)
    stops[c] = true;
  stops[static_cast<unsigned char>('"')] = true;
  stops[static_cast<unsigned char>('\\')] = true;
  return stops;
}
constexpr auto stops = make_stops();

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The code unit of the four hex digits at `at`.
std::optional<unsigned> code_unit(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return std::nullopt;
  unsigned unit = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const auto digit = hex_digit(text[i]);
    if (!digit) return std::nullopt;
    unit = unit << 4 | *digit;
  }
  return unit;
}

void append_utf8(std::string& out, unsigned point) {
  const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6);
    put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  }
}

// Appends the character of the `\u` escape whose digits start at `at`; returns where it ends.
std::size_t append_unicode_escape(std::string& out, std::string_view raw, std::size_t at) {
  constexpr unsigned replacement = 0xfffd;
  const auto high = code_unit(raw, at);
  if (!high) {
    append_utf8(out, replacement);
    return raw.size();
  }
  at += 4;
  if (*high < 0xd800 || *high > 0xdfff) {
    append_utf8(out, *high);
    return at;
  }
  if (*high < 0xdc00 && raw.substr(at, 2) == "\\u") {
    const auto low = code_unit(raw, at + 2);
    if (low && *low >= 0xdc00 && *low <= 0xdfff) {
      append_utf8(out, 0x10000 + ((*high - 0xd800) << 10) + (*low - 0xdc00));
      return at + 6;
    }
  }
  append_utf8(out, replacement);
  return at;
}

}  // namespace

bool JsonMember::named(std::string_view name) const {
  if (key.find('\\') == std::string_view::npos) return key == name;
  return unescape_json(key) == name;
}

std::optional<JsonMember> JsonObjectReader::next() {
  if (failure_ || place_ == Place::done) return std::nullopt;
  if (place_ == Place::before) {
    if (!open()) return std::nullopt;
  } else {
    skip_space();
    if (peek() == '}') {
      close();
      return std::nullopt;
    }
    if (peek() != ',') {
      fail("expected ',' or '}'");
      return std::nullopt;
    }
    ++at_;
    skip_space();
  }
  JsonMember member;
  const auto key = at_;
  if (!skip_string()) return std::nullopt;
  member.key = text_.substr(key + 1, at_ - key - 2);
  skip_space();
  if (peek() != ':') {
    fail("expected ':'");
    return std::nullopt;
  }
  ++at_;
  skip_space();
  const auto value = at_;
  if (!skip_value()) return std::nullopt;
  member.value = text_.substr(value, at_ - value);
  return member;
}

Result<std::vector<std::string_view>> JsonObjectReader::split_array(std::string_view text,
                                                                    std::size_t most) {
  JsonObjectReader reader(text);
  std::vector<std::string_view> entries;
  const auto malformed = [&reader](const char* reason) {
    const auto at = reader.failure_ ? reader.failure_->at : reader.at_;
    return Error{Fault::malformed, std::string(reader.failure_ ? reader.failure_->reason : reason) +
                                       " at byte " + std::to_string(at)};
  };
  if (!simdjson::validate_utf8(text.data(), text.size())) return malformed("not UTF-8");
  reader.skip_space();
  if (reader.peek() != '[') return malformed("expected a JSON array");
  ++reader.at_;
  reader.skip_space();
  bool more = reader.peek() != ']';
  while (more) {
    if (entries.size() == most)
      return Error{Fault::too_large, "more than " + std::to_string(most) + " entries"};
    const auto start = reader.at_;
    if (!reader.skip_value()) return malformed("");
    entries.push_back(text.substr(start, reader.at_ - start));
    reader.skip_space();
    more = reader.peek() == ',';
    if (!more && reader.peek() != ']') return malformed("expected ',' or ']'");
    if (more) {
      ++reader.at_;
      reader.skip_space();
    }
  }
  ++reader.at_;
  reader.skip_space();
  if (reader.at_ != text.size()) return malformed("unexpected bytes after the JSON array");
  return entries;
}

// False when there is no first member: an empty object or a failure.
bool JsonObjectReader::open() {
  if (!simdjson::validate_utf8(text_.data(), text_.size())) return fail("not UTF-8");
  skip_space();
  if (peek() != '{') return fail("expected a JSON object");
  ++at_;
  place_ = Place::inside;
  skip_space();
  if (peek() != '}') return true;
  close();
  return false;
}

bool JsonObjectReader::close() {
  ++at_;
  place_ = Place::done;
  skip_space();
  return at_ == text_.size() || fail("unexpected bytes after the JSON object");
}

// Passes over one value of any depth. The nesting is kept in objects_, not on the stack.
bool JsonObjectReader::skip_value() {
  depth_ = 0;
  for (;;) {
    const char c = peek();
    if (c == '{' || c == '[') {
      if (!enter(c)) return false;
      if (peek() != (c == '{' ? '}' : ']')) {
        if (c == '{' && !skip_key()) return false;
        continue;
      }
    } else if (!skip_scalar()) {
      return false;
    }
    bool ended = false;
    if (!after_value(ended)) return false;
    if (ended) return true;
  }
}

bool JsonObjectReader::enter(char bracket) {
  if (depth_ == json_max_depth) return fail("nested too deeply");
  objects_[depth_] = bracket == '{';
  ++depth_;
  ++at_;
  skip_space();
  return true;
}

// Closes what ends here; `ended` when that was the value itself, else the next value follows.
bool JsonObjectReader::after_value(bool& ended) {
  while (depth_ > 0) {
    skip_space();
    const bool object = objects_[depth_ - 1];
    if (peek() == (object ? '}' : ']')) {
      ++at_;
      --depth_;
      continue;
    }
    if (peek() != ',') return fail(object ? "expected ',' or '}'" : "expected ',' or ']'");
    ++at_;
    skip_space();
    return !object || skip_key();
  }
  ended = true;
  return true;
}

bool JsonObjectReader::skip_key() {
  if (!skip_string()) return false;
  skip_space();
  if (peek() != ':') return fail("expected ':'");
  ++at_;
  skip_space();
  return true;
}

bool JsonObjectReader::skip_scalar() {
  switch (peek()) {
    case '"': return skip_string();
    case 't': return skip_word("true");
    case 'f': return skip_word("false");
    case 'n': return skip_word("null");
    default: return skip_number();
  }
}

bool JsonObjectReader::skip_word(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) return fail("expected a value");
  at_ += word.size();
  return true;
}

bool JsonObjectReader::skip_string() {
  if (peek() != '"') return fail("expected a string");
  ++at_;
  for (;;) {
    while (at_ < text_.size() && !stops[static_cast<unsigned char>(text_[at_])])
      ++at_;
    if (at_ >= text_.size()) return fail("unterminated string");
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (c != '\\') return fail("control character in a string");
    const char escape = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (escape == 'u') {
      if (!code_unit(text_, at_ + 2)) return fail("bad escape in a string");
      at_ += 6;
    } else if (escape != '\0' &&
               std::string_view("\"\\/bfnrt").find(escape) != std::string_view::npos) {
      at_ += 2;
    } else {
      return fail("bad escape in a string");
    }
  }
}

bool JsonObjectReader::skip_number() {
  if (peek() == '-') ++at_;
  if (peek() == '0') {
    ++at_;
  } else if (!skip_digits()) {
    return false;
  }
  if (peek() == '.') {
    ++at_;
    if (!skip_digits()) return false;
  }
  if (peek() == 'e' || peek() == 'E') {
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    if (!skip_digits()) return false;
  }
  return true;
}

bool JsonObjectReader::skip_digits() {
  if (!is_digit(peek())) return fail("expected a value");
  while (is_digit(peek()))
    ++at_;
  return true;
}

void JsonObjectReader::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') return;
    ++at_;
  }
}

bool JsonObjectReader::fail(const char* reason) {
  failure_ = Failure{reason, at_};
  return false;
}

std::string unescape_json(std::string_view raw) {
  std::string text;
  text.reserve(raw.size());
  std::size_t at = 0;
  while (at < raw.size()) {
    if (raw[at] != '\\' || at + 1 == raw.size()) {
      text += raw[at++];
      continue;
    }
    const char escape = raw[at + 1];
    at += 2;
    switch (escape) {
      case 'b': text += '\b'; break;
      case 'f': text += '\f'; break;
      case 'n': text += '\n'; break;
      case 'r': text += '\r'; break;
      case 't': text += '\t'; break;
      case 'u': at = append_unicode_escape(text, raw, at); break;
      default: text += escape; break;
    }
  }
  return text;
}

std::string render_json_string(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 0xf];
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::optional<std::uint64_t> parse_whole_number(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

}  // namespace picket::relay

#include "relay/protocol/json_repair.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace picket::relay {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

unsigned byte_at(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
}

// The length of the well-formed UTF-8 sequence at `i`; 0 when there is none.
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const unsigned lead = byte_at(text, i);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return 0;
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte_at(text, i + k) & 0xc0U) != 0x80U) return 0;
  }
  const unsigned second = byte_at(text, i + 1);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool surrogate = lead == 0xed && second > 0x9f;
  const bool beyond = lead == 0xf4 && second > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

// The code unit of "\uXXXX" at `i`, or -1.
int escaped_unit(std::string_view text, std::size_t i) {
  if (i + 6 > text.size() || text[i] != '\\' || text[i + 1] != 'u') return -1;
  int unit = 0;
  for (std::size_t k = 2; k < 6; ++k) {
    const char c = text[i + k];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// Bytes that are copied as they are, many at once: outside of strings, and within.
constexpr auto plain_outside = [] {
  std::array<bool, 256> plain{};
  plain.fill(true);
  for (const unsigned char c : std::string_view("\"-NI0123456789")) plain[c] = false;
  return plain;
}();
constexpr auto plain_inside = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

bool fits_64_bits(std::string_view digits) {
  std::int64_t with_sign = 0;
  std::uint64_t without = 0;
  const auto* const end = digits.data() + digits.size();
  return std::from_chars(digits.data(), end, with_sign).ec == std::errc() ||
         std::from_chars(digits.data(), end, without).ec == std::errc();
}

class Repair {
 public:
  explicit Repair(std::string_view json) : in_(json) { out_.reserve(json.size() + 64); }

  std::string run() {
    if (in_.starts_with("\xef\xbb\xbf")) at_ = 3;
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '"') {
        string();
      } else if (c == '-' || (c >= '0' && c <= '9')) {
        number();
      } else if (!word("NaN") && !word("Infinity")) {
        copy_plain(plain_outside);
      }
    }
    return std::move(out_);
  }

 private:
  // One byte, and all behind it that are plain.
  void copy_plain(const std::array<bool, 256>& plain) {
    const char* const begin = in_.data() + at_;
    const char* const last = in_.data() + in_.size();
    const char* end = begin + 1;
    while (end != last && plain[static_cast<unsigned char>(*end)]) ++end;
    out_.append(begin, end);
    at_ += static_cast<std::size_t>(end - begin);
  }

  bool word(std::string_view name) {
    if (!in_.substr(at_).starts_with(name)) return false;
    out_ += "null";
    at_ += name.size();
    return true;
  }

  void number() {
    if (in_[at_] == '-') {
      ++at_;
      if (word("Infinity") || word("NaN")) return;
      --at_;
    }
    auto end = in_.find_first_not_of("+-.0123456789eE", at_);
    if (end == std::string_view::npos) end = in_.size();
    const std::string token(in_.substr(at_, end - at_));
    at_ = end;
    const bool whole = token.find_first_of(".eE") == std::string::npos;
    if (!std::isfinite(std::strtod(token.c_str(), nullptr))) {
      out_ += "null";
    } else {
      out_ += token;
      if (whole && token.size() > 18 && !fits_64_bits(token)) out_ += ".0";
    }
  }

  void string() {
    out_ += '"';
    ++at_;
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '"') {
        out_ += '"';
        ++at_;
        return;
      }
      if (c == '\\') {
        escape();
      } else if (static_cast<unsigned char>(c) < 0x20) {
        constexpr char digits[] = "0123456789abcdef";
        out_ += "\\u00";
        out_ += digits[(c >> 4) & 0xf];
        out_ += digits[c & 0xf];
        ++at_;
      } else if (plain_inside[static_cast<unsigned char>(c)]) {
        copy_plain(plain_inside);
      } else {
        character();
      }
    }
  }

  void character() {
    const auto length = sequence_length(in_, at_);
    out_ += length == 0 ? replacement : in_.substr(at_, length);
    at_ += length == 0 ? 1 : length;
  }

  void escape() {
    const unsigned next = byte_at(in_, at_ + 1);
    if (next == 'u') return unicode_escape();
    if (next != 0 &&
        std::string_view("\"\\/bfnrt").find(static_cast<char>(next)) != std::string_view::npos) {
      out_ += in_.substr(at_, 2);
      at_ += 2;
      return;
    }
    out_ += "\\\\";
    ++at_;
  }

  void unicode_escape() {
    const int unit = escaped_unit(in_, at_);
    if (unit < 0) {
      out_ += "\\\\";
      ++at_;
      return;
    }
    const int second = escaped_unit(in_, at_ + 6);
    const bool high = unit >= 0xd800 && unit < 0xdc00;
    const bool pair = high && second >= 0xdc00 && second < 0xe000;
    const bool lone = !pair && unit >= 0xd800 && unit < 0xe000;
    const std::size_t taken = pair ? 12 : 6;
    out_ += lone ? replacement : in_.substr(at_, taken);
    at_ += taken;
  }

  std::string_view in_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string repair_json(std::string_view json) {
  return Repair(json).run();
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto length = sequence_length(text, i);
    out += length == 0 ? replacement : text.substr(i, length);
    i += length == 0 ? 1 : length;
  }
  return out;
}

}  // namespace picket::relay

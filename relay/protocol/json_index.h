// Where a JSON text's tokens begin: each bracket, comma, colon, string and other scalar, in order.
// What lies between two of them is one token and blanks, so that values are found, passed over
// and replaced by their positions, without a tree.
//
// It is the first stage of simdjson, which says so in its headers and not in its manual: 3 GB/s,
// and the only part that has to look at every byte. Strings are known to end and the text to be
// UTF-8; the grammar is not checked.
//
// THREADS  An index belongs to one thread; it keeps its memory between texts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace picket::relay {

class JsonIndex {
 public:
  JsonIndex();
  ~JsonIndex();

  // False for what cannot be JSON. REQUIRES: `text` outlives what is asked of the index.
  bool build(std::string_view text);

  std::size_t size() const { return size_; }
  // REQUIRES of all that take a token: token < size().
  char first(std::size_t token) const { return *(text_.data() + positions_[token]); }
  std::size_t begin(std::size_t token) const { return positions_[token]; }
  // Just behind the token's last byte.
  std::size_t end(std::size_t token) const {
    std::size_t at = token + 1 < size_ ? positions_[token + 1] : text_.size();
    while (at > 0 && is_blank(*(text_.data() + at - 1)))
      --at;
    return at;
  }
  std::string_view raw(std::size_t token) const {
    return {text_.data() + begin(token), end(token) - begin(token)};
  }
  // Between the quotes, escapes kept. REQUIRES: first(token) == '"'.
  std::string_view content(std::size_t token) const {
    const auto whole = raw(token);
    return whole.size() < 2 ? std::string_view()
                            : std::string_view(whole.data() + 1, whole.size() - 2);
  }
  // False: this part of the text has no backslash. True may be due to what follows it: it is looked at
  // in words of eight bytes, which is cheaper than to end exactly.
  bool may_have_escapes(std::string_view part) const {
    constexpr std::size_t word = sizeof(std::uint64_t);
    constexpr std::uint64_t ones = 0x0101010101010101U;
    const char* at = part.data();
    const char* const end = at + part.size();
    for (; at < end; at += word) {
      if (text_.data() + text_.size() - at < static_cast<std::ptrdiff_t>(word)) return true;
      std::uint64_t bytes = 0;
      std::memcpy(&bytes, at, word);
      bytes ^= ones * static_cast<unsigned char>('\\');
      if (((bytes - ones) & ~bytes & (ones << 7U)) != 0) return true;
    }
    return false;
  }
  // The token behind the value that begins at `token`; size() when brackets do not match.
  std::size_t after(std::size_t token) const {
    if (token >= size_) return size_;
    return bracket_of(first(token)) == 0 ? token + 1 : after_brackets(token);
  }

 private:
  std::size_t after_brackets(std::size_t token) const;
  // 1 for brackets that open, -1 for those that close.
  static int bracket_of(char c) { return brackets[static_cast<unsigned char>(c)]; }
  static constexpr auto brackets = [] {
    std::array<std::int8_t, 256> depths{};
    depths['{'] = depths['['] = 1;
    depths['}'] = depths[']'] = -1;
    return depths;
  }();
  static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::string_view text_;
  const std::uint32_t* positions_ = nullptr;
  std::size_t size_ = 0;
};

// A text whose index is made when it is first asked for, and shared by all who read the text.
class IndexedJson {
 public:
  // Texts of more than a MiB get an index of their own, so that `kept` stays small. `kept` is this
  // text's alone as long as the object lives.
  IndexedJson(std::string_view text, JsonIndex& kept) : text_(text), kept_(kept) {}

  std::string_view text() const { return text_; }
  const JsonIndex* index();  // nullptr for what cannot be JSON

 private:
  std::string_view text_;
  JsonIndex& kept_;
  std::unique_ptr<JsonIndex> large_;
  const JsonIndex* index_ = nullptr;
  bool tried_ = false;
};

// Whether the whole text is one JSON value, by RFC 8259.
bool is_json(std::string_view text);

}  // namespace picket::relay

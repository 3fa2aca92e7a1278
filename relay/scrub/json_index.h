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

#include <cstdint>
#include <memory>
#include <string_view>

namespace picket::scrub {

class JsonIndex {
 public:
  JsonIndex();
  ~JsonIndex();

  // False for what cannot be JSON. REQUIRES: `text` outlives what is asked of the index.
  bool build(std::string_view text);

  std::size_t size() const { return size_; }
  // REQUIRES: token < size().
  char first(std::size_t token) const { return text_[positions_[token]]; }
  std::size_t begin(std::size_t token) const { return positions_[token]; }
  // Just behind the token's last byte.
  std::size_t end(std::size_t token) const {
    std::size_t at = token + 1 < size_ ? positions_[token + 1] : text_.size();
    while (at > 0 && is_blank(text_[at - 1]))
      --at;
    return at;
  }
  std::string_view raw(std::size_t token) const {
    return text_.substr(begin(token), end(token) - begin(token));
  }
  // Between the quotes, escapes kept. REQUIRES: first(token) == '"'.
  std::string_view content(std::size_t token) const {
    const auto whole = raw(token);
    return whole.size() < 2 ? std::string_view() : whole.substr(1, whole.size() - 2);
  }
  // The token behind the value that begins at `token`; size() when brackets do not match.
  std::size_t after(std::size_t token) const {
    if (token >= size_) return size_;
    const char c = first(token);
    return c == '{' || c == '[' || c == '}' || c == ']' ? after_brackets(token) : token + 1;
  }

 private:
  std::size_t after_brackets(std::size_t token) const;
  static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::string_view text_;
  const std::uint32_t* positions_ = nullptr;
  std::size_t size_ = 0;
};

// Whether the whole text is one JSON value, by RFC 8259.
bool is_json(std::string_view text);

}  // namespace picket::scrub

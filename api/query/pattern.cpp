#include "api/query/pattern.h"

#include <cstring>
#include <utility>

namespace picket::query {
namespace {

// memmem: string_view::find stops at every occurrence of the first character.
std::size_t find_piece(std::string_view text, std::string_view piece) {
  if (piece.empty()) return 0;
  const void* found = ::memmem(text.data(), text.size(), piece.data(), piece.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

Pattern::Pattern(std::string_view value, bool ignore_case) : ignore_case_(ignore_case) {
  std::string piece;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size() && value[i + 1] == '*') {
      piece += '*';
      ++i;
    } else if (value[i] == '*') {
      // A run of stars is one star.
      if (pieces_.empty() || !piece.empty()) pieces_.push_back(std::exchange(piece, {}));
    } else {
      piece += value[i];
    }
  }
  pieces_.push_back(std::move(piece));
  if (has_wildcard()) ignore_case_ = true;
  if (ignore_case_) {
    for (auto& each : pieces_) each = lower_ascii(each);
  }
}

bool Pattern::matches(std::string_view text) const {
  return ignore_case_ ? pieces_match(lower_ascii(text), true) : pieces_match(text, true);
}

bool Pattern::matches_lower(std::string_view text) const {
  return pieces_match(text, true);
}

bool Pattern::pieces_match(std::string_view text, bool anchored) const {
  if (!anchored) {
    for (const auto& piece : pieces_) {
      const auto found = find_piece(text, piece);
      if (found == std::string_view::npos) return false;
      text.remove_prefix(found + piece.size());
    }
    return true;
  }
  if (!has_wildcard()) return text == pieces_.front();
  const auto& first = pieces_.front();
  const auto& last = pieces_.back();
  if (text.size() < first.size() + last.size() || !text.starts_with(first)) return false;
  if (!text.ends_with(last)) return false;
  text = text.substr(first.size(), text.size() - first.size() - last.size());
  for (std::size_t i = 1; i + 1 < pieces_.size(); ++i) {
    const auto found = find_piece(text, pieces_[i]);
    if (found == std::string_view::npos) return false;
    text.remove_prefix(found + pieces_[i].size());
  }
  return true;
}

}  // namespace picket::query

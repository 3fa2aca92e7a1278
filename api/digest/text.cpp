#include "api/digest/text.h"

#include <algorithm>
#include <cstring>

namespace picket::digest {
namespace {

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

bool longer_than(std::string_view text, std::size_t characters) {
  return text.size() > characters && first_characters(text, characters).size() < text.size();
}

}  // namespace

std::string_view first_characters(std::string_view text, std::size_t characters) {
  if (text.size() <= characters) return text;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (continues(text[i])) continue;
    if (seen == characters) return text.substr(0, i);
    ++seen;
  }
  return text;
}

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find_first_of("\r\n"));
}

std::string_view without_outer_space(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string ellipsed(std::string_view text, std::size_t characters) {
  if (!longer_than(text, characters)) return std::string(text);
  const std::size_t kept = characters > 3 ? characters - 3 : characters;
  return std::string(first_characters(text, kept)) + "...";
}

std::string ellipsed_over(std::string_view text, Length length) {
  if (!longer_than(text, length.characters + length.slack)) return std::string(text);
  return ellipsed(text, length.characters);
}

void append_json_text(std::string& json, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  json += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (c == '\n') {
      json += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      json += "\\u00";
      json += digits[(static_cast<unsigned char>(c) >> 4) & 0xf];
      json += digits[static_cast<unsigned char>(c) & 0xf];
    } else {
      json += c;
    }
  }
  json += '"';
}

std::string_view TextArena::keep(std::string_view text) {
  if (text.empty()) return {};
  if (text.size() > left_) {
    const std::size_t bytes = std::max(chunk_bytes_, text.size());
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
    next_ = chunks_.back().get();
    left_ = bytes;
  }
  std::memcpy(next_, text.data(), text.size());
  const std::string_view kept(next_, text.size());
  next_ += text.size();
  left_ -= text.size();
  return kept;
}

std::string_view TextArena::keep(std::string_view text, Length length) {
  if (!longer_than(text, length.characters + length.slack)) return keep(text);
  return keep(ellipsed(text, length.characters));
}

}  // namespace picket::digest

// Text as events carry it: kept in an arena, cut to Sentry's lengths on character boundaries.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace picket::digest {

// At most this many characters; text that is longer by no more than `slack` is left alone.
struct Length {
  std::size_t characters = 0;
  std::size_t slack = 0;
};

// The first `characters` of `text`, never half of one. Bytes that are not UTF-8 count one each.
std::string_view first_characters(std::string_view text, std::size_t characters);
std::string_view first_line(std::string_view text);
std::string_view without_outer_space(std::string_view text);

// `text` when it fits, else its beginning and "..." (`characters` in all).
std::string ellipsed(std::string_view text, std::size_t characters);

// ellipsed() to its characters when it is longer than they and the slack.
std::string ellipsed_over(std::string_view text, Length length);

// `text` as a JSON string, quotes included.
void append_json_text(std::string& json, std::string_view text);

// Owns copies of texts at fixed addresses for as long as it lives; moving it does not move them.
class TextArena {
 public:
  // A chunk is asked for when text is first kept.
  explicit TextArena(std::size_t chunk_bytes = 4096) : chunk_bytes_(chunk_bytes) {}

  std::string_view keep(std::string_view text);
  std::string_view keep(std::string_view text, Length length);  // cut as ellipsed()

 private:
  std::size_t chunk_bytes_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace picket::digest

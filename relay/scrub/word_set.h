// Finds words of a fixed set in texts, without case (ASCII), in one pass that skips most bytes:
// Wu and Manber's way, with pairs of bytes.
//
// THREADS  Immutable after construction.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::scrub {

class WordSet {
 public:
  struct Word {
    std::string text;          // not empty
    std::uint32_t groups = 1;  // bits that a find of this word adds to the answer
  };

  WordSet() = default;
  explicit WordSet(std::vector<Word> words);

  // The groups of all words that occur in `text`. Stops when no further group can be added.
  std::uint32_t groups_in(std::string_view text) const {
    return text.size() < shortest_ ? 0 : scan(text);
  }
  bool empty() const { return words_.empty(); }

 private:
  static constexpr std::size_t pairs = 1024;
  static std::size_t pair_of(char a, char b) {
    return (static_cast<unsigned char>(a) & 31U) << 5U | (static_cast<unsigned char>(b) & 31U);
  }
  std::uint32_t scan(std::string_view text) const;
  std::uint32_t scan_bytes(std::string_view text) const;
  std::uint32_t found_at(std::string_view rest, std::size_t bucket) const;

  std::vector<Word> words_;  // in lower case, sorted by bucket
  std::size_t shortest_ = static_cast<std::size_t>(-1);
  std::uint32_t all_groups_ = 0;
  std::array<std::uint8_t, pairs> shifts_{};
  std::array<std::uint16_t, pairs + 1> buckets_{};  // of the last pair within the shortest length
};

}  // namespace picket::scrub

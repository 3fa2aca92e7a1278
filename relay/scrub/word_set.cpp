#include "relay/scrub/word_set.h"

#include "relay/scrub/selector.h"

#include <algorithm>
#include <limits>

namespace picket::scrub {

WordSet::WordSet(std::vector<Word> words) : words_(std::move(words)) {
  constexpr std::size_t most_words = std::numeric_limits<std::uint16_t>::max();
  if (words_.size() > most_words) words_.resize(most_words);
  for (auto& word : words_) {
    std::transform(word.text.begin(), word.text.end(), word.text.begin(), fold);
    shortest_ = std::min(shortest_, word.text.size());
    all_groups_ |= word.groups;
  }
  if (words_.empty() || shortest_ < 2) return;

  const auto window = std::min<std::size_t>(shortest_, std::numeric_limits<std::uint8_t>::max());
  shortest_ = window;
  shifts_.fill(static_cast<std::uint8_t>(window - 1));
  for (const auto& word : words_) {
    for (std::size_t i = 0; i + 1 < window; ++i) {
      auto& shift = shifts_[pair_of(word.text[i], word.text[i + 1])];
      shift = std::min(shift, static_cast<std::uint8_t>(window - 2 - i));
    }
  }
  const auto bucket_of = [window](const Word& word) {
    return pair_of(word.text[window - 2], word.text[window - 1]);
  };
  std::sort(words_.begin(), words_.end(),
            [&](const Word& a, const Word& b) { return bucket_of(a) < bucket_of(b); });
  for (const auto& word : words_)
    ++buckets_[bucket_of(word) + 1];
  for (std::size_t i = 1; i < buckets_.size(); ++i)
    buckets_[i] = static_cast<std::uint16_t>(buckets_[i] + buckets_[i - 1]);
}

std::uint32_t WordSet::scan(std::string_view text) const {
  if (words_.empty()) return 0;
  if (shortest_ < 2) return scan_bytes(text);
  std::uint32_t found = 0;
  std::size_t end = shortest_ - 1;  // of the pair looked at: its second byte
  while (end < text.size()) {
    const auto pair = pair_of(text[end - 1], text[end]);
    const auto shift = shifts_[pair];
    if (shift == 0) {
      found |= found_at(text.substr(end + 1 - shortest_), pair);
      if (found == all_groups_) return found;
      ++end;
    } else {
      end += shift;
    }
  }
  return found;
}

std::uint32_t WordSet::found_at(std::string_view rest, std::size_t bucket) const {
  std::uint32_t found = 0;
  for (std::size_t i = buckets_[bucket]; i < buckets_[bucket + 1]; ++i) {
    const auto& word = words_[i];
    if (same_folded(rest.substr(0, word.text.size()), word.text)) found |= word.groups;
  }
  return found;
}

// For sets with a word of one byte, where no pair says anything.
std::uint32_t WordSet::scan_bytes(std::string_view text) const {
  std::uint32_t found = 0;
  for (std::size_t at = 0; at < text.size() && found != all_groups_; ++at) {
    for (const auto& word : words_) {
      if (fold(text[at]) == word.text.front() &&
          same_folded(text.substr(at, word.text.size()), word.text))
        found |= word.groups;
    }
  }
  return found;
}

}  // namespace picket::scrub

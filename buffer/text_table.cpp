#include "buffer/text_table.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace picket::buffer {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t odd_a = 0x9e3779b97f4a7c15;
constexpr std::uint64_t odd_b = 0xd1342543de82ef95;

// Both halves of a product: every bit of either factor reaches every bit of what comes out.
std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

template <class Word>
std::uint64_t read(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

std::uint64_t made_seed() {
  std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

}  // namespace

std::uint64_t text_hash(std::string_view text) {
  static const std::uint64_t seed = made_seed();
  const char* at = text.data();
  auto left = text.size();
  std::uint64_t hash = seed ^ (left * odd_a);
  for (; left > 16; at += 16, left -= 16)
    hash = mixed(read<std::uint64_t>(at) ^ odd_b, read<std::uint64_t>(at + 8) ^ hash);
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (left >= 8) {
    first = read<std::uint64_t>(at);
    last = read<std::uint64_t>(at + left - 8);
  } else if (left >= 4) {
    first = read<std::uint32_t>(at);
    last = read<std::uint32_t>(at + left - 4);
  } else if (left > 0) {
    first = read<std::uint8_t>(at) << 16 | read<std::uint8_t>(at + left / 2) << 8 | read<std::uint8_t>(at + left - 1);
  }
  return mixed(mixed(first ^ odd_b, last ^ hash) ^ odd_a, seed ^ odd_b);
}

// Of the text, or the free one where it would go.
std::size_t TextTable::slot_of(std::string_view text, std::uint32_t hash) const {
  const auto mask = slots_.size() - 1;
  for (std::size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    if (slots_[slot] == 0) return slot;
    const auto& entry = entries_[slots_[slot] - 1];
    if (entry.hash == hash && std::string_view(entry.text, entry.size) == text) return slot;
  }
}

const char* TextTable::keep(std::string_view text) {
  constexpr std::size_t usual = std::size_t{16} << 10;
  if (left_ < text.size()) {
    const auto size = std::max(usual, text.size());
    chunks_.emplace_back(new char[size]);
    memory_bytes_ += size;
    next_ = chunks_.back().get();
    left_ = size;
  }
  char* kept = next_;
  if (!text.empty()) std::memcpy(kept, text.data(), text.size());
  next_ += text.size();
  left_ -= text.size();
  return kept;
}

void TextTable::grow() {
  constexpr std::size_t least = 64;
  slots_.assign(std::max(least, 2 * slots_.size()), 0);
  const auto mask = slots_.size() - 1;
  for (std::uint32_t number = 0; number < entries_.size(); ++number) {
    std::size_t slot = entries_[number].hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = number + 1;
  }
}

std::uint32_t TextTable::intern(std::string_view text) {
  if (2 * (entries_.size() + 1) > slots_.size()) grow();
  const auto hash = static_cast<std::uint32_t>(text_hash(text));
  auto& slot = slots_[slot_of(text, hash)];
  if (slot == 0) {
    entries_.push_back({keep(text), static_cast<std::uint32_t>(text.size()), hash});
    memory_bytes_ += sizeof(Entry) + 3 * sizeof(std::uint32_t);
    slot = static_cast<std::uint32_t>(entries_.size());
  }
  return slot - 1;
}

std::optional<std::uint32_t> TextTable::find(std::string_view text) const {
  if (slots_.empty()) return std::nullopt;
  const auto slot = slots_[slot_of(text, static_cast<std::uint32_t>(text_hash(text)))];
  return slot == 0 ? std::nullopt : std::optional(slot - 1);
}

}  // namespace picket::buffer

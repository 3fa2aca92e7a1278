// Counting distinct values of many groups: each value gets a number once, and a group remembers numbers,
// as a bit each where that is less than a list.
//
// Values are known by 40 bits of a hash: two of a million are one in half of all cases, two of a hundred
// thousand in one of two hundred.
//
// THREADS  Belongs to one question and its thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace picket::query {

class DistinctNumbers {
 public:
  static constexpr unsigned hash_bits = 40;

  // From 0; nothing when there are too many. `grown` is raised by the bytes of memory that this took.
  // REQUIRES: hash < 2^hash_bits
  std::optional<std::uint32_t> number_of(std::uint64_t hash, std::size_t& grown) {
    if (size_ * 8 >= slots_.size() * 5) grown += grow();
    auto& slot = slots_.data()[find(hash)];
    if (slot == 0) {
      if (size_ == most) return std::nullopt;
      slot = hash << number_bits | ++size_;
    }
    return static_cast<std::uint32_t>((slot & most) - 1);
  }
  // Those of the hashes that `rows` name, by row, until the next call: no_number where a hash is negative, or there are too
  // many. The table is larger than the caches next to the core: what lies ahead is asked for in time. `grown` as above.
  std::span<const std::uint32_t> number_all(std::span<const std::int64_t> hashes, std::span<const std::uint32_t> rows, std::size_t& grown) {
    if (slots_.empty()) grown += grow();
    if (numbers_.size() < hashes.size()) {
      grown += (hashes.size() - numbers_.size()) * sizeof(std::uint32_t);
      numbers_.resize(hashes.size());
    }
    const bool whole = rows.size() == hashes.size();  // each row once
    if (whole) {
      number_these(hashes, hashes.size(), [](std::size_t i) { return i; }, grown);
    } else {
      number_these(hashes, rows.size(), [row = rows.data()](std::size_t i) { return std::size_t{row[i]}; }, grown);
    }
    return numbers_;
  }
  static constexpr std::uint32_t no_number = ~std::uint32_t{0};
  std::size_t size() const { return size_; }

 private:
  static constexpr unsigned number_bits = 64 - hash_bits;
  static constexpr std::size_t most = (std::size_t{1} << number_bits) - 1;
  static constexpr unsigned least_slot_bits = 6;

  template <class RowOf>
  void number_these(std::span<const std::int64_t> hashes, std::size_t count, RowOf row_of, std::size_t& grown) {
    constexpr std::size_t ahead = 16;
    const auto* const hash_of = hashes.data();
    auto* const number = numbers_.data();
    const auto number_one = [&](std::size_t at) {
      const auto hash = hash_of[at];
      number[at] = hash < 0 ? no_number : number_of(static_cast<std::uint64_t>(hash), grown).value_or(no_number);
    };
    const auto until = count - std::min(count, ahead);
    for (std::size_t i = 0; i < until;) {
      // Until one is not found at once, which may make the table another one.
      const auto* const slots = slots_.data();
      const auto shift = 64 - slot_bits_;
      for (; i < until; ++i) {
        __builtin_prefetch(slots + home_of(static_cast<std::uint64_t>(hash_of[row_of(i + ahead)]), shift));
        const auto at = row_of(i);
        const auto hash = static_cast<std::uint64_t>(hash_of[at]);
        const auto slot = slots[home_of(hash, shift)];
        if (slot == 0 || slot >> number_bits != hash) break;
        number[at] = static_cast<std::uint32_t>((slot & most) - 1);
      }
      if (i < until) number_one(row_of(i++));
    }
    for (auto i = until; i < count; ++i) number_one(row_of(i));
  }

  static std::size_t home_of(std::uint64_t hash, unsigned shift) {
    return static_cast<std::size_t>((hash * 0x9e3779b97f4a7c15U) >> shift);
  }
  std::size_t find(std::uint64_t hash) const {
    const auto mask = slots_.size() - 1;
    const auto* const slots = slots_.data();
    auto at = home_of(hash, 64 - slot_bits_);
    while (slots[at] != 0 && slots[at] >> number_bits != hash) at = (at + 1) & mask;
    return at;
  }
  std::size_t grow() {
    const auto old = std::move(slots_);
    slot_bits_ = old.empty() ? least_slot_bits : slot_bits_ + 1;
    slots_.assign(std::size_t{1} << slot_bits_, 0);
    for (const auto slot : old) {
      if (slot != 0) slots_[find(slot >> number_bits)] = slot;
    }
    return (slots_.size() - old.size()) * sizeof(std::uint64_t);
  }

  std::vector<std::uint64_t> slots_;  // hash and number + 1; 0: free
  std::vector<std::uint32_t> numbers_;  // of number_all(); as large as the largest block
  unsigned slot_bits_ = 0;
  std::size_t size_ = 0;
};

class DistinctSet {
 public:
  std::size_t size() const { return size_; }

  // `numbers` is how many there are by now, in all groups. The bytes of memory that this took.
  std::size_t insert(std::uint32_t number, std::size_t numbers) {
    return bits_.empty() ? insert_into_list(number, numbers) : insert_bit(number, numbers);
  }
  // The same for those of `inserted` that `rows` name and that are numbers.
  std::size_t insert_all(std::span<const std::uint32_t> inserted, std::span<const std::uint32_t> rows, std::size_t numbers) {
    std::size_t grown = 0;
    std::size_t taken = 0;
    for (; taken < rows.size() && bits_.empty(); ++taken) {
      if (const auto number = inserted[rows[taken]]; number != DistinctNumbers::no_number) grown += insert(number, numbers);
    }
    if (taken == rows.size()) return grown;
    grown += make_room(numbers);
    auto* const bits = bits_.data();
    const auto* const number_of = inserted.data();
    std::size_t added = 0;
    for (const auto row : rows.subspan(taken)) {
      const auto number = number_of[row];
      if (number == DistinctNumbers::no_number) continue;
      const auto before = bits[number / 64];
      bits[number / 64] = before | std::uint64_t{1} << (number % 64);
      added += ~before >> (number % 64) & 1;
    }
    size_ += added;
    return grown;
  }

 private:
  static constexpr std::size_t least_slots = 16;

  // For a bit each.
  std::size_t make_room(std::size_t numbers) {
    if (numbers <= 64 * bits_.size()) return 0;
    const auto words = numbers / 64 + numbers / 256 + 1;
    const auto grown = (words - bits_.size()) * sizeof(std::uint64_t);
    bits_.resize(words);
    return grown;
  }
  std::size_t insert_bit(std::uint32_t number, std::size_t numbers) {
    const auto grown = make_room(numbers);
    const std::size_t word = number / 64;
    const auto bit = std::uint64_t{1} << (number % 64);
    size_ += (bits_[word] & bit) == 0 ? 1 : 0;
    bits_[word] |= bit;
    return grown;
  }

  std::size_t insert_into_list(std::uint32_t number, std::size_t numbers) {
    std::size_t grown = 0;
    if (size_ * 8 >= list_.size() * 5) {
      // A list that grows would be larger than a bit for each number there is.
      if (2 * list_.size() * sizeof(std::uint32_t) * 8 >= numbers && !list_.empty()) return become_bits(number, numbers);
      grown = grow();
    }
    auto& slot = list_[find(number)];
    size_ += slot == 0 ? 1 : 0;
    slot = number + 1;
    return grown;
  }

  std::size_t become_bits(std::uint32_t number, std::size_t numbers) {
    const auto old = std::exchange(list_, {});
    size_ = 0;
    std::size_t grown = insert_bit(number, numbers);
    for (const auto slot : old) {
      if (slot != 0) grown += insert_bit(slot - 1, numbers);
    }
    const auto freed = old.size() * sizeof(std::uint32_t);
    return grown > freed ? grown - freed : 0;
  }

  std::size_t find(std::uint32_t number) const {
    const auto mask = list_.size() - 1;
    auto at = (number * std::size_t{0x9e3779b1U}) & mask;
    while (list_[at] != 0 && list_[at] != number + 1) at = (at + 1) & mask;
    return at;
  }
  std::size_t grow() {
    const auto old = std::move(list_);
    list_.assign(old.empty() ? least_slots : 2 * old.size(), 0);
    for (const auto slot : old) {
      if (slot != 0) list_[find(slot - 1)] = slot;
    }
    return (list_.size() - old.size()) * sizeof(std::uint32_t);
  }

  std::vector<std::uint32_t> list_;  // number + 1, 0: free; a power of two of them
  std::vector<std::uint64_t> bits_;
  std::size_t size_ = 0;
};

}  // namespace picket::query

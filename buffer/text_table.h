// Texts, each kept once and numbered from 0 in the order in which they came.
//
// Made for what the digest does many times an event: a look-up costs a pass over the text, eight bytes at a time,
// and as a rule one comparison. The hash is seeded anew in every process, so that nobody outside can choose texts that
// fall together.
//
// THREADS  Belongs to one thread while it changes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace picket::buffer {

// The same within a process, another one in the next: for tables in memory only.
std::uint64_t text_hash(std::string_view text);

class TextTable {
 public:
  std::uint32_t intern(std::string_view text);
  std::optional<std::uint32_t> find(std::string_view text) const;

  std::size_t size() const { return entries_.size(); }
  // Stays valid for as long as the table lives, also when it is moved.
  std::string_view operator[](std::size_t number) const { return {entries_[number].text, entries_[number].size}; }
  // What it takes in memory, about.
  std::size_t memory_bytes() const { return memory_bytes_; }

 private:
  struct Entry {
    const char* text;
    std::uint32_t size;
    std::uint32_t hash;
  };
  std::size_t slot_of(std::string_view text, std::uint32_t hash) const;
  const char* keep(std::string_view text);
  void grow();

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  // an entry's number + 1, 0: free; a power of two of them, half full at most
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t memory_bytes_ = 0;
};

}  // namespace picket::buffer

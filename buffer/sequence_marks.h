// One bit for each journal record and purpose, kept in rows of 4,096 bits (Table::marks): what a
// destination was not sent, what a resend has picked.
//
//   key    destination text, purpose u8, block u64 (sequence / 4096)
//   value  512 bytes; bit n of a block is bit n % 8 of byte n / 8
//
// A missing row has no bit set. Rows of what the journal has forgotten go by themselves, a few with
// each change.
#pragma once

#include "buffer/journal.h"
#include "buffer/tables.h"

#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::buffer {

// Stored in keys: never renumber.
enum class Mark : std::uint8_t {
  not_sent = 1,  // passed by the cursor and never acknowledged
  resent = 2,    // acknowledged through a resend, though from before the destination's start
  picked = 3,    // what the resend under way is to send
};

constexpr std::uint64_t marks_in_row = 4'096;

// Changes to some bits, gathered until they are written. The later of two to one bit counts.
class MarkChanges {
 public:
  void set(Mark mark, Sequence sequence) { change(mark, sequence, true); }
  void clear(Mark mark, Sequence sequence) { change(mark, sequence, false); }
  bool empty() const { return rows_.empty(); }

  // Also drops rows of the destination whose records all lie before `journal_first`.
  void apply(Batch& batch, std::string_view destination, Sequence journal_first) const;

 private:
  struct Bits {
    std::array<std::uint8_t, marks_in_row / 8> set{};
    std::array<std::uint8_t, marks_in_row / 8> clear{};
  };
  void change(Mark mark, Sequence sequence, bool to);
  std::map<std::pair<Mark, std::uint64_t>, Bits> rows_;
};

// The bits of [first, end), in order.
std::vector<bool> read_marks(const Reader& tables, std::string_view destination, Mark mark, Sequence first, Sequence end);

// All of the destination's rows of this purpose, at most `most`; true when none is left.
bool remove_marks(Batch& batch, std::string_view destination, Mark mark, std::size_t most);

}  // namespace picket::buffer

// A run: what a batch adds to the counts of issues' tags (Table::issue_tags), as one value.
//
//   run    := 1 u8 | tags u32 | owners u32 | bytes of tag texts u32 | of uses u32 | of holders u32 | base time u64 (ms)
//             | end of each tag's text u32 | end of each tag's holders u32
//             | owner × owners | tag texts | uses | holders
//   owner  := issue u64 | project u64 | end of its uses u32
//   use    := (steps << 2 | other times 1 | other count 2) varint
//             | first less the first before, zigzag varint; last less first varint, where times are other than before
//             | count varint, where it is another than before
//   holder := steps varint
//
// Numbers are little-endian. Tags (as they stand in keys: key text, value text) and owners ascend. An owner's uses
// ascend by tag: a step is the number of tags passed over since the one before, and the times and count before its first
// are the base time and 1. A tag's holders are the owners that have it, by their place; steps as for tags.
#pragma once

#include "buffer/byte_stream.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::digest {

struct TagSum {
  std::uint64_t count = 0;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  void add(const TagSum& more) {
    if (count == 0) {
      *this = more;
      return;
    }
    count += more.count;
    first_ms = std::min(first_ms, more.first_ms);
    last_ms = std::max(last_ms, more.last_ms);
  }
  friend bool operator==(const TagSum&, const TagSum&) = default;
};

// What is to be added to the tags of issues. Texts belong to whoever filled it.
struct TagIncrements {
  struct Owner {
    std::uint64_t issue = 0;
    std::uint64_t project = 0;
    std::size_t end = 0;  // of its uses
  };
  struct Use {
    std::uint32_t tag = 0;
    TagSum sum;
  };
  std::vector<std::string_view> tags;  // ascending
  std::vector<Owner> owners;           // ascending by issue
  std::vector<Use> uses;               // owner by owner, ascending by tag
};
std::string render_tag_run(const TagIncrements& added);

// A run over bytes that outlive it. Whatever they hold, it never reads outside of them.
class TagRun {
 public:
  static std::optional<TagRun> parse(std::string_view bytes);  // nothing for bytes that are no run

  std::size_t tags() const { return tags_; }
  std::string_view tag(std::size_t tag) const;
  std::size_t lower_bound_tag(std::string_view tag) const;  // the first that is not less; tags() when there is none
  std::size_t owners() const { return owners_; }
  std::uint64_t issue(std::size_t owner) const { return buffer::load_word(owner_at(owner)); }
  std::uint64_t project(std::size_t owner) const { return buffer::load_word(owner_at(owner) + 8); }
  // The first owner from `from` on whose issue is not less; owners() when there is none. Near ones cost least.
  std::size_t lower_bound_owner(std::uint64_t issue, std::size_t from = 0) const;

  // Steps through the uses of an owner.
  class Uses {
   public:
    Uses(const TagRun& run, std::size_t owner);
    bool next();  // false at the end, or where the bytes make no sense
    std::size_t tag() const { return tag_; }
    const TagSum& sum() const { return sum_; }

   private:
    buffer::ByteReader reader_;
    std::size_t tags_;
    std::size_t tag_ = ~std::size_t{0};
    TagSum sum_;
  };
  // Appends the places of the owners that have the tag, ascending.
  void holders(std::size_t tag, std::vector<std::size_t>& owners) const;

 private:
  const char* owner_at(std::size_t owner) const { return owner_rows_.data() + owner * owner_bytes; }
  static constexpr std::size_t owner_bytes = 20;

  std::size_t tags_ = 0;
  std::size_t owners_ = 0;
  std::int64_t base_ms_ = 0;
  std::string_view tag_ends_;
  std::string_view holder_ends_;
  std::string_view owner_rows_;
  std::string_view texts_;
  std::string_view uses_;
  std::string_view holders_;
};

}  // namespace picket::digest

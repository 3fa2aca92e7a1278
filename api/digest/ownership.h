// Whose an event is by its project's ownership rules (Table::ownership): the last rule that matches.
//
//   path      file names of its stack traces        url      the address of its request
//   module    modules of its stack traces           tags.k   the value of its tag k
//
// Patterns are for the whole text, without regard to case: `*` stands for any characters, `?` for one;
// one that ends with a slash also takes what is below. Backslashes of paths are slashes.
//
// THREADS  An OwnershipBook belongs to one thread.
#pragma once

#include "api/digest/event.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <cstdint>
#include <map>
#include <span>
#include <string_view>

namespace picket::digest {

bool matches_glob(std::string_view pattern, std::string_view text);
bool matches_rule(const schema::OwnershipRule& rule, const Event& event, std::span<const Tag> tags);
// The last that matches; nullptr when none does.
const schema::OwnershipRule* owning_rule(const schema::Ownership& ownership,
                                         const Event& event,
                                         std::span<const Tag> tags);

enum class AutoAssignment : std::uint8_t { off = 0, owner = 1, commits = 2 };  // as stored

struct RuledOwner {
  std::uint64_t user = 0;
  std::uint64_t team = 0;
  bool assign = false;
};

// The rules of all projects, read anew when somebody changed any.
class OwnershipBook {
 public:
  void refresh(const buffer::Reader& reader);
  RuledOwner owner_of(std::uint64_t project, const Event& event, std::span<const Tag> tags) const;

 private:
  std::uint64_t generation_ = 0;
  std::map<std::uint64_t, schema::Ownership> projects_;
};

// Stores a project's rules so that books see the change.
void put_ownership(buffer::Batch& batch, std::uint64_t project, const schema::Ownership& ownership);

}  // namespace picket::digest

// The tags of issues as readers see them: their rows, and what waits to be added to these (waiting_tags.h).
#pragma once

#include "api/digest/waiting_tags.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::digest {

// Must not outlive its reader, nor a change to the tables.
class IssueTags {
 public:
  explicit IssueTags(const buffer::Reader& reader) : reader_(reader), waiting_(reader) {}

  // Calls `visit` with each tag of the issue that begins with `prefix` (key text, value text), without that, ascending,
  // until it returns false.
  using Visit = std::function<bool(std::string_view rest, const schema::TagCount& count)>;
  void for_each(std::uint64_t issue, std::string_view prefix, const Visit& visit) const;
  // The keys of its tags, ascending.
  std::vector<std::string> keys(std::uint64_t issue) const;

 private:
  const buffer::Reader& reader_;
  WaitingTags waiting_;
};

}  // namespace picket::digest

// Records that a forward-only destination was not to have, or only a part of: the journal keeps them
// as if nothing had been moved (buffer/moved.h).
//
// INVARIANT  Every record noted is covered; at most `most_ranges` ranges, so that some may be covered
//            that were not noted.
#pragma once

#include "buffer/journal.h"
#include "buffer/schema/rows.pb.h"

#include <cstddef>
#include <map>

namespace picket::upstream {

class Unwanted {
 public:
  static constexpr std::size_t most_ranges = 200;

  // REQUIRES: first <= last.
  void note(buffer::Sequence first, buffer::Sequence last);
  // What the journal no longer has need not be remembered.
  void forget_before(buffer::Sequence first);

  void load(const schema::Destination& row);
  void store(schema::Destination& row) const;

 private:
  std::map<buffer::Sequence, buffer::Sequence> ranges_;  // first → last, apart from each other
};

}  // namespace picket::upstream

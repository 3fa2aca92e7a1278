// Lets go of tags that no event has had for long: which users, URLs and versions an issue or a project had. Else the
// tables of a box that runs for years would grow with every user who ever came by. Issues and their counts stay.
//
// There is no index by age: a pass reads both tables of counts from end to end, a few thousand rows a step.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"

#include <cstddef>
#include <string>

namespace picket::digest {

// THREADS  Belongs to one.
class TagExpiry {
 public:
  // Looks at up to `most_rows`; removes those that were last seen 90 days ago and that no stored event has, with their
  // places in issues_by_tag, in one write, if there are any. True when that was the last step of a pass: the next begins anew.
  Result<bool> step(buffer::Tables& tables, Time now, std::size_t most_rows);

 private:
  buffer::Table table_ = buffer::Table::issue_tags;  // then project_tags
  std::string next_;                                 // the key to go on from
};

}  // namespace picket::digest

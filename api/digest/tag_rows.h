// Adding counts to the rows of tags.
#pragma once

#include "api/digest/tag_run.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <string>
#include <string_view>

namespace picket::digest {

// Adds to rows of one table, best in ascending order.
class TagRowWriter {
 public:
  TagRowWriter(buffer::Batch& batch, buffer::Table table) : editor_(batch.edit(table)) {}
  bool add(std::string_view key, const TagSum& sum);  // false: there was no such row

 private:
  buffer::TableEditor editor_;
  schema::TagCount row_;
  std::string bytes_;
};

// Adds to issue_tags, and issues that have a tag for the first time to its postings.
void add_to_rows(buffer::Batch& batch, const TagIncrements& added);

}  // namespace picket::digest

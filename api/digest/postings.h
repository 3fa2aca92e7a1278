// Which issues have a tag: Table::issues_by_tag. Issues are numbered densely and a tag's come in
// crowds, so they are kept in blocks of 4,096 numbers:
//
//   key    project u64 │ key text │ value text │ block u64 (issue / 4096)
//   value  up to 255 issues: their numbers within the block, u16 each, ascending
//          more: 512 bytes, one bit a number, the lowest bit of the first byte first
//
// One row an issue cost 50 bytes each and a page write each, in the worst place: 3 of the 11 pages
// that an event touched.
#pragma once

#include "buffer/keys.h"
#include "buffer/tables.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::digest {

constexpr std::uint64_t posting_block = 4096;

// `tag` is what stands between project and block: Key().text(key).text(value).
inline buffer::Key posting_key(std::uint64_t project, std::string_view tag, std::uint64_t issue) {
  buffer::Key key;
  key.u64(project).raw(tag).u64(issue / posting_block);
  return key;
}

// Changes a row's value; false when the issue was (not) there already.
bool add_posting(std::string& row, std::uint64_t issue);
bool remove_posting(std::string& row, std::uint64_t issue);

// Appends the issues of a row, whose key ends with the block, ascending.
void read_postings(std::string_view key, std::string_view row, std::vector<std::uint64_t>& issues);

// Takes an issue out of a tag's postings in the tables.
void remove_posting(buffer::Batch& batch,
                    std::uint64_t project,
                    std::string_view tag,
                    std::uint64_t issue);

}  // namespace picket::digest

// The groups that the rows of one block fall into, numbered from 0 in the order of their first rows; and rows
// sorted by such numbers, so that an aggregate takes the rows of a group one after the other.
//
// THREADS  Belongs to one question and its thread.
#pragma once

#include "api/query/block_fields.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace picket::query {

// Rows of a block in stretches, each of them group by group; the rows of a group ascend. What columns hold of a stretch
// fits the caches next to the core, in whatever order its rows are taken.
struct GroupedRows {
  std::span<const std::uint32_t> rows;
  std::span<const std::uint32_t> ends;  // stretch by stretch, by group: where its rows end
  std::size_t groups = 0;

  // each(group, rows) for every stretch and group that has any.
  template <class Each>
  void for_each(Each each) const {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < ends.size();) {
      for (std::size_t group = 0; group < groups; ++group, ++i) {
        const std::size_t end = ends[i];
        if (begin != end) each(group, rows.subspan(begin, end - begin));
        begin = end;
      }
    }
  }
};

class GroupNumbers {
 public:
  // Rows are of one group when all `plain` fields are equal. What is given out lasts until the next call.
  void assign(const std::vector<FieldExpression>& plain, BlockFields& fields, std::span<const std::uint32_t> rows);

  std::span<const std::uint32_t> numbers() const { return numbers_; }        // by place in the rows
  std::span<const std::uint32_t> first_rows() const { return first_rows_; }  // by number

 private:
  void refine(const CodedField& field, std::span<const std::uint32_t> rows);

  std::vector<std::uint32_t> numbers_;
  std::vector<std::uint32_t> first_rows_;
  std::vector<std::uint32_t> dense_;  // by number and code together: the new number
  std::unordered_map<std::uint64_t, std::uint32_t> sparse_;  // the same, where there would be too many
};

class RowSorter {
 public:
  // Rows whose groups are `numbers`, below `groups`. Lasts until the next call, and as long as `rows`.
  GroupedRows sort(std::span<const std::uint32_t> rows, std::span<const std::uint32_t> numbers, std::size_t groups);

 private:
  void sort_stretch(std::span<const std::uint32_t> rows, std::span<const std::uint32_t> numbers, std::uint32_t place,
                    std::span<std::uint32_t> ends);

  static constexpr std::size_t stretch_rows = 8192;
  // Of more groups a stretch has too few rows each.
  static constexpr std::size_t most_groups_in_stretches = stretch_rows / 16;

  std::vector<std::uint32_t> rows_;
  std::vector<std::uint32_t> ends_;
  std::vector<std::uint32_t> places_;  // of the stretch at hand: where the next row of a lane and group goes
};

// What the group of a row is known by: appends the text of each plain field to `key`.
void append_group_key(std::string& key, const std::vector<FieldExpression>& plain, BlockFields& fields, std::size_t row);

}  // namespace picket::query

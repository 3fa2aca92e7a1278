// The groups that the rows of one block fall into, numbered from 0; and rows sorted by such numbers, so that an
// aggregate takes the rows of a group one after the other.
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

// Rows of a block, group by group, ascending within each.
struct GroupedRows {
  std::span<const std::uint32_t> rows;
  std::span<const std::uint32_t> ends;  // by group: where its rows end

  std::span<const std::uint32_t> of(std::size_t group) const {
    const std::size_t begin = group == 0 ? 0 : ends[group - 1];
    return rows.subspan(begin, ends[group] - begin);
  }
};

class GroupNumbers {
 public:
  // Rows are of one group when all `plain` fields are equal. What is given out lasts until the next call.
  void assign(const std::vector<FieldExpression>& plain, BlockFields& fields, std::span<const std::uint32_t> rows);

  std::span<const std::uint32_t> numbers() const { return numbers_; }  // by place in the rows
  std::size_t groups() const { return groups_; }                       // above all numbers; a group may have no rows

 private:
  void take_codes(const CodedField& field, std::span<const std::uint32_t> rows);
  void refine(const CodedField& field, std::span<const std::uint32_t> rows);

  std::span<const std::uint32_t> numbers_;  // own_numbers_, or a field's codes
  std::size_t groups_ = 0;
  std::vector<std::uint32_t> own_numbers_;
  std::vector<std::uint32_t> dense_;  // by number and code together: the new number
  std::unordered_map<std::uint64_t, std::uint32_t> sparse_;  // the same, where there would be too many
};

class RowSorter {
 public:
  // Rows whose groups are `numbers`, below `groups`; groups without rows are left out. Lasts until the next call, and as
  // long as `rows`.
  GroupedRows sort(std::span<const std::uint32_t> rows, std::span<const std::uint32_t> numbers, std::size_t groups);

 private:
  std::vector<std::uint32_t> rows_;
  std::vector<std::uint32_t> ends_;
  std::vector<std::uint32_t> places_;  // where the next row of a lane and group goes
};

constexpr std::uint32_t no_row = ~std::uint32_t{0};
// By number; no_row of groups without rows.
std::vector<std::uint32_t> first_rows(std::span<const std::uint32_t> rows, const GroupNumbers& groups);

// What a group is known by: kind, length and text of each of its values, for a text may hold any character.
void append_group_key(std::string& key, const FactValue& value);
// The same of each plain field of a row.
void append_group_key(std::string& key, const std::vector<FieldExpression>& plain, BlockFields& fields, std::size_t row);

}  // namespace picket::query

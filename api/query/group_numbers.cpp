#include "api/query/group_numbers.h"

#include <utility>

namespace picket::query {
namespace {

constexpr std::uint32_t no_number = ~std::uint32_t{0};
constexpr std::size_t most_dense = std::size_t{1} << 16;

}  // namespace

void GroupNumbers::assign(const std::vector<FieldExpression>& plain, BlockFields& fields, std::span<const std::uint32_t> rows) {
  numbers_.assign(rows.size(), 0);
  first_rows_.clear();
  if (rows.empty()) return;
  first_rows_.push_back(rows.front());
  for (const auto& field : plain) refine(fields.coded(field), rows);
}

void GroupNumbers::refine(const CodedField& field, std::span<const std::uint32_t> rows) {
  const auto width = field.values.size();
  const bool dense = first_rows_.size() * width <= most_dense;
  const bool one = first_rows_.size() == 1;
  dense_.assign(dense ? first_rows_.size() * width : 0, no_number);
  sparse_.clear();
  first_rows_.clear();
  const auto number_all = [&](auto number_of) {
    auto* numbers = numbers_.data();
    const auto* const codes = field.codes.data();
    for (const auto row : rows) {
      auto& number = number_of(*numbers, codes[row]);
      if (number == no_number) {
        number = static_cast<std::uint32_t>(first_rows_.size());
        first_rows_.push_back(row);
      }
      *numbers++ = number;
    }
  };
  auto* const known = dense_.data();
  if (one && dense) return number_all([known](std::uint32_t, std::uint32_t code) -> auto& { return known[code]; });
  if (dense) return number_all([known, width](std::uint32_t number, std::uint32_t code) -> auto& { return known[number * width + code]; });
  number_all([&](std::uint32_t number, std::uint32_t code) -> auto& {
    return sparse_.try_emplace(number * width + code, no_number).first->second;
  });
}

GroupedRows RowSorter::sort(std::span<const std::uint32_t> rows, std::span<const std::uint32_t> numbers, std::size_t groups) {
  ends_.assign(groups, 0);
  if (groups <= 1) {
    if (groups == 1) ends_[0] = static_cast<std::uint32_t>(rows.size());
    return {rows, ends_};
  }
  // By plain pointers, here and where else each row is touched: the library's checks take a third of such loops.
  auto* const ends = ends_.data();
  for (const auto number : numbers) ++ends[number];
  std::uint32_t begin = 0;
  for (auto& place : ends_) begin += std::exchange(place, begin);
  rows_.resize(rows.size());
  auto* const sorted = rows_.data();
  const auto* const group = numbers.data();
  for (std::size_t i = 0; const auto row : rows) sorted[ends[group[i++]]++] = row;
  return {rows_, ends_};
}

void append_group_key(std::string& key, const std::vector<FieldExpression>& plain, BlockFields& fields, std::size_t row) {
  for (const auto& field : plain) {
    const auto& value = fields.coded(field).at(row);
    key += static_cast<char>(value.kind);
    key += value.as_text();
    key += '\0';
  }
}

}  // namespace picket::query

#include "api/query/group_numbers.h"

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
  dense_.assign(dense ? first_rows_.size() * width : 0, no_number);
  sparse_.clear();
  first_rows_.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto together = std::uint64_t{numbers_[i]} * width + field.codes[rows[i]];
    const auto next = static_cast<std::uint32_t>(first_rows_.size());
    std::uint32_t number = 0;
    if (dense) {
      auto& known = dense_[static_cast<std::size_t>(together)];
      if (known == no_number) known = next;
      number = known;
    } else {
      number = sparse_.try_emplace(together, next).first->second;
    }
    if (number == next) first_rows_.push_back(rows[i]);
    numbers_[i] = number;
  }
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

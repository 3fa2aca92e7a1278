#include "api/query/group_numbers.h"

#include "buffer/byte_stream.h"

#include <array>
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

// Counting and placing in lanes, a part of the rows each: with one, every step would wait for the step before it, which
// as a rule has just written the counter that it might need.
GroupedRows RowSorter::sort(std::span<const std::uint32_t> rows, std::span<const std::uint32_t> numbers, std::size_t groups) {
  ends_.assign(groups, static_cast<std::uint32_t>(rows.size()));
  if (groups <= 1) return {rows, ends_};
  constexpr std::size_t lanes = 4;
  const auto part = rows.size() / lanes;
  places_.assign(lanes * groups, 0);
  rows_.resize(rows.size());
  // By plain pointers, here and where else each row is touched: the library's checks take a third of such loops.
  auto* const sorted = rows_.data();
  const auto* const row = rows.data();
  const auto* const group = numbers.data();
  std::array<std::uint32_t*, lanes> places;
  for (std::size_t lane = 0; lane < lanes; ++lane) places[lane] = places_.data() + lane * groups;
  for (std::size_t i = 0; i < part; ++i) {
    ++places[0][group[i]];
    ++places[1][group[part + i]];
    ++places[2][group[2 * part + i]];
    ++places[3][group[3 * part + i]];
  }
  for (auto i = lanes * part; i < rows.size(); ++i) ++places[3][group[i]];
  std::uint32_t place = 0;
  for (std::size_t i = 0; i < groups; ++i) {
    for (auto* const lane : places) place += std::exchange(lane[i], place);
    ends_[i] = place;
  }
  for (std::size_t i = 0; i < part; ++i) {
    sorted[places[0][group[i]]++] = row[i];
    sorted[places[1][group[part + i]]++] = row[part + i];
    sorted[places[2][group[2 * part + i]]++] = row[2 * part + i];
    sorted[places[3][group[3 * part + i]]++] = row[3 * part + i];
  }
  for (auto i = lanes * part; i < rows.size(); ++i) sorted[places[3][group[i]]++] = row[i];
  return {rows_, ends_};
}

void append_group_key(std::string& key, const FactValue& value) {
  const auto text = value.as_text();
  buffer::ByteWriter head;
  head.u8(static_cast<std::uint8_t>(value.kind));
  head.varint(text.size());
  key += head.bytes();
  key += text;
}

void append_group_key(std::string& key, const std::vector<FieldExpression>& plain, BlockFields& fields, std::size_t row) {
  for (const auto& field : plain) {
    append_group_key(key, fields.coded(field).at(row));
  }
}

}  // namespace picket::query

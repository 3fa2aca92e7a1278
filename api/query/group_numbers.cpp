#include "api/query/group_numbers.h"

#include "buffer/byte_stream.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::query {
namespace {

constexpr std::uint32_t no_number = ~std::uint32_t{0};
constexpr std::size_t most_dense = std::size_t{1} << 16;

}  // namespace

void GroupNumbers::assign(const std::vector<FieldExpression>& plain, BlockFields& fields, std::span<const std::uint32_t> rows) {
  numbers_ = {};
  groups_ = rows.empty() ? 0 : 1;
  if (rows.empty()) return;
  for (const auto& field : plain) {
    const auto& coded = fields.coded(field);
    if (&field == &plain.front() && coded.values.size() <= rows.size()) {
      take_codes(coded, rows);
    } else {
      refine(coded, rows);
    }
  }
  if (!numbers_.empty()) return;
  own_numbers_.assign(rows.size(), 0);
  numbers_ = own_numbers_;
}

void GroupNumbers::take_codes(const CodedField& field, std::span<const std::uint32_t> rows) {
  groups_ = field.values.size();
  numbers_ = field.codes;
  if (rows.size() == field.codes.size()) return;  // each row once
  own_numbers_.resize(rows.size());
  std::ranges::transform(rows, own_numbers_.begin(), [codes = field.codes.data()](std::uint32_t row) { return codes[row]; });
  numbers_ = own_numbers_;
}

void GroupNumbers::refine(const CodedField& field, std::span<const std::uint32_t> rows) {
  const auto width = field.values.size();
  const bool dense = groups_ * width <= most_dense;
  const bool one = numbers_.empty();
  dense_.assign(dense ? groups_ * width : 0, no_number);
  sparse_.clear();
  groups_ = 0;
  if (one) own_numbers_.assign(rows.size(), 0);
  own_numbers_.resize(rows.size());
  const auto number_all = [&](auto number_of) {
    const auto* const before = one ? own_numbers_.data() : numbers_.data();  // often own_numbers_, too
    auto* const now = own_numbers_.data();
    const auto* const codes = field.codes.data();
    const auto* const row = rows.data();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto& number = number_of(before[i], codes[row[i]]);
      if (number == no_number) number = static_cast<std::uint32_t>(groups_++);
      now[i] = number;
    }
    numbers_ = own_numbers_;
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
  if (groups <= 1 || rows.empty()) {
    ends_.assign(rows.empty() ? 0 : 1, static_cast<std::uint32_t>(rows.size()));
    return {rows, ends_};
  }
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
  ends_.clear();
  for (std::uint32_t i = 0, place = 0; i < groups; ++i) {
    const auto begin = place;
    for (auto* const lane : places) place += std::exchange(lane[i], place);
    if (place > begin) ends_.push_back(place);
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

std::vector<std::uint32_t> first_rows(std::span<const std::uint32_t> rows, const GroupNumbers& groups) {
  if (groups.groups() == 1) return {rows.front()};
  std::vector<std::uint32_t> first(groups.groups(), no_row);
  for (auto i = rows.size(); i > 0; --i) first[groups.numbers()[i - 1]] = rows[i - 1];
  return first;
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

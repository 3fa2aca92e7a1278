#include "api/facts/fact_rows.h"

#include <bit>
#include <cmath>

namespace picket::facts {

void FactRows::begin(Dataset dataset,
                     std::uint64_t project,
                     const Place& place,
                     std::int64_t time_ns,
                     std::uint32_t event) {
  rows_.push_back({.dataset = dataset,
                   .project = project,
                   .place = place,
                   .time_ns = time_ns,
                   .event = event,
                   .cells = 0,
                   .first_cell = cells_.size()});
}

std::uint32_t FactRows::column(std::string_view name, ValueType type) {
  auto& last = last_columns_[(reinterpret_cast<std::uintptr_t>(name.data()) ^ name.size()) % last_columns_.size()];
  if (last < columns_.size() && columns_[last].type == type && columns_[last].name == name) return last;
  scratch_.assign(1, static_cast<char>(type)).append(name);
  last = column_ids_.intern(scratch_);
  if (last == columns_.size()) columns_.push_back({std::string(name), type});
  return last;
}

void FactRows::put(std::uint32_t column, std::uint64_t bits) {
  for (auto i = rows_.back().first_cell; i < cells_.size(); ++i) {
    if (cells_[i].column == column) return;
  }
  put_new(column, bits);
}

void FactRows::put_new(std::uint32_t column, std::uint64_t bits) {
  auto& row = rows_.back();
  if (row.cells == most_attributes) return;
  cells_.push_back({column, bits});
  ++row.cells;
}

namespace {
bool usable(std::string_view name) {
  return !name.empty() && name.size() <= most_name_bytes && name.front() != '@';
}
}  // namespace

void FactRows::integer(std::string_view name, std::int64_t value) {
  if (usable(name))
    put(column(name, ValueType::integer), static_cast<std::uint64_t>(value));
}

void FactRows::number(std::string_view name, double value) {
  if (usable(name) && std::isfinite(value))
    put(column(name, ValueType::number), std::bit_cast<std::uint64_t>(value));
}

void FactRows::boolean(std::string_view name, bool value) {
  if (usable(name)) put(column(name, ValueType::boolean), value ? 1U : 0U);
}

void FactRows::bytes(std::string_view name, ValueType type, std::string_view value) {
  if (!usable(name)) return;
  if (value.size() > most_text_bytes) {
    if (type == ValueType::array) return;
    auto end = most_text_bytes;
    while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xc0) == 0x80) --end;
    value = value.substr(0, end);
  }
  if (value.empty() && type == ValueType::id) return;
  put(column(name, type), intern(value));
}

void FactRows::resize(std::size_t count) {
  if (count >= rows_.size()) return;
  cells_.resize(rows_[count].first_cell);
  rows_.resize(count);
}

void FactRows::clear() {
  *this = FactRows();
}

}  // namespace picket::facts

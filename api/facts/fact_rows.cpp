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
  scratch_.assign(1, static_cast<char>(type)).append(name);
  if (const auto found = column_ids_.find(scratch_); found != column_ids_.end())
    return found->second;
  const auto id = static_cast<std::uint32_t>(columns_.size());
  columns_.push_back({std::string(name), type});
  column_ids_.emplace(scratch_, id);
  return id;
}

void FactRows::put(std::uint32_t column, std::uint64_t bits) {
  auto& row = rows_.back();
  if (row.cells == most_attributes) return;
  for (auto i = row.first_cell; i < cells_.size(); ++i) {
    if (cells_[i].column == column) return;
  }
  cells_.push_back({column, bits});
  ++row.cells;
}

std::uint64_t FactRows::intern(std::string_view text) {
  if (const auto found = text_ids_.find(text); found != text_ids_.end()) return found->second;
  const auto id = texts_.size();
  texts_.emplace_back(text);
  text_ids_.emplace(texts_.back(), id);
  text_bytes_ += text.size() + 100;
  return id;
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

#include "api/query/fact_groups.h"

#include "api/query/search_values.h"

#include <algorithm>
#include <utility>

namespace picket::query {
namespace {

using Kind = FactValue::Kind;

bool keeps(const Condition& condition, const FactCell& cell) {
  const double value = cell.kind == Kind::number ? cell.number : static_cast<double>(cell.integer);
  auto text = std::string_view(condition.values.front().text);
  double factor = 1;
  if (text.ends_with('%')) {
    text.remove_suffix(1);
    factor = 0.01;
  }
  auto wanted = condition.values.front().number;
  if (!wanted) wanted = parse_number(text);
  if (!wanted) wanted = parse_duration(text);
  if (!wanted || cell.kind == Kind::none || cell.kind == Kind::text) return false;
  const double limit = *wanted * factor;
  switch (condition.op) {
    case Operator::equal: return value == limit;
    case Operator::not_equal: return value != limit;
    case Operator::less: return value < limit;
    case Operator::less_or_equal: return value <= limit;
    case Operator::greater: return value > limit;
    case Operator::greater_or_equal: return value >= limit;
  }
  return false;
}

}  // namespace

Result<void> FactGroups::prepare() {
  for (const auto& field : request_.fields) {
    const auto column = columns_.add(field);
    if (!column) return column.error();
    shown_.push_back(*column);
  }
  for (const auto& equation : request_.equations) {
    const auto column = columns_.add(equation);
    if (!column) return column.error();
    shown_.push_back(*column);
  }
  for (const auto& sort : request_.sorts) {
    const auto column = columns_.find(sort.field.text);
    if (!column || std::ranges::find(shown_, *column) == shown_.end())
      return Error{Fault::malformed, "Cannot sort by a field that is not selected: " + sort.field.text};
    sorts_.push_back(*column);
  }
  for (const auto& condition : having_) {
    const auto column = columns_.add(condition.field);
    if (!column) return column.error();
    conditions_.push_back(*column);
  }
  return {};
}

FactGroups::Group* FactGroups::find_or_add(BlockFields& fields, std::size_t row) {
  key_.clear();
  append_group_key(key_, columns_.plain(), fields, row);
  if (const auto found = groups_.find(key_); found != groups_.end()) return &found->second;
  if (groups_.size() == most_groups) {
    overflown_ = true;
    return nullptr;
  }
  // The key twice: its cells hold the texts again, and so does the answer's row.
  const auto cells = columns_.size() + shown_.size() + sorts_.size();
  const auto weight = sizeof(Group) + 64 + 3 * key_.size() + cells * sizeof(FactCell) +
                      columns_.aggregates().size() * sizeof(Accumulator);
  if (!budget_.take(weight)) return nullptr;
  Group group{group_cells(columns_.plain(), fields, row), std::vector<Accumulator>(columns_.aggregates().size())};
  return &groups_.emplace(key_, std::move(group)).first->second;
}

bool FactGroups::add_rows(BlockFields& fields, std::span<const std::uint32_t> rows) {
  numbers_.assign(columns_.plain(), fields, rows);
  const auto grouped = sorter_.sort(rows, numbers_.numbers(), numbers_.groups());
  std::vector<Group*> groups;
  for (std::size_t i = 0; i < grouped.ends.size(); ++i) {
    groups.push_back(find_or_add(fields, grouped.of(i).front()));
    if (groups.back() == nullptr) return false;
  }
  std::vector<Accumulator*> sums(groups.size());
  std::size_t grown = 0;
  for (std::size_t i = 0; i < columns_.aggregates().size(); ++i) {
    for (std::size_t group = 0; group < groups.size(); ++group) sums[group] = &groups[group]->sums[i];
    grown += columns_.gather(i, fields, grouped, sums);
  }
  return grown == 0 || budget_.take(grown);
}

std::vector<FactGroups::Row> FactGroups::rows() const {
  const double minutes = static_cast<double>(request_.to_ms - request_.from_ms) / 60'000.0;
  std::vector<Row> rows;
  for (const auto& [key, group] : groups_) {
    const auto cells = columns_.render(group.keys, group.sums.data(), minutes);
    bool kept = true;
    for (std::size_t i = 0; i < having_.size(); ++i) kept = kept && keeps(having_[i], cells[conditions_[i]]);
    if (!kept) continue;
    Row row;
    for (const auto column : sorts_) row.keys.push_back(cells[column]);
    for (const auto column : shown_) row.cells.push_back(cells[column]);
    rows.push_back(std::move(row));
  }
  return rows;
}

bool FactGroups::before(const Row& a, const Row& b) const {
  for (std::size_t i = 0; i < sorts_.size(); ++i) {
    const auto order = compare(a.keys[i], b.keys[i]);
    if (order != 0) return request_.sorts[i].descending ? order > 0 : order < 0;
  }
  for (std::size_t i = 0; i < a.cells.size(); ++i) {
    const auto order = compare(a.cells[i], b.cells[i]);
    if (order != 0) return order < 0;
  }
  return false;
}

Result<FactPage> FactGroups::page() {
  if (overflown_)
    return Error{Fault::malformed, "The query makes more than 10000 groups; narrow it or group by less."};
  if (groups_.empty() && columns_.plain().empty())
    groups_.emplace("", Group{{}, std::vector<Accumulator>(columns_.aggregates().size())});
  auto sorted = rows();
  std::ranges::sort(sorted, [&](const Row& a, const Row& b) { return before(a, b); });
  FactPage page;
  page.aggregated = true;
  page.more = sorted.size() > request_.offset + request_.most;
  for (auto i = request_.offset; i < sorted.size() && i < request_.offset + request_.most; ++i) {
    FoundFact found;
    found.cells = std::move(sorted[i].cells);
    page.rows.push_back(std::move(found));
  }
  for (const auto column : shown_) page.types.push_back(columns_.meta_type(column));
  return page;
}

}  // namespace picket::query

#include "api/query/fact_series.h"

#include "api/query/aggregate_columns.h"
#include "api/query/fact_walk.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace picket::query {
namespace {

// The rows of all series, gathered bucket by bucket.
class Buckets {
 public:
  Buckets(const SeriesRequest& request, AnswerBudget& budget)
      : request_(request), budget_(budget), columns_(request.facts.dataset),
        from_ms_(request.facts.from_ms / request.interval_ms * request.interval_ms),
        count_(static_cast<std::size_t>((request.facts.to_ms - from_ms_ + request.interval_ms - 1) / request.interval_ms)) {}

  std::int64_t from_ms() const { return from_ms_; }
  std::size_t count() const { return count_; }
  const std::vector<std::size_t>& charted() const { return charted_; }
  std::string type_of(std::size_t charted) const { return columns_.meta_type(charted_[charted]); }

  Result<void> prepare(std::size_t series) {
    if (count_ > most_buckets)
      return Error{Fault::malformed, "Your interval and date range would create too many results. Use a larger interval, "
                                     "or a smaller date range."};
    std::size_t functions = 0;
    for (const auto& field : request_.facts.fields) {
      if (field.is_function() && functions++ == request_.charted_functions) break;
      const auto column = columns_.add(field);
      if (!column) return column.error();
      if (field.is_function()) charted_.push_back(*column);
    }
    for (const auto& equation : request_.facts.equations) {
      const auto column = columns_.add(equation);
      if (!column) return column.error();
      charted_.push_back(*column);
    }
    const auto cells = series * count_ * columns_.size();
    if (!budget_.take(cells * (sizeof(Accumulator) + sizeof(FactCell)))) return budget_.error();
    sums_.resize(series * count_ * columns_.aggregates().size());
    return {};
  }

  const std::vector<FieldExpression>& plain() const { return columns_.plain(); }

  bool add_row(std::size_t series, BlockFields& fields, std::size_t row) {
    const auto at = fields.time_ns(row) / ns_per_ms - from_ms_;
    const auto bucket = std::min(static_cast<std::size_t>(std::max<std::int64_t>(at, 0) / request_.interval_ms), count_ - 1);
    auto* sums = sums_of(series, bucket);
    std::size_t grown = 0;
    for (std::size_t i = 0; i < columns_.aggregates().size(); ++i) grown += sums[i].add(columns_.aggregates()[i], fields, row);
    return grown == 0 || budget_.take(grown);
  }

  std::vector<std::vector<FactCell>> values(std::size_t series) {
    const double minutes = static_cast<double>(request_.interval_ms) / 60'000.0;
    const std::vector<FactCell> keys(columns_.plain().size());
    std::vector<std::vector<FactCell>> values(charted_.size());
    for (std::size_t bucket = 0; bucket < count_; ++bucket) {
      const auto cells = columns_.render(keys, sums_of(series, bucket), minutes);
      for (std::size_t i = 0; i < charted_.size(); ++i) values[i].push_back(cells[charted_[i]]);
    }
    return values;
  }

 private:
  Accumulator* sums_of(std::size_t series, std::size_t bucket) {
    return sums_.data() + (series * count_ + bucket) * columns_.aggregates().size();
  }

  const SeriesRequest& request_;
  AnswerBudget& budget_;
  AggregateColumns columns_;
  const std::int64_t from_ms_;
  const std::size_t count_;
  std::vector<std::size_t> charted_;  // columns
  std::vector<Accumulator> sums_;     // series by bucket by aggregate
};

// The greatest groups' cells of plain fields.
Result<std::vector<std::vector<FactCell>>> top_groups(const buffer::Reader& reader, const SeriesRequest& request) {
  auto question = request.facts;
  question.offset = 0;
  question.most = request.top;
  const auto found = find_facts(reader, question);
  if (!found) return found.error();
  std::vector<std::vector<FactCell>> groups;
  for (const auto& row : found->rows) {
    std::vector<FactCell> group;
    for (std::size_t i = 0; i < question.fields.size(); ++i) {
      if (!question.fields[i].is_function()) group.push_back(row.cells[i]);
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

std::string key_of(const std::vector<FactCell>& group) {
  std::string key;
  for (const auto& cell : group) {
    const FactValue value{.kind = cell.kind, .integer = cell.integer, .number = cell.number, .text = cell.text};
    key += static_cast<char>(value.kind);
    key += value.as_text();
    key += '\0';
  }
  return key;
}

}  // namespace

Result<SeriesPage> find_series(const buffer::Reader& reader, const SeriesRequest& request) {
  const auto filter = FactFilter::compile(split_condition(request.facts.condition).rows, request.facts.dataset, request.facts.now);
  if (!filter) return filter.error();
  std::vector<std::vector<FactCell>> groups;
  if (request.top > 0) {
    auto found = top_groups(reader, request);
    if (!found) return found.error();
    groups = *std::move(found);
  }
  std::unordered_map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < groups.size(); ++i) index.emplace(key_of(groups[i]), i);
  const bool others = request.top > 0 && request.others;
  const auto count = request.top == 0 ? 1 : groups.size() + (others ? 1 : 0);
  FactWalk walk(reader, request.facts, *filter);
  Buckets buckets(request, walk.budget());
  if (auto prepared = buckets.prepare(count); !prepared) return prepared.error();
  std::string key;
  bool any_other = false;
  const auto visit = [&](BlockFields& fields, std::size_t row) {
    if (request.top == 0) return buckets.add_row(0, fields, row);
    key.clear();
    append_group_key(key, buckets.plain(), fields, row);
    const auto found = index.find(key);
    if (found != index.end()) return buckets.add_row(found->second, fields, row);
    any_other = true;
    return !others || buckets.add_row(groups.size(), fields, row);
  };
  if (auto walked = walk.run(visit); !walked) return walked.error();
  SeriesPage page;
  page.from_ms = buckets.from_ms();
  page.buckets = buckets.count();
  for (std::size_t i = 0; i < count; ++i) {
    const bool rest = request.top > 0 && i == groups.size();
    if (rest && !any_other) break;
    page.series.push_back({rest || request.top == 0 ? std::vector<FactCell>() : groups[i], rest, buckets.values(i)});
  }
  for (std::size_t i = 0; i < buckets.charted().size(); ++i) page.types.push_back(buckets.type_of(i));
  return page;
}

}  // namespace picket::query

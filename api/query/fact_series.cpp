#include "api/query/fact_series.h"

#include "api/query/aggregate_columns.h"
#include "api/query/fact_walk.h"
#include "api/query/group_numbers.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace picket::query {
namespace {

constexpr std::size_t no_series = ~std::size_t{0};
constexpr std::uint32_t no_place = ~std::uint32_t{0};

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
    place_of_cell_.resize(series * count_, no_place);
    return {};
  }

  const std::vector<FieldExpression>& plain() const { return columns_.plain(); }

  // Rows of a block: `numbers` says each one's group, `series` each group's series, or none.
  bool add_rows(BlockFields& fields, std::span<const std::uint32_t> rows, std::span<const std::uint32_t> numbers,
                std::span<const std::size_t> series) {
    const auto first = bucket_of(fields.block().earliest_ns());
    const bool one_cell = first == bucket_of(fields.block().latest_ns()) && series.size() == 1;
    if (one_cell) {
      if (series.front() == no_series) return true;
      cells_.assign(1, series.front() * count_ + first);
      return add(sorter_.sort(rows, numbers, 1), fields);
    }
    spread(fields, rows, numbers, series);
    return add(sorter_.sort(spread_rows_, places_, cells_.size()), fields);
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
  std::size_t bucket_of(std::int64_t time_ns) const {
    const auto at = std::max<std::int64_t>(time_ns / ns_per_ms - from_ms_, 0);
    return std::min(static_cast<std::size_t>(at / request_.interval_ms), count_ - 1);
  }

  // Numbers the cells (series and bucket) that the rows fall into.
  void spread(BlockFields& fields, std::span<const std::uint32_t> rows, std::span<const std::uint32_t> numbers,
              std::span<const std::size_t> series) {
    cells_.clear();
    spread_rows_.clear();
    places_.clear();
    std::int64_t from_ns = 0;  // of the bucket of the row before
    std::int64_t to_ns = 0;
    std::size_t bucket = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto own = series[numbers[i]];
      if (own == no_series) continue;
      const auto at = fields.time_ns(rows[i]);
      if (at < from_ns || at >= to_ns) {
        bucket = bucket_of(at);
        from_ns = (from_ms_ + static_cast<std::int64_t>(bucket) * request_.interval_ms) * ns_per_ms;
        to_ns = from_ns + request_.interval_ms * ns_per_ms;
      }
      auto& place = place_of_cell_[own * count_ + bucket];
      if (place == no_place) {
        place = static_cast<std::uint32_t>(cells_.size());
        cells_.push_back(own * count_ + bucket);
      }
      spread_rows_.push_back(rows[i]);
      places_.push_back(place);
    }
    for (const auto cell : cells_) place_of_cell_[cell] = no_place;
  }

  bool add(GroupedRows rows, BlockFields& fields) {
    const auto aggregates = columns_.aggregates().size();
    std::vector<Accumulator*> sums(cells_.size());
    std::size_t grown = 0;
    for (std::size_t i = 0; i < aggregates; ++i) {
      for (std::size_t place = 0; place < sums.size(); ++place) sums[place] = &sums_[cells_[place] * aggregates + i];
      grown += columns_.gather(i, fields, rows, sums);
    }
    return grown == 0 || budget_.take(grown);
  }

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

  // Of the block at hand.
  RowSorter sorter_;
  std::vector<std::size_t> cells_;  // series and bucket
  std::vector<std::uint32_t> spread_rows_;
  std::vector<std::uint32_t> places_;         // among cells_, by row
  std::vector<std::uint32_t> place_of_cell_;  // no_place but within spread()
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
    append_group_key(key, FactValue{.kind = cell.kind, .integer = cell.integer, .number = cell.number, .text = cell.text});
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
  GroupNumbers numbers;
  const auto visit = [&](BlockFields& fields, std::span<const std::uint32_t> rows) {
    static const std::vector<FieldExpression> nothing;
    numbers.assign(request.top == 0 ? nothing : buckets.plain(), fields, rows);
    std::vector<std::size_t> series;
    for (const auto row : first_rows(rows, numbers)) {
      if (row == no_row) {
        series.push_back(no_series);
        continue;
      }
      key.clear();
      if (request.top > 0) append_group_key(key, buckets.plain(), fields, row);
      const auto found = index.find(key);
      const bool is_other = request.top > 0 && found == index.end();
      any_other = any_other || is_other;
      series.push_back(request.top == 0 ? 0 : !is_other ? found->second : others ? groups.size() : no_series);
    }
    return buckets.add_rows(fields, rows, numbers.numbers(), series);
  };
  if (auto walked = walk.run_blocks(visit); !walked) return walked.error();
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

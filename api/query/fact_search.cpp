#include "api/query/fact_search.h"

#include "api/facts/store.h"
#include "api/query/search_values.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace picket::query {
namespace {

using Kind = FactValue::Kind;
using Stopwatch = std::chrono::steady_clock;

constexpr std::int64_t ns_per_ms = 1'000'000;

Error too_late() {
  return Error{Fault::unavailable,
               "Query timeout. Please try again. If the problem persists try a smaller date range or fewer "
               "projects."};
}

FieldExpression environment_field() {
  FieldExpression field;
  field.text = field.name = "environment";
  return field;
}

// Conditions on aggregates, which are about groups and not about rows.
struct SplitCondition {
  Condition rows;
  std::vector<Condition> groups;
};
SplitCondition split(const Condition& condition) {
  SplitCondition both;
  if (condition.kind == ConditionKind::filter && condition.field.is_function() && !condition.negated) {
    both.groups.push_back(condition);
    return both;
  }
  if (condition.kind != ConditionKind::all || condition.negated) {
    both.rows = condition;
    return both;
  }
  for (const auto& part : condition.parts) {
    const bool of_groups = part.kind == ConditionKind::filter && part.field.is_function() && !part.negated;
    (of_groups ? both.groups : both.rows.parts).push_back(part);
  }
  return both;
}

// The walk over blocks that lists and groups share.
class Walk {
 public:
  Walk(const buffer::Reader& reader, const FactRequest& request, const FactFilter& filter)
      : reader_(reader), request_(request), filter_(filter), issues_(reader),
        end_(Stopwatch::now() + request.deadline) {}

  // `wanted` may pass over a whole block; `visit` gets the rows that match, false to stop.
  template <class Wanted, class Visit>
  Result<void> run(Wanted wanted, Visit visit) {
    bool late = false;
    for (const auto& project : request_.projects) {
      bool stopped = false;
      facts::for_each_block(reader_, request_.dataset, project.id, [&](const facts::BlockView& block) {
        if (Stopwatch::now() >= end_) late = true;
        if (late) return false;
        const bool in_time = block.latest_ns() >= request_.from_ms * ns_per_ms &&
                             block.earliest_ns() < request_.to_ms * ns_per_ms;
        if (!in_time || !wanted(block) || !filter_.may_match(block, project)) return true;
        stopped = !rows_of(block, project, visit);
        return !stopped;
      });
      if (late) return too_late();
      if (stopped) break;
    }
    return {};
  }

 private:
  template <class Visit>
  bool rows_of(const facts::BlockView& block, const FactProject& project, Visit& visit) {
    BlockFields fields(request_.dataset, project, block, issues_);
    std::vector<std::uint8_t> mask(block.rows(), 1);
    for (std::size_t row = 0; row < mask.size(); ++row) {
      const auto at = fields.time_ns(row);
      if (at < request_.from_ms * ns_per_ms || at >= request_.to_ms * ns_per_ms) mask[row] = 0;
    }
    if (!request_.environments.empty()) {
      static const FieldExpression environment = environment_field();
      const auto& values = fields.values(environment);
      for (std::size_t row = 0; row < mask.size(); ++row) {
        if (mask[row] != 0 && std::ranges::find(request_.environments, values[row].text) == request_.environments.end())
          mask[row] = 0;
      }
    }
    filter_.select(fields, mask);
    for (std::size_t row = 0; row < mask.size(); ++row) {
      if (mask[row] != 0 && !visit(fields, row)) return false;
    }
    return true;
  }

  const buffer::Reader& reader_;
  const FactRequest& request_;
  const FactFilter& filter_;
  IssueNames issues_;
  const Stopwatch::time_point end_;
};

// Below, equal to or above zero. What is not there comes first.
int compare(const FactCell& a, const FactCell& b) {
  const auto number = [](const FactCell& cell) -> std::optional<double> {
    if (cell.kind == Kind::number) return cell.number;
    if (cell.kind == Kind::integer || cell.kind == Kind::boolean) return static_cast<double>(cell.integer);
    return std::nullopt;
  };
  const auto rank = [&](const FactCell& cell) { return cell.kind == Kind::none ? 0 : number(cell) ? 1 : 2; };
  if (rank(a) != rank(b)) return rank(a) - rank(b);
  if (rank(a) == 0) return 0;
  if (rank(a) == 1) {
    if (a.kind == Kind::integer && b.kind == Kind::integer) return a.integer < b.integer ? -1 : a.integer > b.integer ? 1 : 0;
    return *number(a) < *number(b) ? -1 : *number(a) > *number(b) ? 1 : 0;
  }
  return a.text.compare(b.text);
}

struct Candidate {
  std::vector<FactCell> keys;  // by sort
  FoundFact fact;
};

bool comes_before(const std::vector<FactSort>& sorts, const Candidate& a, const Candidate& b) {
  for (std::size_t i = 0; i < sorts.size(); ++i) {
    const auto order = compare(a.keys[i], b.keys[i]);
    if (order != 0) return sorts[i].descending ? order > 0 : order < 0;
  }
  if (a.fact.time_ns != b.fact.time_ns) return a.fact.time_ns > b.fact.time_ns;
  return a.fact.place > b.fact.place;
}

FieldExpression sort_field(const FieldExpression& field) {
  // Times are shown to the second and sorted to the nanosecond.
  if (field.explicit_tag || field.name != "timestamp") return field;
  FieldExpression precise;
  precise.text = precise.name = "timestamp_precise";
  return precise;
}

std::string observed_type(const std::vector<FoundFact>& rows, std::size_t column) {
  for (const auto& row : rows) {
    switch (row.cells[column].kind) {
      case Kind::none: continue;
      case Kind::text: return "string";
      case Kind::array: return "array";
      case Kind::boolean: return "boolean";
      case Kind::integer:
      case Kind::number: return "number";
    }
  }
  return "string";
}

Result<FactPage> list(const buffer::Reader& reader, const FactRequest& request, const FactFilter& filter) {
  std::vector<FactSort> sorts;
  for (const auto& sort : request.sorts) {
    if (sort.field.is_function())
      return Error{Fault::malformed, "Cannot sort by a field that is not selected: " + sort.field.text};
    sorts.push_back({sort_field(sort.field), sort.descending});
  }
  const bool newest_first =
      sorts.empty() || (sorts.front().descending && sorts.front().field.name == "timestamp_precise");
  const auto keep = request.offset + request.most + 1;
  std::vector<Candidate> found;
  std::optional<std::int64_t> oldest_kept;  // no row before it can be on the page
  const auto before = [&](const Candidate& a, const Candidate& b) { return comes_before(sorts, a, b); };
  const auto shorten = [&] {
    std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(keep), found.end(), before);
    found.resize(keep);
    if (!newest_first) return;
    oldest_kept = found.front().fact.time_ns;
    for (const auto& each : found) oldest_kept = std::min(*oldest_kept, each.fact.time_ns);
  };
  const auto wanted = [&](const facts::BlockView& block) { return !oldest_kept || block.latest_ns() >= *oldest_kept; };
  const auto visit = [&](BlockFields& fields, std::size_t row) {
    if (oldest_kept && fields.time_ns(row) < *oldest_kept) return true;
    Candidate candidate;
    for (const auto& sort : sorts) candidate.keys.push_back(cell_of(fields.values(sort.field)[row]));
    for (const auto& field : request.fields) candidate.fact.cells.push_back(cell_of(fields.values(field)[row]));
    candidate.fact.project = &fields.project();
    candidate.fact.place = fields.place(row);
    candidate.fact.time_ns = fields.time_ns(row);
    found.push_back(std::move(candidate));
    if (found.size() >= 2 * keep + 512) shorten();
    return true;
  };
  if (auto walked = Walk(reader, request, filter).run(wanted, visit); !walked) return walked.error();
  std::ranges::sort(found, before);
  FactPage page;
  page.more = found.size() > request.offset + request.most;
  for (auto i = request.offset; i < found.size() && i < request.offset + request.most; ++i)
    page.rows.push_back(std::move(found[i].fact));
  return page;
}

struct Group {
  std::vector<FactCell> keys;
  std::vector<Accumulator> sums;
};

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

class Grouping {
 public:
  Grouping(const FactRequest& request, std::vector<Condition> having)
      : request_(request), having_(std::move(having)) {}

  Result<void> prepare() {
    for (const auto& field : request_.fields) {
      if (auto added = add(field); !added) return added;
    }
    shown_ = columns_.size();
    for (const auto& condition : having_) {
      if (auto added = add(condition.field); !added) return added;
    }
    for (const auto& sort : request_.sorts) {
      const bool known = std::ranges::any_of(columns_, [&](const Column& column) { return column.text == sort.field.text; });
      if (!known) return Error{Fault::malformed, "Cannot sort by a field that is not selected: " + sort.field.text};
    }
    return {};
  }

  bool add_row(BlockFields& fields, std::size_t row) {
    key_.clear();
    for (const auto& field : plain_) {
      const auto& value = fields.values(field)[row];
      key_ += static_cast<char>(value.kind);
      key_ += value.as_text();
      key_ += '\0';
    }
    auto found = groups_.find(key_);
    if (found == groups_.end()) {
      if (groups_.size() == most_groups) return overflown_ = true, false;
      Group group;
      for (const auto& field : plain_) group.keys.push_back(cell_of(fields.values(field)[row]));
      group.sums.resize(aggregates_.size());
      found = groups_.emplace(key_, std::move(group)).first;
    }
    for (std::size_t i = 0; i < aggregates_.size(); ++i) found->second.sums[i].add(aggregates_[i], fields, row);
    return true;
  }

  Result<FactPage> page() {
    if (overflown_)
      return Error{Fault::malformed, "The query makes more than 10000 groups; narrow it or group by less."};
    if (groups_.empty() && plain_.empty()) groups_.emplace("", Group{{}, std::vector<Accumulator>(aggregates_.size())});
    const double minutes = static_cast<double>(request_.to_ms - request_.from_ms) / 60'000.0;
    std::vector<Candidate> rows;
    for (auto& [key, group] : groups_) {
      auto row = render(group, minutes);
      bool kept = true;
      for (std::size_t i = 0; i < having_.size(); ++i) kept = kept && keeps(having_[i], row.fact.cells[shown_ + i]);
      if (kept) rows.push_back(std::move(row));
    }
    std::ranges::sort(rows, [&](const Candidate& a, const Candidate& b) { return before(a, b); });
    FactPage page;
    page.aggregated = true;
    page.more = rows.size() > request_.offset + request_.most;
    for (auto i = request_.offset; i < rows.size() && i < request_.offset + request_.most; ++i) {
      rows[i].fact.cells.resize(shown_);
      page.rows.push_back(std::move(rows[i].fact));
    }
    for (std::size_t i = 0; i < shown_; ++i) {
      const auto& column = columns_[i];
      page.types.push_back(column.aggregate ? aggregates_[column.at].meta_type : "");
    }
    return page;
  }

 private:
  struct Column {
    std::string text;
    bool aggregate = false;
    std::size_t at = 0;
  };

  Result<void> add(const FieldExpression& field) {
    if (!field.is_function()) {
      columns_.push_back({field.text, false, plain_.size()});
      plain_.push_back(field);
      return {};
    }
    auto aggregate = parse_aggregate(field, request_.dataset);
    if (!aggregate) return aggregate.error();
    columns_.push_back({field.text, true, aggregates_.size()});
    aggregates_.push_back(*std::move(aggregate));
    return {};
  }

  Candidate render(const Group& group, double minutes) const {
    Candidate row;
    for (const auto& column : columns_) {
      row.fact.cells.push_back(column.aggregate
                                   ? cell_of(group.sums[column.at].result(aggregates_[column.at], minutes))
                                   : group.keys[column.at]);
    }
    for (const auto& sort : request_.sorts) {
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (columns_[i].text != sort.field.text) continue;
        row.keys.push_back(row.fact.cells[i]);
        break;
      }
    }
    return row;
  }

  bool before(const Candidate& a, const Candidate& b) const {
    for (std::size_t i = 0; i < request_.sorts.size(); ++i) {
      const auto order = compare(a.keys[i], b.keys[i]);
      if (order != 0) return request_.sorts[i].descending ? order > 0 : order < 0;
    }
    for (std::size_t i = 0; i < a.fact.cells.size(); ++i) {
      const auto order = compare(a.fact.cells[i], b.fact.cells[i]);
      if (order != 0) return order < 0;
    }
    return false;
  }

  const FactRequest& request_;
  const std::vector<Condition> having_;
  std::vector<Column> columns_;  // those shown, then those of conditions
  std::size_t shown_ = 0;
  std::vector<FieldExpression> plain_;
  std::vector<Aggregate> aggregates_;
  std::unordered_map<std::string, Group> groups_;
  std::string key_;
  bool overflown_ = false;
};

}  // namespace

FactCell cell_of(const FactValue& value) {
  return {.kind = value.kind, .integer = value.integer, .number = value.number, .text = std::string(value.text)};
}

Result<void> for_each_fact(const buffer::Reader& reader, const FactRequest& request, const FactVisit& visit) {
  const auto filter = FactFilter::compile(request.condition, request.dataset, request.now);
  if (!filter) return filter.error();
  return Walk(reader, request, *filter).run([](const facts::BlockView&) { return true; }, visit);
}

Result<FactPage> find_facts(const buffer::Reader& reader, const FactRequest& request) {
  auto condition = split(request.condition);
  const auto filter = FactFilter::compile(condition.rows, request.dataset, request.now);
  if (!filter) return filter.error();
  const bool aggregated = !condition.groups.empty() ||
                          std::ranges::any_of(request.fields, [](const FieldExpression& field) { return field.is_function(); });
  Result<FactPage> page = FactPage{};
  if (aggregated) {
    Grouping grouping(request, std::move(condition.groups));
    if (auto prepared = grouping.prepare(); !prepared) return prepared.error();
    auto walked = Walk(reader, request, *filter)
                      .run([](const facts::BlockView&) { return true; },
                           [&](BlockFields& fields, std::size_t row) { return grouping.add_row(fields, row); });
    if (!walked) return walked.error();
    page = grouping.page();
  } else {
    page = list(reader, request, *filter);
  }
  if (!page) return page;
  page->types.resize(request.fields.size());
  for (std::size_t i = 0; i < request.fields.size(); ++i) {
    if (!page->types[i].empty()) continue;
    page->types[i] = field_meta_type(request.fields[i]);
    if (page->types[i].empty()) page->types[i] = observed_type(page->rows, i);
  }
  return page;
}

std::string field_meta_type(const FieldExpression& field) {
  if (field.explicit_tag) return field.type == FieldType::number ? "number" : field.type == FieldType::boolean ? "boolean" : "";
  const auto& name = field.name;
  if (name == "timestamp") return "date";
  if (name == "timestamp_precise" || name == "project.id" || name == "project_id" || name == "issue.id" ||
      name == "severity_number")
    return "integer";
  if (name == "span.duration" || name == "span.self_time" || name == "transaction.duration" || name == "duration")
    return "duration";
  if (name == "precise.start_ts" || name == "precise.finish_ts" || name == "value") return "number";
  if (name == "is_transaction" || name == "error.handled" || name == "error.unhandled") return "boolean";
  if (name == "id" || name == "trace" || name == "message" || name == "title") return "string";
  return "";
}

std::optional<std::string> field_meta_unit(std::string_view meta_type, std::string_view field) {
  if (meta_type == "duration") return "millisecond";
  if (meta_type == "rate") return field.starts_with("eps") || field.starts_with("tps") || field.starts_with("per_second") ? "1/second" : "1/minute";
  return std::nullopt;
}

}  // namespace picket::query

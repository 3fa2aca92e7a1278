#include "api/query/fact_search.h"

#include "api/query/fact_groups.h"
#include "api/query/fact_walk.h"

#include <algorithm>
#include <utility>

namespace picket::query {
namespace {

using Kind = FactValue::Kind;
struct FoundRow {
  std::vector<FactCell> keys;  // by sort
  FoundFact fact;
};

bool comes_before(const std::vector<FactSort>& sorts, const FoundRow& a, const FoundRow& b) {
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

// Cells of a list's row, or of what it is sorted by.
class RowCells {
 public:
  explicit RowCells(const FactRequest& request) : request_(request) {}

  FactCell of(const Equation& equation, BlockFields& fields, std::size_t row) const {
    std::vector<std::optional<double>> values;
    for (const auto& term : equation.terms()) values.push_back(fields.values(term)[row].as_number());
    const auto number = equation.evaluate(values);
    FactCell cell;
    if (number) cell = {.kind = Kind::number, .integer = 0, .number = *number, .text = {}};
    return cell;
  }
  FactCell of(const FactSort& sort, BlockFields& fields, std::size_t row) const {
    const auto equation = std::ranges::find(request_.equations, sort.field.text, &Equation::text);
    if (equation != request_.equations.end()) return of(*equation, fields, row);
    return cell_of(fields.values(sort.field)[row]);
  }

 private:
  const FactRequest& request_;
};

std::size_t weight_of(const FoundRow& candidate) {
  std::size_t bytes = sizeof(FoundRow);
  for (const auto* cells : {&candidate.keys, &candidate.fact.cells}) {
    bytes += cells->capacity() * sizeof(FactCell);
    for (const auto& cell : *cells) bytes += cell.text.size();
  }
  return bytes;
}

// The best rows so far: those of the page, those before it, and some more until they are sorted out.
class Best {
 public:
  Best(const FactRequest& request, std::vector<FactSort> sorts, AnswerBudget& budget)
      : sorts_(std::move(sorts)), budget_(budget), keep_(request.offset + request.most + 1),
        newest_first_(sorts_.empty() ||
                      (sorts_.front().descending && sorts_.front().field.name == "timestamp_precise")) {}

  // Whether a row of this time may still be on the page.
  bool may_count(std::int64_t time_ns) const { return !oldest_kept_ || time_ns >= *oldest_kept_; }

  bool add(FoundRow candidate) {
    const bool room = budget_.take(weight_of(candidate));
    found_.push_back(std::move(candidate));
    if (found_.size() >= 2 * keep_ + 512) shorten();
    return room;
  }

  std::vector<FoundRow> sorted() && {
    std::ranges::sort(found_, [&](const FoundRow& a, const FoundRow& b) { return comes_before(sorts_, a, b); });
    return std::move(found_);
  }

 private:
  void shorten() {
    const auto end = found_.begin() + static_cast<std::ptrdiff_t>(keep_);
    std::nth_element(found_.begin(), end, found_.end(),
                     [&](const FoundRow& a, const FoundRow& b) { return comes_before(sorts_, a, b); });
    for (auto dropped = end; dropped != found_.end(); ++dropped) budget_.give_back(weight_of(*dropped));
    found_.resize(keep_);
    if (!newest_first_) return;
    oldest_kept_ = found_.front().fact.time_ns;
    for (const auto& each : found_) oldest_kept_ = std::min(*oldest_kept_, each.fact.time_ns);
  }

  const std::vector<FactSort> sorts_;
  AnswerBudget& budget_;
  const std::size_t keep_;
  const bool newest_first_;
  std::vector<FoundRow> found_;
  std::optional<std::int64_t> oldest_kept_;  // no row before it can be on the page
};

Result<FactPage> list(const FactRequest& request, FactWalk& walk) {
  std::vector<FactSort> sorts;
  for (const auto& sort : request.sorts) {
    if (sort.field.is_function())
      return Error{Fault::malformed, "Cannot sort by a field that is not selected: " + sort.field.text};
    sorts.push_back({sort_field(sort.field), sort.descending});
  }
  const RowCells cells(request);
  Best best(request, sorts, walk.budget());
  const auto wanted = [&](const facts::BlockView& block) { return best.may_count(block.latest_ns()); };
  const auto visit = [&](BlockFields& fields, std::size_t row) {
    if (!best.may_count(fields.time_ns(row))) return true;
    FoundRow candidate;
    for (const auto& sort : sorts) candidate.keys.push_back(cells.of(sort, fields, row));
    for (const auto& field : request.fields) candidate.fact.cells.push_back(cell_of(fields.values(field)[row]));
    for (const auto& equation : request.equations) candidate.fact.cells.push_back(cells.of(equation, fields, row));
    candidate.fact.project = &fields.project();
    candidate.fact.place = fields.place(row);
    candidate.fact.time_ns = fields.time_ns(row);
    return best.add(std::move(candidate));
  };
  if (auto walked = walk.run(wanted, visit); !walked) return walked.error();
  auto found = std::move(best).sorted();
  FactPage page;
  page.more = found.size() > request.offset + request.most;
  for (auto i = request.offset; i < found.size() && i < request.offset + request.most; ++i)
    page.rows.push_back(std::move(found[i].fact));
  return page;
}

Result<FactPage> group(const FactRequest& request, std::vector<Condition> having, FactWalk& walk) {
  FactGroups groups(request, std::move(having), walk.budget());
  if (auto prepared = groups.prepare(); !prepared) return prepared.error();
  auto walked = walk.run_blocks(
      [&](BlockFields& fields, std::span<const std::uint32_t> rows) { return groups.add_rows(fields, rows); });
  if (!walked) return walked.error();
  return groups.page();
}

}  // namespace

FactCell cell_of(const FactValue& value) {
  return {.kind = value.kind, .integer = value.integer, .number = value.number, .text = std::string(value.text)};
}

bool FactRequest::aggregated() const {
  return std::ranges::any_of(fields, &FieldExpression::is_function) || std::ranges::any_of(equations, &Equation::of_functions);
}

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

Result<void> for_each_fact(const buffer::Reader& reader, const FactRequest& request, const FactVisit& visit) {
  const auto filter = FactFilter::compile(request.condition, request.dataset, request.now);
  if (!filter) return filter.error();
  return FactWalk(reader, request, *filter).run(visit);
}

Result<FactPage> find_facts(const buffer::Reader& reader, const FactRequest& request) {
  auto condition = split_condition(request.condition);
  const auto filter = FactFilter::compile(condition.rows, request.dataset, request.now);
  if (!filter) return filter.error();
  FactWalk walk(reader, request, *filter);
  const bool aggregated = !condition.groups.empty() || request.aggregated();
  auto page = aggregated ? group(request, std::move(condition.groups), walk) : list(request, walk);
  if (!page) return page;
  page->types.resize(request.fields.size() + request.equations.size(), aggregated ? "" : "number");
  for (std::size_t i = 0; i < request.fields.size(); ++i) {
    if (aggregated && !page->types[i].empty()) continue;
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

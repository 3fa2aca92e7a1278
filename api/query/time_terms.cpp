#include "api/query/time_terms.h"

#include "api/query/search_values.h"

namespace picket::query {

Result<TimeRange> time_range(const Condition& term, Time now) {
  constexpr std::int64_t around_ms = 5 * 60'000;
  TimeRange range;
  const std::string_view text = term.values.empty() ? std::string_view() : std::string_view(term.values.front().text);
  if (term.values.size() > 1) return Error{Fault::malformed, term.field.name + ": a date cannot be a list"};
  if (const auto relative = parse_relative_date(text, now)) {
    if (relative->newer) {
      range.from_ms = relative->point_ms;
    } else {
      range.to_ms = relative->point_ms + 1;
    }
    return range;
  }
  const auto date = parse_date(text);
  if (!date) return Error{Fault::malformed, term.field.name + ": '" + std::string(text) + "' is not a date"};
  switch (term.op) {
    case Operator::equal:
    case Operator::not_equal:
      range.from_ms = date->day ? date->from_ms : date->from_ms - around_ms;
      range.to_ms = date->day ? date->to_ms : date->to_ms + around_ms;
      break;
    case Operator::less: range.to_ms = date->from_ms; break;
    case Operator::less_or_equal: range.to_ms = date->day ? date->from_ms + 1 : date->to_ms; break;
    case Operator::greater: range.from_ms = date->day ? date->from_ms + 1 : date->to_ms; break;
    case Operator::greater_or_equal: range.from_ms = date->from_ms; break;
  }
  return range;
}

}  // namespace picket::query

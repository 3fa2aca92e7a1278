// The search language of events: whatever the text, reading ends, is bounded, and fails with words.

#include "api/query/event_query.h"
#include "fuzz/invariant.h"

namespace picket::query {
namespace {

std::size_t count_of(const Condition& condition, int depth) {
  fuzz::check(depth < 60, "nesting is bounded");
  std::size_t count = 1;
  for (const auto& part : condition.parts) count += count_of(part, depth + 1);
  if (condition.kind == ConditionKind::filter) fuzz::check(!condition.values.empty(), "a filter has a value");
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = fuzz::as_text(bytes, size);
  const auto query = parse_event_query(text);
  if (!query) {
    fuzz::check(!query.error().detail.empty(), "an error has words");
  } else {
    fuzz::check(count_of(*query, 0) <= 2000, "conditions are bounded");
  }
  const auto field = parse_field_expression(text);
  if (field) fuzz::check(field->is_function() || !field->name.empty(), "a field has a name");
  return 0;
}

}  // namespace picket::query

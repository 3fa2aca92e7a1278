// The search language: whatever the text, reading ends, is bounded and whole, and fails with words.

#include "api/query/condition.h"
#include "api/query/pattern.h"
#include "fuzz/invariant.h"

namespace picket::query {
namespace {

std::size_t count_of(const Condition& condition, std::size_t depth) {
  fuzz::check(depth <= 2 * deepest_query + 2, "nesting is bounded");
  std::size_t count = 1;
  for (const auto& part : condition.parts) count += count_of(part, depth + 1);
  if (condition.kind == ConditionKind::filter) fuzz::check(!condition.values.empty(), "a filter has a value");
  return count;
}

// Nodes lie one behind the other and leave nothing out.
void check_places(const std::vector<SearchNode>& nodes, std::size_t from, std::size_t to) {
  for (const auto& node : nodes) {
    fuzz::check(node.at == from && node.end >= node.at, "nodes follow each other");
    if (node.kind == NodeKind::group) check_places(node.inner, node.at + 1, node.end - 1);
    from = node.end;
  }
  fuzz::check(from == to, "nodes are the whole text");
}

void check_language(std::string_view text, const SearchLanguage& language) {
  if (const auto tree = parse_search(text, language, Time{})) {
    check_places(tree->nodes, 0, text.size());
    fuzz::check(tree->steps <= 4 * text.size() + 4, "a text is read in steps of its length");
  }
  const auto query = parse_condition(text, language, Time{});
  if (!query) {
    fuzz::check(query.error().detail.find("(column ") != std::string::npos, "an error has words and a column");
  } else {
    fuzz::check(count_of(*query, 0) <= 4 * most_query_bytes, "conditions are bounded");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = fuzz::as_text(bytes, size);
  check_language(text, common_language());
  check_language(text, issue_language());
  check_language(text, fact_language());
  check_language(text, session_language());
  const auto field = parse_field_expression(text);
  if (field) fuzz::check(field->is_function() || !field->name.empty(), "a field has a name");
  const Pattern pattern(text.substr(0, size / 2), true);
  (void)pattern.matches(text.substr(size / 2));
  return 0;
}

}  // namespace picket::query

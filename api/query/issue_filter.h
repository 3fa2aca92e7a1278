// What the conditions of an issue search mean: tests on columns (cheap, in memory), on tags (postings
// in the tables) and on single rows (a look-up per issue), joined as the query joins them.
#pragma once

#include "api/query/condition.h"
#include "api/query/issue_columns.h"
#include "api/query/pattern.h"
#include "buffer/clock.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace picket::query {

// Whose issues, asked by whom and when.
struct SearchScope {
  std::uint64_t organization = 0;
  std::vector<std::uint64_t> projects;  // ascending
  std::uint64_t user = 0;               // "me"; 0: nobody
  Time now{};
  // For walks over the tables, which may end early: texts are read while they last, not afterwards.
  bool texts_at_once = false;
};

struct Candidate {
  std::uint64_t id = 0;
  std::uint64_t project = 0;
  std::uint64_t value = 0;  // sorted by this, greatest first
  std::int64_t first_seen_ms = 0;
  std::int64_t last_seen_ms = 0;
  std::uint32_t found = 0;  // the how manyth the columns found
};

using ColumnTest = std::function<bool(const ColumnSet&, const IssueColumn&)>;
using RowTest = std::function<bool(const buffer::Reader&, const Candidate&)>;

// An issue passes when it has the tag with one of `exact`, or with a value for which `matches` says
// so (both empty: with any value).
struct TagTest {
  std::string key;
  std::vector<std::string> exact;
  std::function<bool(std::string_view)> matches;
};

struct IssueTest {
  enum class Kind : std::uint8_t { all, any, column, tag, row };
  Kind kind = Kind::all;
  bool negated = false;
  std::vector<IssueTest> parts{};  // of all, any
  ColumnTest column{};
  TagTest tag{};
  RowTest row{};  // of a column that is a text, too: the same, from the issue's row
};

// Where the columns are without texts.
void read_texts_from_rows(IssueTest& test);

// Fault::malformed with the words for a 400. `reader` resolves names: users, teams, releases; the test reads
// texts through it, so it must outlive the test.
Result<IssueTest> make_issue_test(const buffer::Reader& reader, const SearchScope& scope, const Condition& condition);

// One value against text as search compares it: wildcards, negation by the caller.
bool any_matches(const std::vector<Pattern>& patterns, std::string_view text);

}  // namespace picket::query

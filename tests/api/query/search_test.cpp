#include "api/query/search.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace picket::query {
namespace {

std::string render(Operator op) {
  switch (op) {
    case Operator::equal: return "";
    case Operator::not_equal: return "!=";
    case Operator::less: return "<";
    case Operator::less_or_equal: return "<=";
    case Operator::greater: return ">";
    case Operator::greater_or_equal: return ">=";
  }
  return "?";
}

// One line a query: terms joined with " | ".
std::string read(std::string_view text) {
  const auto terms = parse_search(text);
  if (!terms) return "error";
  std::string line;
  for (const auto& term : *terms) {
    if (!line.empty()) line += " | ";
    if (term.negated) line += "!";
    switch (term.kind) {
      case TermKind::free_text: line += "text"; break;
      case TermKind::filter: line += (term.explicit_tag ? "tag " : "") + term.key; break;
      case TermKind::has: line += "has " + term.key; break;
      case TermKind::is: line += "is"; break;
    }
    line += render(term.op);
    for (const auto& value : term.values) line += (term.list ? "[" : "{") + value.text + (term.list ? "]" : "}");
  }
  return line;
}

struct Case {
  std::string query;
  std::string terms;
};

class Search : public ::testing::TestWithParam<Case> {};

TEST_P(Search, ReadsTerms) {
  EXPECT_EQ(read(GetParam().query), GetParam().terms) << GetParam().query;
}

INSTANTIATE_TEST_SUITE_P(
    FreeText, Search,
    ::testing::Values(Case{"", ""}, Case{"  \t\n ", ""}, Case{"boom", "text{boom}"}, Case{"  disk   full ", "text{disk full}"},
                      Case{"\"disk   full\"", "text{disk   full}"}, Case{"rel*:1", "text{rel*:1}"},
                      Case{"a level:error b", "text{a} | level{error} | text{b}"}, Case{"http://x/y", "http{//x/y}"},
                      Case{"call(x)", "text{call(x)}"}, Case{"(either way)", "text{(either way)}"}, Case{"!", "text{!}"},
                      Case{"!boom", "text{!boom}"}, Case{":x", "text{:x}"}, Case{"say \\\"hi\\\"", "text{say \"hi\"}"},
                      Case{"andromeda ORacle", "text{andromeda ORacle}"}, Case{"über 漢字", "text{über 漢字}"}));

INSTANTIATE_TEST_SUITE_P(
    Filters, Search,
    ::testing::Values(Case{"is:unresolved", "is{unresolved}"}, Case{"!is:assigned", "!is{assigned}"}, Case{"has:user", "has user"},
                      Case{"!has:user", "!has user"}, Case{"has:\"odd key\"", "has odd key"}, Case{"color:red", "color{red}"},
                      Case{"!color:red", "!color{red}"}, Case{"color:\"deep red\"", "color{deep red}"},
                      Case{"color:\"say \\\"x\\\"\"", "color{say \"x\"}"}, Case{"color:\"\"", "color{}"},
                      Case{"color:\"a\"b", "color{a} | text{b}"}, Case{"color:a:b", "color{a:b}"}, Case{"color:<5", "color{<5}"},
                      Case{"color:=red", "color{red}"}, Case{"color:!=red", "color!={red}"}, Case{"tags[level]:x", "tag level{x}"},
                      Case{"tags[n,number]:5", "tag n{5}"}, Case{"\"odd:key\":v", "odd:key{v}"}, Case{"url:a\tb", "url{a} | text{b}"},
                      Case{"level:error  is:new", "level{error} | is{new}"}, Case{"path:/a/:id/b", "path{/a/:id/b}"},
                      Case{"name:*x*", "name{*x*}"}, Case{"name:\"line\nbreak\"", "name{line\nbreak}"}));

INSTANTIATE_TEST_SUITE_P(
    Lists, Search,
    ::testing::Values(Case{"c:[a]", "c[a]"}, Case{"c:[a,b,  c]", "c[a][b][c]"}, Case{"!c:[a, \"b c\"]", "!c[a][b c]"},
                      Case{"c:[]", "c{[]}"}, Case{"c:[a b]", "c{[a} | text{b]}"}, Case{"c:[a]*", "c{[a]*}"},
                      Case{"c:[[a]]", "c[[a]]"}, Case{"c:[a, [b]]", "c[a][[b]]"}, Case{"c:[a]d:e", "c{[a]d:e}"},
                      Case{"c:[a, ]", "error"}, Case{"c:[a,,b]", "c{[a,,b]}"}, Case{"c:[a", "c{[a}"}, Case{"c:\"[a]\"", "c{[a]}"},
                      Case{"timesSeen:[1, 2]", "timesSeen[1][2]"}, Case{"timesSeen:[1, x]", "error"}));

INSTANTIATE_TEST_SUITE_P(
    TypedValues, Search,
    ::testing::Values(Case{"timesSeen:>5", "timesSeen>{5}"}, Case{"timesSeen:>=1.5k", "timesSeen>={1.5k}"},
                      Case{"timesSeen:<-2", "timesSeen<{-2}"}, Case{"timesSeen:>5s", "error"}, Case{"timesSeen:many", "error"},
                      Case{"age:-24h", "age{-24h}"}, Case{"age:+2w", "age{+2w}"}, Case{"age:24h", "error"}, Case{"age:>-24h", "error"},
                      Case{"lastSeen:>2024-01-31", "lastSeen>{2024-01-31}"}, Case{"lastSeen:2024-02-30", "error"},
                      Case{"timestamp:>2024-01-31T10:00:00.5+02:00", "timestamp>{2024-01-31T10:00:00.5+02:00}"},
                      Case{"timestamp:2024-01-31T10:00ZZ", "error"}, Case{"error.handled:0", "error.handled{0}"},
                      Case{"error.handled:maybe", "error"}, Case{"transaction.duration:>3.3s", "transaction.duration>{3.3s}"},
                      Case{"release.version:>=1.2.3-rc1", "release.version>={1.2.3-rc1}"},
                      Case{"tags[timesSeen]:many", "tag timesSeen{many}"}, Case{"measurements.lcp:<1s", "measurements.lcp<{1s}"}));

INSTANTIATE_TEST_SUITE_P(
    Refusals, Search,
    ::testing::Values(Case{"a OR b", "error"}, Case{"is:new and boom", "error"}, Case{"(a:b OR c:d)", "error"}, Case{"color:", "error"},
                      Case{"color: red", "error"}, Case{"color:\"red", "error"}, Case{"color:re\"d", "error"}, Case{"has:", "error"},
                      Case{"(open", "error"}, Case{"shut)", "error"}, Case{"count():>5", "error"},
                      Case{"p95(measurements.lcp):>3.3s", "error"}, Case{"last_seen():-24h", "error"},
                      Case{"avg(x):>..5s", "text{avg(x):>..5s}"}, Case{"count_if(a, equals, \"b)\"):>1", "error"}));

TEST(ParseSearch, BooleanWordsAreRefusedInTheDocumentedWords) {
  const auto terms = parse_search("is:unresolved OR is:resolved");
  ASSERT_FALSE(terms);
  EXPECT_EQ(terms.error().detail, "Boolean statements containing \"OR\" or \"AND\" are not supported in this search");
}

TEST(ParseSearch, AggregatesAreRefusedByName) {
  const auto terms = parse_search("count_unique(user):>5");
  ASSERT_FALSE(terms);
  EXPECT_EQ(terms.error().detail, "Aggregate filters (count_unique) are not supported in issue searches.");
}

TEST(ParseSearch, HostileInputEndsAndIsBounded) {
  for (const std::string piece : {"(", ")", "((", "\"", "\\\"", "[", "a:[", "a:\"", "a:[\"", "!", "!!", ":", "tags[", "a(", "a():",
                                  "\xff\xfe", "*", "\\", "a:b ", "is:x ", "\n"}) {
    std::string text;
    while (text.size() < 4000) text += piece;
    (void)parse_search(text);
    (void)parse_search("x " + text + " y");
  }
  EXPECT_FALSE(parse_search(std::string(5000, 'a')));
  std::string many;
  for (int i = 0; i < 300; ++i) many += "a:b ";
  EXPECT_FALSE(parse_search(many));
}

TEST(ParseSearch, EveryPrefixOfAQueryIsReadWithoutHarm) {
  const std::string query =
      "!tags[a,number]:\"b \\\" c\" has:\"x\" is:new timesSeen:>=[1, 2] age:-24h c:[a, \"b\"] (d e) f():>1 \"g\":h \\\"i";
  for (std::size_t length = 0; length <= query.size(); ++length) (void)parse_search(query.substr(0, length));
  for (std::size_t from = 0; from <= query.size(); ++from) (void)parse_search(query.substr(from));
}

}  // namespace
}  // namespace picket::query

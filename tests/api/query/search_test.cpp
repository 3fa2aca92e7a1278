#include "api/query/search.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace picket::query {
namespace {

constexpr std::string_view operators[] = {"=", "!=", "<", "<=", ">", ">="};
constexpr std::string_view kinds[] = {"text", "textIn", "numeric", "numericIn", "date", "specificDate", "relativeDate", "duration", "size",
                                      "boolean", "aggDuration", "aggSize", "aggNumeric", "aggPercentage", "aggDate", "aggRelativeDate",
                                      "has", "is"};
constexpr std::string_view forms[] = {"", "tag ", "string tag ", "number tag ", "boolean tag ", "array tag ", "flag ", "string flag ", "number flag ", "fn "};

std::string shown(const std::vector<SearchNode>& nodes);

// kind, key, operator, {value} or [items]; a trailing ? when it is not valid.
std::string shown(const SearchNode& node) {
  if (node.kind == NodeKind::spaces) return "";
  if (node.kind == NodeKind::logic) return node.text;
  if (node.kind == NodeKind::group) return "(" + shown(node.inner) + ")";
  if (node.kind == NodeKind::free_text) return (node.quoted ? "phrase{" : "words{") + node.text + "}" + (node.invalid ? "?" : "");
  std::string text = (node.negated ? "!" : "") + std::string(kinds[static_cast<int>(node.filter)]) + " ";
  text += std::string(forms[static_cast<int>(node.key.form)]) + (node.key.quoted ? "'" + node.key.name + "'" : node.key.name);
  for (const auto& argument : node.key.arguments) text += "<" + (argument.there ? argument.text : "-") + ">";
  if (node.op) text += std::string(operators[static_cast<int>(*node.op)]);
  const bool list = node.filter == FilterKind::text_in || node.filter == FilterKind::numeric_in;
  for (const auto& value : node.values) {
    const auto inside = value.there ? (value.sign != '\0' ? std::string(1, value.sign) : "") + value.text + (value.unit.empty() ? "" : "_" + value.unit) : "-";
    text += list ? "[" + inside + "]" : "{" + inside + "}";
  }
  return text + (node.invalid ? "?" : "");
}

std::string shown(const std::vector<SearchNode>& nodes) {
  std::string line;
  for (const auto& node : nodes) {
    const auto text = shown(node);
    if (!line.empty() && !text.empty()) line += " | ";
    line += text;
  }
  return line;
}

std::string read(std::string_view text, const SearchLanguage& language = common_language()) {
  const auto tree = parse_search(text, language, time_from_ms(1'000'000'000'000));
  return tree ? shown(tree->nodes) : "error: " + tree.error().detail;
}

// Puts the spaces, filters and texts of a tree together again.
std::string joined(std::string_view text, const std::vector<SearchNode>& nodes) {
  std::string whole;
  for (const auto& node : nodes) {
    if (node.kind == NodeKind::group) {
      whole += "(" + joined(text, node.inner) + ")";
    } else {
      whole += text.substr(node.at, node.end - node.at);
    }
  }
  return whole;
}

struct Case {
  std::string query;
  std::string tree;
};
class Search : public ::testing::TestWithParam<Case> {};
TEST_P(Search, GivesTheTree) {
  EXPECT_EQ(read(GetParam().query), GetParam().tree) << GetParam().query;
}

INSTANTIATE_TEST_SUITE_P(
    FreeText, Search,
    ::testing::Values(Case{"", ""}, Case{"   ", ""}, Case{"  disk   full ", "words{disk   full }"}, Case{"\"disk   full\"", "phrase{disk   full}"},
                      Case{"rel*:1", "words{rel*:1}"}, Case{"say \"a b\"", "words{say \"a b\"}"}, Case{"\"a\"b", "phrase{a} | words{b}"},
                      Case{"call(x) y", "words{call(x) y}"}, Case{"f()", "words{f()}"}, Case{"()", "words{()}"}, Case{"a (b) c:d", "words{a (b) } | text c{d}"},
                      Case{"a (b:c) d", "words{a } | (text b{c}) | words{d}"}, Case{"a(b(c)d)e", "words{a(b(c)d)e}"},
                      Case{"!boom", "words{!boom}"}, Case{":x", "words{:x}"}, Case{"a\tb", "words{a\tb}"}, Case{"\"open", "words{\"open}"},
                      Case{"http://x/y", "text http{//x/y}"}, Case{"andromeda ORacle", "words{andromeda ORacle}"}));

INSTANTIATE_TEST_SUITE_P(
    Logic, Search,
    ::testing::Values(Case{"a OR b", "words{a } | OR | words{b}"}, Case{"a:b and c:d", "text a{b} | AND | text c{d}"},
                      Case{"(a:b Or c)", "(text a{b} | OR | words{c})"}, Case{"( (x) )", "((words{x}))"}, Case{"(a)(b)", "(words{a}) | (words{b})"},
                      Case{"OR", "OR"}, Case{"(AND)", "(AND)"}, Case{"OR(a:b)", "words{OR} | (text a{b})"}, Case{"!(a:b)", "words{!} | (text a{b})"},
                      Case{"(())", "(words{()})"}));

INSTANTIATE_TEST_SUITE_P(
    Keys, Search,
    ::testing::Values(Case{"!\"odd:key\":v", "!text 'odd:key'{v}"}, Case{"\"odd key\":v", "phrase{odd key} | words{:v}"}, Case{"tags[level]:x", "text tag level{x}"},
                      Case{"tags[\"a:b\"]:x", "text tag 'a:b'{x}"}, Case{"tags[a:b]:x", "text tag a:b{x}"}, Case{"tags[Batch Size]:x", "text tag Batch Size{x}"},
                      Case{"tags[n,number]:>5", "numeric number tag n>{5}"}, Case{"tags[n , number]:[1, 2]", "numericIn number tag n[1][2]"},
                      Case{"tags[n,number]:x", "text number tag n{x}"}, Case{"tags[n,string]:5", "text string tag n{5}"}, Case{"tags[n,boolean]:true", "boolean boolean tag n{true}"},
                      Case{"tags[n,other]:5", "words{tags[n,other]:5}"}, Case{"flags[f.one]:true", "text flag f.one{true}"},
                      Case{"flags[f,number]:3", "numeric number flag f{3}"}, Case{"flags[f,string]:[a]", "textIn string flag f[a]"}, Case{"tags[]:x", "words{tags[]:x}"},
                      Case{"tags[a:x", "words{tags[a:x}"}, Case{"a-b.c_d:x", "text a-b.c_d{x}"}));

INSTANTIATE_TEST_SUITE_P(
    Texts, Search,
    ::testing::Values(Case{"color:a:b", "text color{a:b}"}, Case{"color:=red", "text color{=red}"}, Case{"color:\"a \\\"b\\\"\"", "text color{a \\\"b\\\"}"},
                      Case{"color:", "text color{}?"}, Case{"color: red", "text color{}? | words{red}"}, Case{"color:\"\"", "text color{}"},
                      Case{"color:re\"d", "text color{re\"d}?"}, Case{"color:(a)", "text color{}? | (words{a})"}, Case{"color:a(b)", "text color{a} | (words{b})"},
                      Case{"release.build:>=12", "text release.build>={12}"}, Case{"release.package:!=x", "text release.package!={x}"}, Case{"has:a has:\"a:b\"", "has has{a} | has has{a:b}"},
                      Case{"has:\"x y\"", "has has{x y}"}, Case{"has:", "has has{}?"}, Case{"has:tags[a b]", "has has{tags[a b]}"}, Case{"!is:new", "!is is{new}"},
                      Case{"is:", "is is{}?"}, Case{"\"is\":x", "text 'is'{x}"}));

INSTANTIATE_TEST_SUITE_P(
    Lists, Search,
    ::testing::Values(Case{"c:[a,b,  \"c d\"]", "textIn c[a][b][c d]"}, Case{"c:[a , b]", "textIn c[a][b]"}, Case{"c:[a]b]", "textIn c[a]b]"}, Case{"c:[a,]", "textIn c[a][-]?"},
                      Case{"c:[a,,b]", "text c{[a,,b]}"}, Case{"c:[,a]", "text c{[,a]}"}, Case{"c:[a", "text c{[a}"}, Case{"c:[a] b", "textIn c[a] | words{b}"},
                      Case{"(c:[a])", "(textIn c[a])"}, Case{"issue.id:[1,2k , 3]", "numericIn issue.id[1][2_k][3]"}, Case{"!issue.id:[1]", "!numericIn issue.id[1]"},
                      Case{"issue.id:[1,]", "numericIn issue.id[1][-]?"}, Case{"issue.id:[1,x]", "textIn issue.id[1][x]"}, Case{"transaction.duration:[1]", "numericIn transaction.duration[1]"}));

INSTANTIATE_TEST_SUITE_P(
    Typed, Search,
    ::testing::Values(Case{"issue.id:>=1.5K", "numeric issue.id>={1.5_K}"}, Case{"issue.id:1.", "numeric issue.id{1.}"}, Case{"issue.id:+1", "text issue.id{+1}?"},
                      Case{"issue.id:5,6", "numeric issue.id{5} | words{,6}"}, Case{"issue.id:5kk", "text issue.id{5kk}?"}, Case{"issue.id:", "text issue.id{}?"},
                      Case{"transaction.duration:>1.5wk", "duration transaction.duration>{1.5_wk}"}, Case{"transaction.duration:5m", "duration transaction.duration{5_m}"},
                      Case{"transaction.duration:-5s", "text transaction.duration{-5s}?"}, Case{"measurements.lcp:<1s", "duration measurements.lcp<{1_s}"},
                      Case{"measurements.cls:<1s", "text measurements.cls{<1s}?"}, Case{"measurements.frames_total:>3", "numeric measurements.frames_total>{3}"},
                      Case{"error.handled:TRUE", "boolean error.handled{TRUE}"}, Case{"!error.unhandled:0", "!boolean error.unhandled{0}"}, Case{"error.handled:yes", "text error.handled{yes}?"},
                      Case{"lastSeen:-24h", "relativeDate lastSeen{-24_h}"}, Case{"lastSeen:>-24h", "text lastSeen{>-24h}?"}, Case{"lastSeen:+1y", "text lastSeen{+1y}?"},
                      Case{"!lastSeen:-24h", "!text lastSeen{-24h}?"}, Case{"timestamp:>=2024-02-29", "date timestamp>={2024-02-29}"}, Case{"timestamp:2024-02-29", "specificDate timestamp{2024-02-29}"},
                      Case{"timestamp:2023-02-29", "text timestamp{2023-02-29}?"}, Case{"timestamp:2024-01-01T10:00", "text timestamp{2024-01-01T10:00}?"},
                      Case{"timestamp:2024-01-01T10:00:00-05:30", "specificDate timestamp{2024-01-01T10:00:00-05:30}"}, Case{"timestamp:2024-01-01T25:00:00", "text timestamp{2024-01-01T25:00:00}?"},
                      Case{"timestamp:2024-01-01Z", "specificDate timestamp{2024-01-01Z}"}, Case{"timestamp:[2024-01-01]", "textIn timestamp[2024-01-01]"}));

INSTANTIATE_TEST_SUITE_P(
    Aggregates, Search,
    ::testing::Values(Case{"count():>5", "aggNumeric fn count>{5}"}, Case{"!avg( transaction.duration ):<=2m", "!aggDuration fn avg<transaction.duration><={2_m}"},
                      Case{"avg(stack.colno):>500s", "words{avg(stack.colno):>500s}"}, Case{"sum(x):>5KB", "aggSize fn sum<x>>{5_KB}"}, Case{"last_seen():+7d", "aggRelativeDate fn last_seen{+7_d}"},
                      Case{"max(timestamp):>2024-01-01", "aggDate fn max<timestamp>>{2024-01-01}"}, Case{"min(x):>2024-01-01", "words{min(x):>2024-01-01}"},
                      Case{"f(percentage):5%", "aggPercentage fn f<percentage>{5_%}"}, Case{"f(a,,b):1", "words{f(a,,b):1}"}, Case{"f(a, ,):1", "words{f(a, ,):1}"}, Case{"f(a, ):1", "aggNumeric fn f<a><->{1}?"},
                      Case{"f(a", "error: Unmatched '(' in the query; put text with parentheses in quotes. (column 2)"}, Case{"f(\"a, )\" , b):1", "aggNumeric fn f<\"a, )\"><b>{1}"}, Case{"f(x):y", "words{f(x):y}"}));

INSTANTIATE_TEST_SUITE_P(
    Errors, Search,
    ::testing::Values(Case{"a:b (c", "error: Unmatched '(' in the query; put text with parentheses in quotes. (column 5)"},
                      Case{"\xc3\xbc b)", "error: Unmatched ')' in the query; put text with parentheses in quotes. (column 4)"},
                      Case{"( )", "error: There is nothing between these parentheses. (column 1)"},
                      Case{"a:b\nc", "error: A line break has to stand within quotes. (column 4)"}, Case{"a:\"b\nc\"", "text a{b\nc}"}));

TEST(ParseSearch, KnowsSizesWhereADataSetHasThem) {
  auto language = common_language();
  language.keys["size"] = key_size;
  EXPECT_EQ(read("size:>5MiB", language), "size size>{5_MiB}");
  EXPECT_EQ(read("size:5", language), "text size{5}?");
  const auto tree = parse_search("size:1.5kib size:16bit size:2Yb size:3nb size:7bytes", language, Time{});
  ASSERT_TRUE(tree);
  std::vector<double> bytes;
  for (const auto& node : tree->nodes) {
    if (node.kind == NodeKind::filter) bytes.push_back(node.values.front().number);
  }
  EXPECT_EQ(bytes, (std::vector<double>{1536, 2, 2e24, 1.5, 7}));
}

TEST(ParseSearch, AnOpenDataSetComparesWhateverStandsThere) {
  EXPECT_EQ(read("a.b:>5 c:<2024-01-01 d:>=200ms e:>5kb f:>text g:5", fact_language()),
            "numeric a.b>{5} | date c<{2024-01-01} | duration d>={200_ms} | size e>{5_kb} | text f{>text} | text g{5}");
  EXPECT_EQ(read("$a/b@c:x \"my key\":y", fact_language()), "text $a/b@c{x} | text 'my key'{y}");
  EXPECT_EQ(read("p95(span.duration):>5m count():>5m failure_rate():>5%", fact_language()),
            "aggDuration fn p95<span.duration>>{5_m} | aggNumeric fn count>{5_m} | aggPercentage fn failure_rate>{5_%}");
}

TEST(ParseSearch, HostileTextIsRefusedOrReadInStepsOfItsLength) {
  const std::string deep = std::string(1000, '(') + "a:b" + std::string(1000, ')');
  EXPECT_EQ(read(deep), "error: The query is nested more than 60 deep. (column 61)");
  EXPECT_TRUE(read("x " + deep).starts_with("error: The query is nested more than 60 deep."));
  EXPECT_TRUE(read(std::string(100'000, 'a')).starts_with("error: The query is longer than 4096 bytes."));
  std::string many;
  for (int i = 0; i < 300; ++i) many += "a:b ";
  EXPECT_EQ(read(many), "error: The query has more than 200 terms. (column 801)");
  for (const std::string piece : {"(", ")", "x (", "x(y ", "\"", "\\\"", "[", "a:[", "a:[1, ", "a:\"", "a:[\"", "!", ":", "tags[", "tags[\"", "f(", "f(\"",
                                  "f(a, ", "\xff\xfe", "*", "\\", "OR ", "OR(", "is:x ", "\n", "()", "( "}) {
    std::string text;
    while (text.size() < 4000) text += piece;
    for (const auto& query : {text, "x " + text + " y", text + "a:b" + std::string(50, ')')}) {
      const auto tree = parse_search(query, fact_language(), Time{});
      if (!tree) continue;
      EXPECT_LE(tree->steps, 4 * query.size()) << piece;
    }
  }
}

TEST(ParseSearch, NestedTextInParenthesesIsTriedOnce) {
  // Each level could be text in parentheses until the innermost turns out to be a filter.
  std::string query;
  for (int i = 0; i < 59; ++i) query += "x (y ";
  query += "a:b" + std::string(59, ')');
  const auto tree = parse_search(query, common_language(), Time{});
  ASSERT_TRUE(tree);
  EXPECT_LE(tree->steps, 4 * query.size());
}

TEST(ParseSearch, EveryPieceOfAQueryIsReadWithoutHarmAndWhole) {
  const std::string query =
      "!tags[a,number]:\"b \\\" c\" has:\"x\" is:new issue.id:>=[1, 2] lastSeen:-24h c:[a, \"b\"] (d e) f():>1 OR \"g\":h \\\"i (j:k)";
  for (std::size_t from = 0; from <= query.size(); ++from) {
    for (const auto& piece : {query.substr(0, from), query.substr(from)}) {
      const auto tree = parse_search(piece, common_language(), Time{});
      if (!tree) continue;
      EXPECT_EQ(joined(piece, tree->nodes), piece);
    }
  }
}

}  // namespace
}  // namespace picket::query

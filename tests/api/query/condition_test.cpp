#include "api/query/condition.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::query {
namespace {

// A condition in one line: (all a b), !x, field op values.
std::string shown(const Condition& condition) {
  std::string text = condition.negated ? "!" : "";
  constexpr std::string_view operators[] = {":", ":!=", ":<", ":<=", ":>", ":>="};
  switch (condition.kind) {
    case ConditionKind::all:
    case ConditionKind::any:
      text += condition.kind == ConditionKind::all ? "(all" : "(any";
      for (const auto& part : condition.parts) text += " " + shown(part);
      return text + ")";
    case ConditionKind::is: return text + "is:" + condition.values.front().text;
    case ConditionKind::has: return text + "has:" + condition.field.name;
    case ConditionKind::free_text: return text + "'" + condition.values.front().text + "'";
    case ConditionKind::filter:
      text += condition.field.text + std::string(operators[static_cast<int>(condition.op)]);
      for (std::size_t i = 0; i < condition.values.size(); ++i)
        text += (i > 0 ? "|" : "") + condition.values[i].text;
      return text;
  }
  return text;
}
std::string parsed(std::string_view text, const SearchLanguage& language = fact_language()) {
  const auto query = parse_condition(text, language, time_from_ms(1'000'000'000'000));
  return query ? shown(*query) : "error: " + query.error().detail;
}

TEST(Condition, ReadsFiltersTextAndOperators) {
  EXPECT_EQ(parsed(""), "(all)");
  EXPECT_EQ(parsed("span.op:db"), "(all span.op:db)");
  EXPECT_EQ(parsed("span.duration:>=200ms"), "(all span.duration:>=200ms)");
  EXPECT_EQ(parsed("!status:ok two   words"), "(all !status:ok 'two words')");
  EXPECT_EQ(parsed(R"x("a  phrase" message:"it \"broke\" (twice)")x"), R"x((all 'a  phrase' message:it "broke" (twice)))x");
  EXPECT_EQ(parsed("op:[db, \"http client\",x]"), "(all op:db|http client|x)");
  EXPECT_EQ(parsed("has:user !has:release has:tags[a]"), "(all has:user !has:release has:a)");
  EXPECT_EQ(parsed("tags[size,number]:>5"), "(all tags[size,number]:>5)");
  EXPECT_EQ(parsed("count():>5 p95(span.duration):<1s"), "(all count():>5 p95(span.duration):<1s)");
  EXPECT_EQ(parsed("url:http://a/b?c=1"), "(all url:http://a/b?c=1)");
  EXPECT_EQ(parsed("name:>text"), "(all name:>text)") << "an operator needs something to compare";
  EXPECT_EQ(parsed("is:new level:error", issue_language()), "(all is:new level:error)");
}

TEST(Condition, ReadsFeatureFlags) {
  EXPECT_EQ(parsed("(a:1 OR (flags[x]:true))", issue_language()), "(all (any (all a:1) (all (all flags[x]:true))))");
  EXPECT_EQ(parsed(R"(!flags["odd name"]:[a, b])"), R"((all !flags["odd name"]:a|b))");
  EXPECT_EQ(parsed("has:flags[x] flags[n,number]:>3"), "(all has:flags[x] flags[n,number]:>3)");
  const auto query = parse_condition(R"(flags["x"]:true)", issue_language(), Time{});
  ASSERT_TRUE(query);
  EXPECT_EQ(query->parts.front().field.name, "flags[x]");
  EXPECT_TRUE(query->parts.front().field.explicit_tag);
}

TEST(Condition, TakesPhrasesOutOfWords) {
  EXPECT_EQ(parsed(R"(say "a  b" loud)"), "(all 'say' 'a  b' 'loud')");
  EXPECT_EQ(parsed(R"("" "")"), "(all)");
  EXPECT_EQ(parsed(R"(say \"hi\" "open)"), R"((all 'say "hi" "open'))");
}

TEST(Condition, BindsAndTighterThanOr) {
  EXPECT_EQ(parsed("a:1 OR b:2"), "(any (all a:1) (all b:2))");
  EXPECT_EQ(parsed("a:1 b:2 or c:3 AND d:4"), "(any (all a:1 b:2) (all c:3 d:4))");
  EXPECT_EQ(parsed("a:1 (b:2 OR c:3)"), "(all a:1 (any (all b:2) (all c:3)))");
  EXPECT_EQ(parsed("(a OR (b c:1)) d"), "(all (any (all 'a') (all (all 'b' c:1))) 'd')");
  EXPECT_EQ(parsed("ORDER android"), "(all 'ORDER android')");
}

TEST(Condition, NegatesAndJoinsGroupsThatAreTouched) {
  EXPECT_EQ(parsed("a:1 !(b:2 OR c:3)"), "(all a:1 !(any (all b:2) (all c:3)))");
  EXPECT_EQ(parsed("words !(b:2)"), "(all 'words' !(all b:2))");
  EXPECT_EQ(parsed("a:1 OR(b:2)"), "(any (all a:1) (all (all b:2)))");
  EXPECT_EQ(parsed("! (b:2)"), "(all '!' (all b:2))");
}

TEST(Condition, SaysWhatIsWrongAndWhere) {
  const auto in_issues = [](std::string_view text) { return parsed(text, issue_language()); };
  EXPECT_EQ(in_issues("x color:"), "error: Filter must have a value (column 3)");
  EXPECT_EQ(in_issues("  x times_seen:many"), "error: Invalid number. Expected number then optional k, m, or b suffix (e.g. 500k) (column 5)");
  EXPECT_EQ(in_issues("\t(a:1"), "error: Unmatched '(' in the query; put text with parentheses in quotes. (column 2)");
  EXPECT_EQ(in_issues("OR a:1"), "error: A condition is missing before this OR. (column 1)");
  EXPECT_EQ(in_issues("a:1 OR "), "error: A condition is missing behind this AND or OR. (column 5)");
  EXPECT_EQ(in_issues("a:1 AND AND b:2"), "error: A condition is missing before this AND. (column 9)");
  EXPECT_EQ(in_issues("a:1 (b:2 OR)"), "error: A condition is missing behind this AND or OR. (column 10)");
  EXPECT_EQ(parsed("hello", session_language()), "error: Free text is not supported in this search (column 1)");
  EXPECT_EQ(parsed("os:x", session_language()), "error: Invalid key. \"os\" is not a supported search key. (column 1)");
  for (const auto* text : {"a:[1,]", "a:1)", "has:"}) EXPECT_TRUE(parsed(text).starts_with("error: ")) << text << " gave " << parsed(text);
}

TEST(Condition, CarriesNumbersWhereTheQueryHasThem) {
  const auto query = parse_condition("a:>1.5k b:<=2m c:5 d:>1kib", fact_language(), Time{});
  ASSERT_TRUE(query);
  EXPECT_EQ(query->parts[0].values.front().number, 1500.0);
  EXPECT_EQ(query->parts[1].values.front().number, 120'000.0);
  EXPECT_EQ(query->parts[2].values.front().number, std::nullopt);
  EXPECT_EQ(query->parts[3].values.front().number, 1024.0);
}

TEST(Condition, EndsForAnyBytes) {
  const std::string letters = "a:b \"()[]!,ORAND>=<\\tgs";
  unsigned state = 7;
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (unsigned i = 0; i < 1 + state % 24; ++i) {
      state = state * 1'103'515'245U + 12'345U;
      text += letters[(state >> 16) % letters.size()];
    }
    (void)parse_condition(text, fact_language(), Time{});
    (void)parse_condition(text, issue_language(), Time{});
  }
}

TEST(FieldExpression, TellsFieldsTagsAndFunctions) {
  const auto tag = parse_field_expression("tags[Batch Size,number]");
  ASSERT_TRUE(tag);
  EXPECT_EQ(tag->name, "Batch Size");
  EXPECT_EQ(tag->type, FieldType::number);
  const auto function = parse_field_expression("percentile(span.duration, 0.5)");
  ASSERT_TRUE(function);
  EXPECT_EQ(function->function, "percentile");
  EXPECT_EQ(function->arguments, (std::vector<std::string>{"span.duration", "0.5"}));
  EXPECT_TRUE(parse_field_expression("count()")->arguments.empty());
  EXPECT_FALSE(parse_field_expression("count("));
  EXPECT_FALSE(parse_field_expression(""));
  EXPECT_FALSE(parse_field_expression("tags[]"));
}

}  // namespace
}  // namespace picket::query

#include "api/query/event_query.h"

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
std::string parsed(std::string_view text) {
  const auto query = parse_event_query(text);
  return query ? shown(*query) : "error: " + query.error().detail;
}

TEST(EventQuery, ReadsFiltersTextAndOperators) {
  EXPECT_EQ(parsed(""), "(all)");
  EXPECT_EQ(parsed("span.op:db"), "(all span.op:db)");
  EXPECT_EQ(parsed("span.duration:>=200ms"), "(all span.duration:>=200ms)");
  EXPECT_EQ(parsed("!status:ok two words"), "(all !status:ok 'two words')");
  EXPECT_EQ(parsed(R"x("a phrase" message:"it \"broke\" (twice)")x"), R"x((all 'a phrase' message:it "broke" (twice)))x");
  EXPECT_EQ(parsed("op:[db, \"http client\",x]"), "(all op:db|http client|x)");
  EXPECT_EQ(parsed("has:user !has:release"), "(all has:user !has:release)");
  EXPECT_EQ(parsed("tags[size,number]:>5"), "(all tags[size,number]:>5)");
  EXPECT_EQ(parsed("count():>5 p95(span.duration):<1s"), "(all count():>5 p95(span.duration):<1s)");
  EXPECT_EQ(parsed("url:http://a/b?c=1"), "(all url:http://a/b?c=1)");
  EXPECT_EQ(parsed("name:>text"), "(all name:>text)") << "an operator needs something to compare";
}

TEST(EventQuery, BindsAndTighterThanOr) {
  EXPECT_EQ(parsed("a:1 OR b:2"), "(any (all a:1) (all b:2))");
  EXPECT_EQ(parsed("a:1 b:2 or c:3 AND d:4"), "(any (all a:1 b:2) (all c:3 d:4))");
  EXPECT_EQ(parsed("a:1 !(b:2 OR c:3)"), "(all a:1 !(any (all b:2) (all c:3)))");
  EXPECT_EQ(parsed("ORDER android"), "(all 'ORDER android')");
}

TEST(EventQuery, SaysWhatIsWrong) {
  for (const auto* text : {"a:", "(a:1", "a:1)", "OR a:1", "a:1 OR", "AND a:1", "a:1 AND", "a:1 AND AND b:2", "a:[1,,2]"})
    EXPECT_TRUE(parsed(text).starts_with("error: ")) << text << " gave " << parsed(text);
  EXPECT_TRUE(parsed(std::string(5000, 'x')).starts_with("error: "));
  EXPECT_TRUE(parsed(std::string(30, '(') + "a:1" + std::string(30, ')')).starts_with("error: "));
  std::string many;
  for (int i = 0; i < 300; ++i) many += "a:" + std::to_string(i) + " ";
  EXPECT_TRUE(parsed(many).starts_with("error: "));
}

TEST(EventQuery, EndsForAnyBytes) {
  const std::string letters = "a:b \"()[]!,ORAND>=<\\tgs";
  unsigned state = 7;
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (unsigned i = 0; i < 1 + state % 24; ++i) {
      state = state * 1'103'515'245U + 12'345U;
      text += letters[(state >> 16) % letters.size()];
    }
    (void)parse_event_query(text);
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

#include "api/query/equation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace picket::query {
namespace {

using Values = std::vector<std::optional<double>>;

std::optional<double> value_of(const std::string& text, const Values& values = {}) {
  const auto equation = Equation::parse("equation|" + text);
  EXPECT_TRUE(equation) << text << ": " << (equation ? "" : equation.error().detail);
  return equation ? equation->evaluate(values) : std::nullopt;
}

std::string complaint(const std::string& text) {
  const auto equation = Equation::parse("equation|" + text);
  EXPECT_FALSE(equation) << text;
  return equation ? "" : equation.error().detail;
}

TEST(Equation, MultipliesBeforeItAddsAndKeepsOrderAmongEquals) {
  EXPECT_EQ(value_of("a + 2 * 3", {1}), 7);
  EXPECT_EQ(value_of("(a + 2) * 3", {1}), 9);
  EXPECT_EQ(value_of("a - 3 - 2", {10}), 5);
  EXPECT_EQ(value_of("a / 5 / 2", {100}), 10);
  EXPECT_EQ(value_of("-a + 1", {3}), -2);
  EXPECT_EQ(value_of("a * -(2 + 1)", {2}), -6);
  EXPECT_EQ(value_of("a-1.5", {2}), 0.5);
}

TEST(Equation, TakesFunctionsWithArgumentsAndEachTermOnce) {
  const auto equation = Equation::parse("equation|count_if(transaction.duration,greater,300) / count() * 100 + count()");
  ASSERT_TRUE(equation) << equation.error().detail;
  ASSERT_EQ(equation->terms().size(), 2U);
  EXPECT_EQ(equation->terms()[0].text, "count_if(transaction.duration,greater,300)");
  EXPECT_EQ(equation->terms()[1].text, "count()");
  EXPECT_TRUE(equation->of_functions());
  EXPECT_EQ(equation->evaluate(Values{3, 12}), 37);
  EXPECT_EQ(equation->text(), "equation|count_if(transaction.duration,greater,300) / count() * 100 + count()");
}

TEST(Equation, TagsMayHaveTypes) {
  const auto equation = Equation::parse("equation|tags[size,number] * 2");
  ASSERT_TRUE(equation) << equation.error().detail;
  EXPECT_EQ(equation->terms().front().name, "size");
  EXPECT_FALSE(equation->of_functions());
}

TEST(Equation, HasNoValueWhenItDividesByZeroOrATermIsMissing) {
  EXPECT_EQ(value_of("a / b", {1, 0}), std::nullopt);
  EXPECT_EQ(value_of("a + b", {1, std::nullopt}), std::nullopt);
  EXPECT_EQ(value_of("a * b", {1e300, 1e300}), std::nullopt);
}

TEST(Equation, SaysWhatIsWrong) {
  EXPECT_NE(complaint("1 + 1").find("a field or a function"), std::string::npos);
  EXPECT_NE(complaint("count()").find("an operator"), std::string::npos);
  EXPECT_NE(complaint("count() + a").find("mixed"), std::string::npos);
  EXPECT_NE(complaint("(a + 1").find("')'"), std::string::npos);
  EXPECT_NE(complaint("a + ").find("missing"), std::string::npos);
  EXPECT_NE(complaint("a + 1)").find("unexpected"), std::string::npos);
  EXPECT_NE(complaint("a + count(").find("bracket"), std::string::npos);
  EXPECT_NE(complaint("a + 1x").find("no number"), std::string::npos);
  EXPECT_NE(complaint("a+1+1+1+1+1+1+1+1+1+1+1").find("too many operators"), std::string::npos);
  EXPECT_NE(complaint("a + " + std::string(30, '(') + "1" + std::string(30, ')')).find("nested"), std::string::npos);
  EXPECT_NE(complaint("a + " + std::string(30, '-') + "1").find("nested"), std::string::npos);
  EXPECT_NE(complaint("a + " + std::string(2000, '1')).find("too long"), std::string::npos);
  EXPECT_NE(complaint("").find("missing"), std::string::npos);
}

}  // namespace
}  // namespace picket::query

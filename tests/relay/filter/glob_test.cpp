#include "relay/filter/glob.h"

#include <gtest/gtest.h>

#include <chrono>

namespace picket::filter {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
  const auto glob = Glob::parse(pattern);
  EXPECT_TRUE(glob) << pattern << ": " << (glob ? "" : glob.error().detail);
  return glob && glob->matches(text);
}

TEST(Glob, MatchesTheWholeTextWhateverTheCase) {
  EXPECT_TRUE(matches("hello", "HeLLo"));
  EXPECT_FALSE(matches("hello", "hello!"));
  EXPECT_FALSE(matches("hello", "hell"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "x"));
}

TEST(Glob, AStarIsAnyNumberOfCharacters) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("**", "any\nthing"));
  EXPECT_TRUE(matches("*b*", "abc"));
  EXPECT_TRUE(matches("a*c", "ac"));
  EXPECT_TRUE(matches("a*b*c", "a.b.b.c"));
  EXPECT_FALSE(matches("a*b*c", "a.c.b"));
  EXPECT_TRUE(matches("*error", "an error error"));
  EXPECT_TRUE(matches("1.*", "1.2.3"));
  EXPECT_FALSE(matches("1.*", "2.1."));
  EXPECT_FALSE(matches("ab*ba", "aba")) << "the two ends do not overlap";
}

TEST(Glob, AQuestionMarkIsOneCharacterOfAnyLength) {
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_TRUE(matches("a?c", "aüc"));
  EXPECT_TRUE(matches("*?", "日"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_FALSE(matches("?", "日本"));
  EXPECT_TRUE(matches("*??", "x日本"));
}

TEST(Glob, SetsNameCharactersAndRanges) {
  EXPECT_TRUE(matches("v[0-9]", "v7"));
  EXPECT_TRUE(matches("[A-C]x", "bX"));
  EXPECT_TRUE(matches("[!0-9]x", "ax"));
  EXPECT_TRUE(matches("[^0-9]x", "ax"));
  EXPECT_FALSE(matches("[!0-9]x", "1x"));
  EXPECT_TRUE(matches("[]]", "]"));
  EXPECT_TRUE(matches("[a\\-z]", "-"));
  EXPECT_FALSE(matches("[a\\-z]", "m"));
  EXPECT_TRUE(matches("[ä-ü]", "ö"));
}

TEST(Glob, BracesNameAlternatives) {
  EXPECT_TRUE(matches("*/health{/,}", "/api/health"));
  EXPECT_TRUE(matches("*/health{/,}", "/api/health/"));
  EXPECT_FALSE(matches("*/health{/,}", "/api/healthy"));
  EXPECT_TRUE(matches("{a,b}{c,d}*", "bd-rest"));
  EXPECT_FALSE(matches("{a,b}{c,d}", "ab"));
  EXPECT_TRUE(matches("x{*,?}y", "x123y"));
}

TEST(Glob, ABackslashTakesTheMeaningAway) {
  EXPECT_TRUE(matches("a\\*b", "a*b"));
  EXPECT_FALSE(matches("a\\*b", "axb"));
  EXPECT_TRUE(matches("\\{x\\}", "{x}"));
}

TEST(Glob, SaysWhatIsWrong) {
  EXPECT_EQ(Glob::parse("[a").error().detail, "a bracket is not closed");
  EXPECT_EQ(Glob::parse("{a").error().detail, "a brace is not closed");
  EXPECT_EQ(Glob::parse("{a,{b}}").error().detail, "braces within braces");
  EXPECT_EQ(Glob::parse("[z-a]").error().detail, "a range runs backwards");
  EXPECT_EQ(Glob::parse(std::string(longest_pattern + 1, 'x')).error().fault, Fault::too_large);
  EXPECT_EQ(Glob::parse("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}").error().fault, Fault::too_large);
  EXPECT_NE(GlobSet::parse({"fine", "[bad"}).error().detail.find("\"[bad\""), std::string::npos);
}

TEST(Glob, StaysFastWhereBacktrackingWouldNot) {
  const std::string text(longest_matched, 'a');
  std::string pattern;
  for (int i = 0; i < 100; ++i)
    pattern += "*a*?";
  const auto glob = Glob::parse(pattern + "b");
  ASSERT_TRUE(glob);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_FALSE(glob->matches(text));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(1));
}

TEST(GlobSet, MatchesWhenAnyDoes) {
  const auto set = GlobSet::parse({"a*", "*z"});
  ASSERT_TRUE(set);
  EXPECT_TRUE(set->matches("abc"));
  EXPECT_TRUE(set->matches("xyz"));
  EXPECT_FALSE(set->matches("b"));
  EXPECT_FALSE(GlobSet().matches(""));
}

}  // namespace
}  // namespace picket::filter

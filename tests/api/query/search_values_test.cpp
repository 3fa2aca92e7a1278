#include "api/query/search_values.h"

#include "api/query/pattern.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace picket::query {
namespace {

TEST(ParseNumber, ReadsSuffixesAndRefusesTheRest) {
  EXPECT_EQ(parse_number("12"), 12);
  EXPECT_EQ(parse_number("-3.5"), -3.5);
  EXPECT_EQ(parse_number("+2"), 2);
  EXPECT_EQ(parse_number("2k"), 2'000);
  EXPECT_EQ(parse_number("1.5m"), 1.5e6);
  EXPECT_EQ(parse_number("1b"), 1e9);
  for (const auto* text : {"", "-", ".", "1.", ".5", "1..2", "1e5", "nan", "inf", "0x10", "5s", " 5", "5 ", "--5",
                           "1111111111111111111111111111111111111111"}) {
    EXPECT_FALSE(parse_number(text)) << text;
  }
}

TEST(ParseDuration, NeedsAUnit) {
  EXPECT_EQ(parse_duration("500ms"), 500);
  EXPECT_EQ(parse_duration("3.3s"), 3'300);
  EXPECT_EQ(parse_duration("2m"), 120'000);
  EXPECT_EQ(parse_duration("1wk"), 7 * 86'400'000.0);
  EXPECT_FALSE(parse_duration("5"));
  EXPECT_FALSE(parse_duration("5y"));
}

TEST(ParseDate, ReadsDaysMomentsAndZones) {
  const auto day = parse_date("2024-02-29");
  ASSERT_TRUE(day);
  EXPECT_TRUE(day->day);
  EXPECT_EQ(day->from_ms, 1'709'164'800'000);
  EXPECT_EQ(day->to_ms - day->from_ms, 86'400'000);
  EXPECT_EQ(parse_date("2024-02-29T00:00:00Z")->from_ms, 1'709'164'800'000);
  EXPECT_EQ(parse_date("2024-02-29T02:00+02:00")->from_ms, 1'709'164'800'000);
  EXPECT_EQ(parse_date("2024-02-28T17:00:00-0700")->from_ms, 1'709'164'800'000);
  EXPECT_EQ(parse_date("2024-02-29T00:00:00.123456Z")->from_ms, 1'709'164'800'123);
  for (const auto* text : {"2023-02-29", "2024-13-01", "2024-1-1", "2024-01-01T", "2024-01-01T25:00", "2024-01-01T10:60",
                           "2024-01-01T10:00:00.", "2024-01-01T10:00:00Zx", "20240101", "hello", ""}) {
    EXPECT_FALSE(parse_date(text)) << text;
  }
}

TEST(ParseRelativeDate, MinusIsNewerPlusIsOlder) {
  const auto now = time_from_ms(1'000'000'000);
  EXPECT_TRUE(parse_relative_date("-1h", now)->newer);
  EXPECT_EQ(parse_relative_date("-1h", now)->point_ms, 1'000'000'000 - 3'600'000);
  EXPECT_FALSE(parse_relative_date("+2d", now)->newer);
  for (const auto* text : {"1h", "-h", "-1", "-1s", "--1h", "-99999999999999999w", "+-1d"}) {
    EXPECT_FALSE(parse_relative_date(text, now)) << text;
  }
}

TEST(Pattern, FindsWhatAPlainSearchFinds) {
  std::mt19937 random(7);
  const auto word = [&](std::size_t most) {
    std::string text(random() % (most + 1), ' ');
    for (char& c : text) c = "ab"[random() % 2];
    return text;
  };
  for (int i = 0; i < 20'000; ++i) {
    const auto text = word(70);
    const auto piece = word(6);
    EXPECT_EQ(Pattern(piece, true).found_in_lower(text), text.find(piece) != std::string::npos) << text << " " << piece;
  }
}

TEST(Pattern, PlainValuesAreEqualOrNot) {
  EXPECT_TRUE(Pattern("abc", false).matches("abc"));
  EXPECT_FALSE(Pattern("abc", false).matches("ABC"));
  EXPECT_TRUE(Pattern("abc", true).matches("ABC"));
  EXPECT_FALSE(Pattern("abc", false).matches("abcd"));
}

TEST(Pattern, StarsMatchRunsAndIgnoreCase) {
  EXPECT_TRUE(Pattern("*", false).matches(""));
  EXPECT_TRUE(Pattern("a*c", false).matches("ABC"));
  EXPECT_TRUE(Pattern("*b*", false).matches("abc"));
  EXPECT_TRUE(Pattern("a**c", false).matches("ac"));
  EXPECT_FALSE(Pattern("a*b*c", false).matches("acb"));
  EXPECT_FALSE(Pattern("ab*ba", false).matches("aba"));
  EXPECT_TRUE(Pattern("*.example.com", false).matches("a.b.example.com"));
}

TEST(Pattern, AnEscapedStarIsAStar) {
  EXPECT_TRUE(Pattern("5\\*3", false).matches("5*3"));
  EXPECT_FALSE(Pattern("5\\*3", false).matches("5x3"));
  EXPECT_FALSE(Pattern("5\\*3", false).has_wildcard());
}

TEST(Pattern, ManyStarsStayCheap) {
  std::string stars;
  for (int i = 0; i < 1000; ++i) stars += "a*";
  EXPECT_FALSE(Pattern(stars + "b", false).matches(std::string(100'000, 'a')));
}

}  // namespace
}  // namespace picket::query

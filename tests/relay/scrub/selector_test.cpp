#include "relay/scrub/selector.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace picket::scrub {
namespace {

// A way from the root ($event) down to a value.
class Way {
 public:
  Way() { add({}, ValueType::event); }
  Way& key(std::string_view key, Types types = ValueType::object) {
    add(key, types);
    return *this;
  }
  Way& index(std::uint32_t index, Types types = ValueType::object) {
    add({}, types);
    places_.back().index = index;
    return *this;
  }
  Way& maybe() {
    places_.back().pii = Pii::maybe;
    return *this;
  }
  Way& never() {
    places_.back().pii = Pii::no;
    return *this;
  }
  const Place& end() const { return places_.back(); }

 private:
  void add(std::string_view key, Types types) {
    Place place;
    place.parent = places_.empty() ? nullptr : &places_.back();
    place.depth = static_cast<std::uint32_t>(places_.size());
    place.key = key;
    place.types = types;
    place.pii = Pii::yes;
    places_.push_back(place);
  }
  std::deque<Place> places_;
};

bool matches(std::string_view selector, const Way& way) {
  const auto parsed = Selector::parse(selector);
  EXPECT_TRUE(parsed) << selector;
  return parsed && parsed->matches(way.end());
}

Way user_name() {
  Way way;
  way.key("user", ValueType::user).key("Name", ValueType::string);
  return way;
}

Way frame_variable() {
  Way way;
  way.key("exception").key("values", ValueType::array).index(2, ValueType::exception);
  way.key("stacktrace", ValueType::stacktrace)
      .key("frames", ValueType::array)
      .index(0, ValueType::frame);
  way.key("vars").key("card", ValueType::string);
  return way;
}

TEST(Selector, MatchesPathsFromTheirEnd) {
  EXPECT_TRUE(matches("name", user_name()));
  EXPECT_TRUE(matches("user.name", user_name()));
  EXPECT_TRUE(matches("$user.name", user_name()));
  EXPECT_TRUE(matches("$user.$string", user_name()));
  EXPECT_TRUE(matches("$event.user.name", user_name()));
  EXPECT_FALSE(matches("user", user_name()));
  EXPECT_FALSE(matches("user.email", user_name()));
  EXPECT_FALSE(matches("a.user.name", user_name()));
  EXPECT_FALSE(matches("x.$event.user.name", user_name()));
}

TEST(Selector, ComparesKeysWithoutCase) {
  EXPECT_TRUE(matches("USER.nAME", user_name()));
  EXPECT_TRUE(matches("'NAME'", user_name()));
}

TEST(Selector, TakesAStepForAWildcardAndOneOrMoreForADeepOne) {
  EXPECT_TRUE(matches("user.*", user_name()));
  EXPECT_TRUE(matches("*.name", user_name()));
  EXPECT_FALSE(matches("exception.*", frame_variable()));
  EXPECT_TRUE(matches("exception.**", frame_variable()));
  EXPECT_TRUE(matches("exception.**.card", frame_variable()));
  EXPECT_TRUE(matches("exception.values.**.vars.card", frame_variable()));
  EXPECT_TRUE(matches("$error.**.card", frame_variable()));
  EXPECT_FALSE(matches("exception.values.**.2", frame_variable()));
  EXPECT_FALSE(matches("vars.**.card", frame_variable()));
  EXPECT_FALSE(matches("exception.frames.**", frame_variable()));
  EXPECT_TRUE(matches("**", user_name()));
  EXPECT_TRUE(matches("**.name", user_name()));
}

TEST(Selector, MatchesIndexes) {
  EXPECT_TRUE(matches("frames.0.vars.card", frame_variable()));
  EXPECT_FALSE(matches("frames.1.vars.card", frame_variable()));
  EXPECT_TRUE(matches("values.2.**", frame_variable()));
}

TEST(Selector, CombinesWithAndOrNotAndGroups) {
  EXPECT_TRUE(matches("$string && $user.name", user_name()));
  EXPECT_FALSE(matches("$string & $number", user_name()));
  EXPECT_TRUE(matches("$number || $string", user_name()));
  EXPECT_TRUE(matches("$number | $string", user_name()));
  EXPECT_TRUE(matches("$string && !user.email", user_name()));
  EXPECT_FALSE(matches("$string && !user.name", user_name()));
  EXPECT_FALSE(matches("$string && ~(user.email || user.name)", user_name()));
  EXPECT_TRUE(matches("($number || $string) && (user.name)", user_name()));
  // `&&` binds stronger than `||`.
  EXPECT_TRUE(matches("$string || $number && $array", user_name()));
}

TEST(Selector, QuotesKeys) {
  Way way;
  way.key("extra").key("it's a key.", ValueType::string);
  EXPECT_TRUE(matches("extra.'it''s a key.'", way));
  EXPECT_FALSE(matches("extra.'its a key.'", way));
  Way cjk;
  cjk.key("extra").key("\xE9\x8D\xB5", ValueType::string);
  EXPECT_TRUE(matches("extra.'\xE9\x8D\xB5'", cjk));
}

TEST(Selector, NeverMatchesWhatMustNotBeTouched) {
  auto way = user_name();
  way.never();
  EXPECT_FALSE(matches("user.name", way));
  EXPECT_FALSE(matches("!user.email", way));
}

TEST(Selector, MatchesSomePlacesOnlyWhenTheyAreNamed) {
  auto way = user_name();
  way.maybe();
  EXPECT_TRUE(matches("user.name", way));
  EXPECT_TRUE(matches("name", way));
  EXPECT_TRUE(matches("$user.name", way));
  EXPECT_TRUE(matches("$user.*", way));
  EXPECT_FALSE(matches("$string", way));
  EXPECT_FALSE(matches("$user.$string", way));
  EXPECT_FALSE(matches("**", way));
  EXPECT_FALSE(matches("user.**", way));
  EXPECT_FALSE(matches("$event.$user.name", way));  // a type only as the first step
}

TEST(Selector, SaysWhatIsWrongWithIt) {
  struct Case {
    std::string text;
    std::string why;
  };
  const std::vector<Case> cases = {{"", "unexpected end"},
                                   {"a.", "unexpected end"},
                                   {"a b", "unexpected character"},
                                   {"*", "wildcard must be part of a path"},
                                   {"**.a.**", "deep wildcard used more than once"},
                                   {"$strings", "unknown type $strings"},
                                   {"'open", "unterminated quote"},
                                   {"''", "empty key"},
                                   {"(a", "expected ')'"},
                                   {"a || ", "unexpected end"},
                                   {"a.99999999999", "invalid index"},
                                   {std::string(40, '(') + "a", "nested too deeply"},
                                   {std::string(20'000, 'a'), "too long"}};
  for (const auto& test : cases) {
    const auto selector = Selector::parse(test.text);
    ASSERT_FALSE(selector) << test.text;
    EXPECT_NE(selector.error().detail.find(test.why), std::string::npos) << selector.error().detail;
  }
}

TEST(Selector, ListsTheKeysThatItNeeds) {
  const auto keys = [](std::string_view text) { return Selector::parse(text)->last_keys(); };
  EXPECT_EQ(keys("a.B"), (std::vector<std::string>{"b"}));
  EXPECT_EQ(keys("a.b || $user.c"), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(keys("$string && x.y"), (std::vector<std::string>{"y"}));
  EXPECT_EQ(keys("a || $string"), std::nullopt);
  EXPECT_EQ(keys("a.*"), std::nullopt);
  EXPECT_EQ(keys("!a"), std::nullopt);
}

}  // namespace
}  // namespace picket::scrub

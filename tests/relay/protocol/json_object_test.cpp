#include "relay/protocol/json_object.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace picket::relay {
namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

struct Reading {
  Members members;
  std::optional<JsonObjectReader::Failure> failure;
};

Reading read_all(std::string_view text) {
  JsonObjectReader reader(text);
  Reading reading;
  while (const auto member = reader.next()) {
    reading.members.emplace_back(member->key, member->value);
  }
  reading.failure = reader.failure();
  return reading;
}

std::string failure_of(std::string_view text) {
  const auto reading = read_all(text);
  if (!reading.failure) return "none";
  return std::string(reading.failure->reason) + " @" + std::to_string(reading.failure->at);
}

TEST(JsonObjectReader, HandsOutMembersInOrderAsTheyWereWritten) {
  const auto reading = read_all(R"( { "a" : 1 , "b":"x\"y","c": [1, {"d":2}] ,"e":{ } } )");

  EXPECT_FALSE(reading.failure);
  EXPECT_EQ(reading.members,
            (Members{{"a", "1"}, {"b", R"("x\"y")"}, {"c", R"([1, {"d":2}])"}, {"e", "{ }"}}));
}

TEST(JsonObjectReader, ReadsAnEmptyObject) {
  EXPECT_EQ(failure_of("{}"), "none");
  EXPECT_EQ(failure_of(" {\t\r\n} "), "none");
  EXPECT_TRUE(read_all("{}").members.empty());
}

TEST(JsonObjectReader, AcceptsEveryKindOfValue) {
  for (const std::string value :
       {"0", "-0", "10", "-1.5", "1e5", "1E+5", "0.1e-9", "true", "false", "null", "\"\"", "[]",
        "{}", "[[],[[]],{}]", R"({"a":{"b":[1,2,{"c":null}]},"d":[]})",
        R"("\u00e9\n\/\\\"\b\f\r\t")"}) {
    const auto reading = read_all("{\"k\":" + value + "}");
    ASSERT_FALSE(reading.failure) << value;
    EXPECT_EQ(reading.members, (Members{{"k", value}}));
  }
}

TEST(JsonObjectReader, RefusesEveryKindOfWrongValue) {
  for (const std::string value :
       {"",         "01",         "+1",    "1.",      ".5",        "1e",
        "1e+",      "-",          "tru",   "True",    "nul",       "NaN",
        "Infinity", "'a'",        "\"a",   "[",       "[1",        "[1,",
        "[1,]",     "[,]",        "[1 2]", "{",       "{\"a\"",    "{\"a\":",
        "{\"a\":1", "{\"a\":1,}", "{a:1}", "{1:2}",   "[}",        "{]",
        "[1}",      "{\"a\":1]",  "1 2",   "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"",
        "\"\x01\"", "\"\t\"",     "\"\\",  "\"\\u",   "//",        "undefined"}) {
    EXPECT_TRUE(read_all("{\"k\":" + value + "}").failure) << value;
  }
}

TEST(JsonObjectReader, RefusesWhatIsNoObject) {
  for (const std::string text :
       {"", " ", "[]", "1", "null", "\"a\"", "{", "{,}", "{\"a\":1,}", "{\"a\" 1}",
        "{\"a\":1 \"b\":2}", "{\"a\"}", "{}x", "{}{}", "{\"a\":1}]", "}", "\xef\xbb\xbf{}"}) {
    EXPECT_TRUE(read_all(text).failure) << text;
  }
}

TEST(JsonObjectReader, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(failure_of("[]"), "expected a JSON object @0");
  EXPECT_EQ(failure_of("{\"a\" 1}"), "expected ':' @5");
  EXPECT_EQ(failure_of("{\"a\":1 2}"), "expected ',' or '}' @7");
  EXPECT_EQ(failure_of("{\"a\":[1 2]}"), "expected ',' or ']' @8");
  EXPECT_EQ(failure_of("{\"a\":\"b"), "unterminated string @7");
  EXPECT_EQ(failure_of("{} {"), "unexpected bytes after the JSON object @3");
  EXPECT_EQ(failure_of("{\"a\":\"\\q\"}"), "bad escape in a string @6");
}

TEST(JsonObjectReader, RefusesBytesThatAreNotUtf8) {
  EXPECT_EQ(failure_of("{\"a\":\"\xff\"}"), "not UTF-8 @0");
  EXPECT_EQ(failure_of("{\"a\":\"\xc3\xa9\"}"), "none");
}

TEST(JsonObjectReader, StaysFailedAfterAFailure) {
  JsonObjectReader reader("{\"a\":1,x}");
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.failure());
}

TEST(JsonObjectReader, StaysAtTheEndAfterTheEnd) {
  JsonObjectReader reader("{\"a\":1}");
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.failure());
}

TEST(JsonObjectReader, ReadsNestingUpToItsBoundAndNoDeeper) {
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(failure_of(nested(json_max_depth)), "none");
  EXPECT_EQ(failure_of(nested(json_max_depth + 1)),
            "nested too deeply @" + std::to_string(5 + json_max_depth));
}

TEST(JsonObjectReader, SurvivesAMegabyteOfOpenBrackets) {
  EXPECT_TRUE(read_all("{\"a\":" + std::string(1 << 20, '[')).failure);
  std::string objects;
  for (int i = 0; i < 100'000; ++i)
    objects += "{\"a\":";
  EXPECT_TRUE(read_all(objects).failure);
}

TEST(JsonObjectReader, FailsAtEveryProperPrefix) {
  const std::string text = R"({"a":{"b":[1,-2.5e3,"x\u00e9\n"],"c":null},"d":true})";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_TRUE(read_all(std::string_view(text).substr(0, size)).failure) << size;
  }
  EXPECT_FALSE(read_all(text).failure);
}

TEST(JsonMember, ComparesItsKeyWithoutEscapes) {
  JsonObjectReader reader(R"({"\u0074ype":1})");
  const auto member = reader.next();
  ASSERT_TRUE(member);
  EXPECT_TRUE(member->named("type"));
  EXPECT_FALSE(member->named("\\u0074ype"));
}

TEST(UnescapeJson, ResolvesEveryEscape) {
  EXPECT_EQ(unescape_json(R"(a\"\\\/\b\f\n\r\tz)"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(unescape_json(R"(\u0041\u00e9\u20ac)"), "A\xc3\xa9\xe2\x82\xac");
  EXPECT_EQ(unescape_json(R"(\uD83D\ude00)"), "\xf0\x9f\x98\x80");
  EXPECT_EQ(unescape_json(R"(\u0000)"), std::string(1, '\0'));
}

TEST(UnescapeJson, ReplacesHalfASurrogatePair) {
  EXPECT_EQ(unescape_json(R"(\ud83dx)"), "\xef\xbf\xbdx");
  EXPECT_EQ(unescape_json(R"(\ude00)"), "\xef\xbf\xbd");
  EXPECT_EQ(unescape_json(R"(\ud83d\u0041)"),
            "\xef\xbf\xbd"
            "A");
  EXPECT_EQ(unescape_json(R"(\ud83d\ud83d\ude00)"), "\xef\xbf\xbd\xf0\x9f\x98\x80");
}

TEST(RenderJsonString, IsReadBackAsTheSameText) {
  const std::string text = std::string("quote\" slash\\ line\n nul") + '\0' + "\x1f\x7f\xc3\xa9";
  const auto rendered = render_json_string(text);
  const auto reading = read_all("{\"k\":" + rendered + "}");
  ASSERT_FALSE(reading.failure);
  EXPECT_EQ(unescape_json(std::string_view(rendered).substr(1, rendered.size() - 2)), text);
}

TEST(ParseWholeNumber, TakesDigitsOnly) {
  EXPECT_EQ(parse_whole_number("0"), 0U);
  EXPECT_EQ(parse_whole_number("18446744073709551615"), 18446744073709551615U);
  for (const std::string text :
       {"", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "18446744073709551616", "a"}) {
    EXPECT_FALSE(parse_whole_number(text)) << text;
  }
}

TEST(SplitArray, GivesEntriesAsTheyWereWritten) {
  const auto entries = JsonObjectReader::split_array(R"( [ {"a": [1, 2]},"x,]" , 1.50,null ] )", 9);
  ASSERT_TRUE(entries);
  EXPECT_EQ(*entries, (std::vector<std::string_view>{R"({"a": [1, 2]})", R"("x,]")", "1.50", "null"}));
  EXPECT_TRUE(JsonObjectReader::split_array("[]", 0)->empty());
}

TEST(SplitArray, RefusesWhatIsNoArray) {
  for (const std::string_view text : {"", "{}", "[", "[1", "[1,", "[1,]", "[,]", "[1 2]", "[1]x", "[\"",
                                      "[\xff]", "[[[}]"}) {
    const auto entries = JsonObjectReader::split_array(text, 9);
    ASSERT_FALSE(entries) << text;
    EXPECT_EQ(entries.error().fault, Fault::malformed) << text;
  }
  EXPECT_FALSE(JsonObjectReader::split_array(std::string(1000, '['), 9));
}

TEST(SplitArray, StopsAtTheLimit) {
  EXPECT_EQ(JsonObjectReader::split_array("[1,2,3]", 2).error().fault, Fault::too_large);
}

}  // namespace
}  // namespace picket::relay

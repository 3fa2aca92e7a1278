#include "api/digest/event.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::digest {
namespace {

Event read(std::string_view json) {
  auto event = parse_event(json);
  EXPECT_TRUE(event) << json;
  return event ? *std::move(event) : Event();
}

TEST(ParseEvent, ReadsAnOrdinaryError) {
  const auto event =
      read(R"({"event_id":"fc6d8c0c43fc4630ad850ee518f1b9d0","timestamp":1700000000.25,
    "level":"warning","platform":"python","logger":"shop","transaction":"/pay","release":"shop@1.2",
    "dist":"7","environment":"prod","server_name":"web-1","type":"error",
    "exception":{"values":[{"type":"ValueError","value":"bad","module":"shop.pay",
      "mechanism":{"type":"django","handled":false},
      "stacktrace":{"frames":[{"function":"main","filename":"a.py","lineno":3,"in_app":true}]}}]},
    "user":{"id":"5","email":"a@b.c"},"request":{"url":"https://shop/pay","method":"POST",
      "headers":{"user-agent":"curl/8"}},
    "contexts":{"browser":{"name":"Firefox","version":"120"},
      "trace":{"trace_id":"0123456789abcdef0123456789abcdef"}},
    "sdk":{"name":"sentry.python","version":"2.0"},"tags":{"color":"red"},"fingerprint":["a","b"]})");
  EXPECT_EQ(relay::render_event_id(*event.id), "fc6d8c0c43fc4630ad850ee518f1b9d0");
  EXPECT_EQ(event.timestamp_ms, 1700000000250);
  EXPECT_EQ(event.level, EventLevel::warning);
  EXPECT_EQ(event.type, EventType::error);
  EXPECT_EQ(event.platform, "python");
  EXPECT_EQ(event.release, "shop@1.2");
  EXPECT_EQ(event.environment, "prod");
  ASSERT_EQ(event.exceptions.size(), 1U);
  EXPECT_EQ(event.exceptions[0].type, "ValueError");
  EXPECT_EQ(event.exceptions[0].mechanism, "django");
  EXPECT_EQ(event.handled(), false);
  ASSERT_EQ(event.exceptions[0].frames.size(), 1U);
  EXPECT_EQ(event.exceptions[0].frames[0].line, 3);
  EXPECT_EQ(event.exceptions[0].frames[0].in_app, true);
  EXPECT_EQ(event.user.email, "a@b.c");
  EXPECT_EQ(event.request_url, "https://shop/pay");
  EXPECT_EQ(event.user_agent, "curl/8");
  EXPECT_EQ(event.browser.name, "Firefox");
  EXPECT_EQ(event.trace_id.size(), 16U);
  EXPECT_EQ(event.sdk_name, "sentry.python");
  ASSERT_EQ(event.tags.size(), 2U);
  EXPECT_EQ(event.tags[0].key, "server_name");
  EXPECT_EQ(event.fingerprint.size(), 2U);
  EXPECT_FALSE(event.repaired);
}

struct Shape {
  std::string_view json;
  std::string_view field;  // of what `text_of_field` shows
  std::string_view want;
};

std::string text_of_field(const Event& event, std::string_view field) {
  if (field == "message") return std::string(event.message);
  if (field == "formatted") return std::string(event.formatted);
  if (field == "release") return std::string(event.release);
  if (field == "level") return event.level ? std::string(wire_name(*event.level)) : "none";
  if (field == "type") return std::string(wire_name(event.type));
  if (field == "exceptions") {
    std::string all;
    for (const auto& exception : event.exceptions) {
      all.append(exception.type).append(":").append(exception.value).append(";");
    }
    return all;
  }
  if (field == "functions") {
    std::string all;
    for (const auto& exception : event.exceptions) {
      for (const auto& frame : exception.frames)
        all.append(frame.function).append(";");
    }
    for (const auto& frame : event.stacktrace)
      all.append(frame.function).append(";");
    return all;
  }
  if (field == "tags") {
    std::string all;
    for (const auto& tag : event.tags)
      all.append(tag.key).append("=").append(tag.value).append(";");
    return all;
  }
  if (field == "fingerprint") {
    std::string all;
    for (const auto part : event.fingerprint)
      all.append(part).append(";");
    return all;
  }
  if (field == "user") return std::string(event.user.id);
  if (field == "url") return std::string(event.request_url);
  if (field == "agent") return std::string(event.user_agent);
  if (field == "time") return event.timestamp_ms ? std::to_string(*event.timestamp_ms) : "none";
  return "?";
}

class ToleratedShapes : public ::testing::TestWithParam<Shape> {};

TEST_P(ToleratedShapes, GiveWhatIsUsable) {
  const auto& shape = GetParam();
  EXPECT_EQ(text_of_field(read(shape.json), shape.field), shape.want) << shape.json;
}

INSTANTIATE_TEST_SUITE_P(
    ParseEvent,
    ToleratedShapes,
    ::testing::Values(
        Shape{"{}", "message", ""},
        Shape{"[{\"message\":\"in an array\"}]", "message", "in an array"},
        Shape{R"({"message":"plain"})", "formatted", "plain"},
        Shape{R"({"message":{"message":"a %s","params":["b"],"formatted":"a b"}})", "formatted",
              "a b"},
        Shape{R"({"logentry":{"message":"a %s","params":["b"],"formatted":"a b"}})", "message",
              "a %s"},
        Shape{R"({"logentry":[{"formatted":"only"}]})", "message", "only"},
        Shape{R"({"logentry":"text"})", "message", "text"},
        Shape{R"({"message":"kept","logentry":null})", "message", "kept"},
        Shape{R"({"message":42})", "message", "42"},
        Shape{R"({"sentry.interfaces.Message":{"message":"legacy"}})", "message", "legacy"},
        Shape{R"({"release":1.5})", "release", "1.5"},
        Shape{R"({"release":20240131})", "release", "20240131"},
        Shape{R"({"release":{"version":"1"}})", "release", ""},
        Shape{R"({"release":" 1.0\n"})", "release", "1.0"},
        Shape{R"({"release":null})", "release", ""},
        Shape{R"({"level":"WARN"})", "level", "warning"},
        Shape{R"({"level":50})", "level", "fatal"},
        Shape{R"({"level":"40"})", "level", "error"},
        Shape{R"({"level":["error"]})", "level", "none"},
        Shape{R"({"level":"loud"})", "level", "none"},
        Shape{R"({"level":-1})", "level", "none"},
        Shape{R"({"exception":[{"type":"A","value":"b"}]})", "exceptions", "A:b;"},
        Shape{R"({"exception":{"type":"A","value":"b"}})", "exceptions", "A:b;"},
        Shape{R"({"exception":{"values":{"type":"A","value":"b"}}})", "exceptions", "A:b;"},
        Shape{R"({"exception":{"values":[null,{"type":"A"},"text",7]}})", "exceptions",
              "A:;:text;:7;"},
        Shape{R"({"exception":{"values":null}})", "exceptions", ""},
        Shape{R"({"exception":{"values":[{}]}})", "exceptions", ""},
        Shape{R"({"exception":"boom"})", "exceptions", ""},
        Shape{R"({"exception":[{"type":7,"value":{"a":1}}]})", "exceptions", "7:;"},
        Shape{R"({"sentry.interfaces.Exception":[{"type":"L"}]})", "exceptions", "L:;"},
        Shape{R"({"exception":[{"type":"A","stacktrace":[{"function":"f"}]}]})", "functions", "f;"},
        Shape{R"({"exception":[{"type":"A","stacktrace":{"frames":{"function":"f"}}}]})",
              "functions", ""},
        Shape{
            R"({"exception":[{"type":"A","stacktrace":{"frames":[null,3,{"function":null},{"function":"g"}]}}]})",
            "functions", ";g;"},
        Shape{R"({"stacktrace":{"frames":[{"function":"top"}]}})", "functions", "top;"},
        Shape{R"({"threads":{"values":[{"stacktrace":{"frames":[{"function":"x"}]}},
                 {"crashed":true,"stacktrace":{"frames":[{"function":"y"}]}}]}})",
              "functions", "y;"},
        Shape{R"({"threads":[{"current":1,"stacktrace":{"frames":[{"function":"c"}]}},{}]})",
              "functions", "c;"},
        Shape{
            R"({"threads":[{"stacktrace":{"frames":[{"function":"a"}]}},{"stacktrace":{"frames":[{"function":"b"}]}}]})",
            "functions", ""},
        Shape{R"({"tags":{"a":1,"b":true,"c":null,"d":{"x":1},"e":""}})", "tags", "a=1;b=true;"},
        Shape{R"({"tags":[["a","1"],["b"],[],null,"c",["d",2,3],["a","again"]]})", "tags",
              "a=1;d=2;"},
        Shape{R"({"tags":[{"key":"a","value":"1"}]})", "tags", "a=1;"},
        Shape{R"({"tags":"no"})", "tags", ""},
        Shape{R"({"fingerprint":"one"})", "fingerprint", "one;"},
        Shape{R"({"fingerprint":["a",2,null,["x"],true]})", "fingerprint", "a;2;true;"},
        Shape{R"({"fingerprint":[]})", "fingerprint", ""},
        Shape{R"({"user":"ada"})", "user", "ada"},
        Shape{R"({"user":{"id":12345678901}})", "user", "12345678901"},
        Shape{R"({"user":[{"id":"x"}]})", "user", "x"},
        Shape{R"({"user":[]})", "user", ""},
        Shape{R"({"request":[{"url":"u"}]})", "url", "u"},
        Shape{R"({"request":{"url":["u"]}})", "url", ""},
        Shape{R"({"request":{"headers":[["User-Agent","A"]]}})", "agent", "A"},
        Shape{R"({"request":{"headers":{"USER-AGENT":["B","C"]}}})", "agent", "B"},
        Shape{R"({"contexts":[1,2]})", "message", ""},
        Shape{R"({"contexts":{"trace":{"trace_id":5},"os":null,"browser":"x"}})", "message", ""},
        Shape{R"({"timestamp":"2023-11-14T22:13:20Z"})", "time", "1700000000000"},
        Shape{R"({"timestamp":"2023-11-14T22:13:20.5+00:00"})", "time", "1700000000500"},
        Shape{R"({"timestamp":1700000000})", "time", "1700000000000"},
        Shape{R"({"timestamp":1700000000000})", "time", "1700000000000"},
        Shape{R"({"timestamp":"1700000000"})", "time", "1700000000000"},
        Shape{R"({"timestamp":"yesterday"})", "time", "none"},
        Shape{R"({"timestamp":1e300})", "time", "none"},
        Shape{R"({"timestamp":{}})", "time", "none"},
        Shape{R"({"type":"transaction","exception":[{"type":"A"}]})", "type", "transaction"},
        Shape{R"({"type":"default","exception":[{"type":"A"}]})", "type", "error"},
        Shape{R"({"type":"error"})", "type", "default"},
        Shape{R"({"type":["x"]})", "type", "default"},
        Shape{R"({"csp":{"effective_directive":"img-src"}})", "type", "csp"},
        Shape{R"({"message":"m","extra":{"n":NaN,"i":-Infinity,"j":Infinity}})", "message", "m"},
        Shape{R"({"message":"m","n":123456789012345678901234567890})", "message", "m"},
        Shape{R"({"message":"m","n":1e999})", "message", "m"},
        Shape{"\xef\xbb\xbf{\"message\":\"bom\"}", "message", "bom"},
        Shape{"{\"message\":\"tab\there\"}", "message", "tab\there"},
        Shape{R"({"message":"NaN stays"})", "message", "NaN stays"},
        Shape{R"({"message":"lone \ud800 half"})", "message", "lone \xef\xbf\xbd half"},
        Shape{R"({"message":"pair \ud83d\ude00"})", "message", "pair \xf0\x9f\x98\x80"},
        Shape{R"({"message":"odd \x41 escape"})", "message", "odd \\x41 escape"},
        Shape{"{\"message\":\"latin \xe9\"}", "message", "latin \xef\xbf\xbd"},
        Shape{"{\"message\":\"over \xc0\xaf long\"}", "message",
              "over \xef\xbf\xbd\xef\xbf\xbd long"}));

TEST(ParseEvent, RefusesOnlyWhatIsNoJsonObject) {
  for (const auto* json : {"", " ", "{", "[]", "null", "3", "\"text\"", "{\"a\":}",
                           "{\"a\":1} trailing", "<html>", "{\"a\" 1}"}) {
    const auto event = parse_event(json);
    ASSERT_FALSE(event) << json;
    EXPECT_EQ(event.error().fault, Fault::malformed) << json;
  }
  EXPECT_FALSE(parse_event({}));  // no text at all, as of a part that is not there
}

TEST(ParseEvent, ReadsAnEventNestedAHundredThousandDeep) {
  const std::size_t depth = 100'000;
  const std::string json =
      "{\"message\":\"deep\",\"extra\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  EXPECT_EQ(read(json).message, "deep");
  EXPECT_EQ(read("{\"message\":\"after\"}").message, "after");
}

TEST(ParseEvent, CutsLongTextsBetweenCharacters) {
  std::string snow;
  for (int i = 0; i < 300; ++i)
    snow += "\xe2\x98\x83";
  const auto event = read("{\"release\":\"" + snow + "\",\"environment\":\"" + snow +
                          "\",\"tags\":{\"t\":\"" + snow + "\"}}");
  EXPECT_EQ(event.release.size(), 197 * 3 + 3U);
  EXPECT_TRUE(event.release.ends_with("\xe2\x98\x83..."));
  EXPECT_EQ(event.environment.size(), 61 * 3 + 3U);
  ASSERT_EQ(event.tags.size(), 1U);
  EXPECT_EQ(event.tags[0].value.size(), 197 * 3 + 3U);
}

TEST(ParseEvent, LeavesTextWithinTheSlackAlone) {
  const std::string slightly(8392, 'x');
  EXPECT_EQ(read("{\"message\":\"" + slightly + "\"}").message.size(), 8392U);
  EXPECT_EQ(read("{\"message\":\"" + slightly + "y\"}").message.size(), 8192U);
}

TEST(ParseEvent, KeepsTheNewestAndTheOldestFrames) {
  std::string frames;
  for (int i = 0; i < 1000; ++i)
    frames += (i ? "," : "") + std::string("{\"function\":\"f") + std::to_string(i) + "\"}";
  const auto event =
      read("{\"exception\":[{\"type\":\"A\",\"stacktrace\":{\"frames\":[" + frames + "]}}]}");
  const auto& kept = event.exceptions.at(0).frames;
  ASSERT_EQ(kept.size(), 250U);
  EXPECT_EQ(kept.front().function, "f0");
  EXPECT_EQ(kept[49].function, "f49");
  EXPECT_EQ(kept[50].function, "f800");
  EXPECT_EQ(kept.back().function, "f999");
}

TEST(ParseEvent, SaysWhenTheJsonHadToBeRepaired) {
  EXPECT_TRUE(read("{\"a\":NaN}").repaired);
  EXPECT_FALSE(read("{\"a\":1}").repaired);
}

TEST(ParseEvent, SurvivesEveryTruncationOfAnEvent) {
  const std::string json =
      R"({"message":"a\u00e9\ud83d\ude00","tags":[["a","b"]],"n":-1.5e3,"x":{"y":[null,true]}})";
  for (std::size_t length = 0; length < json.size(); ++length) {
    EXPECT_FALSE(parse_event(std::string_view(json).substr(0, length))) << length;
  }
  EXPECT_TRUE(parse_event(json));
}

TEST(EventLevel, NamesAndNumbersGoBothWays) {
  for (const auto level : {EventLevel::sample, EventLevel::debug, EventLevel::info,
                           EventLevel::warning, EventLevel::error, EventLevel::fatal}) {
    EXPECT_EQ(parse_level(wire_name(level)), level);
    EXPECT_EQ(level_of_number(static_cast<std::uint32_t>(level)), level);
  }
  EXPECT_EQ(parse_level("critical"), EventLevel::fatal);
  EXPECT_EQ(parse_level(""), std::nullopt);
}

TEST(Event, HasTheDefaultLevelOfItsKind) {
  EXPECT_EQ(read("{}").level_or_default(), EventLevel::error);
  EXPECT_EQ(read(R"({"type":"transaction"})").level_or_default(), EventLevel::info);
}

TEST(Event, IsUnhandledWhenAnyOfItsExceptionsIs) {
  EXPECT_EQ(read(R"({"exception":[{"type":"A"}]})").handled(), std::nullopt);
  EXPECT_EQ(read(R"({"exception":[{"type":"A","mechanism":{"handled":true}}]})").handled(), true);
  EXPECT_EQ(read(R"({"exception":[{"type":"A","mechanism":{"handled":false}},
                                  {"type":"B","mechanism":{"handled":true}}]})")
                .handled(),
            false);
}

TEST(EventType, CountsInItsCategory) {
  EXPECT_EQ(category_of(EventType::default_), relay::DataCategory::error);
  EXPECT_EQ(category_of(EventType::error), relay::DataCategory::error);
  EXPECT_EQ(category_of(EventType::csp), relay::DataCategory::security);
  EXPECT_EQ(category_of(EventType::transaction), relay::DataCategory::transaction);
  EXPECT_EQ(category_of(EventType::feedback), relay::DataCategory::feedback);
}

}  // namespace
}  // namespace picket::digest

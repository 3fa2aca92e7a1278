#include "relay/protocol/envelope.h"
#include "relay/protocol/json_object.h"

#include <gtest/gtest.h>

namespace picket::relay {
namespace {

constexpr std::string_view key_a = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

TEST(EnvelopeHeader, ReadsTheFieldsThatPicketActsOn) {
  const auto fields = parse_envelope_header(
      R"({"event_id":"9ec79c33-ec99-42ab-8353-589fcb2e04dc","dsn":"https:\/\/k@h\/1","sent_at":"1970-01-01T00:00:01.5Z","sdk":{"event_id":1}})");
  ASSERT_TRUE(fields) << fields.error().detail;
  EXPECT_EQ(render_event_id(fields->event_id.value()), "9ec79c33ec9942ab8353589fcb2e04dc");
  EXPECT_EQ(fields->dsn, "https://k@h/1");
  EXPECT_EQ(fields->sent_at_ms, 1500);
}

TEST(EnvelopeHeader, HasNothingWhereNothingIsGiven) {
  for (const std::string header :
       {"{}", R"({"event_id":null,"dsn":null,"sent_at":null})", R"({"event_id":""})"}) {
    const auto fields = parse_envelope_header(header);
    ASSERT_TRUE(fields) << fields.error().detail;
    EXPECT_FALSE(fields->event_id);
    EXPECT_EQ(fields->dsn, "");
    EXPECT_FALSE(fields->sent_at_ms);
  }
}

TEST(EnvelopeHeader, LeavesOutASentAtThatCannotBeRead) {
  for (const std::string value : {"\"yesterday\"", "true", "{}", "[1]", "\"\"", "1e400"}) {
    const auto fields = parse_envelope_header("{\"sent_at\":" + value + "}");
    ASSERT_TRUE(fields) << value;
    EXPECT_FALSE(fields->sent_at_ms) << value;
  }
}

TEST(EnvelopeHeader, ReadsASentAtInSeconds) {
  EXPECT_EQ(parse_envelope_header("{\"sent_at\":12.25}")->sent_at_ms, 12'250);
}

TEST(EnvelopeHeader, RefusesAnEventIdThatIsNone) {
  for (const std::string value : {"\"abc\"", "5", "{}", "\"9ec79c33ec9942ab8353589fcb2e04dg\""}) {
    const auto fields = parse_envelope_header("{\"event_id\":" + value + "}");
    ASSERT_FALSE(fields) << value;
    EXPECT_EQ(fields.error().fault, Fault::malformed);
    EXPECT_NE(fields.error().detail.find("event"), std::string::npos);
  }
}

TEST(EnvelopeHeader, RefusesADsnThatIsNoString) {
  EXPECT_FALSE(parse_envelope_header("{\"dsn\":1}"));
}

TEST(RenderChangedHeader, KeepsEveryByteWhenNothingChanges) {
  const std::string header = "  { \"b\" :1.0,\"\\u0061\":[ ],\"dsn\":\"x\" , \"trace\":{ } }\r";
  EXPECT_EQ(render_changed_header(header, {}).operator*(), header);
}

TEST(RenderChangedHeader, ReplacesOnlyTheValuesAskedFor) {
  HeaderChange change;
  change.dsn = "https://k2@h/7";
  change.sent_at_ms = 1'000;
  change.trace_public_key = std::string(key_a);
  const auto changed = render_changed_header(
      R"({ "x":[1 ,2], "dsn" : "https://k@h/1" ,"sent_at":"2020-01-01T00:00:00Z","trace":{"trace_id":"t", "public_key":"old","dsn":"stay"},"é":"ü"})",
      change);
  ASSERT_TRUE(changed) << changed.error().detail;
  EXPECT_EQ(
      *changed,
      R"({ "x":[1 ,2], "dsn" : "https://k2@h/7" ,"sent_at":"1970-01-01T00:00:01.000Z","trace":{"trace_id":"t", "public_key":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","dsn":"stay"},"é":"ü"})");
}

TEST(RenderChangedHeader, AddsNothingThatWasNotThere) {
  HeaderChange change;
  change.dsn = "https://k@h/1";
  change.sent_at_ms = 1;
  change.trace_public_key = std::string(key_a);
  for (const std::string header :
       {"{}", R"({"sdk":{"dsn":"a","sent_at":"b"}})", R"({"dsn":null,"sent_at":null,"trace":null})",
        R"({"trace":"public_key"})", R"({"trace":{"public_key":5}})"}) {
    const auto changed = render_changed_header(header, change);
    ASSERT_TRUE(changed);
    EXPECT_EQ(*changed, header);
  }
}

TEST(RenderChangedHeader, ReplacesASentAtOfAnyForm) {
  HeaderChange change;
  change.sent_at_ms = 0;
  for (const std::string value : {"12.5", "\"garbage\"", "\"2020-01-01 00:00:00\""}) {
    EXPECT_EQ(*render_changed_header("{\"sent_at\":" + value + "}", change),
              R"({"sent_at":"1970-01-01T00:00:00.000Z"})");
  }
}

TEST(RenderChangedHeader, SetsTheEventIdAlsoWhenAbsent) {
  HeaderChange change;
  change.event_id = std::string(key_a);
  const std::string member = R"("event_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")";
  EXPECT_EQ(*render_changed_header("{}", change), "{" + member + "}");
  EXPECT_EQ(*render_changed_header(" { } ", change), " {" + member + " } ");
  EXPECT_EQ(*render_changed_header(R"({"a":1})", change), "{" + member + R"(,"a":1})");
  EXPECT_EQ(*render_changed_header(R"({"a":1,"event_id":null})", change),
            R"({"a":1,)" + member + "}");
  EXPECT_EQ(*render_changed_header(R"({"event_id":"x","a":1})", change),
            "{" + member + R"(,"a":1})");
}

TEST(RenderChangedHeader, ReplacesEveryRepetitionOfAKey) {
  HeaderChange change;
  change.dsn = "new";
  EXPECT_EQ(*render_changed_header(R"({"dsn":"a","\u0064sn":"b"})", change),
            R"({"dsn":"new","\u0064sn":"new"})");
}

TEST(RenderChangedHeader, EscapesWhatItWrites) {
  HeaderChange change;
  change.dsn = "a\"},{\n";
  const auto changed = render_changed_header(R"({"dsn":"x"})", change);
  ASSERT_TRUE(changed);
  EXPECT_EQ(parse_envelope_header(*changed)->dsn, "a\"},{\n");
  EXPECT_EQ(changed->find('\n'), std::string::npos);
}

TEST(RenderChangedHeader, RefusesWhatIsNoObject) {
  HeaderChange change;
  change.event_id = std::string(key_a);
  for (const std::string header : {"", "[]", "{", "{\"a\":}", "{}x"}) {
    const auto changed = render_changed_header(header, change);
    ASSERT_FALSE(changed) << header;
    EXPECT_EQ(changed.error().fault, Fault::malformed);
  }
}

TEST(EventId, IsReadWithAndWithoutHyphensAndInAnyCase) {
  const auto plain = parse_event_id("9ec79c33ec9942ab8353589fcb2e04dc");
  const auto hyphenated = parse_event_id("9EC79C33-EC99-42AB-8353-589FCB2E04DC");
  ASSERT_TRUE(plain);
  ASSERT_TRUE(hyphenated);
  EXPECT_EQ(*plain, *hyphenated);
  EXPECT_EQ(render_event_id(*plain), "9ec79c33ec9942ab8353589fcb2e04dc");
}

TEST(EventId, RefusesEverythingElse) {
  for (const std::string text :
       {"", "9ec79c33ec9942ab8353589fcb2e04d", "9ec79c33ec9942ab8353589fcb2e04dc0",
        "9ec79c33ec9942ab8353589fcb2e04dz", "9ec79c33-ec9942ab-8353-589f-cb2e04dc",
        "9ec79c33-ec99-42ab-8353-589fcb2e-4dc", "------------------------------------",
        "{9ec79c33ec9942ab8353589fcb2e04dc}", " 9ec79c33ec9942ab8353589fcb2e04dc"}) {
    EXPECT_FALSE(parse_event_id(text)) << text;
  }
}

TEST(EventId, GoesThroughItsRawBytes) {
  const auto id = parse_event_id("00ff9c33ec9942ab8353589fcb2e04dc");
  ASSERT_TRUE(id);
  EXPECT_EQ(raw_bytes(*id).size(), 16U);
  EXPECT_EQ(event_id_from_raw(raw_bytes(*id)), *id);
  EXPECT_FALSE(event_id_from_raw("short"));
  EXPECT_FALSE(event_id_from_raw(std::string(17, 'x')));
}

TEST(EventId, IsRandomAndAVersionFourUuid) {
  const auto one = random_event_id();
  const auto other = random_event_id();
  EXPECT_NE(one, other);
  EXPECT_EQ(one.bytes[6] >> 4, 4);
  EXPECT_EQ(one.bytes[8] >> 6, 2);
}

}  // namespace
}  // namespace picket::relay

#include "relay/ingest/store_body.h"

#include "relay/ingest/coded.h"

#include <gtest/gtest.h>

namespace picket::ingest {
namespace {

constexpr std::size_t mib = 1 << 20;

WrappedEvent wrapped(std::string_view body) {
  auto result = wrap_store_body(body, mib);
  EXPECT_TRUE(std::holds_alternative<WrappedEvent>(result));
  return std::holds_alternative<WrappedEvent>(result) ? std::get<WrappedEvent>(result)
                                                      : WrappedEvent{};
}

Refusal refused(std::string_view body, std::size_t max_bytes = mib) {
  auto result = wrap_store_body(body, max_bytes);
  EXPECT_TRUE(std::holds_alternative<Refusal>(result));
  return std::holds_alternative<Refusal>(result) ? std::get<Refusal>(result) : Refusal{};
}

constexpr std::string_view event =
    R"({"event_id":"9ec79c33-ec99-42ab-8353-589fcb2e04dc","message":"hi"})";

TEST(WrapStoreBody, MakesAnEnvelopeOfOneEventWithItsId) {
  const auto result = wrapped(event);

  const auto envelope = relay::parse_envelope(result.envelope);
  ASSERT_TRUE(envelope);
  ASSERT_EQ(envelope->items.size(), 1U);
  EXPECT_EQ(envelope->items[0].type, "event");
  EXPECT_EQ(envelope->items[0].payload, event);
  EXPECT_EQ(relay::render_event_id(result.event_id), "9ec79c33ec9942ab8353589fcb2e04dc");
  EXPECT_EQ(envelope->fields.event_id, result.event_id);
}

TEST(WrapStoreBody, TakesBase64AndBase64OfZlib) {
  for (const auto& body :
       {encode_base64(event), encode_base64(encode_zlib(event)), encode_base64(event) + "\n"}) {
    const auto result = wrapped(body);
    const auto envelope = relay::parse_envelope(result.envelope);
    ASSERT_TRUE(envelope);
    EXPECT_EQ(envelope->items[0].payload, event);
  }
}

TEST(WrapStoreBody, MakesAnIdForAnEventWithoutAUsableOne) {
  for (const std::string_view body :
       {"{}", R"({"event_id":null})", R"({"event_id":"short"})", R"({"event_id":7})"}) {
    const auto first = wrapped(body);
    const auto second = wrapped(body);
    EXPECT_NE(first.event_id, relay::EventId{}) << body;
    EXPECT_NE(first.event_id, second.event_id) << body;
  }
}

TEST(WrapStoreBody, KnowsATransaction) {
  const auto result = wrapped(R"({"type":"transaction"})");
  EXPECT_EQ(relay::parse_envelope(result.envelope)->items[0].type, "transaction");
}

TEST(WrapStoreBody, MendsWhatOldSdksSendForJson) {
  const auto result = wrapped(R"({"extra":{"a":NaN,"b":-Infinity},"message":"\ud800"})");
  EXPECT_EQ(relay::parse_envelope(result.envelope)->items[0].payload,
            "{\"extra\":{\"a\":null,\"b\":null},\"message\":\"\xef\xbf\xbd\"}");
}

TEST(WrapStoreBody, RefusesNothing) {
  for (const std::string_view body : {"", "  \r\n "}) {
    EXPECT_EQ(refused(body).status, 400U);
    EXPECT_EQ(refused(body).reason, "no_data");
  }
}

TEST(WrapStoreBody, RefusesWhatIsNoJsonObject) {
  for (const std::string_view body : {"{", R"({"a":})", R"({"a":1} x)", R"({"a":1}{})"}) {
    EXPECT_EQ(refused(body).status, 400U) << body;
    EXPECT_EQ(refused(body).reason, "invalid_json") << body;
  }
  EXPECT_EQ(refused("[1,2]").status, 400U);
  EXPECT_EQ(refused(encode_base64(encode_zlib("[1]"))).reason, "invalid_json");
}

TEST(WrapStoreBody, RefusesBase64OfNeitherJsonNorZlib) {
  EXPECT_EQ(refused("!!!!").reason, "payload");
  EXPECT_EQ(refused(encode_base64("just words")).reason, "invalid_compression");
  EXPECT_EQ(refused(encode_base64(encode_zlib(event).substr(0, 30))).reason, "invalid_compression");
}

TEST(WrapStoreBody, RefusesAnEventPastTheLimitHoweverItIsPacked) {
  const auto large = R"({"message":")" + std::string(2'000, 'x') + R"("})";
  for (const auto& body : {large, encode_base64(large), encode_base64(encode_zlib(large))}) {
    const auto refusal = refused(body, 1'000);
    EXPECT_EQ(refusal.status, 413U);
    EXPECT_EQ(refusal.reason, "too_large:event");
  }
}

TEST(FindEventId, ReadsTheIdOfAPayloadOrNothing) {
  EXPECT_TRUE(find_event_id(event));
  EXPECT_FALSE(find_event_id("{}"));
  EXPECT_FALSE(find_event_id("no json"));
  EXPECT_FALSE(find_event_id(""));
}

}  // namespace
}  // namespace picket::ingest

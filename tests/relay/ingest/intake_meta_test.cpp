#include "relay/ingest/intake_meta.h"

#include <gtest/gtest.h>

namespace picket::ingest {
namespace {

http::RequestHead head_with(std::string name, std::string value) {
  http::RequestHead head;
  head.peer = "198.51.100.7";
  if (!name.empty()) head.headers.add(std::move(name), std::move(value));
  return head;
}

TEST(ClientAddress, IsTheSocketsWithoutAProxy) {
  EXPECT_EQ(find_client_address(head_with("", "")), "198.51.100.7");
}

TEST(ClientAddress, IsTheFirstThatAProxyNames) {
  EXPECT_EQ(find_client_address(head_with("X-Forwarded-For", " 203.0.113.9 , 10.0.0.1")),
            "203.0.113.9");
  EXPECT_EQ(find_client_address(head_with("X-Forwarded-For", "2001:db8::1")), "2001:db8::1");
  EXPECT_EQ(find_client_address(head_with("X-Sentry-Forwarded-For", "203.0.113.8")), "203.0.113.8");
  EXPECT_EQ(find_client_address(head_with("X-Vercel-Forwarded-For", "203.0.113.7")), "203.0.113.7");
}

TEST(ClientAddress, PrefersTheHeadersThatProxiesSetThemselves) {
  auto head = head_with("X-Forwarded-For", "10.0.0.1");
  head.headers.add("CF-Connecting-IP", "203.0.113.5");
  EXPECT_EQ(find_client_address(head), "203.0.113.5");
}

TEST(ClientAddress, IgnoresWhatIsNoAddress) {
  EXPECT_EQ(find_client_address(head_with("X-Forwarded-For", "unknown, 10.0.0.1")), "198.51.100.7");
  EXPECT_EQ(find_client_address(head_with("X-Forwarded-For", "")), "198.51.100.7");
  EXPECT_EQ(find_client_address(head_with("X-Forwarded-For", std::string(500, '1'))),
            "198.51.100.7");
}

TEST(IntakeMeta, KeepsWhatAnotherPicketCallsTheEnvelope) {
  EXPECT_EQ(make_intake_meta(head_with("X-Picket-Record", "30313233343536373839616263646566"), "").record_id(), "0123456789abcdef");
  for (const std::string bad : {"", "30", "3031323334353637383961626364656", "303132333435363738396162636465zz"})
    EXPECT_EQ(make_intake_meta(head_with("X-Picket-Record", bad), "").record_id(), "") << bad;
}

TEST(IntakeMeta, SurvivesHostileHeaders) {
  auto head = head_with("User-Agent", "agent\xff\n" + std::string(5'000, 'x'));
  head.headers.add("Origin", "https://\x80");

  const auto meta = make_intake_meta(head, "client\xfe");
  schema::IntakeMeta read;

  ASSERT_TRUE(read.ParseFromString(meta.SerializeAsString()));
  EXPECT_TRUE(read.user_agent().starts_with("agent??xxx"));
  EXPECT_LE(read.user_agent().size(), 1'000U);
  EXPECT_EQ(read.origin(), "https://?");
  EXPECT_EQ(read.client(), "client?");
}

}  // namespace
// What is noted of an envelope with this header, for the key of thirty-two a's.
bool fits(const std::string& header, bool answered_with_id = true) {
  const auto text = header + "\n{\"type\":\"event\"}\n{}\n";
  const auto envelope = relay::parse_envelope(text);
  schema::IntakeMeta meta;
  if (answered_with_id) meta.set_event_id(std::string(16, 'x'));
  describe_envelope(*envelope, {{relay::DataCategory::error, 1}}, {std::string(32, 'a')}, meta);
  EXPECT_EQ(meta.item_counts_size(), 2);
  EXPECT_EQ(meta.item_counts(0), 1U);
  EXPECT_EQ(meta.item_counts(1), 1U);
  return meta.header_fits_key();
}

TEST(EnvelopeDescription, FitsWhenTheHeaderNamesNobodyElse) {
  const std::string id = R"({"event_id":"0123456789abcdef0123456789abcdef")";
  const std::string own(32, 'a');
  EXPECT_TRUE(fits(id + "}"));
  EXPECT_TRUE(fits("{}", false));
  EXPECT_TRUE(fits(id + R"(,"trace":{"public_key":")" + own + R"("},"sent_at":"2026-01-01T00:00:00Z"})"));
  EXPECT_TRUE(fits(id + R"(,"trace":{},"dsn":null})"));
}

TEST(EnvelopeDescription, DoesNotFitWhenAForwarderHasToChangeTheHeader) {
  const std::string id = R"({"event_id":"0123456789abcdef0123456789abcdef")";
  EXPECT_FALSE(fits("{}"));  // an id was answered that it does not have
  EXPECT_FALSE(fits(id + R"(,"dsn":"https://a@b/1"})"));
  EXPECT_FALSE(fits(id + R"(,"trace":{"public_key":"other"}})"));
  EXPECT_FALSE(fits(id + R"(,"trace":{"public_key":7}})"));
}

}  // namespace picket::ingest

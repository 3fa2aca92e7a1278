#include "relay/ingest/coded.h"
#include "relay/ingest/desk.h"

namespace picket::ingest {
namespace {

class Store : public DeskTest {
 protected:
  http::Response store(std::string body, Fields fields = {}) {
    fields.emplace_back("X-Sentry-Auth", auth(good_key));
    return post("/api/1/store/", std::move(body), std::move(fields));
  }
  std::string only_payload() {
    const auto bytes = decoded(only_record());
    const auto envelope = relay::parse_envelope(bytes);
    EXPECT_TRUE(envelope);
    return envelope && envelope->items.size() == 1 ? std::string(envelope->items[0].payload)
                                                   : std::string();
  }
};

constexpr std::string_view event =
    R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","message":"hi"})";

TEST_F(Store, WrapsAnEventIntoAnEnvelope) {
  const auto response = store(std::string(event));

  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, R"({"id":"9ec79c33ec9942ab8353589fcb2e04dc"})");
  EXPECT_EQ(only_payload(), event);
  const auto meta = meta_of(only_record());
  EXPECT_TRUE(meta.store_endpoint());
  EXPECT_EQ(relay::render_event_id(*relay::event_id_from_raw(meta.event_id())), some_id);
}

TEST_F(Store, AnswersTheIdItMade) {
  const auto response = store("{}");
  const auto id = relay::event_id_from_raw(meta_of(only_record()).event_id());
  ASSERT_TRUE(id);
  EXPECT_EQ(response.body, R"({"id":")" + relay::render_event_id(*id) + R"("})");
}

TEST_F(Store, UnpacksEveryCoding) {
  EXPECT_EQ(store(relay::encode_gzip(event, 6), {{"Content-Encoding", "gzip"}}).status, 200U);
  EXPECT_EQ(store(encode_zlib(event), {{"Content-Encoding", "deflate"}}).status, 200U);
  EXPECT_EQ(store(encode_base64(event)).status, 200U);
  EXPECT_EQ(store(encode_base64(encode_zlib(event))).status, 200U);
  EXPECT_EQ(
      store(relay::encode_zstd(encode_base64(event), 1), {{"Content-Encoding", "zstd"}}).status,
      200U);
  const auto records = journal.records();
  ASSERT_EQ(records.size(), 5U);
  for (const auto& record : records)
    EXPECT_EQ(decoded(record), decoded(records.front()));
}

TEST_F(Store, PacksALargeEvent) {
  const auto large = R"({"message":")" + std::string(100'000, 'x') + R"("})";
  EXPECT_EQ(store(relay::encode_gzip(large, 6), {{"Content-Encoding", "gzip"}}).status, 200U);
  EXPECT_EQ(only_record().coding, static_cast<std::uint8_t>(relay::Coding::zstd));
  EXPECT_EQ(only_payload(), large);
}

TEST_F(Store, TakesAnEnvelopeByItsContentType) {
  const auto response =
      store(event_envelope(), {{"Content-Type", "application/x-sentry-envelope"}});
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(decoded(only_record()), event_envelope());
  EXPECT_FALSE(meta_of(only_record()).store_endpoint());
}

TEST_F(Store, RefusesNothingAndNonsense) {
  EXPECT_EQ(store("").status, 400U);
  EXPECT_EQ(store("{broken").status, 400U);
  EXPECT_NE(store("{broken").body.find("invalid JSON"), std::string::npos);
  EXPECT_EQ(store("<xml/>").status, 400U);
  EXPECT_TRUE(journal.records().empty());
}

TEST_F(Store, RefusesAnEventPastTheLimit) {
  const auto large = R"({"message":")" + std::string(std::size_t{1} << 20, 'x') + R"("})";
  const auto response = store(large);
  EXPECT_EQ(response.status, 413U);
  const auto sums = outcomes();
  ASSERT_EQ(sums.size(), 1U);
  EXPECT_EQ(sums[0].reason(), "too_large:event");
}

TEST_F(Store, TakesAnEventInTheAddressOfAPicture) {
  const auto data = encode_base64(event);
  for (const auto* target : {"/api/1/store/", "/api/store/"}) {
    const auto response =
        ask(make_request("GET", target + std::string("?sentry_version=7&sentry_key=") +
                                    std::string(good_key) +
                                    "&sentry_data=" + http::percent_encode(data)));
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.content_type, "image/gif");
    EXPECT_EQ(response.body.size(), 43U);
    EXPECT_TRUE(response.body.starts_with("GIF89a"));
    EXPECT_TRUE(response.headers.find("Cache-Control").starts_with("no-store"));
  }
  ASSERT_EQ(journal.records().size(), 2U);
  EXPECT_NE(decoded(journal.records()[1]).find(event), std::string::npos);
}

TEST_F(Store, TakesPictureAddressesThatNobodyEscaped) {
  const auto data = encode_base64(encode_zlib(R"({"message":"~~~???>>>"})"));
  ASSERT_NE(data.find('+'), std::string::npos) << "the case needs a plus sign";
  const auto response = ask(make_request(
      "GET", "/api/1/store/?sentry_key=" + std::string(good_key) + "&sentry_data=" + data));
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(only_payload(), R"({"message":"~~~???>>>"})");
}

TEST_F(Store, RefusesAPictureAddressWithoutAnEvent) {
  const auto response =
      ask(make_request("GET", "/api/1/store/?sentry_key=" + std::string(good_key)));
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(response.content_type, "application/json");
}

}  // namespace
}  // namespace picket::ingest

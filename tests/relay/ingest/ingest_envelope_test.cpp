#include "relay/ingest/coded.h"
#include "relay/ingest/desk.h"

#include <algorithm>

namespace picket::ingest {
namespace {

using namespace std::string_view_literals;

class Envelopes : public DeskTest {
 protected:
  Envelopes() : DeskTest(limits()) {}
  static IngestConfig limits() {
    IngestConfig config;
    config.max_envelope_bytes = 4 << 20;
    return config;
  }
  void expect_refused(const http::Response& response, unsigned status, std::string_view word) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_TRUE(response.body.starts_with(R"({"detail":")")) << response.body;
    EXPECT_NE(response.body.find(word), std::string::npos) << response.body;
    EXPECT_FALSE(response.headers.find("X-Sentry-Error").empty());
    EXPECT_EQ(response.headers.find("Access-Control-Allow-Origin"), "*");
    EXPECT_TRUE(journal.records().empty());
  }
};

TEST_F(Envelopes, AreAnsweredWithTheirIdAndKept) {
  const auto response = send(event_envelope());

  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, R"({"id":"9ec79c33ec9942ab8353589fcb2e04dc"})");
  EXPECT_EQ(response.content_type, "application/json");
  const auto record = only_record();
  EXPECT_EQ(record.body, event_envelope());
  EXPECT_EQ(record.project, 1U);
  EXPECT_EQ(record.key, relay::raw_bytes(*relay::parse_project_key(good_key)));
  EXPECT_EQ(record.received, clock.now());
  EXPECT_EQ(record.coding, 0);
}

TEST_F(Envelopes, CarryWhatTheRequestSaidBesides) {
  send(R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","sent_at":"2023-11-14T22:13:20.5Z"})"
       "\n" +
           item("event", "{}"),
       {{"User-Agent", "sdk/1"},
        {"Origin", "https://shop.example"},
        {"X-Forwarded-For", "203.0.113.9, 10.0.0.1"}});

  const auto meta = meta_of(only_record());
  EXPECT_EQ(meta.remote_address(), "203.0.113.9");
  EXPECT_EQ(meta.user_agent(), "sdk/1");
  EXPECT_EQ(meta.origin(), "https://shop.example");
  EXPECT_EQ(meta.client(), "test/1.0");
  EXPECT_EQ(meta.sent_at_ms(), 1'700'000'000'500);
  EXPECT_FALSE(meta.store_endpoint());
  EXPECT_EQ(relay::render_event_id(*relay::event_id_from_raw(meta.event_id())), some_id);
}

TEST_F(Envelopes, GetAnIdWhenAnItemNeedsOneAndNoneWhenNot) {
  const auto with_event = send("{}\n" + item("event", "{}"));
  const auto with_session = send("{}\n" + item("session", "{}"));

  EXPECT_EQ(with_event.body.size(), R"({"id":""})"sv.size() + 32);
  EXPECT_EQ(with_session.body, "{}");
  const auto records = journal.records();
  ASSERT_EQ(records.size(), 2U);
  const auto id = relay::event_id_from_raw(meta_of(records[0]).event_id());
  ASSERT_TRUE(id);
  EXPECT_EQ(with_event.body, R"({"id":")" + relay::render_event_id(*id) + R"("})");
  EXPECT_EQ(meta_of(records[1]).event_id(), "");
}

TEST_F(Envelopes, TakeTheIdOfTheirEventWhenTheHeaderHasNone) {
  const auto body = "{}\n" + item("event", R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"})");
  EXPECT_EQ(send(body).body, R"({"id":"9ec79c33ec9942ab8353589fcb2e04dc"})");
}

TEST_F(Envelopes, WithoutItemsAreAnsweredAndNotKept) {
  for (const auto* body : {"{}", "{}\n", "{}\n\n"}) {
    const auto response = send(body);
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.body, "{}");
  }
  EXPECT_TRUE(journal.records().empty());
}

TEST_F(Envelopes, AreKeptByteForByteWithUnknownItemsAndHeaders) {
  const auto body =
      R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","from_the_future":{"a":[1]},  "x":1e400})"
      "\n" +
      item("hologram", std::string("\0\n\xff{}", 6), R"(,"depth":3)") + item("event", "{}");
  EXPECT_EQ(send(body).status, 200U);
  EXPECT_EQ(decoded(only_record()), body);
}

TEST_F(Envelopes, KeepAnEventThatIsNoJson) {
  EXPECT_EQ(send(event_envelope("{not json")).status, 200U);
  EXPECT_EQ(journal.records().size(), 1U);
  EXPECT_TRUE(outcomes().empty());
}

TEST_F(Envelopes, AreKeptInTheOneCodingTheyCameIn) {
  const auto plain = event_envelope(std::string(5'000, ' ') + "{}");
  struct Case {
    const char* header;
    std::string body;
    relay::Coding coding;
  };
  const std::vector<Case> cases{{"gzip", relay::encode_gzip(plain, 6), relay::Coding::gzip},
                                {"GZIP", relay::encode_gzip(plain, 1), relay::Coding::gzip},
                                {"deflate", encode_zlib(plain), relay::Coding::deflate},
                                {"br", encode_brotli(plain), relay::Coding::br},
                                {"zstd", relay::encode_zstd(plain, 3), relay::Coding::zstd}};
  for (const auto& one : cases) {
    EXPECT_EQ(send(one.body, {{"Content-Encoding", one.header}}).status, 200U) << one.header;
    const auto record = journal.records().back();
    EXPECT_EQ(record.body, one.body) << one.header;
    EXPECT_EQ(record.coding, static_cast<std::uint8_t>(one.coding)) << one.header;
    EXPECT_EQ(decoded(record), plain) << one.header;
  }
}

TEST_F(Envelopes, InNoneOrSeveralCodingsAreKeptAsZstd) {
  const auto plain = event_envelope(std::string(5'000, ' ') + "{}");
  const auto chained = encode_brotli(encode_zlib(relay::encode_gzip(plain, 6)));
  for (const auto& [header, body] : std::vector<std::pair<std::string, std::string>>{
           {"", plain}, {"identity", plain}, {"utf-8", plain}, {"gzip, deflate, br", chained}}) {
    EXPECT_EQ(send(body, {{"Content-Encoding", header}}).status, 200U) << header;
    const auto record = journal.records().back();
    EXPECT_EQ(record.coding, static_cast<std::uint8_t>(relay::Coding::zstd)) << header;
    EXPECT_LT(record.body.size(), 500U) << header;
    EXPECT_EQ(decoded(record), plain) << header;
  }
}

TEST_F(Envelopes, OfFewBytesInSeveralCodingsAreKeptPlain) {
  const auto plain = event_envelope();
  EXPECT_EQ(send(encode_zlib(relay::encode_gzip(plain, 6)), {{"Content-Encoding", "gzip, deflate"}})
                .status,
            200U);
  EXPECT_EQ(only_record().coding, 0);
  EXPECT_EQ(only_record().body, plain);
}

TEST_F(Envelopes, ShorterThanAnyBufferAreKeptToo) {
  const std::string body = "{}\n{\"type\":\"\"}";
  EXPECT_EQ(send(body).status, 200U);
  EXPECT_EQ(decoded(only_record()), body);
  EXPECT_EQ(send(encode_zlib(body), {{"Content-Encoding", "deflate"}}).status, 200U);
  EXPECT_EQ(decoded(journal.records().back()), body);
}

TEST_F(Envelopes, InAnUnknownCodingAreRefused) {
  expect_refused(send("x", {{"Content-Encoding", "compress"}}), 415, "content encoding");
  expect_refused(send("x", {{"Content-Encoding", "gzip, rot13"}}), 415, "content encoding");
}

TEST_F(Envelopes, WithBrokenCompressionAreRefused) {
  const auto gzip = relay::encode_gzip(event_envelope(std::string(3'000, ' ')), 6);
  expect_refused(send(gzip.substr(0, gzip.size() / 2), {{"Content-Encoding", "gzip"}}), 400,
                 "compression");
  expect_refused(send(event_envelope(), {{"Content-Encoding", "gzip"}}), 400, "compression");
  expect_refused(send("", {{"Content-Encoding", "gzip"}}), 400, "");
  expect_refused(send(gzip, {{"Content-Encoding", "zstd"}}), 400, "compression");
}

TEST_F(Envelopes, ThatUnpackToTooMuchAreRefused) {
  const auto bomb = relay::encode_gzip(event_envelope(std::string(std::size_t{64} << 20, '0')), 9);
  ASSERT_LT(bomb.size(), 100'000U);
  expect_refused(send(bomb, {{"Content-Encoding", "gzip"}}), 413, "too large");
  const auto twice = encode_zlib(relay::encode_gzip(bomb, 9));
  expect_refused(send(twice, {{"Content-Encoding", "gzip, gzip, deflate"}}), 413, "too large");
}

TEST_F(Envelopes, WhoseBodyIsTooLongAreRefusedUnread) {
  auto request = make_request("POST", "/api/1/envelope/",
                              {{"X-Sentry-Auth", auth(good_key)}, {"Content-Length", "4194305"}});
  const auto admission = ingest->admit(request.head);
  ASSERT_TRUE(std::holds_alternative<http::Response>(admission));
  EXPECT_EQ(std::get<http::Response>(admission).status, 413U);
}

TEST_F(Envelopes, AreReadUpToTheLimit) {
  auto request = make_request("POST", "/api/1/envelope/",
                              {{"X-Sentry-Auth", auth(good_key)}, {"Content-Length", "4194304"}});
  const auto admission = ingest->admit(request.head);
  ASSERT_TRUE(std::holds_alternative<http::ReadBody>(admission));
  EXPECT_EQ(std::get<http::ReadBody>(admission).max_bytes, std::size_t{4} << 20);
  EXPECT_FALSE(std::get<http::ReadBody>(admission).on_pool);
}

TEST_F(Envelopes, ThatAreMalformedAreRefused) {
  for (const std::string_view body :
       {"", "\n", "not json\n", "[]\n", "{}\nnot json\n",
        "{}\n{\"type\":\"event\",\"length\":5}\n{}", "{}\n{\"type\":\"event\",\"length\":2}\n{}x\n",
        "{}\n{\"type\":\"event\",\"length\":-1}\n{}"}) {
    expect_refused(send(std::string(body)), 400, "invalid envelope");
  }
  expect_refused(send(R"({"event_id":"nonsense"})"
                      "\n" +
                      item("event", "{}")),
                 400, "invalid envelope");
}

TEST_F(Envelopes, WithItemsOnlyForRelaysAreRefused) {
  expect_refused(send("{}\n" + item("integration", "{}")), 400, "internal");
}

TEST_F(Envelopes, WithOneItemTooLargeAreRefusedAsAWholeAndEveryItemIsAccountedFor) {
  const auto body = "{}\n" + item("event", "{}") + item("check_in", std::string(200'000, ' ')) +
                    item("session", "{}") + item("session", "{}");

  expect_refused(send(body), 413, "check_in");

  const auto sums = outcomes();
  ASSERT_EQ(sums.size(), 3U);
  std::uint64_t items = 0;
  for (const auto& sum : sums) {
    items += sum.quantity();
    EXPECT_EQ(sum.reason(), "too_large:check_in");
    EXPECT_EQ(sum.outcome(), 3U);
    EXPECT_EQ(sum.project(), 1U);
    EXPECT_EQ(sum.key(), relay::raw_bytes(*relay::parse_project_key(good_key)));
  }
  EXPECT_EQ(items, 4U);
}

TEST_F(Envelopes, WithTooManyItemsAreRefused) {
  std::string body = "{}\n";
  for (int i = 0; i < 10'001; ++i)
    body += "{}\n\n";
  EXPECT_EQ(send(body).status, 413U);
}

}  // namespace
}  // namespace picket::ingest

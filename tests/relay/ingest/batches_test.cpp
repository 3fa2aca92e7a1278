// Many envelopes in one request: each is answered as if it had come alone.
#include "relay/ingest/desk.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/envelope_batch.h"

#include <chrono>
#include <thread>

namespace picket::ingest {
namespace {

using namespace std::chrono_literals;

struct Part {
  std::string project = "1";
  std::string key = std::string(good_key);
  std::string body = event_envelope();
  std::vector<std::string> headers = {};
};

std::string id_of(int number) {
  const auto text = std::to_string(number);
  return std::string(32 - text.size(), '0') + text;
}
std::string numbered(int number) {
  return R"({"event_id":")" + id_of(number) + "\"}\n" + item("event", R"({"message":"hi"})");
}

std::string u32(std::size_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>((value >> shift) & 0xff);
  return bytes;
}

std::string frames_of(const std::vector<Part>& parts) {
  std::string text = "picket-batch/1\n";
  for (const Part& part : parts) {
    std::string head = part.project + "\nX-Picket-Via: 0123456789abcdef\n";
    if (!part.key.empty()) head += "X-Sentry-Auth: " + auth(part.key) + "\n";
    for (const auto& header : part.headers) head += header + "\n";
    text += u32(head.size()) + u32(part.body.size()) + head + part.body;
  }
  return text;
}

class BatchesTest : public DeskTest {
 protected:
  static Fields fields() {
    return {{"Content-Type", std::string(relay::batch_content_type)}, {"Content-Encoding", "zstd"}};
  }
  std::shared_ptr<Collector> begin(const std::vector<Part>& parts) {
    return start(make_request("POST", relay::batch_path, fields(), relay::encode_zstd(frames_of(parts), 1)));
  }
  static http::Response await(const std::shared_ptr<Collector>& collector) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (std::chrono::steady_clock::now() < deadline) {
      if (const auto answer = collector->taken()) return *answer;
      std::this_thread::sleep_for(1ms);
    }
    ADD_FAILURE() << "no answer";
    return {};
  }
  http::Response post_raw(std::string body, Fields with = fields()) {
    return await(start(make_request("POST", relay::batch_path, std::move(with), std::move(body))));
  }
  std::vector<relay::BatchLine> lines(const std::vector<Part>& parts) {
    const auto answer = await(begin(parts));
    EXPECT_EQ(answer.status, 200U) << answer.body;
    EXPECT_EQ(answer.content_type, relay::batch_answer_type);
    return relay::parse_batch_lines(answer.body, parts.size() + 1);
  }
  // What one of them would have been answered alone.
  http::Response alone(const Part& part) {
    return post("/api/" + part.project + "/envelope/", part.body, {{"X-Sentry-Auth", auth(part.key)}});
  }
};

TEST_F(BatchesTest, StoresEachEnvelopeAndAnswersInTheirOrder) {
  const auto answered = lines({{.body = numbered(1)}, {.project = "2", .key = std::string(other_key), .body = numbered(2)}, {.body = numbered(3)}});
  ASSERT_EQ(answered.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(answered[static_cast<std::size_t>(i)].status, 200U);
    EXPECT_EQ(answered[static_cast<std::size_t>(i)].body, R"({"id":")" + id_of(i + 1) + "\"}");
  }
  const auto records = journal.records();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(decoded(records[0]), numbered(1));
  EXPECT_EQ(records[1].project, 2U);
  EXPECT_EQ(meta_of(records[0]).via(), "0123456789abcdef");
  EXPECT_EQ(ingest->counters().answers(Endpoint::batch, 200), 1U);
  EXPECT_EQ(ingest->counters().answers(Endpoint::envelope, 200), 3U);
  EXPECT_EQ(ingest->counters().received(), 3U);
}

TEST_F(BatchesTest, KeepsWhatAFrameSaysOfItsSender) {
  const auto answered = lines({{.headers = {"User-Agent: sdk/1.0", "x-forwarded-for: 203.0.113.9", "Origin: https://shop.example", "Host: elsewhere",
                                            "CF-Connecting-IP: 192.0.2.1", "X-Picket-Record: 30313233343536373839616263646566"}}});
  ASSERT_EQ(answered.size(), 1U);
  EXPECT_EQ(answered[0].status, 200U);
  const auto meta = meta_of(only_record());
  EXPECT_EQ(meta.user_agent(), "sdk/1.0");
  EXPECT_EQ(meta.remote_address(), "203.0.113.9");
  EXPECT_EQ(meta.origin(), "https://shop.example");
  EXPECT_EQ(meta.client(), "test/1.0");
  EXPECT_EQ(meta.record_id(), "0123456789abcdef");
}

TEST_F(BatchesTest, RefusesOneForWhatItIsAndTakesTheOthers) {
  const std::vector<Part> parts{{.body = numbered(1)},
                                {.key = std::string(unknown_key)},
                                {.key = std::string(disabled_key)},
                                {.project = "2"},
                                {.body = "no envelope"},
                                {.body = "{}\n" + item("event", std::string(2'000'000 / 2 - 200, ' ') + std::string(100, 'x'))},
                                {.key = ""},
                                {.headers = {"Content-Encoding: gzip"}},
                                {.headers = {"Content-Encoding: lzma"}},
                                {.body = numbered(2)}};
  const auto answered = lines(parts);
  ASSERT_EQ(answered.size(), parts.size());
  std::vector<unsigned> statuses;
  for (const auto& line : answered) statuses.push_back(line.status);
  EXPECT_EQ(statuses, (std::vector<unsigned>{200, 403, 403, 403, 400, 200, 401, 400, 415, 200}));
  EXPECT_EQ(journal.records().size(), 3U);
  for (const std::size_t i : {1U, 2U, 3U, 4U}) EXPECT_EQ(answered[i].body, alone(parts[i]).body) << i;
}

TEST_F(BatchesTest, ObeysTheLimitsOfASingleEnvelope) {
  IngestConfig config;
  config.max_event_bytes = 1'000;
  config.max_envelope_bytes = 5'000;
  config.max_items = 3;
  ingest = std::make_unique<Ingest>(journal, *tables, clock, config);
  const std::string items = item("event", "{}") + item("attachment", "a") + item("attachment", "b") + item("attachment", "c");
  const auto packed = relay::encode_gzip("{}\n" + item("attachment", std::string(6'000, 'a')), 6);
  const auto answered = lines({{.body = "{}\n" + item("event", std::string(1'001, ' '))},
                               {.body = "{}\n" + items},
                               {.body = "{}\n" + item("attachment", std::string(5'000, 'a'))},
                               {.body = packed, .headers = {"Content-Encoding: gzip"}},
                               {.body = numbered(1)}});
  ASSERT_EQ(answered.size(), 5U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(answered[i].status, 413U) << i;
  EXPECT_EQ(answered[4].status, 200U);
  EXPECT_EQ(journal.records().size(), 1U);
}

TEST_F(BatchesTest, AnswersOnlyAfterTheLastCommit) {
  journal.hold();
  const auto collector = begin({{.body = numbered(1)}, {.body = "no envelope"}, {.body = numbered(2)}});
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (journal.waiting() < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
  ASSERT_EQ(journal.waiting(), 2U);
  EXPECT_FALSE(collector->taken());
  journal.release();
  const auto answered = relay::parse_batch_lines(await(collector).body, 10);
  ASSERT_EQ(answered.size(), 3U);
  EXPECT_EQ(answered[0].status, 200U);
  EXPECT_EQ(answered[1].status, 400U);
  EXPECT_EQ(answered[2].status, 200U);
}

TEST_F(BatchesTest, SaysWhichWereNotCommitted) {
  journal.fail_commits(Error{Fault::unavailable, "no space left"});
  const auto answered = lines({{.body = numbered(1)}, {.body = "no envelope"}});
  ASSERT_EQ(answered.size(), 2U);
  EXPECT_EQ(answered[0].status, 503U);
  EXPECT_EQ(answered[1].status, 400U);
}

TEST_F(BatchesTest, SaysInEachLineThatTheDiskIsFull) {
  journal.set_full(true);
  const auto answered = lines({{.body = numbered(1)}, {.body = numbered(2)}});
  ASSERT_EQ(answered.size(), 2U);
  for (const auto& line : answered) {
    EXPECT_EQ(line.status, 429U);
    EXPECT_EQ(line.retry_after, "60");
    EXPECT_EQ(line.rate_limits, "60::organization:disk_full");
  }
  EXPECT_TRUE(journal.records().empty());
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::rate_limited, "disk_full"), 2U);
}

TEST_F(BatchesTest, CountsEachAgainstItsQuota) {
  IngestConfig config;
  QuotaConfig quota;
  quota.id = "two";
  quota.categories = {"error"};
  quota.project = 1;
  quota.limit = 2;
  quota.window = std::chrono::hours(1);
  config.quotas = {quota};
  ingest = std::make_unique<Ingest>(journal, *tables, clock, config);
  const auto answered = lines({{.body = numbered(1)}, {.body = numbered(2)}, {.body = numbered(3)},
                               {.project = "2", .key = std::string(other_key), .body = numbered(4)}});
  ASSERT_EQ(answered.size(), 4U);
  EXPECT_EQ(answered[1].status, 200U);
  EXPECT_EQ(answered[2].status, 429U);
  EXPECT_NE(answered[2].rate_limits, "");
  EXPECT_NE(answered[2].retry_after, "");
  EXPECT_EQ(answered[3].status, 200U);
  EXPECT_EQ(answered[3].rate_limits, "");
}

TEST_F(BatchesTest, TakesWhatStandsBeforeTheDamage) {
  const auto whole = frames_of({{.body = numbered(1)}, {.body = numbered(2)}});
  const auto answer = post_raw(relay::encode_zstd(std::string_view(whole).substr(0, whole.size() - 3), 1));
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(relay::parse_batch_lines(answer.body, 10).size(), 1U);
  EXPECT_EQ(journal.records().size(), 1U);
}

TEST_F(BatchesTest, RefusesWhatIsNoBatch) {
  EXPECT_EQ(post_raw("not zstd").status, 400U);
  EXPECT_EQ(post_raw("").status, 400U);
  EXPECT_EQ(post_raw(relay::encode_zstd("picket-batch/2\n", 1)).status, 400U);
  EXPECT_EQ(post_raw(relay::encode_zstd("picket-batch/1\n" + u32(10) + u32(3'000'000), 1)).status, 413U);
  EXPECT_EQ(post_raw(relay::encode_zstd("picket-batch/1\n", 1)).status, 200U);
  EXPECT_EQ(post_raw(relay::encode_zstd(frames_of({{}}), 1), {{"Content-Type", std::string(relay::batch_content_type)}}).status, 415U);
  EXPECT_EQ(post_raw(relay::encode_zstd(frames_of({{}}), 1), {{"Content-Type", "application/json"}, {"Content-Encoding", "zstd"}}).status, 415U);
  EXPECT_EQ(await(start(make_request("GET", relay::batch_path))).status, 405U);
  EXPECT_TRUE(journal.records().empty());
  EXPECT_EQ(ingest->counters().received(), 0U);
}

TEST_F(BatchesTest, IsOfferedToPicketsOnly) {
  EXPECT_FALSE(send(event_envelope()).headers.contains(relay::batch_offer_header));
  const auto answer = send(event_envelope(), {{"X-Picket-Via", "0123456789abcdef"}});
  EXPECT_EQ(answer.headers.find(relay::batch_offer_header), relay::batch_version);
}

TEST_F(BatchesTest, IsRefusedWhileShuttingDown) {
  ingest->drain();
  const auto answered = lines({{.body = numbered(1)}});
  ASSERT_EQ(answered.size(), 1U);
  EXPECT_EQ(answered[0].status, 503U);
}

}  // namespace
}  // namespace picket::ingest

#include "relay/ingest/coded.h"
#include "relay/ingest/served.h"

#include <atomic>
#include <thread>

namespace picket::ingest {
namespace {

TEST_F(ServedIngest, StoresWhatItAcknowledges) {
  testing::HttpClient client(server->port());

  const auto reply = client.request("POST", target(), event_envelope());

  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, R"({"id":"9ec79c33ec9942ab8353589fcb2e04dc"})");
  EXPECT_EQ(reply->header("Access-Control-Allow-Origin"), "*");
  ASSERT_EQ(stored().size(), 1U);
  EXPECT_EQ(stored()[0], event_envelope());
}

TEST_F(ServedIngest, FoldsSlashesAndReadsChunks) {
  testing::HttpClient client(server->port());
  const auto body = event_envelope();
  const auto cut = body.size() / 2;
  std::string request = "POST //api//1//envelope/?sentry_key=" + std::string(good_key) +
                        " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& piece : {body.substr(0, cut), body.substr(cut)}) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    request += size + piece + "\r\n";
  }
  request += "0\r\n\r\n";

  ASSERT_TRUE(client.send(request));
  const auto reply = client.read_reply();

  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(stored(), std::vector<std::string>{body});
}

TEST_F(ServedIngest, KeepsTheConnectionAcrossGoodAndBadRequests) {
  testing::HttpClient client(server->port());
  EXPECT_EQ(client.request("POST", target(), event_envelope())->status, 200);
  EXPECT_EQ(client.request("POST", target(), "nonsense")->status, 400);
  EXPECT_EQ(client.request("OPTIONS", "/api/1/envelope/")->status, 200);
  EXPECT_EQ(client.request("GET", "/api/1/envelope/")->status, 405);
  EXPECT_EQ(client.request("GET", "/api/1/nothing/")->status, 404);
  EXPECT_EQ(client.request("GET", "/api/relay/healthcheck/ready/")->status, 200);
  EXPECT_EQ(client.request("GET", "/metrics")->status, 200);
  const auto gzip = relay::encode_gzip(event_envelope(), 6);
  EXPECT_EQ(client.request("POST", target(), gzip, {{"Content-Encoding", "gzip"}})->status, 200);
  EXPECT_EQ(stored().size(), 2U);
}

TEST_F(ServedIngest, RefusesAnUnknownKeyBeforeTheBodyIsSent) {
  testing::HttpClient client(server->port());
  ASSERT_TRUE(client.send(
      "POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nX-Sentry-Auth: " +
      auth(unknown_key) + "\r\n\r\n"));
  const auto reply = client.read_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 403);
  EXPECT_TRUE(reply->body.starts_with(R"({"detail":")"));
}

TEST_F(ServedIngest, RefusesABodyThatGrowsPastTheLimit) {
  testing::HttpClient client(server->port());
  const std::string piece(1 << 20, 'x');
  ASSERT_TRUE(client.send("POST " + target() +
                          " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  for (int i = 0; i < 10; ++i) {
    if (!client.send("100000\r\n" + piece + "\r\n")) break;
  }
  const auto reply = client.read_reply();
  EXPECT_TRUE(!reply || reply->status == 413);
  EXPECT_TRUE(stored().empty());
}

TEST_F(ServedIngest, StoresTheLargestAllowedEnvelope) {
  testing::HttpClient client(server->port());
  std::string noise;
  std::uint64_t state = 88172645463325252U;
  while (noise.size() < (std::size_t{8} << 20) - 200) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    append_number(noise, state, 8, false);
  }
  const auto body = "{}\n" + item("attachment", noise);
  const auto reply = client.request("POST", target(), body);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200) << reply->body;
  EXPECT_EQ(stored(), std::vector<std::string>{body});
}

TEST_F(ServedIngest, StoresEveryAcknowledgedOneOfManyConnections) {
  constexpr int connections = 8;
  constexpr int each = 100;
  std::atomic<int> acknowledged{0};
  std::vector<std::thread> threads;
  for (int c = 0; c < connections; ++c) {
    threads.emplace_back([&] {
      testing::HttpClient client(server->port());
      for (int i = 0; i < each; ++i) {
        const auto reply = client.request("POST", target(), event_envelope());
        if (reply && reply->status == 200) ++acknowledged;
      }
    });
  }
  for (auto& thread : threads)
    thread.join();

  EXPECT_EQ(acknowledged, connections * each);
  EXPECT_EQ(stored().size(), static_cast<std::size_t>(acknowledged));
}

TEST_F(ServedIngest, AnswersWhatIsUnderWayWhenTheServerStops) {
  testing::HttpClient client(server->port());
  ASSERT_TRUE(client.send(testing::render_http_request("POST", target(), event_envelope())));
  while (server->counters().requests == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));

  server->stop();
  const auto reply = client.read_reply();

  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
}

TEST_F(ServedIngest, TellsLimitsOn429AndOn200) {
  ASSERT_TRUE(tables->write([](buffer::Batch& batch) {
    schema::ProjectKey key;
    key.set_public_key(std::string(good_key));
    key.set_project(1);
    key.set_rate_limit_count(1);
    key.set_rate_limit_window_s(3'600);
    buffer::put_row(batch, buffer::Table::project_keys, good_key, key);
    batch.put(buffer::Table::meta, "projects_generation", buffer::Key().u64(7));
  }));
  ingest->refresh_projects();
  testing::HttpClient client(server->port());
  const auto first = client.request("POST", target(), event_envelope());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->header("X-Sentry-Rate-Limits"), "");
  const auto second = client.request("POST", target(), event_envelope());
  ASSERT_TRUE(second);
  EXPECT_EQ(second->status, 429);
  EXPECT_TRUE(second->header("X-Sentry-Rate-Limits").ends_with(":default;error;security:key:key_quota"));
  EXPECT_GT(std::stoi(std::string(second->header("Retry-After"))), 3'000);
  EXPECT_TRUE(second->body.starts_with(R"({"detail":")"));
  const auto session = client.request("POST", target(), "{}\n" + item("session", "{}"));
  ASSERT_TRUE(session);
  EXPECT_EQ(session->status, 200);
  EXPECT_TRUE(session->header("X-Sentry-Rate-Limits").ends_with(":default;error;security:key:key_quota"));
  EXPECT_EQ(stored().size(), 2U);
}

}  // namespace
}  // namespace picket::ingest

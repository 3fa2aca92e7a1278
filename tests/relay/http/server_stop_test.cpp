// How a server ends, and what may outlive it.
#include "relay/http/server_fixture.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace picket::http {
namespace {

// Responders kept for later, as by a committer that has not synced yet.
class Shelf {
 public:
  Service service() {
    return {admit_all, [this](Request request, Responder responder) {
              const std::lock_guard lock(mutex_);
              kept_.emplace_back(std::move(request), std::move(responder));
            }};
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return kept_.size();
  }
  std::vector<std::pair<Request, Responder>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(kept_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<Request, Responder>> kept_;
};

TEST(ServerStop, AnswersRequestsUnderWayThenCloses) {
  Shelf shelf;
  auto server = start_server(loopback_options(), shelf.service());
  HttpClient busy(server->port());
  HttpClient idle(server->port());
  busy.send(render_http_request("POST", "/", "b"));
  ASSERT_TRUE(
      eventually([&] { return shelf.size() == 1 && server->counters().connections_open == 2; }));

  std::thread stopping([&] { server->stop(); });
  EXPECT_TRUE(idle.closed_within(patience)) << "idle connections end at once";
  EXPECT_TRUE(eventually([&] { return !HttpClient(server->port()).connected(); }));
  std::this_thread::sleep_for(50ms);
  for (auto& [request, responder] : shelf.take())
    std::move(responder).respond(echo(request));
  const auto reply = busy.read_reply();
  EXPECT_TRUE(busy.closed_within(patience));
  stopping.join();

  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->header("Connection"), "close");
  EXPECT_EQ(server->counters().connections_open, 0U);
}

TEST(ServerStop, LetsARequestThatIsStillArrivingFinish) {
  auto options = loopback_options();
  options.io_threads = 1;  // so that one connection's end tells that the other knows too
  auto server = start_server(options, echo_service());
  HttpClient client(server->port());
  HttpClient idle(server->port());
  EXPECT_EQ(idle.request("GET", "/")->status, 200);
  client.send("POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf");
  ASSERT_TRUE(eventually([&] { return server->counters().requests == 2; }));
  std::thread stopping([&] { server->stop(); });
  EXPECT_TRUE(idle.closed_within(patience));
  client.send("full");
  const auto reply = client.read_reply();
  client.close();
  stopping.join();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->body, "POST /late\nhalffull");
  EXPECT_EQ(reply->header("Connection"), "close");
}

TEST(ServerStop, DoesNotWaitPastTheDrainTimeout) {
  Shelf shelf;
  auto options = loopback_options();
  options.drain_timeout = 200ms;
  auto server = start_server(options, shelf.service());
  HttpClient client(server->port());
  client.send(render_http_request("GET", "/"));
  ASSERT_TRUE(eventually([&] { return shelf.size() == 1; }));
  const auto begun = std::chrono::steady_clock::now();
  server->stop();
  const auto took = std::chrono::steady_clock::now() - begun;
  EXPECT_GE(took, 190ms);
  EXPECT_LT(took, loopback_options().drain_timeout);
  EXPECT_TRUE(client.closed_within(patience));
}

TEST(ServerStop, RespondersMayOutliveTheServer) {
  Shelf shelf;
  auto options = loopback_options();
  options.drain_timeout = 10ms;
  auto server = start_server(options, shelf.service());
  std::vector<HttpClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(server->port());
    clients.back().send(render_http_request("POST", "/", "b"));
  }
  ASSERT_TRUE(eventually([&] { return shelf.size() == 20; }));
  server.reset();
  auto kept = shelf.take();
  std::thread elsewhere([&kept] {
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (i % 2 == 0) std::move(kept[i].second).respond({});
    }
    kept.clear();
  });
  elsewhere.join();
}

TEST(ServerStop, IsIdempotentAndSafeFromSeveralThreads) {
  auto server = start_server(loopback_options(), echo_service());
  HttpClient client(server->port());
  EXPECT_EQ(client.request("GET", "/")->status, 200);
  std::vector<std::thread> threads(4);
  for (auto& thread : threads)
    thread = std::thread([&] { server->stop(); });
  for (auto& thread : threads)
    thread.join();
  server->stop();
  EXPECT_EQ(server->counters().requests, 1U);
  server.reset();
}

TEST(ServerStop, FreesThePortForTheNextOne) {
  auto options = loopback_options();
  auto server = start_server(options, echo_service());
  options.port = server->port();
  HttpClient client(server->port());
  EXPECT_EQ(client.request("GET", "/")->status, 200);
  server->stop();
  const auto next = start_server(options, echo_service());
  HttpClient again(next->port());
  EXPECT_EQ(again.request("GET", "/")->status, 200);
}

int wrong_answers_on_one_connection(std::uint16_t port, const std::atomic<bool>& over) {
  HttpClient client(port);
  int wrong = 0;
  for (int i = 0; i < 50 && client.connected() && !over; ++i) {
    const auto reply = client.request("POST", "/", "body");
    if (!reply) break;
    if (reply->body != "POST /\nbody") ++wrong;
    if (reply->header("Connection") == "close") break;
  }
  return wrong;
}

TEST(ServerStop, EndsWhileClientsAreAtIt) {
  for (int round = 0; round < 10; ++round) {
    auto server = start_server(loopback_options(), echo_service());
    std::atomic<bool> over{false};
    std::atomic<int> broken{0};
    std::vector<std::thread> clients(4);
    for (auto& client : clients) {
      client = std::thread([&, port = server->port()] {
        while (!over)
          broken += wrong_answers_on_one_connection(port, over);
      });
    }
    std::this_thread::sleep_for(20ms);
    server.reset();
    over = true;
    for (auto& client : clients)
      client.join();
    EXPECT_EQ(broken, 0);
  }
}

// Answers whatever waits in random order, a batch at a time, as the journal's committer does.
class Committer {
 public:
  Committer() : thread_([this] { run(); }) {}
  ~Committer() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Service service() {
    return {admit_all, [this](Request request, Responder responder) {
              {
                const std::lock_guard lock(mutex_);
                waiting_.emplace_back(std::move(request), std::move(responder));
              }
              changed_.notify_one();
            }};
  }

 private:
  void run() {
    std::mt19937 random(7);
    for (;;) {
      std::vector<std::pair<Request, Responder>> batch;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return over_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        batch.swap(waiting_);
      }
      std::shuffle(batch.begin(), batch.end(), random);
      for (auto& [request, responder] : batch)
        std::move(responder).respond(echo(request));
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<Request, Responder>> waiting_;
  bool over_ = false;
  std::thread thread_;
};

TEST(ServerThreads, EachConnectionGetsItsOwnAnswersFromAnotherThread) {
  Committer committer;
  const auto server = start_server(loopback_options(), committer.service());
  std::vector<std::thread> clients(16);
  std::atomic<int> right{0};
  for (std::size_t c = 0; c < clients.size(); ++c) {
    clients[c] = std::thread([&, c] {
      HttpClient client(server->port());
      for (int i = 0; i < 40; ++i) {
        const auto target = "/" + std::to_string(c) + "/" + std::to_string(i);
        // Two at a time: the second is pipelined behind an answer that comes from elsewhere.
        client.send(render_http_request("POST", target, "one") +
                    render_http_request("POST", target, "two"));
        const auto one = client.read_reply();
        const auto two = client.read_reply();
        if (one && one->body == "POST " + target + "\none") ++right;
        if (two && two->body == "POST " + target + "\ntwo") ++right;
      }
    });
  }
  for (auto& client : clients)
    client.join();
  EXPECT_EQ(right, 16 * 40 * 2);
}

TEST(ServerThreads, ClientsThatVanishHarmNobody) {
  Committer committer;
  const auto server = start_server(loopback_options(), committer.service());
  for (int i = 0; i < 200; ++i) {
    HttpClient client(server->port());
    client.send(render_http_request("POST", "/", std::string(1000, 'x')));
    if (i % 3 == 0) client.read_reply();
  }
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
  HttpClient client(server->port());
  EXPECT_EQ(client.request("GET", "/")->status, 200);
}

}  // namespace
}  // namespace picket::http

#include "bench/load/load_run.h"

#include "relay/http/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace picket::load {
namespace {

using namespace std::chrono_literals;

class LoadRunTest : public ::testing::Test {
 protected:
  LoadRunTest() {
    http::Service service;
    service.admit = [](const http::RequestHead&) -> http::Admission { return http::ReadBody{}; };
    service.handle = [this](http::Request, http::Responder responder) {
      http::Response response;
      response.status = ++answered % 10 == 0 ? failing.load() : 200;
      if (response.status == 0) return pending.push_back(std::move(responder));
      std::move(responder).respond(std::move(response));
    };
    http::ServerOptions options;
    options.port = 0;
    options.io_threads = 1;
    options.drain_timeout = 100ms;
    server = *http::Server::start(options, service);
    auto* address = reinterpret_cast<sockaddr_in*>(&target.address);
    address->sin_family = AF_INET;
    address->sin_port = htons(server->port());
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    target.address_bytes = sizeof *address;
    target.head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ";
    PoolOptions pool_options;
    pool_options.bodies = 5;
    pool_options.issues = 5;
    pool = std::make_unique<BodyPool>(pool_options);
  }
  RunResult run(const RunOptions& options) {
    LoadRun load(target, *pool, options);
    EXPECT_TRUE(load.connect());
    return load.run();
  }

  std::atomic<unsigned> answered{0};
  std::atomic<unsigned> failing{200};  // the status of every tenth answer; 0: none at all
  std::vector<http::Responder> pending;
  std::unique_ptr<http::Server> server;
  Target target;
  std::unique_ptr<BodyPool> pool;
};

TEST_F(LoadRunTest, SendsAsManyAsAskedFor) {
  RunOptions options;
  options.connections = 4;
  options.count = 200;
  const auto result = run(options);
  EXPECT_EQ(result.sent, 200U);
  EXPECT_EQ(result.acked, 200U);
  EXPECT_EQ(result.latency.count(), 200U);
  EXPECT_TRUE(result.failures.empty());
  EXPECT_EQ(answered, 200U);
}

TEST_F(LoadRunTest, KeepsToItsRate) {
  RunOptions options;
  options.connections = 4;
  options.rate = 500;
  options.seconds = 1;
  const auto result = run(options);
  EXPECT_NEAR(static_cast<double>(result.sent), 500, 5);
  EXPECT_NEAR(result.seconds, 1.0, 0.3);
}

TEST_F(LoadRunTest, CountsFailuresByStatus) {
  failing = 503;
  RunOptions options;
  options.count = 50;
  const auto result = run(options);
  EXPECT_EQ(result.acked, 45U);
  EXPECT_EQ(result.failures.at("503"), 5U);
}

TEST_F(LoadRunTest, EndsWhenAnswersStopComing) {
  failing = 0;
  RunOptions options;
  options.connections = 2;
  options.count = 100;
  options.patience = 1s;
  const auto began = std::chrono::steady_clock::now();
  const auto result = run(options);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  EXPECT_EQ(result.failures.at("unanswered"), 2U);
}

TEST_F(LoadRunTest, ChargesAStallToEveryRequestThatWasDueMeanwhile) {
  failing = 0;
  RunOptions options;
  options.connections = 1;
  options.rate = 100;
  options.seconds = 1;
  options.patience = 1s;
  const auto result = run(options);
  // The tenth is never answered: what was due after it never left.
  EXPECT_EQ(result.failures.at("unanswered"), 1U);
  EXPECT_GE(result.failures.at("unsent"), 85U);
}

TEST_F(LoadRunTest, EndsWithoutAServer) {
  server->stop();
  server.reset();
  RunOptions options;
  options.patience = 1s;
  LoadRun load(target, *pool, options);
  EXPECT_FALSE(load.connect());
}

}  // namespace
}  // namespace picket::load

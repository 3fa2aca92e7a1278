// What a server takes: bytes, time, connections.
#include "relay/http/server_fixture.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <optional>
#include <string>
#include <vector>

namespace picket::http {
namespace {

// Each well above what a busy machine may keep a thread waiting between two of its steps.
ServerOptions hasty_options() {
  auto options = loopback_options();
  options.header_timeout = 600ms;
  options.body_idle_timeout = 600ms;
  options.idle_timeout = 800ms;
  options.write_timeout = 600ms;
  return options;
}

bool has_bytes(const HttpClient& client) {
  pollfd waiting{client.descriptor(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

std::optional<HttpReply> ask_raw(const Server& server, std::string_view bytes) {
  HttpClient client(server.port());
  client.send(bytes);
  auto reply = client.read_reply();
  EXPECT_TRUE(client.closed_within(patience));
  return reply;
}

TEST(ServerLimits, AnswersMalformedRequestsWith400) {
  const auto server = start_server(loopback_options(), echo_service());
  for (const char* text :
       {"what?\r\n\r\n", "GET / HTTP/3\r\n\r\n", "GET / HTTP/1.1\r\nA b: c\r\n\r\n"}) {
    const auto reply = ask_raw(*server, text);
    ASSERT_TRUE(reply) << text;
    EXPECT_EQ(reply->status, 400);
    EXPECT_EQ(reply->header("Connection"), "close");
    EXPECT_TRUE(reply->body.starts_with(R"({"detail":")"));
  }
}

TEST(ServerLimits, AnswersTooLargeHeadersWith431) {
  auto options = loopback_options();
  options.max_header_bytes = 2000;
  const auto server = start_server(options, echo_service());
  const auto reply =
      ask_raw(*server, "GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 431);
  HttpClient client(server->port());
  EXPECT_EQ(client.request("GET", "/", "", {{"X", std::string(1500, 'x')}})->status, 200);
}

TEST(ServerLimits, RefusesDeclaredBodiesBeforeTheyCome) {
  const auto server = start_server(loopback_options(), echo_service(100));
  const auto reply = ask_raw(*server, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 413);
  EXPECT_EQ(reply->body, R"({"detail":"the request body is too large","causes":[]})");
  HttpClient client(server->port());
  EXPECT_EQ(client.request("POST", "/", std::string(100, 'x'))->status, 200);
}

TEST(ServerLimits, RefusesBigBodiesWhoseSenderDoesNotListenMeanwhile) {
  const auto server = start_server(loopback_options(), echo_service(100));
  HttpClient client(server->port());
  const auto reply = client.request("POST", "/", std::string(6 << 20, 'x'));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 413);
}

TEST(ServerLimits, CutsChunkedBodiesAtTheLimit) {
  const auto server = start_server(loopback_options(), echo_service(100));
  HttpClient client(server->port());
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  const std::string chunk = "a\r\n0123456789\r\n";
  for (int i = 0; i < 200; ++i)
    client.send(chunk);
  const auto reply = client.read_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 413);
}

TEST(ServerLimits, ABodyThatNeverEndsIsCutHoweverSlow) {
  const auto server = start_server(loopback_options(), echo_service(1000));
  HttpClient client(server->port());
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  int sent = 0;
  while (sent < 300 && client.send("a\r\n0123456789\r\n")) {
    ++sent;
    std::this_thread::sleep_for(1ms);
  }
  const auto reply = client.read_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 413);
  EXPECT_TRUE(client.closed_within(patience));
}

TEST(ServerTimeouts, ASlowHeaderIsAnswered408) {
  const auto server = start_server(hasty_options(), echo_service());
  HttpClient client(server->port());
  // Progress does not help: a header has one deadline (slow loris).
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nX: y"));
  while (!has_bytes(client)) {
    client.send("y");
    std::this_thread::sleep_for(20ms);
  }
  const auto reply = client.read_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 408);
  EXPECT_TRUE(client.closed_within(patience));
  EXPECT_EQ(server->counters().timeouts, 1U);
}

TEST(ServerTimeouts, ASlowHeaderOfALaterRequestIsAnswered408) {
  const auto server = start_server(hasty_options(), echo_service());
  HttpClient client(server->port());
  ASSERT_TRUE(client.send(render_http_request("GET", "/") + "GET /unfin"));
  EXPECT_EQ(client.read_reply()->status, 200);
  EXPECT_EQ(client.read_reply()->status, 408);
}

TEST(ServerTimeouts, SilentConnectionsAreClosedWithoutAWord) {
  const auto server = start_server(hasty_options(), echo_service());
  HttpClient never(server->port());
  HttpClient once(server->port());
  EXPECT_EQ(once.request("GET", "/")->status, 200);
  EXPECT_FALSE(never.read_reply());
  EXPECT_FALSE(once.read_reply());
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
  EXPECT_EQ(server->counters().timeouts, 0U) << "an idle connection's end is no mishap";
}

TEST(ServerTimeouts, ABodyMayTakeLongButNotStandStill) {
  const auto server = start_server(hasty_options(), echo_service());
  HttpClient slow(server->port());
  ASSERT_TRUE(slow.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"));
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(100ms);
    ASSERT_TRUE(slow.send("x"));
  }
  EXPECT_EQ(slow.read_reply()->status, 200) << "ten times 100 ms, each within the 600";

  HttpClient stuck(server->port());
  ASSERT_TRUE(stuck.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"));
  EXPECT_TRUE(stuck.closed_within(patience));
  EXPECT_EQ(server->counters().timeouts, 1U);
}

TEST(ServerTimeouts, AReaderThatStandsStillIsDropped) {
  const Service service{admit_all, [](const Request&, Responder responder) {
                          Response response;
                          response.body.assign(64 << 20, 'x');
                          std::move(responder).respond(std::move(response));
                        }};
  const auto server = start_server(hasty_options(), service);
  HttpClient client(server->port());
  ASSERT_TRUE(client.send(render_http_request("GET", "/")));
  EXPECT_TRUE(eventually([&] { return server->counters().timeouts == 1; }));
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
}

TEST(ServerTimeouts, ASlowHandlerIsWaitedFor) {
  const Service service{admit_all, [](const Request&, Responder responder) {
                          std::thread([responder = std::move(responder)]() mutable {
                            std::this_thread::sleep_for(1500ms);
                            std::move(responder).respond({});
                          }).detach();
                        }};
  const auto server = start_server(hasty_options(), service);
  HttpClient client(server->port());
  EXPECT_EQ(client.request("POST", "/", "b")->status, 200);
}

TEST(ServerLimits, RefusesConnectionsPastTheMostWith503) {
  auto options = loopback_options();
  options.max_connections = 3;
  const auto server = start_server(options, echo_service());
  std::vector<HttpClient> within;
  for (int i = 0; i < 3; ++i) {
    within.emplace_back(server->port());
    EXPECT_EQ(within.back().request("GET", "/")->status, 200);
  }
  HttpClient past(server->port());
  const auto reply = past.read_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 503);
  EXPECT_EQ(reply->body, "{\"detail\":\"too many connections\",\"causes\":[]}\n");
  EXPECT_TRUE(past.closed_within(patience));
  EXPECT_EQ(server->counters().connections_refused, 1U);

  within.pop_back();
  ASSERT_TRUE(eventually([&] { return server->counters().connections_open == 2; }));
  HttpClient again(server->port());
  EXPECT_EQ(again.request("GET", "/")->status, 200);
}

TEST(ServerLimits, AFullPoolAnswers503AndAsksToComeBack) {
  auto options = loopback_options();
  options.pool_threads = 1;
  options.pool_queue = 1;
  std::promise<void> gate;
  const std::shared_future<void> opened = gate.get_future().share();
  std::atomic<int> running{0};
  const Service service{[](const RequestHead&) {
                          return ReadBody{100, true};
                        },
                        [&running, opened](const Request&, Responder responder) {
                          ++running;
                          opened.wait();
                          std::move(responder).respond({});
                        }};
  const auto server = start_server(options, service);
  HttpClient first(server->port());
  HttpClient second(server->port());
  HttpClient third(server->port());
  first.send(render_http_request("GET", "/"));
  ASSERT_TRUE(eventually([&] { return running == 1; }));
  // Of the next two either may be the one for whom there is no room.
  second.send(render_http_request("GET", "/"));
  third.send(render_http_request("GET", "/"));
  ASSERT_TRUE(eventually([&] { return has_bytes(second) || has_bytes(third); }));
  HttpClient& refused = has_bytes(second) ? second : third;
  HttpClient& queued = has_bytes(second) ? third : second;
  const auto reply = refused.read_reply();
  gate.set_value();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 503);
  EXPECT_EQ(reply->header("Retry-After"), "1");
  EXPECT_EQ(first.read_reply()->status, 200);
  EXPECT_EQ(queued.read_reply()->status, 200);
  EXPECT_EQ(refused.request("GET", "/")->status, 200) << "the connection is kept";
}

TEST(ServerLimits, WaitsOutAFullDescriptorTable) {
  const auto server = start_server(loopback_options(), echo_service());
  HttpClient waiting(server->port());
  EXPECT_EQ(waiting.request("GET", "/")->status, 200);

  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  // The client's own socket takes the last descriptor; none is left to accept with.
  rlimit full = before;
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  full.rlim_cur = static_cast<rlim_t>(lowest_free) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &full), 0);
  HttpClient late(server->port());
  const bool connected = late.connected();
  late.send(render_http_request("GET", "/late"));
  const auto too_soon = late.read_reply(false, 300ms);
  ::setrlimit(RLIMIT_NOFILE, &before);

  ASSERT_TRUE(connected);
  EXPECT_FALSE(too_soon);
  EXPECT_EQ(late.read_reply()->status, 200);
}

}  // namespace
}  // namespace picket::http

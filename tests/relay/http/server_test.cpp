// What a request goes through, over real sockets.
#include "relay/http/server_fixture.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>

namespace picket::http {
namespace {

TEST(Server, AnswersManyRequestsOnOneConnection) {
  const auto server = start_server(loopback_options(), echo_service());
  HttpClient client(server->port());
  for (int i = 0; i < 50; ++i) {
    const auto reply = client.request("POST", "/x", "body " + std::to_string(i));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(reply->body, "POST /x\nbody " + std::to_string(i));
    EXPECT_EQ(reply->header("Server"), "picket");
    EXPECT_TRUE(reply->header("Date").ends_with(" GMT"));
    EXPECT_EQ(reply->header("Connection"), "");
  }
  EXPECT_EQ(server->counters().requests, 50U);
  EXPECT_EQ(server->counters().connections_accepted, 1U);
  EXPECT_EQ(server->counters().connections_open, 1U);
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  const auto server = start_server(loopback_options(), echo_service());
  HttpClient client(server->port());
  std::string burst;
  for (int i = 0; i < 300; ++i) {
    burst += render_http_request(i % 2 == 0 ? "POST" : "GET", "/" + std::to_string(i),
                                 i % 2 == 0 ? std::string(static_cast<std::size_t>(i), 'x') : "");
  }
  ASSERT_TRUE(client.send(burst));
  for (int i = 0; i < 300; ++i) {
    const auto reply = client.read_reply();
    ASSERT_TRUE(reply) << i;
    EXPECT_NE(reply->body.find(" /" + std::to_string(i) + "\n"), std::string::npos) << reply->body;
  }
}

TEST(Server, KeepsReadAheadBytesWhileAnAnswerIsSlow) {
  std::atomic<int> under_way{0};
  std::atomic<bool> overlapped{false};
  const Service service{admit_all, [&](Request request, Responder responder) {
                          if (++under_way > 1) overlapped = true;
                          std::thread([&under_way, request = std::move(request),
                                       responder = std::move(responder)]() mutable {
                            std::this_thread::sleep_for(5ms);
                            --under_way;
                            std::move(responder).respond(echo(request));
                          }).detach();
                        }};
  const auto server = start_server(loopback_options(), service);
  HttpClient client(server->port());
  std::string burst;
  for (int i = 0; i < 20; ++i)
    burst += render_http_request("POST", "/" + std::to_string(i), "b");
  // Cut in the middle of a request: its first half waits unread while the one before is answered.
  ASSERT_TRUE(client.send(burst.substr(0, burst.size() - 30)));
  for (int i = 0; i < 19; ++i) {
    const auto reply = client.read_reply();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->body, "POST /" + std::to_string(i) + "\nb");
  }
  EXPECT_FALSE(overlapped) << "a request was handled before the one before it was answered";
  ASSERT_TRUE(client.send(burst.substr(burst.size() - 30)));
  EXPECT_TRUE(client.read_reply());
}

TEST(Server, JoinsChunkedBodies) {
  const auto server = start_server(loopback_options(), echo_service());
  HttpClient client(server->port());
  ASSERT_TRUE(client.send("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  for (const char* piece :
       {"5\r\nhel", "lo\r", "\n7;a=b\r\n, world", "\r\n", "0\r\n", "\r", "\n"}) {
    ASSERT_TRUE(client.send(piece));
    std::this_thread::sleep_for(3ms);
  }
  const auto reply = client.read_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->body, "POST /c\nhello, world");
  EXPECT_TRUE(client.request("GET", "/after"));
}

TEST(Server, Says100BeforeItReadsABodyThatWaitsForIt) {
  const auto server = start_server(loopback_options(), echo_service(10));
  HttpClient client(server->port());
  ASSERT_TRUE(client.send(
      "POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
  const auto interim = client.read_reply();
  ASSERT_TRUE(interim);
  EXPECT_EQ(interim->status, 100);
  ASSERT_TRUE(client.send("body"));
  EXPECT_EQ(client.read_reply()->body, "POST /e\nbody");

  // A body that would be refused is refused in place of the 100.
  ASSERT_TRUE(client.send(
      "POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n"));
  EXPECT_EQ(client.read_reply()->status, 413);
}

TEST(Server, ServesHttp10AndClosesUnlessAskedNotTo) {
  const auto server = start_server(loopback_options(), echo_service());
  HttpClient once(server->port());
  ASSERT_TRUE(once.send("GET /old HTTP/1.0\r\n\r\n"));
  const auto reply = once.read_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header("Connection"), "close");
  EXPECT_TRUE(once.closed_within(patience));

  HttpClient kept(server->port());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(kept.send("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    EXPECT_EQ(kept.read_reply()->header("Connection"), "keep-alive");
  }
}

TEST(Server, ClosesWhenAskedTo) {
  const auto server = start_server(loopback_options(), echo_service());
  HttpClient client(server->port());
  const auto reply = client.request("POST", "/", "b", {{"Connection", "close"}});
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header("Connection"), "close");
  EXPECT_TRUE(client.closed_within(patience));
}

TEST(Server, AnswersAClientThatHasShutItsSide) {
  const auto server = start_server(loopback_options(), echo_service());
  HttpClient client(server->port());
  ASSERT_TRUE(client.send("GET /half HTTP/1.1\r\nHost: x\r\n\r\n"));
  client.shutdown_write();
  EXPECT_EQ(client.read_reply()->status, 200);
  EXPECT_TRUE(client.closed_within(patience));
}

TEST(Server, SendsNoBodyToHead) {
  const auto server = start_server(loopback_options(), echo_service());
  HttpClient client(server->port());
  ASSERT_TRUE(client.send(render_http_request("HEAD", "/h") + render_http_request("GET", "/g")));
  const auto head = client.read_reply(true);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->header("Content-Length"), "8");
  EXPECT_EQ(client.read_reply()->body, "GET /g\n");
}

TEST(Server, TellsTheServiceWhoAsksAndForWhat) {
  std::string seen;
  const Service service{admit_all, [&seen](const Request& request, Responder responder) {
                          seen = request.head.peer + " " + request.head.path + " " +
                                 request.head.query + (request.head.tls ? " tls" : " plain");
                          std::move(responder).respond({.status = 204, .headers = {}, .body = {}});
                        }};
  const auto server = start_server(loopback_options(), service);
  HttpClient client(server->port());
  EXPECT_EQ(client.request("GET", "//a//b/?q=1")->status, 204);
  EXPECT_EQ(seen, "127.0.0.1 /a/b/ q=1 plain");
}

TEST(Server, AnswersUnreadWhatTheServiceRefuses) {
  const Service service{[](const RequestHead& head) -> Admission {
                          if (head.path == "/in") return ReadBody{};
                          return Response{.status = 403, .headers = {}, .body = "{}"};
                        },
                        [](const Request& request, Responder responder) {
                          std::move(responder).respond(echo(request));
                        }};
  const auto server = start_server(loopback_options(), service);
  HttpClient client(server->port());
  // Without a body there is nothing to close the connection for.
  EXPECT_EQ(client.request("GET", "/out")->status, 403);
  EXPECT_EQ(client.request("GET", "/in")->status, 200);

  // All of the body is on its way before the answer is read: it must not be lost to a reset.
  const auto reply = client.request("POST", "/out", std::string(4 << 20, 'x'));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 403);
  EXPECT_EQ(reply->header("Connection"), "close");
  EXPECT_TRUE(client.closed_within(patience));
}

TEST(Server, ReadsAndWritesBodiesOfManyMegabytes) {
  const auto server = start_server(loopback_options(), echo_service(std::size_t{64} << 20));
  HttpClient client(server->port());
  std::string body(20 << 20, 'x');
  for (std::size_t i = 0; i < body.size(); i += 997)
    body[i] = static_cast<char>('a' + i % 26);
  const auto reply = client.request("POST", "/big", body);
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->body == "POST /big\n" + body);
  EXPECT_EQ(client.request("GET", "/after")->status, 200);
}

TEST(Server, ThatCannotHaveItsAddressSaysWhy) {
  const auto first = start_server(loopback_options(), echo_service());
  auto options = loopback_options();
  options.port = first->port();
  const auto second = Server::start(options, echo_service());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, Fault::unavailable);
  EXPECT_NE(second.error().detail.find("127.0.0.1:" + std::to_string(first->port())),
            std::string::npos);
  EXPECT_NE(second.error().detail.find("in use"), std::string::npos);

  options.address = "no such host";
  EXPECT_FALSE(Server::start(options, echo_service()));
}

TEST(Server, ListensOnIpv6) {
  auto options = loopback_options();
  options.address = "::1";
  auto server = Server::start(options, echo_service());
  if (!server) GTEST_SKIP() << "no IPv6 here: " << server.error().detail;
  HttpClient client((*server)->port(), "::1");
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(client.request("GET", "/six")->body, "GET /six\n");
}

TEST(Server, TakesOverASocketThatListensAlready) {
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);

  auto options = loopback_options();
  options.listen_descriptor = ::dup(listening);
  EXPECT_FALSE(Server::start(options, echo_service())) << "it does not listen yet";

  ASSERT_EQ(::listen(listening, 10), 0);
  options.listen_descriptor = listening;
  const auto server = start_server(options, echo_service());
  HttpClient client(server->port());
  EXPECT_EQ(client.request("GET", "/given")->status, 200);
}

TEST(Server, SurvivesAHandlerThatThrows) {
  const Service service{[](const RequestHead& head) -> Admission {
                          if (head.path == "/admit") throw std::runtime_error("admission");
                          return ReadBody{1 << 20, head.path == "/pool"};
                        },
                        [](const Request& request, Responder responder) {
                          if (request.head.path == "/number") throw 42;
                          if (request.head.path != "/fine") throw std::runtime_error("a bug");
                          std::move(responder).respond({});
                        }};
  const auto server = start_server(loopback_options(), service);
  HttpClient client(server->port());
  for (const char* path : {"/handle", "/number", "/pool"}) {
    const auto reply = client.request("POST", path, "b");
    ASSERT_TRUE(reply) << path;
    EXPECT_EQ(reply->status, 500) << path;
    EXPECT_EQ(reply->body.find("bug"), std::string::npos);
  }
  EXPECT_EQ(client.request("GET", "/fine")->status, 200);
  EXPECT_EQ(client.request("GET", "/admit")->status, 500);
}

TEST(Server, AnswersForAResponderThatWasDropped) {
  const Service service{admit_all, [](const Request&, const Responder&) {}};
  const auto server = start_server(loopback_options(), service);
  HttpClient client(server->port());
  EXPECT_EQ(client.request("GET", "/")->status, 500);
  EXPECT_EQ(client.request("GET", "/")->status, 500);
}

TEST(Server, LetsNoHandlerForgeHeaders) {
  const Service service{admit_all, [](const Request& request, Responder responder) {
                          Response response;
                          response.headers.add("X-Reflected",
                                               percent_decode(request.head.query, false));
                          std::move(responder).respond(std::move(response));
                        }};
  const auto server = start_server(loopback_options(), service);
  HttpClient client(server->port());
  EXPECT_EQ(client.request("GET", "/?fine")->header("X-Reflected"), "fine");
  const auto reply = client.request("GET", "/?a%0d%0aSet-Cookie:%20x");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 500);
  EXPECT_EQ(reply->head.find("Set-Cookie"), std::string::npos);
  EXPECT_EQ(client.request("GET", "/?fine")->status, 200);
}

}  // namespace
}  // namespace picket::http

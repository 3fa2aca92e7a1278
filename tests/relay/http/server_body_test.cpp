// Where bodies lie while they come in: memory, the spool, and what is said when there is no room.
#include "relay/http/server_fixture.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace picket::http {
namespace {

struct Seen {
  std::mutex mutex;
  std::vector<std::string> bodies;
  std::vector<bool> in_file;
  std::vector<unsigned> refused;
};

struct Fixture {
  explicit Fixture(std::size_t max_memory = 1 << 20, std::uint64_t max_spool = std::uint64_t{1} << 30) {
    auto opened = buffer::Spool::open(
        {.folder = dir.path() / "spool", .max_bytes = max_spool, .above_bytes = 10'000});
    EXPECT_TRUE(opened);
    spool = *opened;
    options = loopback_options();
    options.spool = spool;
    options.max_body_memory_bytes = max_memory;
    service = {[](const RequestHead&) { return ReadBody{std::size_t{8} << 20, false}; },
               [this](const Request& request, Responder responder) {
                 const std::lock_guard lock(seen.mutex);
                 seen.bodies.emplace_back(request.body.view());
                 seen.in_file.push_back(request.body.in_file());
                 std::move(responder).respond({});
               },
               [this](const RequestHead&, Response& response) {
                 const std::lock_guard lock(seen.mutex);
                 seen.refused.push_back(response.status);
                 response.headers.add("X-Told", "yes");
               }};
  }

  picket::testing::TempDir dir;
  std::shared_ptr<buffer::Spool> spool;
  ServerOptions options;
  Seen seen;
  Service service;
};

std::string chunked(std::string_view body, std::size_t step) {
  std::string text = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (; !body.empty(); body.remove_prefix(std::min(step, body.size()))) {
    const auto piece = body.substr(0, step);
    char head[32];
    std::snprintf(head, sizeof head, "%zx\r\n", piece.size());
    text.append(head).append(piece).append("\r\n");
  }
  return text + "0\r\n\r\n";
}

TEST(ServerBody, LargeOnesLieInTheSpoolWhetherDeclaredOrChunked) {
  Fixture fixture;
  const auto server = start_server(fixture.options, fixture.service);
  const std::string large(3'000'000, 'l');
  const std::string small(9'000, 's');
  HttpClient client(server->port());
  EXPECT_EQ(client.request("POST", "/", large)->status, 200);
  EXPECT_EQ(client.request("POST", "/", small)->status, 200);
  ASSERT_TRUE(client.send(chunked(large, 50'000)));
  EXPECT_EQ(client.read_reply()->status, 200);
  EXPECT_EQ(fixture.seen.in_file, (std::vector<bool>{true, false, true}));
  EXPECT_TRUE(fixture.seen.bodies[0] == large);
  EXPECT_TRUE(fixture.seen.bodies[1] == small);
  EXPECT_TRUE(fixture.seen.bodies[2] == large);
  EXPECT_EQ(fixture.spool->used_bytes(), 0U);
}

TEST(ServerBody, GoesToTheSpoolWhenTheMemoryOfAllConnectionsIsTaken) {
  Fixture fixture(12'000);
  const auto server = start_server(fixture.options, fixture.service);
  const std::string half(4'500, 'h');
  HttpClient client(server->port());
  std::optional<HttpClient> holds;
  ASSERT_TRUE(eventually([&] {
    // Declared and half sent: its share of the memory stays taken. A new one each time: the one that comes to the
    // server while a request of `client` has the memory goes to the spool itself, and holds none.
    holds.emplace(server->port());
    EXPECT_TRUE(holds->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n" + half));
    EXPECT_EQ(client.request("POST", "/", std::string(8'000, 'c'))->status, 200);
    const std::lock_guard lock(fixture.seen.mutex);
    return fixture.seen.in_file.back();
  }));
  ASSERT_TRUE(holds->send(half));
  EXPECT_EQ(holds->read_reply()->status, 200);
  // Given back: the next one has memory again.
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(client.request("POST", "/", std::string(8'000, 'd'))->status, 200);
    const std::lock_guard lock(fixture.seen.mutex);
    return !fixture.seen.in_file.back();
  }));
}

TEST(ServerBody, AnswersWith503WhenNeitherHasRoom) {
  Fixture fixture(1 << 20, 1'000'000);
  const auto server = start_server(fixture.options, fixture.service);
  HttpClient client(server->port());
  const auto reply = client.request("POST", "/", std::string(5'000'000, 'x'));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 503);
  EXPECT_EQ(reply->header("Retry-After"), "1");
  EXPECT_EQ(reply->header("X-Told"), "yes");
  EXPECT_EQ(fixture.seen.refused, std::vector<unsigned>{503});
}

TEST(ServerBody, TellsTheServiceWhatItRefusedInMidBody) {
  Fixture fixture;
  fixture.service.admit = [](const RequestHead&) { return ReadBody{20'000, false}; };
  const auto server = start_server(fixture.options, fixture.service);
  {
    HttpClient client(server->port());
    ASSERT_TRUE(client.send(chunked(std::string(50'000, 'x'), 5'000)));
    const auto reply = client.read_reply();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 413);
    EXPECT_EQ(reply->header("X-Told"), "yes");
  }
  HttpClient client(server->port());
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"));
  EXPECT_EQ(client.read_reply()->status, 400);
  EXPECT_EQ(fixture.seen.refused, (std::vector<unsigned>{413, 400}));
}

}  // namespace
}  // namespace picket::http

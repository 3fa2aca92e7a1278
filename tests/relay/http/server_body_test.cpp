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

TEST(ServerBody, SendsAFileBehindTheBodyHoweverSlowlyItIsRead) {
  Fixture fixture;
  std::string large(20'000'000, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 % 253);
  buffer::BytesBuilder builder({fixture.spool});
  ASSERT_TRUE(builder.append(large));
  const auto file = *std::move(builder).finish();
  ASSERT_TRUE(file.in_file());
  fixture.service.handle = [&file](const Request& request, Responder responder) {
    Response response;
    response.status = request.head.path == "/none" ? 204 : 200;
    response.body = "first ";
    response.file = file;
    std::move(responder).respond(std::move(response));
  };
  const auto server = start_server(fixture.options, fixture.service);
  HttpClient client(server->port());
  for (int times = 0; times < 2; ++times) {
    const auto reply = client.request("GET", "/");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->header("Content-Length"), std::to_string(6 + large.size()));
    EXPECT_TRUE(reply->body == "first " + large);
    ASSERT_TRUE(client.send(render_http_request("HEAD", "/")));
    const auto head = client.read_reply(true);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->header("Content-Length"), std::to_string(6 + large.size()));
    EXPECT_EQ(client.request("GET", "/none")->status, 204);
  }
  // One that goes away in the middle holds nothing up.
  ASSERT_TRUE(client.send(render_http_request("GET", "/")));
  client.close();
  EXPECT_EQ(HttpClient(server->port()).request("GET", "/none")->status, 204);
}

// What a sink was given, for as long as somebody has it.
struct Given {
  std::mutex mutex;
  std::string bytes;
  int sinks = 0;
};
class Sink final : public BodySink {
 public:
  explicit Sink(Given& given) : given_(given) {
    const std::lock_guard lock(given_.mutex);
    ++given_.sinks;
  }
  ~Sink() override {
    const std::lock_guard lock(given_.mutex);
    --given_.sinks;
  }
  std::optional<Stop> take(std::string_view piece) override {
    const std::lock_guard lock(given_.mutex);
    given_.bytes += piece;
    return std::nullopt;
  }

 private:
  Given& given_;
};

TEST(ServerBody, StreamsToASinkWhichKeepsWhatCameBeforeTheConnectionBroke) {
  Given given;
  Fixture fixture;
  fixture.service.admit = [&given](const RequestHead&) {
    return ReadBody{std::size_t{8} << 20, false, std::make_shared<Sink>(given)};
  };
  const auto server = start_server(fixture.options, fixture.service);
  {
    HttpClient client(server->port());
    ASSERT_TRUE(client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + std::string(3'000'000, 'a')));
    ASSERT_TRUE(eventually([&] {
      const std::lock_guard lock(given.mutex);
      return given.bytes.size() == 3'000'000;
    })) << "nothing waits for the rest";
  }
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(given.mutex);
    return given.sinks == 0;
  }));
  HttpClient client(server->port());
  EXPECT_EQ(client.request("PUT", "/", std::string(2'000'000, 'b'))->status, 200);
  EXPECT_EQ(given.bytes.size(), 5'000'000U);
  EXPECT_EQ(fixture.spool->used_bytes(), 0U);
  const std::lock_guard lock(fixture.seen.mutex);
  EXPECT_EQ(fixture.seen.bodies, std::vector<std::string>{""});
}

}  // namespace
}  // namespace picket::http

#include "relay/http/request_parser.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <tuple>

namespace picket::http {
namespace {

using State = RequestParser::State;

constexpr std::size_t header_limit = 1024;

struct Outcome {
  State state = State::need_more;
  unsigned status = 0;  // of a failure
  std::optional<Request> request;
  std::string rest;  // not used
};

// Feeds `text` in pieces of `step` bytes, presenting again what was not used, as a session does.
Outcome parse(std::string_view text, std::size_t step, std::size_t body_limit = 1000) {
  auto parser = RequestParser::make(header_limit);
  parser->limit_body(body_limit, {});
  std::string held;
  bool in_body = false;
  while (!text.empty()) {
    held += text.substr(0, step);
    text.remove_prefix(std::min(step, text.size()));
    for (bool again = true; again;) {
      const auto progress = in_body ? parser->parse_body(held) : parser->parse_head(held);
      held.erase(0, progress.used);
      if (progress.state == State::failed) return {State::failed, parser->failure().status, {}, {}};
      again = progress.state == State::done && !in_body && parser->has_body();
      if (progress.state == State::done && !again) {
        return {State::done, 0, parser->take(), held + std::string(text)};
      }
      in_body = in_body || again;
    }
  }
  return {State::need_more, 0, {}, held};
}

TEST(RequestParser, GivesTheSameRequestHoweverTheBytesArrive) {
  const std::string chunked =
      "POST /a//b?c=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;ext=\"1\"\r\nhello\r\n7\r\n, world\r\n0\r\nX-Trailer: t\r\n\r\nGET /next";
  const std::string sized = "PUT /x HTTP/1.1\r\nContent-Length: 12\r\n\r\nhello, worldGET /next";
  for (const auto& text : {chunked, sized}) {
    for (std::size_t step = 1; step <= text.size(); ++step) {
      const auto outcome = parse(text, step);
      ASSERT_EQ(outcome.state, State::done) << "in pieces of " << step;
      EXPECT_EQ(outcome.request->body, "hello, world") << "in pieces of " << step;
      EXPECT_EQ(outcome.rest, "GET /next") << "in pieces of " << step;
      EXPECT_FALSE(outcome.request->head.headers.contains("X-Trailer"));
    }
  }
}

TEST(RequestParser, SplitsTheTargetAndFoldsRunsOfSlashes) {
  const auto outcome = parse("GET //api///1/store/?a=//b HTTP/1.1\r\n\r\n", 1000);
  ASSERT_TRUE(outcome.request);
  EXPECT_EQ(outcome.request->head.path, "/api/1/store/");
  EXPECT_EQ(outcome.request->head.query, "a=//b");
  EXPECT_EQ(outcome.request->head.target, "//api///1/store/?a=//b");
}

TEST(SplitTarget, TakesTheAbsoluteAndTheAsteriskForm) {
  RequestHead head;
  head.target = "http://picket:3000/api/1/?x";
  split_target(head);
  EXPECT_EQ(head.path, "/api/1/");
  EXPECT_EQ(head.query, "x");
  head.target = "https://picket?q";
  split_target(head);
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.query, "q");
  head.target = "*";
  split_target(head);
  EXPECT_EQ(head.path, "*");
  EXPECT_EQ(head.query, "");
}

TEST(RequestParser, RejectsWhatIsNotHttp) {
  for (const std::string_view text :
       {"hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on\r\n\r\n"}) {
    EXPECT_EQ(parse(text, 1000).status, 400U) << text;
    // In pieces, the end of the header may have to be seen first.
    EXPECT_EQ(parse(std::string(text) + "\r\n\r\n", 1).status, 400U) << text;
  }
}

TEST(RequestParser, RefusesTransferCodingsThatItWouldMisread) {
  for (const std::string_view coding : {"gzip", "gzip, chunked", "chunked, gzip", "identity"}) {
    const auto text = "POST / HTTP/1.1\r\nTransfer-Encoding: " + std::string(coding) + "\r\n\r\n";
    const auto outcome = parse(text, 1000);
    EXPECT_EQ(outcome.state, State::failed) << coding;
    EXPECT_TRUE(outcome.status == 501 || outcome.status == 400) << coding;
  }
}

TEST(RequestParser, RejectsMalformedChunks) {
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string_view body :
       {"x\r\n", "-1\r\n", "5\r\nhelloX\r\n0\r\n", "fffffffffffffffff\r\n"}) {
    EXPECT_EQ(parse(head + std::string(body), 1).state, State::failed) << body;
  }
}

TEST(RequestParser, BoundsTheHeaderInOnePieceAndInMany) {
  const std::string big = "GET / HTTP/1.1\r\nX: " + std::string(2 * header_limit, 'x') + "\r\n\r\n";
  std::string many = "GET / HTTP/1.1\r\n";
  while (many.size() < 2 * header_limit)
    many += "A: b\r\n";
  const std::string endless_line = "GET /" + std::string(2 * header_limit, 'x');
  for (const auto& text : {big, many, endless_line}) {
    for (const std::size_t step : {1UL, 2UL, 3UL, 6UL, 7UL, 100UL, 100'000UL}) {
      EXPECT_EQ(parse(text, step).status, 431U) << "in pieces of " << step;
    }
  }
}

TEST(RequestParser, BoundsTheNumberOfFields) {
  std::string text = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 250; ++i)
    text += "a:\r\n";
  ASSERT_LT(text.size() + 2, header_limit);
  EXPECT_EQ(parse(text + "\r\n", 10'000).status, 431U);
}

TEST(RequestParser, TakesAHeaderOfExactlyTheLimit) {
  std::string text = "GET / HTTP/1.1\r\nX: ";
  text += std::string(header_limit - text.size() - 4, 'x') + "\r\n\r\n";
  ASSERT_EQ(text.size(), header_limit);
  EXPECT_EQ(parse(text, 1000).state, State::done);
  EXPECT_EQ(parse(text + "the next request's bytes", 5000).state, State::done);
}

TEST(RequestParser, BoundsTheBodySizedAndChunked) {
  EXPECT_EQ(parse("POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\nhello world", 7, 10).status, 413U);
  EXPECT_EQ(parse("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello worl", 7, 10).state,
            State::done);
  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parse(chunked + "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n", 7, 10).status, 413U);
  EXPECT_EQ(parse(chunked + "6\r\nhello \r\n4\r\nworl\r\n0\r\n\r\n", 7, 10).state, State::done);
  EXPECT_EQ(parse(chunked + "ffffffffffffffff\r\n", 100, 10).status, 413U);
}

struct Pieces final : BodySink {
  std::optional<Stop> take(std::string_view piece) override {
    if (bytes.size() + piece.size() > most) return Stop{409, "enough"};
    bytes += piece;
    return std::nullopt;
  }
  std::string bytes;
  std::size_t most = SIZE_MAX;
};

TEST(RequestParser, GivesTheBodyToASinkAndNowhereElse) {
  const std::string sized = "PUT /x HTTP/1.1\r\nContent-Length: 12\r\n\r\nhello, world";
  const std::string chunked = "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n";
  for (const auto& text : {sized, chunked}) {
    const auto sink = std::make_shared<Pieces>();
    auto parser = RequestParser::make(header_limit);
    const auto head = parser->parse_head(text);
    ASSERT_EQ(head.state, State::done);
    parser->limit_body(12, {}, sink);
    ASSERT_EQ(parser->parse_body(std::string_view(text).substr(head.used)).state, State::done);
    const auto request = parser->take();
    EXPECT_EQ(sink->bytes, "hello, world");
    EXPECT_EQ(request.body, "");
    EXPECT_EQ(request.body_sink, sink);
  }
}

TEST(RequestParser, BoundsWhatASinkGetsAndHearsItsRefusal) {
  const std::string text = "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n";
  for (const auto& [limit, most, status, kept] :
       {std::tuple{std::size_t{11}, SIZE_MAX, 413U, "hello"}, std::tuple{std::size_t{12}, std::size_t{5}, 409U, "hello"}}) {
    const auto sink = std::make_shared<Pieces>();
    sink->most = most;
    auto parser = RequestParser::make(header_limit);
    const auto head = parser->parse_head(text);
    parser->limit_body(limit, {}, sink);
    EXPECT_EQ(parser->parse_body(std::string_view(text).substr(head.used)).state, State::failed);
    EXPECT_EQ(parser->failure().status, status);
    EXPECT_EQ(sink->bytes, kept);
  }
}

TEST(RequestParser, BoundsEndlessChunkExtensionsAndTrailers) {
  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parse(chunked + "5;" + std::string(3 * header_limit, 'x'), 100).state, State::failed);
  std::string trailer = chunked + "0\r\n";
  while (trailer.size() < 4 * header_limit)
    trailer += "A: b\r\n";
  EXPECT_EQ(parse(trailer, 100).state, State::failed);
}

TEST(RequestParser, SurvivesNoise) {
  std::mt19937 random(20240501);
  const std::string seed =
      "POST /a?b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\nT: t\r\n\r\n";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seed;
    for (unsigned change = random() % 4 + 1; change > 0; --change) {
      const auto at = random() % text.size();
      if (random() % 2 == 0) {
        text[at] = static_cast<char>(random() % 256);
      } else {
        text.erase(at, random() % 5);
      }
      if (text.empty()) text = "x";
    }
    parse(text, random() % text.size() + 1);
  }
}

}  // namespace
}  // namespace picket::http

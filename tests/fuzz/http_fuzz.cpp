// Requests: the same one comes out of the same bytes, whatever the pieces they arrive in; it is within the
// limits, and nothing of it could end a line of what is answered. The first byte is the size of the pieces.

#include "fuzz/invariant.h"
#include "relay/http/request_parser.h"
#include "relay/http/response_head.h"

#include <algorithm>
#include <string>
#include <utility>

namespace picket::http {

using fuzz::check;
using State = RequestParser::State;

namespace {

constexpr std::size_t header_limit = 2'000;
constexpr std::size_t body_limit = 3'000;

struct Parsed {
  State state = State::need_more;
  unsigned status = 0;  // of a failure
  Request request;
  std::string rest;  // not used: the next request's
  bool keep_alive = false;
  bool expects_continue = false;
};

Parsed finished(RequestParser& parser, std::string rest) {
  const bool keep_alive = parser.keep_alive();
  const bool expects_continue = parser.expects_continue();
  return {State::done, 0, parser.take(), std::move(rest), keep_alive, expects_continue};
}

// As a session does it: what was not used is presented again with what arrives.
Parsed parse(std::string_view text, std::size_t step) {
  const auto parser = RequestParser::make(header_limit);
  parser->limit_body(body_limit, {});
  std::string held;
  bool in_body = false;
  while (!text.empty()) {
    held += text.substr(0, step);
    text.remove_prefix(std::min(step, text.size()));
    for (bool again = true; again;) {
      const auto progress = in_body ? parser->parse_body(held) : parser->parse_head(held);
      check(progress.used <= held.size(), "no more is used than was presented");
      if (progress.state == State::failed) return {State::failed, parser->failure().status, {}, {}, false, false};
      held.erase(0, progress.used);
      again = progress.state == State::done && !in_body && parser->has_body();
      if (progress.state == State::done && !again) return finished(*parser, held + std::string(text));
      in_body = in_body || again;
    }
  }
  return {};
}

bool is_line(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

void check_request(const Request& request) {
  const auto& head = request.head;
  check(!head.method.empty() && is_line(head.method), "a method is a word");
  check(is_line(head.target) && head.target.find(' ') == std::string::npos, "a target is one word");
  check(head.path.find("//") == std::string::npos && !head.path.empty(), "runs of slashes are folded");
  check(head.path.find('?') == std::string::npos, "a path ends at the question mark");
  check(head.headers.all().size() <= 200, "fields are limited");
  Response reflected;
  for (const auto& [name, value] : head.headers.all()) {
    check(is_line(name) && is_line(value), "a field is one line");
    reflected.headers.add(name, value);
  }
  check(is_safe(reflected), "what came as a field may leave as one");
  check(request.body.size() <= body_limit, "a body is limited");
}

void check_same(const Parsed& whole, const Parsed& pieces) {
  // What is wrong may be seen before the header's end has come, or only then.
  check((whole.state == State::done) == (pieces.state == State::done), "the pieces do not decide what becomes of a request");
  if (whole.state != State::done) return;
  const auto& one = whole.request.head;
  const auto& other = pieces.request.head;
  check(one.method == other.method && one.target == other.target && one.path == other.path && one.query == other.query,
        "the request line is the same");
  check(one.headers.all() == other.headers.all(), "the fields are the same");
  check(whole.request.body.view() == pieces.request.body.view(), "the body is the same");
  check(whole.rest == pieces.rest, "the next request begins at the same byte");
  check(whole.keep_alive == pieces.keep_alive && whole.expects_continue == pieces.expects_continue,
        "the connection goes on in the same way");
}

// A response that is let out has the lines that it should have, whatever is in it.
void check_response(std::string_view text) {
  Response response;
  response.headers.add("X-Reflected", std::string(text));
  if (!is_safe(response)) return;
  std::string rendered;
  render_head(rendered, response, {.date = "now"});
  check(rendered.ends_with("\r\n\r\n"), "a head ends with an empty line");
  check(rendered.find("\r\n\r\n") == rendered.size() - 4, "there is no other empty line");
  check(rendered.find("X-Reflected: " + std::string(text) + "\r\n") != std::string::npos, "a field is as it was given");
}

void check_query(std::string_view text) {
  const auto pairs = parse_query(text);
  check(pairs.size() <= static_cast<std::size_t>(std::ranges::count(text, '&')) + 1, "pairs are separated");
  check(percent_decode(percent_encode(text), false) == text, "what is encoded is decoded to the same");
  check(percent_decode(text, true).size() <= text.size(), "decoding makes nothing longer");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  auto text = fuzz::as_text(bytes, size);
  if (text.empty()) return 0;
  const std::size_t step = static_cast<unsigned char>(text.front()) + 1U;
  text.remove_prefix(1);
  const auto whole = parse(text, text.size() + 1);
  if (whole.state == State::done) check_request(whole.request);
  if (whole.state == State::failed) {
    const auto status = whole.status;
    check(status == 400 || status == 413 || status == 431 || status == 501 || status == 503, "a failure has an answer");
  }
  check_same(whole, parse(text, step));
  check_response(text.substr(0, 300));
  check_query(text);
  return 0;
}

}  // namespace picket::http

#include "relay/http/request_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>

namespace picket::http {
namespace {

namespace beast = boost::beast;
using Parser = beast::http::basic_parser<true>;
using ErrorCode = beast::error_code;
using Text = beast::string_view;

constexpr std::size_t max_fields = 200;
constexpr BodySink::Stop no_room{503, "there is no room for the request body"};

std::string_view std_view(Text text) {
  return {text.data(), text.size()};
}

// Beast's parser is strict and fuzzed; deriving from it fills our own types without a copy through
// beast's. Its header limit counts what is unread, not what it has taken already: counted here.
class BeastParser final : public RequestParser, private Parser {
 public:
  explicit BeastParser(std::size_t max_header_bytes) : max_header_bytes_(max_header_bytes) {
    header_limit(static_cast<std::uint32_t>(max_header_bytes));
    body_limit(boost::none);  // on_body_impl counts: the limit is known only after the head
  }

  Progress parse_head(std::string_view bytes) override {
    eager(false);
    std::size_t used = 0;
    while (!is_header_done()) {
      if (used == bytes.size()) return need_more(used);
      ErrorCode error;
      const auto rest = bytes.substr(used);
      const auto taken = put(boost::asio::buffer(rest.data(), rest.size()), error);
      used += taken;
      header_bytes_ += taken;
      if (header_bytes_ + (is_header_done() ? 0 : rest.size() - taken) > max_header_bytes_) {
        return fail(431, "the header is too large");
      }
      if (error == beast::http::error::need_more) return need_more(used);
      if (error) return fail(error);
    }
    if (unknown_coding_) return fail(501, "unknown Transfer-Encoding");
    split_target(request_.head);
    return {State::done, used};
  }

  Progress parse_body(std::string_view bytes) override {
    eager(true);
    std::size_t used = 0;
    while (!is_done()) {
      const auto rest = bytes.substr(used);
      if (rest.empty()) return {State::need_more, used};
      ErrorCode error;
      const auto taken = put(boost::asio::buffer(rest.data(), rest.size()), error);
      used += taken;
      if (error == beast::http::error::need_more) {
        // Chunk extensions and trailers are held until their end is seen.
        if (rest.size() - taken > max_header_bytes_) return fail(431, "the trailer is too large");
        return {State::need_more, used};
      }
      if (error) return fail(error);
    }
    auto body = std::move(body_).finish();
    if (!body) return fail(no_room.status, no_room.detail);
    request_.body = *std::move(body);
    return {State::done, used};
  }

  const RequestHead& head() const override { return request_.head; }
  RequestHead& head_to_fill() override { return request_.head; }
  bool has_body() const override { return !is_done(); }
  std::optional<std::uint64_t> content_length() const override {
    const auto length = Parser::content_length();
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
  }
  bool keep_alive() const override { return Parser::keep_alive(); }
  bool is_http10() const override { return version_ < 11; }
  bool expects_continue() const override { return expects_continue_ && !is_http10(); }
  void limit_body(std::size_t max_bytes,
                  const buffer::ByteRoom& room,
                  std::shared_ptr<BodySink> sink) override {
    max_body_bytes_ = max_bytes;
    body_ = buffer::BytesBuilder(room);
    request_.body_sink = std::move(sink);
  }
  Request take() override { return std::move(request_); }
  Failure failure() const override { return failure_; }

 private:
  static Progress need_more(std::size_t used) { return {State::need_more, used}; }

  Progress fail(unsigned status, std::string_view detail) {
    failure_ = {status, detail};
    return {State::failed, 0};
  }

  Progress fail(const ErrorCode& error) {
    if (error == beast::http::error::header_limit) return fail(431, "the header is too large");
    if (stop_) return fail(stop_->status, stop_->detail);
    if (error == beast::http::error::body_limit) return fail(413, "the request body is too large");
    if (error == beast::http::error::bad_version) return fail(400, "not HTTP/1.0 or HTTP/1.1");
    return fail(400, is_header_done() ? "malformed request body" : "malformed HTTP request");
  }

  Text::size_type take_body(Text piece, ErrorCode& error) {
    if (piece.size() > max_body_bytes_ - body_bytes_) {
      error = beast::http::error::body_limit;
      return 0;
    }
    if (const auto& sink = request_.body_sink) {
      if (const auto stopped = sink->take(std_view(piece))) return stop(*stopped, error);
    } else if (!body_.append(std_view(piece))) {
      return stop(no_room, error);
    }
    body_bytes_ += piece.size();
    return piece.size();
  }

  std::size_t stop(const BodySink::Stop& why, ErrorCode& error) {
    stop_ = why;
    error = beast::http::error::body_limit;
    return 0;
  }

  void on_request_impl(beast::http::verb /*verb*/,
                       Text method,
                       Text target,
                       int version,
                       ErrorCode& /*error*/) override {
    request_.head.method = std_view(method);
    request_.head.target = std_view(target);
    version_ = version;
  }

  void on_response_impl(int /*code*/,
                        Text /*reason*/,
                        int /*version*/,
                        ErrorCode& /*error*/) override {}

  void on_field_impl(beast::http::field name, Text text, Text value, ErrorCode& error) override {
    if (is_header_done()) return;  // a trailer: nothing here was promised to anybody
    if (request_.head.headers.all().size() >= max_fields) {
      error = beast::http::error::header_limit;
      return;
    }
    if (name == beast::http::field::transfer_encoding) {
      // Beast frames by a final "chunked" and ignores all others: their bodies would be read as
      // requests.
      if (!beast::iequals(value, "chunked")) unknown_coding_ = true;
    } else if (name == beast::http::field::expect) {
      expects_continue_ = beast::iequals(value, "100-continue");
    }
    request_.head.headers.add(std::string(std_view(text)), std::string(std_view(value)));
  }

  void on_header_impl(ErrorCode& /*error*/) override {}

  void on_body_init_impl(const boost::optional<std::uint64_t>& length,
                         ErrorCode& error) override {
    if (!length || request_.body_sink) return;
    if (!body_.expect(std::min<std::uint64_t>(*length, max_body_bytes_))) stop(no_room, error);
  }

  std::size_t on_body_impl(Text piece, ErrorCode& error) override {
    return take_body(piece, error);
  }

  void on_chunk_header_impl(std::uint64_t size, Text /*extensions*/, ErrorCode& error) override {
    if (size > max_body_bytes_ - body_bytes_) error = beast::http::error::body_limit;
  }

  std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, Text piece, ErrorCode& error) override {
    return take_body(piece, error);
  }

  void on_finish_impl(ErrorCode& /*error*/) override {}

  std::size_t max_header_bytes_;
  std::size_t max_body_bytes_ = 0;
  std::size_t header_bytes_ = 0;
  std::size_t body_bytes_ = 0;
  buffer::BytesBuilder body_;
  Request request_;
  Failure failure_;
  int version_ = 11;
  bool unknown_coding_ = false;
  bool expects_continue_ = false;
  std::optional<BodySink::Stop> stop_;
};

}  // namespace

std::unique_ptr<RequestParser> RequestParser::make(std::size_t max_header_bytes) {
  return std::make_unique<BeastParser>(max_header_bytes);
}

void split_target(RequestHead& head) {
  std::string_view target = head.target;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.size(), target.find_first_of("/?")));
    break;
  }
  const auto question = target.find('?');
  const auto path = target.substr(0, question);
  head.query =
      question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
  head.path.clear();
  head.path.reserve(path.size());
  for (const char c : path) {
    if (c != '/' || head.path.empty() || head.path.back() != '/') head.path += c;
  }
  if (head.path.empty()) head.path = "/";
}

}  // namespace picket::http

#include "relay/ingest/batch_endpoint.h"

#include "buffer/logger.h"
#include "relay/ingest/replies.h"
#include "relay/protocol/envelope_batch.h"

#include <array>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace picket::ingest {
namespace {

constexpr unsigned batch_threads = 2;
constexpr std::size_t batches_waiting = 64;

// What a frame may say beside its body; the rest belongs to newer versions.
constexpr std::array<std::string_view, 8> known_headers{
    "X-Sentry-Auth", "Content-Type", "Content-Encoding", "User-Agent", "Origin", "X-Forwarded-For", "X-Picket-Via", "X-Picket-Record"};

// Why the body is not even read; nothing when it is.
std::optional<http::Response> refusal_of(const http::RequestHead& head) {
  if (head.method != "POST") return not_allowed_reply("POST");
  const auto type = head.headers.find("Content-Type");
  if (type.substr(0, type.find(';')) != relay::batch_content_type)
    return error_reply(415, "unsupported media type", "a batch is " + std::string(relay::batch_content_type));
  if (head.headers.find("Content-Encoding") != "zstd")
    return error_reply(415, "unsupported content encoding", "a batch is zstd");
  return std::nullopt;
}

http::Request make_request(const http::RequestHead& head, const relay::BatchFrame& frame) {
  http::Request request;
  request.head.method = "POST";
  request.head.path = "/api/" + std::string(frame.project) + "/envelope/";
  request.head.target = request.head.path;
  request.head.peer = head.peer;
  request.head.tls = head.tls;
  http::Headers said;
  for (const auto& [name, value] : frame.headers) said.add(std::string(name), std::string(value));
  for (const auto name : known_headers) {
    if (said.contains(name)) request.head.headers.add(std::string(name), std::string(said.find(name)));
  }
  request.body = std::string(frame.body);
  return request;
}

std::string render_line(const http::Response& response) {
  return relay::render_batch_line({response.status, std::string(response.headers.find("Retry-After")),
                                   std::string(response.headers.find("X-Sentry-Rate-Limits")), response.body});
}

// Gathers the lines; the last to come sends them.
class Answers : public std::enable_shared_from_this<Answers> {
 public:
  Answers(std::shared_ptr<Ledger> ledger, http::Responder responder)
      : ledger_(std::move(ledger)), responder_(std::move(responder)) {}

  http::Responder place() {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back();
    ++left_;
    return http::Responder(std::make_shared<Place>(shared_from_this(), lines_.size() - 1));
  }
  // No more of them; `failure` is why, when that is not the batch's end.
  void close(const std::optional<Error>& failure) {
    {
      const std::lock_guard lock(mutex_);
      failure_ = failure;
    }
    end_one();
  }

 private:
  struct Place final : http::Responder::Sink {
    Place(std::shared_ptr<Answers> of, std::size_t its_index) : answers(std::move(of)), index(its_index) {}
    void send(http::Response response) override { answers->take(index, render_line(response)); }
    const std::shared_ptr<Answers> answers;
    const std::size_t index;
  };

  void take(std::size_t index, std::string line) {
    {
      const std::lock_guard lock(mutex_);
      lines_[index] = std::move(line);
    }
    end_one();
  }

  void end_one() {
    {
      const std::lock_guard lock(mutex_);
      if (--left_ > 0) return;
    }
    auto response = make_response();
    ledger_->counters.count_answer(Endpoint::batch, response.status);
    std::move(responder_).respond(std::move(response));
  }

  // Lines before the failure stand: what is behind it has none.
  http::Response make_response() const {
    if (failure_ && lines_.empty())
      return error_reply(failure_->fault == Fault::too_large ? 413 : 400, "invalid batch", failure_->detail);
    http::Response response;
    response.content_type = relay::batch_answer_type;
    for (const auto& line : lines_) response.body += line;
    return response;
  }

  const std::shared_ptr<Ledger> ledger_;
  http::Responder responder_;
  std::mutex mutex_;
  std::vector<std::string> lines_;  // guarded by mutex_, as the next two; free once none is left
  std::optional<Error> failure_;
  std::size_t left_ = 1;  // close() and places that have not answered
};

}  // namespace

BatchEndpoint::BatchEndpoint(std::shared_ptr<Ledger> ledger, TakeIn take_in)
    : ledger_(std::move(ledger)),
      take_in_(std::move(take_in)),
      pool_(batch_threads, batches_waiting,
            [this](http::Request request, http::Responder responder) { take_apart(request, std::move(responder)); },
            "batches") {}

void BatchEndpoint::respond(http::Responder responder, http::Response response) const {
  ledger_->counters.count_answer(Endpoint::batch, response.status);
  std::move(responder).respond(std::move(response));
}

http::Admission BatchEndpoint::admit(const http::RequestHead& head) const {
  constexpr std::size_t ignored_body_bytes = 64 * 1024;
  // Answered by handle(), so that the connection lives on.
  return http::ReadBody{refusal_of(head) ? ignored_body_bytes : relay::batch_limits.packed_bytes, false};
}

void BatchEndpoint::handle(http::Request request, http::Responder responder) {
  if (auto refusal = refusal_of(request.head)) return respond(std::move(responder), *std::move(refusal));
  if (pool_.offer(request, responder)) return;
  auto full = error_reply(503, "could not be stored", "too many batches are waiting");
  full.headers.add("Retry-After", "1");
  respond(std::move(responder), std::move(full));
}

void BatchEndpoint::on_refused(const http::Response& response) const {
  ledger_->counters.count_answer(Endpoint::batch, response.status);
}

// An exception costs the envelope that it met, which its responder answers 500, and those behind it.
void BatchEndpoint::take_apart(const http::Request& request, http::Responder responder) const {
  const auto answers = std::make_shared<Answers>(ledger_, std::move(responder));
  std::optional<Error> failure;
  try {
    relay::EnvelopeBatchReader reader(request.body);
    for (;;) {
      const auto frame = reader.next();
      if (!frame) failure = frame.error();
      if (!frame || !*frame) break;
      take_in_(make_request(request.head, **frame), answers->place());
    }
  } catch (const std::exception& error) {
    log(Level::error, "ingest", "a batch was not taken in whole", {{"reason", error.what()}});
    failure = Error{Fault::unavailable, "internal error"};
  }
  answers->close(failure);
}

}  // namespace picket::ingest

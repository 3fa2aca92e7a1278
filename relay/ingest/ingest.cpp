#include "relay/ingest/ingest.h"

#include "buffer/logger.h"
#include "relay/ingest/endpoint.h"
#include "relay/ingest/quota_config.h"
#include "relay/ingest/replies.h"
#include "relay/ingest/route.h"
#include "relay/ingest/upload_claims.h"
#include "relay/protocol/envelope_batch.h"

#include <chrono>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace picket::ingest {

using SteadyClock = std::chrono::steady_clock;

// The answer that one or several records wait for: given by the last of them, and bad if any of
// them failed.
struct Waiting {
  Waiting(std::shared_ptr<Ledger> its_ledger,
          Endpoint its_endpoint,
          SteadyClock::time_point its_begin,
          http::Responder its_responder,
          http::Response success,
          std::size_t records)
      : ledger(std::move(its_ledger)),
        endpoint(its_endpoint),
        began(its_begin),
        responder(std::move(its_responder)),
        reply(std::move(success)),
        left(records) {}

  const std::shared_ptr<Ledger> ledger;
  const Endpoint endpoint;
  const SteadyClock::time_point began;
  http::Responder responder;
  std::mutex mutex;
  http::Response reply;  // for success, made beforehand: the committer's time is everybody's
  std::size_t left;      // records that have not ended; guarded by mutex
};

namespace {

// One record on its way through the commit. Shared only because std::function wants copies.
struct WaitingRecord {
  std::shared_ptr<Waiting> waiting;
  std::optional<Sender> sender;
  std::vector<ItemCount> items;
  std::size_t bytes;
  Time received;
  std::shared_ptr<UploadStore> store;
  std::vector<std::string> uploads;  // that it is the end of
};

// Always answered by no_room_reply().
Refusal disk_full() {
  auto refusal = make_refusal(429, "rate limited", "the disk budget is used up", "disk_full");
  refusal.outcome = relay::Outcome::rate_limited;
  return refusal;
}

// Nothing is stored, so even those who know no 429 must not hear of success.
http::Response no_room_reply(Endpoint endpoint) {
  const auto* rule = find_rule(endpoint);
  if (rule == nullptr || rule->may_answer_429) return full_reply();
  return error_reply(503, "could not be stored", "the disk budget is used up");
}

// Those of a configuration that was checked at start; a wrong one limits nothing.
std::vector<ProjectDirectory::ConfiguredQuota> configured_quotas(const IngestConfig& config) {
  auto quotas = parse_configured_quotas(config.quotas);
  if (quotas) return *std::move(quotas);
  log(Level::warning, "ingest", "quotas left out", {{"reason", quotas.error().detail}});
  return {};
}

// Large bodies are worked on by so many threads; more of them would only share the disk.
constexpr unsigned large_body_threads = 2;
constexpr std::size_t large_bodies_waiting = 256;

Workplace make_workplace(const buffer::Journal& journal, bool has_time) {
  Workplace workplace;
  workplace.room.spool = journal.reading_room().spool;
  if (workplace.room.spool && !has_time) workplace.most_bytes = workplace.room.spool->above_bytes();
  return workplace;
}

// `failure` stands for the reply of a record that did not get through.
void end_record(Waiting& waiting, std::optional<http::Response> failure) {
  {
    const std::lock_guard lock(waiting.mutex);
    if (failure) waiting.reply = *std::move(failure);
    if (--waiting.left > 0) return;
  }
  waiting.ledger->counters.count_answer(waiting.endpoint, waiting.reply.status);
  std::move(waiting.responder).respond(std::move(waiting.reply));
}

void end_commit(const WaitingRecord& record, const Result<buffer::Sequence>& durable) {
  auto& ledger = *record.waiting->ledger;
  ledger.last_commit_failed = !durable;
  ledger.counters.end_waiting(record.bytes);
  if (durable) {
    ledger.counters.count_acknowledged(SteadyClock::now() - record.waiting->began);
    if (!record.uploads.empty()) record.store->use_up(record.uploads);
    return end_record(*record.waiting, std::nullopt);
  }
  if (!record.uploads.empty()) record.store->disclaim(record.uploads);
  ledger.drop(record.sender, record.items, relay::Outcome::invalid, "internal", record.received);
  end_record(*record.waiting, error_reply(503, "could not be stored", durable.error().detail));
}

// A name that leads nowhere is a wrong configuration: the process must not start.
std::string read_bundle(const std::string& file) {
  if (file.empty()) return {};
  std::ifstream stream(file, std::ios::binary);
  std::string bundle(std::istreambuf_iterator<char>(stream), {});
  if (!stream || bundle.empty())
    throw std::runtime_error("[ingest] js_sdk_file: cannot read \"" + file + "\"");
  return bundle;
}

}  // namespace

Ingest::Ingest(buffer::Journal& journal,
               const buffer::Tables& tables,
               const Clock& clock,
               const IngestConfig& config,
               std::shared_ptr<UploadStore> uploads)
    : journal_(journal),
      clock_(clock),
      config_(config),
      directory_(tables, clock, configured_quotas(config)),
      gate_(directory_),
      pipeline_(quotas_),
      upstream_limits_(tables),
      shedding_(journal, config_),
      upload_store_(uploads ? settle_claims(std::move(uploads), journal) : nullptr),
      intake_(gate_, pipeline_, config_, upload_store_.get(), &upstream_limits_, &shedding_),
      at_once_(make_workplace(journal, false)),
      with_time_(make_workplace(journal, true)),
      bundle_(read_bundle(config_.js_sdk_file)),
      ledger_(std::make_shared<Ledger>()),
      pool_(with_time_.room.spool ? std::make_unique<http::WorkerPool>(
                                        large_body_threads, large_bodies_waiting,
                                        [this](http::Request request, http::Responder responder) {
                                          take_in_on_pool(request, std::move(responder));
                                        },
                                        "large bodies")
                                  : nullptr),
      uploads_(upload_store_ ? std::make_unique<UploadEndpoint>(
                                   upload_store_, gate_, quotas_, config_, ledger_,
                                   [this](const std::optional<Sender>& sender) {
                                     return refuses_all() ? std::optional(make_outage(sender)) : std::nullopt;
                                   })
                             : nullptr),
      batches_(std::make_unique<BatchEndpoint>(ledger_, [this](http::Request request, http::Responder responder) {
        take_in(request, std::move(responder), with_time_);
      })),
      thread_([this](const std::stop_token& stop) { keep_up(stop); }) {}

Ingest::~Ingest() {
  batches_->stop();
  if (pool_) pool_->stop();
  if (uploads_) uploads_->stop();
  thread_.request_stop();
  thread_.join();
  tidy_uploads();
  flush_outcomes();
}

bool Ingest::owns(std::string_view path) const {
  return owns_path(path);
}

Refusal Ingest::make_outage(std::optional<Sender> sender) const {
  auto refusal = draining_
                     ? make_refusal(503, "shutting down", "send again in a moment", "internal")
                     : disk_full();
  refusal.sender = std::move(sender);
  return refusal;
}

http::Response Ingest::refuse(Refusal refusal, Endpoint endpoint) {
  ledger_->refuse(refusal, clock_.now());
  if (refusal.answer) return *std::move(refusal.answer);
  if (refusal.status == 429 && !refusal.limits.empty())
    return limited_reply(refusal.limits, clock_.now());
  if (refusal.status == 429) return no_room_reply(endpoint);
  return error_reply(refusal.status, refusal.detail, refusal.cause);
}

http::Admission Ingest::admit(const http::RequestHead& head) {
  constexpr std::size_t ignored_body_bytes = 64 * 1024;
  const auto route = find_route(head.path);
  if (uploads_ && route.endpoint == Endpoint::upload) return uploads_->admit(head, route);
  if (route.endpoint == Endpoint::batch) return batches_->admit(head);
  const auto* rule = find_rule(route, head);
  if (rule == nullptr || !allows(*rule, head.method)) {
    // Answered by handle(), so that the connection lives on. Other rooms' metrics may take their
    // time.
    return http::ReadBody{ignored_body_bytes, route.endpoint == Endpoint::metrics};
  }
  auto checked = intake_.check_head(head, route);
  if (auto* passed = std::get_if<Passed>(&checked)) {
    if (!refuses_all()) return http::ReadBody{passed->most_bytes, false};
    checked = make_outage(std::move(passed->sender));
  }
  auto response = refuse(std::get<Refusal>(std::move(checked)), route.endpoint);
  ledger_->counters.count_answer(route.endpoint, response.status);
  return response;
}

void Ingest::handle(http::Request request, http::Responder responder) {
  const auto route = find_route(request.head.path);
  const auto& method = request.head.method;
  if (uploads_ && route.endpoint == Endpoint::upload)
    return uploads_->handle(std::move(request), std::move(responder));
  if (route.endpoint == Endpoint::batch) return batches_->handle(std::move(request), std::move(responder));
  if (const auto* rule = find_rule(route, request.head)) {
    if (allows(*rule, method)) {
      const bool at_once = !pool_ || (!rule->takes_long && request.body.size() <= at_once_.most_bytes);
      return at_once ? take_in(request, std::move(responder), at_once_)
                     : take_in_with_time(request, std::move(responder));
    }
    return respond(route.endpoint, std::move(responder), show(*rule, request.head, route));
  }
  const bool reads = method == "GET" || method == "HEAD";
  switch (route.endpoint) {
    case Endpoint::live:
      if (!reads) break;
      return respond(route.endpoint, std::move(responder), health_reply(true));
    case Endpoint::ready:
      if (!reads) break;
      return respond(route.endpoint, std::move(responder), health_reply(ready()));
    case Endpoint::metrics: {
      if (!reads) break;
      http::Response response;
      response.content_type = "text/plain; version=0.0.4; charset=utf-8";
      response.body = render_metrics();
      return respond(route.endpoint, std::move(responder), std::move(response));
    }
    default:
      return respond(route.endpoint, std::move(responder),
                     error_reply(404, "the requested resource does not exist"));
  }
  respond(route.endpoint, std::move(responder), not_allowed_reply("GET"));
}

http::Response Ingest::show(const EndpointRule& rule,
                            const http::RequestHead& head,
                            const Route& route) const {
  if (head.method == "OPTIONS") return preflight_reply();
  if (rule.page != nullptr && (head.method == "GET" || head.method == "HEAD"))
    return rule.page({head, route, gate_, config_, bundle_});
  return not_allowed_reply(allowed_methods(rule));
}

void Ingest::respond(Endpoint endpoint, http::Responder responder, http::Response response) {
  ledger_->counters.count_answer(endpoint, response.status);
  std::move(responder).respond(std::move(response));
}

void Ingest::take_in_with_time(http::Request& request, http::Responder responder) {
  if (pool_->offer(request, responder)) return;
  const auto route = find_route(request.head.path);
  auto refusal = no_room("too many large bodies are waiting");
  auto checked = intake_.check_head(request.head, route);
  if (auto* passed = std::get_if<Passed>(&checked)) refusal.sender = std::move(passed->sender);
  auto response = refuse(std::move(refusal), route.endpoint);
  response.headers.add("Retry-After", "1");
  respond(route.endpoint, std::move(responder), std::move(response));
}

// An exception costs its request, which the responder answers 500.
void Ingest::take_in_on_pool(http::Request& request, http::Responder responder) {
  try {
    take_in(request, std::move(responder), with_time_);
  } catch (const std::exception& error) {
    log(Level::error, "ingest", "a large body was not taken in", {{"reason", error.what()}});
  }
}

void Ingest::on_refused(const http::RequestHead& head, http::Response& response) {
  const auto route = find_route(head.path);
  if (uploads_ && route.endpoint == Endpoint::upload) return uploads_->on_refused(head, route, response);
  if (route.endpoint == Endpoint::batch) return batches_->on_refused(response);
  const auto* rule = find_rule(route, head);
  if (rule == nullptr || !allows(*rule, head.method)) return;
  auto refusal = response.status == 413   ? too_large("the body exceeds the size limit")
                 : response.status == 503 ? no_room("there is no room for the body")
                                          : make_refusal(response.status, "invalid request",
                                                         "the body cannot be read", "no_data");
  auto checked = intake_.check_head(head, route);
  if (auto* passed = std::get_if<Passed>(&checked)) refusal.sender = std::move(passed->sender);
  auto answer = refuse(std::move(refusal), route.endpoint);
  if (answer.status == 503) answer.headers.add("Retry-After", "1");
  ledger_->counters.count_answer(route.endpoint, answer.status);
  response = std::move(answer);
}

void Ingest::take_in(http::Request& request, http::Responder responder, const Workplace& workplace) {
  const auto route = find_route(request.head.path);
  const auto began = SteadyClock::now();
  // Once more: the journal may have filled up, and the drain begun, while the body came in.
  if (refuses_all()) {
    auto checked = intake_.check_head(request.head, route);
    if (auto* passed = std::get_if<Passed>(&checked))
      checked = make_outage(std::move(passed->sender));
    return respond(route.endpoint, std::move(responder),
                   refuse(std::get<Refusal>(std::move(checked)), route.endpoint));
  }
  auto result = intake_.take_in(request, route, clock_.now(), workplace);
  if (std::holds_alternative<TooMuch>(result)) return take_in_with_time(request, std::move(responder));
  if (auto* refusal = std::get_if<Refusal>(&result)) {
    if (!refusal->uploads.empty()) upload_store_->use_up(std::move(refusal->uploads));
    return respond(route.endpoint, std::move(responder),
                   refuse(std::move(*refusal), route.endpoint));
  }
  auto taken = std::get<Taken>(std::move(result));
  ledger_->counters.count_envelope();
  // Nothing is kept of them, which is about to be counted.
  if (!taken.record && !taken.uploads.empty()) upload_store_->use_up(std::move(taken.uploads));
  ledger_->drop(taken.sender, taken.dropped, clock_.now());
  auto reply = std::move(taken.answer);
  // Only another Picket says what its envelopes have come through.
  if (request.head.headers.contains("X-Picket-Via"))
    reply.headers.add(std::string(relay::batch_offer_header), std::string(relay::batch_version));
  auto parts = take_in_more(request.head, route, std::move(taken.more));
  if (taken.record) parts.push_back(std::move(taken));
  if (parts.empty()) return respond(route.endpoint, std::move(responder), std::move(reply));
  auto waiting = std::make_shared<Waiting>(ledger_, route.endpoint, began, std::move(responder),
                                           std::move(reply), parts.size());
  for (auto& part : parts)
    make_durable(std::move(part), waiting);
}

std::vector<Taken> Ingest::take_in_more(const http::RequestHead& head,
                                        const Route& route,
                                        std::vector<std::string> envelopes) {
  std::vector<Taken> parts;
  for (auto& envelope : envelopes) {
    http::Request request{head, std::move(envelope)};
    request.head.headers.set("Content-Encoding", "");
    auto own = route;
    own.endpoint = Endpoint::envelope;
    auto result = intake_.take_in(request, own, clock_.now(), with_time_);
    ledger_->counters.count_envelope();
    if (const auto* refusal = std::get_if<Refusal>(&result)) {
      ledger_->refuse(*refusal, clock_.now());
      continue;
    }
    auto& taken = std::get<Taken>(result);
    ledger_->drop(taken.sender, taken.dropped, clock_.now());
    if (taken.record) parts.push_back(std::move(taken));
  }
  return parts;
}

void Ingest::make_durable(Taken taken, std::shared_ptr<Waiting> waiting) {
  ledger_->receive(taken.items);
  const auto received = taken.record->received;
  const auto record = std::make_shared<const WaitingRecord>(
      WaitingRecord{std::move(waiting), std::move(taken.sender), std::move(taken.items),
                    taken.record->body.size(), received, upload_store_, std::move(taken.uploads)});
  ledger_->counters.begin_waiting(record->bytes);
  const auto& uploads = record->uploads;
  auto offered = uploads.empty() ? Result<void>() : upload_store_->claim(uploads, journal_.use().next);
  if (offered) {
    offered = journal_.offer(*std::move(taken.record), [record](const Result<buffer::Sequence>& durable) {
      end_commit(*record, durable);
    });
    if (offered) return;
    if (!uploads.empty()) upload_store_->disclaim(uploads);
  }

  ledger_->counters.end_waiting(record->bytes);
  const bool full = journal_.full();
  ledger_->drop(record->sender, record->items,
                full ? relay::Outcome::rate_limited : relay::Outcome::invalid,
                full ? "disk_full" : "internal", received);
  end_record(*record->waiting,
             full ? no_room_reply(record->waiting->endpoint)
                  : error_reply(503, "could not be stored", offered.error().detail));
}

}  // namespace picket::ingest

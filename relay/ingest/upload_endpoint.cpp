#include "relay/ingest/upload_endpoint.h"

#include "buffer/logger.h"
#include "relay/http/response_head.h"
#include "relay/ingest/placeholders.h"
#include "relay/ingest/replies.h"
#include "relay/ingest/request_body.h"
#include "relay/ingest/upload_location.h"
#include "relay/protocol/json_object.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace picket::ingest {
namespace {

constexpr std::string_view version = "1.0.0";
constexpr std::string_view patch_type = "application/offset+octet-stream";
constexpr unsigned sync_threads = 2;
constexpr std::size_t requests_waiting = 256;
constexpr std::size_t ignored_body_bytes = 64 * 1024;

// Some clients can send nothing but POST.
std::string_view method_of(const http::RequestHead& head) {
  const auto meant = head.headers.find("X-HTTP-Method-Override");
  return head.method == "POST" && !meant.empty() ? meant : std::string_view(head.method);
}

bool has_body(const http::RequestHead& head) {
  const auto length = head.headers.find("Content-Length");
  return head.headers.contains("Transfer-Encoding") || (!length.empty() && length != "0");
}

// Offsets count bytes as they are stored, so they must come as they are.
bool is_raw_bytes(const http::RequestHead& head) {
  const auto codings = find_codings(head);
  const auto* plain = std::get_if<Codings>(&codings);
  return plain != nullptr && plain->empty() && head.headers.find("Content-Type").starts_with(patch_type);
}

http::Response wrong_type() {
  return error_reply(415, "unsupported content type", "bytes are sent as application/offset+octet-stream, uncompressed");
}

http::Response wrong_version() {
  auto response = error_reply(412, "unsupported version of the protocol", "Tus-Resumable must be 1.0.0");
  response.headers.add("Tus-Version", std::string(version));
  return response;
}

http::Response gone() {
  return error_reply(410, "the upload is gone", "it has expired, was given up, or is part of an event already");
}

http::Response to_wait(http::Response response) {
  response.headers.add("Retry-After", "1");
  return response;
}

// Of the limits, the refusal or the disk.
http::Response reply_of(const Refusal& refusal, Time now) {
  if (refusal.answer) return *refusal.answer;
  if (refusal.status == 429) return refusal.limits.empty() ? full_reply() : limited_reply(refusal.limits, now);
  auto response = error_reply(refusal.status, refusal.detail, refusal.cause);
  return refusal.status == 503 ? to_wait(std::move(response)) : response;
}

Refusal refusal_with(http::Response answer, std::string_view reason) {
  auto refusal = make_refusal(answer.status, {}, {}, reason);
  refusal.answer = std::move(answer);
  return refusal;
}

bool is_of_attachments(const relay::RateLimit& limit) {
  return relay::covers(limit, relay::DataCategory::attachment) ||
         relay::covers(limit, relay::DataCategory::attachment_item);
}

}  // namespace

UploadEndpoint::UploadEndpoint(std::shared_ptr<UploadStore> store,
                               const Gate& gate,
                               QuotaBook& quotas,
                               const IngestConfig& config,
                               std::shared_ptr<Ledger> ledger,
                               Outage outage)
    : store_(std::move(store)),
      gate_(gate),
      quotas_(quotas),
      config_(config),
      ledger_(std::move(ledger)),
      outage_(std::move(outage)),
      pool_(
          sync_threads, requests_waiting,
          [this](http::Request request, http::Responder responder) {
            try {
              std::move(responder).respond(finished(answer(request)));
            } catch (const std::exception& error) {
              log(Level::error, "ingest", "an upload was not answered", {{"reason", error.what()}});
            }
          },
          "uploads") {}

http::Admission UploadEndpoint::admit(const http::RequestHead& head, const Route& route) {
  const auto method = method_of(head);
  const bool begins = method == "POST" && route.name.empty();
  if (!begins && (method != "PATCH" || route.name.empty())) return http::ReadBody{ignored_body_bytes};
  auto admission = begins ? begin(head, route) : go_on(head, route);
  if (auto* answer = std::get_if<http::Response>(&admission)) *answer = finished(std::move(*answer));
  return admission;
}

http::Admission UploadEndpoint::begin(const http::RequestHead& head, const Route& route) {
  auto checked = gate_.check_head(head, route);
  if (auto* refusal = std::get_if<Refusal>(&checked)) return refuse(std::move(*refusal));
  auto& sender = std::get<std::optional<Sender>>(checked);
  if (!sender) return refuse(missing_key());
  std::uint64_t length = 0;
  auto refusal = check_new(head, length);
  if (!refusal) refusal = check_room(sender);
  if (!refusal) {
    auto created = store_->create({sender->project, sender->key, length});
    if (created) return http::ReadBody{static_cast<std::size_t>(length), false, *std::move(created)};
    refusal = no_room(created.error().detail);
  }
  refusal->sender = std::move(sender);
  return refuse(*std::move(refusal));
}

std::optional<Refusal> UploadEndpoint::check_new(const http::RequestHead& head, std::uint64_t& length) const {
  if (head.headers.find("Tus-Resumable") != version) return refusal_with(wrong_version(), "no_data");
  if (head.headers.contains("Upload-Defer-Length"))
    return make_refusal(400, "invalid upload", "the length must be known from the start: Upload-Length", "no_data");
  const auto announced = relay::parse_whole_number(head.headers.find("Upload-Length"));
  if (!announced) return make_refusal(400, "invalid upload", "Upload-Length is missing or no number", "no_data");
  if (has_body(head) && !is_raw_bytes(head)) return refusal_with(wrong_type(), "content_type");
  length = *announced;
  if (length <= most_upload_bytes(config_)) return std::nullopt;
  auto refusal = too_large("Upload-Length exceeds the size limit of attachments");
  refusal.reason = "too_large:attachment";
  return refusal;
}

std::optional<Refusal> UploadEndpoint::check_room(const std::optional<Sender>& sender) const {
  if (auto refusal = outage_(sender)) return refusal;
  if (!sender->settings) return std::nullopt;
  auto limits = quotas_.active(*sender, store_->now());
  const auto limit = std::ranges::find_if(limits, is_of_attachments);
  if (limit == limits.end()) return std::nullopt;
  auto refusal = make_refusal(429, "rate limited", limit->reason, limit->reason);
  refusal.outcome = relay::Outcome::rate_limited;
  refusal.limits = std::move(limits);
  return refusal;
}

UploadEndpoint::Found UploadEndpoint::find(const http::RequestHead& head, const Route& route) const {
  if (head.headers.find("Tus-Resumable") != version) return wrong_version();
  auto checked = gate_.check_head(head, route);
  if (const auto* refusal = std::get_if<Refusal>(&checked)) return reply_of(*refusal, store_->now());
  const auto location = parse_upload_location(head.path + '?' + head.query, store_->secret());
  if (!location) return error_reply(404, "there is no such upload", "the address is not one that was given out here");
  auto upload = store_->find(location->id);
  if (!upload || upload->terms().project != location->project) return gone();
  if (std::get<std::optional<Sender>>(checked)) return upload;
  // Without a key of its own the request has that of the upload, which must still be good.
  const auto sender = gate_.find_sender(upload->terms().key);
  if (!sender) return error_reply(403, "event rejected", "the project or its key is disabled");
  if (const auto refusal = Gate::check_origin(*sender, head)) return reply_of(*refusal, store_->now());
  return upload;
}

http::Admission UploadEndpoint::go_on(const http::RequestHead& head, const Route& route) {
  auto found = find(head, route);
  if (auto* refused = std::get_if<http::Response>(&found)) return std::move(*refused);
  const auto& upload = std::get<std::shared_ptr<Upload>>(found);
  if (!is_raw_bytes(head)) return wrong_type();
  const auto offset = relay::parse_whole_number(head.headers.find("Upload-Offset"));
  if (!offset) return error_reply(400, "invalid upload", "Upload-Offset is missing or no number");
  // Not counted: the upload is still there, and its sender will be back.
  if (const auto refusal = outage_(std::nullopt)) return reply_of(*refusal, store_->now());
  auto writer = store_->write(upload, *offset);
  if (!writer && writer.error().fault == Fault::not_found) return gone();
  if (!writer) return to_wait(error_reply(503, "could not be stored", writer.error().detail));
  if (*writer) return http::ReadBody{static_cast<std::size_t>(upload->terms().length - *offset), false, *std::move(writer)};
  auto conflict = error_reply(409, "the upload stands elsewhere", "Upload-Offset is not the number of bytes stored");
  conflict.headers.add("Upload-Offset", std::to_string(upload->offset()));
  return conflict;
}

void UploadEndpoint::handle(http::Request request, http::Responder responder) {
  if (pool_.offer(request, responder)) return;
  std::move(responder).respond(finished(to_wait(error_reply(503, "could not be stored", "too many uploads are waiting"))));
}

http::Response UploadEndpoint::answer(const http::Request& request) {
  const auto& head = request.head;
  if (auto* const writer = dynamic_cast<UploadWriter*>(request.body_sink.get())) return kept(*writer, head);
  const auto method = method_of(head);
  if (method == "OPTIONS") return preflight();
  const auto route = find_route(head.path);
  if (route.name.empty()) return not_allowed_reply("POST, OPTIONS");
  if (method != "HEAD" && method != "DELETE") return not_allowed_reply("HEAD, PATCH, DELETE, OPTIONS");
  auto found = find(head, route);
  if (auto* refused = std::get_if<http::Response>(&found)) return std::move(*refused);
  auto& upload = *std::get<std::shared_ptr<Upload>>(found);
  if (method == "HEAD") return shown(upload);
  store_->remove(upload);
  return empty_reply(204);
}

http::Response UploadEndpoint::kept(UploadWriter& writer, const http::RequestHead& head) {
  const auto& upload = writer.upload();
  const bool begins = method_of(head) == "POST";
  if (const auto durable = writer.keep(); !durable) {
    if (!begins) return to_wait(error_reply(503, "could not be stored", durable.error().detail));
    auto refusal = no_room(durable.error().detail);
    refusal.sender = gate_.find_sender(upload.terms().key);
    return refuse(std::move(refusal));
  }
  auto response = empty_reply(begins ? 201 : 204);
  if (begins) {
    const auto& terms = upload.terms();
    response.headers.add("Location", render_upload_location({terms.project, upload.id(), terms.length}, store_->secret()));
  }
  response.headers.add("Upload-Offset", std::to_string(writer.offset()));
  response.headers.add("Upload-Expires", expiry_of(upload));
  return response;
}

http::Response UploadEndpoint::shown(Upload& upload) const {
  const auto offset = store_->settle(upload);
  if (!offset && offset.error().fault == Fault::not_found) return gone();
  if (!offset) return to_wait(error_reply(503, "could not be stored", offset.error().detail));
  auto response = empty_reply(200);
  response.headers.add("Upload-Offset", std::to_string(*offset));
  response.headers.add("Upload-Length", std::to_string(upload.terms().length));
  response.headers.add("Upload-Expires", expiry_of(upload));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

http::Response UploadEndpoint::preflight() const {
  auto response = preflight_reply();
  response.headers.set("Access-Control-Allow-Methods", "POST, HEAD, PATCH, DELETE, OPTIONS");
  std::string allowed(response.headers.find("Access-Control-Allow-Headers"));
  response.headers.set("Access-Control-Allow-Headers",
                       allowed + ", tus-resumable, upload-length, upload-offset, upload-metadata, x-http-method-override");
  response.headers.add("Tus-Version", std::string(version));
  response.headers.add("Tus-Extension", "creation,creation-with-upload,expiration,termination");
  response.headers.add("Tus-Max-Size", std::to_string(most_upload_bytes(config_)));
  return response;
}

void UploadEndpoint::on_refused(const http::RequestHead& head, const Route& route, http::Response& response) {
  auto refusal = response.status == 413   ? too_large("there are more bytes than Upload-Length")
                 : response.status == 409 ? make_refusal(409, "the upload stands elsewhere", "another request goes on with it", "no_data")
                 : response.status == 503 ? no_room("there is no room for the bytes")
                                          : make_refusal(response.status, "invalid request", "the body cannot be read", "no_data");
  if (method_of(head) != "POST") {
    response = finished(reply_of(refusal, store_->now()));
    return;
  }
  auto checked = gate_.check_head(head, route);
  if (auto* sender = std::get_if<std::optional<Sender>>(&checked)) refusal.sender = std::move(*sender);
  response = finished(refuse(std::move(refusal)));
}

http::Response UploadEndpoint::refuse(Refusal refusal) const {
  refusal.items = {{relay::DataCategory::attachment, 1}};
  ledger_->refuse(refusal, store_->now());
  return reply_of(refusal, store_->now());
}

http::Response UploadEndpoint::finished(http::Response response) const {
  ledger_->counters.count_answer(Endpoint::upload, response.status);
  response.headers.add("Tus-Resumable", std::string(version));
  const std::string exposed(response.headers.find("Access-Control-Expose-Headers"));
  response.headers.set("Access-Control-Expose-Headers",
                       exposed + ", location, upload-offset, upload-length, upload-expires, tus-resumable, tus-version, "
                                 "tus-extension, tus-max-size");
  return response;
}

std::string UploadEndpoint::expiry_of(const Upload& upload) const {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(store_->expires(upload));
  return std::string(http::DateText().at(std::chrono::system_clock::to_time_t(seconds)));
}

void UploadEndpoint::tidy() {
  for (const auto& terms : store_->tidy()) {
    Sender sender;
    sender.key = terms.key;
    sender.project = terms.project;
    ledger_->drop(sender, {DroppedItems{{relay::DataCategory::attachment, 1}, relay::Outcome::invalid, "upload_expired"}},
                  store_->now());
  }
}

}  // namespace picket::ingest

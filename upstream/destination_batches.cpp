// Many envelopes in one request, to a Picket that has said it takes them (docs/batches.md). Each stays a
// shipment of its own: limits, order and ledger know nothing of batches.
#include "upstream/destination.h"

#include "buffer/logger.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {
namespace {

// Larger ones go by themselves: they gain nothing from others, and others would wait for them.
constexpr std::size_t most_packed_envelope_bytes = std::size_t{128} << 10;
// Of a head beside the envelopes', and of what the link needs for the answer.
constexpr std::size_t request_bytes = 1'024;
// Of an answer: its first line without an envelope's, and each line.
constexpr std::size_t answer_bytes = 1'000;
constexpr std::size_t line_bytes = 1'500;

// Somebody on the way who will be gone, as a captive portal is, is asked again so soon.
constexpr Duration portal_pause = std::chrono::seconds(30);

// Not what belongs to the request as a whole, nor what only tells libcurl to leave out a header of its own.
bool is_frame_header(const std::string& header) {
  return !header.starts_with("Content-Type:") && !header.starts_with("Content-Encoding:") && !header.ends_with(':');
}

bool answers_batch(const Answer& answer) {
  return answer.status == 200 && answer.content_type == relay::batch_answer_type;
}

// Whether somebody who does not know batches, or not such a one, has answered: single envelopes will
// find out what is the matter, if anything is.
bool refuses_batches(const Answer& answer) {
  if (!answer.failure.empty()) return false;
  if (answer.status == 408 || answer.status == 421 || answer.status == 425 || answer.status == 429) return false;
  return answer.status < 500 || answer.status == 501;
}

bool is_portal(const Answer& answer) {
  return answer.status / 100 == 3 || answer.content_type.find("html") != std::string::npos;
}

}  // namespace

bool Destination::may_pack(const Parcel& parcel, const Shipment& shipment) const {
  // What has failed often goes alone: it may be what fails the others.
  return batching() && offers_.taken_by(parcel.label.target.origin) && !shipment.report && shipment.attempts < patience &&
         !backoff_.failing() && (said_.reason.empty() || !routes_.only_target()) &&
         parcel.label.stored_bytes <= most_packed_envelope_bytes;
}

// True when the shipment is in a batch, or waits for room in the next; false, and all as it was, when it is to go alone.
bool Destination::pack(CURLM* multi, const Parcel& parcel, Shipment& shipment) {
  if (!may_pack(parcel, shipment)) return false;
  auto request = render_request(parcel, clock_.now(), {relay::Coding::identity, 1, false});
  if (!request || !request->rest.empty() || request->body.size() > most_packed_envelope_bytes) return false;
  auto& headers = request->headers;
  headers.erase(std::remove_if(headers.begin(), headers.end(), [](const auto& header) { return !is_frame_header(header); }), headers.end());

  const std::string& origin = parcel.label.target.origin;
  if (!batch_writer_) batch_writer_.emplace();
  if (open_batch_ && (open_batch_->origin != origin || !batch_writer_->fits(headers, request->body))) send_batch(multi);
  if (!open_batch_) batch_writer_->begin(pace_.level(config_.compression_level));
  if (!batch_writer_->fits(headers, request->body)) return false;
  if (link_.capped()) {
    const auto most = batch_writer_->most_packed_bytes() + request->body.size() + request->head_bytes() + request_bytes;
    if (link_.admit(most, Steady::now()) != Link::Admission::go) {
      // Alone it may fit, now or in a moment.
      if (!open_batch_) return false;
      send_batch(multi);
      take_back(std::move(shipment));
      return true;
    }
  }
  if (!open_batch_) {
    open_batch_ = std::make_unique<Batch>();
    open_batch_->origin = origin;
  }
  Batch& batch = *open_batch_;
  const auto before = batch_writer_->bytes();
  batch_writer_->add(parcel.label.target.project, headers, request->body);
  shipment.coding = relay::Coding::identity;
  batch.shipments.push_back(std::move(shipment));
  batch.bytes.push_back(batch_writer_->bytes() - before);
  batch.all_bytes += batch.bytes.back();
  batch.full = batch.all_bytes >= pace_.batch_bytes() || batch.shipments.size() >= relay::batch_limits.envelopes;
  if (batch.full) send_batch(multi);
  return true;
}

// Sends the open batch, if there is one.
void Destination::send_batch(CURLM* multi) {
  if (!open_batch_) return;
  UnderWay under_way;
  under_way.batch = std::move(open_batch_);
  Batch& batch = *under_way.batch;
  under_way.shipment.label.target.origin = batch.origin;
  Request request;
  request.url = batch.origin + std::string(relay::batch_path);
  request.headers = {"Content-Type: " + std::string(relay::batch_content_type), "Content-Encoding: zstd", "User-Agent: picket/" PICKET_VERSION,
                     "Expect:", "Accept:"};
  request.body = batch_writer_->end();
  request.coding = relay::Coding::zstd;
  request.kept_answer_bytes = request.most_answer_bytes = answer_bytes + line_bytes * batch.shipments.size();
  batch_bytes_ += batch.all_bytes;
  start(multi, std::move(request), std::move(under_way));
}

void Destination::on_batch_answered(Batch& batch, const Answer& answer, const BatchPace::Ended& ended, std::uint64_t bytes) {
  batch_bytes_ -= batch.all_bytes;
  if (answers_batch(answer)) {
    if (answer.failure.empty()) {
      pace_.note(ended);
    } else {
      pace_.shrink(ended.began, ended.now);
    }
    return settle_batch(batch, answer, bytes);
  }
  pace_.shrink(ended.began, ended.now);
  if (refuses_batches(answer)) return refuse_batch(batch, answer);
  for (Shipment& shipment : batch.shipments) on_answered(std::move(shipment), answer, 0);
}

// What has a line is answered, whatever became of the rest of the answer.
void Destination::settle_batch(Batch& batch, const Answer& answer, std::uint64_t bytes) {
  const auto lines = relay::parse_batch_lines(answer.body, batch.shipments.size());
  for (std::size_t i = 0; i < batch.shipments.size(); ++i) {
    Answer own;
    if (i < lines.size()) {
      own.status = lines[i].status;
      own.content_type = "application/json";
      own.retry_after = lines[i].retry_after;
      own.rate_limits = lines[i].rate_limits;
      own.body = lines[i].body;
    } else {
      own.failure = answer.failure.empty() ? "the answer to a batch has no line for it" : answer.failure;
    }
    on_answered(std::move(batch.shipments[i]), own, bytes * batch.bytes[i] / batch.all_bytes);
  }
}

void Destination::refuse_batch(Batch& batch, const Answer& answer) {
  // Somebody on the way takes smaller ones, perhaps.
  const bool smaller = answer.status == 413 && batch.full && pace_.batch_bytes() < batch.all_bytes;
  const Duration pause = is_portal(answer) ? std::min(portal_pause, config_.hold_probe) : config_.hold_probe;
  if (!smaller && offers_.refuse(batch.origin, Steady::now() + pause)) {
    log(Level::warning, "upstream", "batches are not taken; going on with single envelopes",
        {{"destination", config_.name}, {"origin", batch.origin}, {"status", answer.status}});
  }
  take_back_batch(batch);
}

// As if it had not been sent.
void Destination::take_back_batch(Batch& batch) {
  for (Shipment& shipment : batch.shipments) take_back(std::move(shipment));
}

void Destination::take_back(Shipment shipment) {
  if (shipment.deferred) return put_off(std::move(shipment), clock_.now());
  retries_.push_back(std::move(shipment));
}

}  // namespace picket::upstream

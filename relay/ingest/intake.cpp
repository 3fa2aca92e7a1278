#include "relay/ingest/intake.h"

#include "relay/ingest/intake_meta.h"
#include "relay/ingest/item_limits.h"
#include "relay/ingest/placeholders.h"
#include "relay/ingest/replies.h"
#include "relay/ingest/request_body.h"
#include "relay/ingest/store_body.h"
#include "relay/protocol/envelope.h"
#include "relay/scrub/recording.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>
#include <utility>

namespace picket::ingest {
namespace {

std::optional<relay::EventId> find_or_make_event_id(const relay::Envelope& envelope) {
  if (envelope.fields.event_id) return envelope.fields.event_id;
  const bool needed =
      std::any_of(envelope.items.begin(), envelope.items.end(), relay::requires_event_id);
  if (!needed) return std::nullopt;
  // A repeated delivery must get the same id again, or it would count as another event.
  for (const auto& item : envelope.items) {
    if (item.type != "event" && item.type != "transaction") continue;
    if (const auto id = find_event_id(item.payload)) return id;
  }
  return relay::random_event_id();
}

std::optional<Refusal> check_items(const relay::Envelope& envelope, const IngestConfig& config) {
  if (std::any_of(envelope.items.begin(), envelope.items.end(), is_internal)) {
    return make_refusal(400, "invalid envelope", "an item type is reserved for internal use",
                        "invalid_envelope");
  }
  const auto exceeded = find_exceeded_limit(envelope, config);
  if (exceeded.empty()) return std::nullopt;
  const auto reason = "too_large:" + std::string(exceeded);
  return make_refusal(413, "payload too large",
                      "an item exceeds its size limit: " + std::string(exceeded), reason);
}

Refusal bad_envelope(const Error& error) {
  if (error.fault == Fault::too_large) return too_large(error.detail);
  return make_refusal(400, "invalid envelope", error.detail, "invalid_envelope");
}

std::optional<std::uint64_t> find_content_length(const http::RequestHead& head) {
  const auto text = head.headers.find("Content-Length");
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

// One request on its way through the stations of intake.
class TakingIn {
 public:
  TakingIn(const Gate& gate,
           const Pipeline& pipeline,
           const IngestConfig& config,
           const UploadStore* uploads,
           const UpstreamLimits* upstream_limits,
           std::span<const relay::DataCategory> shed,
           const Route& route,
           Time now,
           const Workplace& workplace)
      : gate_(gate),
        pipeline_(pipeline),
        config_(config),
        uploads_(uploads),
        upstream_limits_(upstream_limits),
        shed_(shed),
        route_(route),
        now_(now),
        workplace_(workplace) {}

  std::variant<Taken, Refusal, TooMuch> run(http::Request& request) {
    if (auto refusal = take(request)) {
      if (too_much_) return TooMuch{};
      if (!refusal->sender) refusal->sender = std::move(sender_);
      if (refusal->items.empty()) refusal->items = std::move(taken_.items);
      refusal->dropped = std::move(taken_.dropped);
      if (refusal->status == 429) refusal->uploads = std::move(taken_.uploads);
      // The endpoint's senders know no 429; other failures they must hear of.
      if (refusal->status == 429 && !rule_->may_answer_429) refusal->answer = std::move(answer_);
      return *std::move(refusal);
    }
    return std::move(taken_);
  }

 private:
  std::optional<Refusal> take(http::Request& request) {
    rule_ = find_rule(route_, request.head);
    auto checked = gate_.check_head(request.head, route_);
    if (auto* refusal = std::get_if<Refusal>(&checked)) return std::move(*refusal);
    sender_ = std::get<std::optional<Sender>>(std::move(checked));
    if (!sender_ && rule_->convert != nullptr) return missing_key();
    if (auto refusal = open_body(request, rule_->most_bytes(config_), workplace_, body_, too_much_))
      return refusal;
    if (rule_->convert != nullptr) {
      if (auto refusal = convert(request.head)) return refusal;
    }
    relay::EnvelopeLimits limits;
    limits.max_items = static_cast<std::size_t>(config_.max_items);
    auto envelope = relay::parse_envelope(body_.bytes, limits);
    if (!envelope) return bad_envelope(envelope.error());
    // The bytes of uploads are somebody else's work; before anything was decided.
    const bool placeholders = has_placeholders(*envelope);
    if (placeholders && workplace_.most_bytes != SIZE_MAX) return come_again(request);
    taken_.items = count_items(*envelope);
    auto agreed = gate_.check_dsn(sender_, envelope->fields.dsn, route_);
    if (auto* refusal = std::get_if<Refusal>(&agreed)) return std::move(*refusal);
    taken_.sender = std::get<Sender>(std::move(agreed));
    if (!sender_) {
      if (auto refusal = Gate::check_origin(taken_.sender, request.head)) return refusal;
    }
    sender_ = taken_.sender;
    if (placeholders) {
      if (auto refusal = fill(*envelope)) return refusal;
      envelope = relay::parse_envelope(body_.bytes, limits);
      if (!envelope) return bad_envelope(envelope.error());
      taken_.items = count_items(*envelope);
    }
    if (auto refusal = check_items(*envelope, config_)) return refusal;
    if (scrubbing_takes_long(*envelope)) return come_again(request);
    auto meta = make_intake_meta(request.head, taken_.sender.client);
    auto judgement = pipeline_.judge(taken_.sender, *envelope,
                                     {meta.remote_address(), meta.user_agent(), shed_}, now_, workplace_.room);
    // Envelopes beside this one are judged by themselves, and may have room.
    if (judgement.all_limited && taken_.more.empty()) return limited(std::move(judgement));
    if (judgement.no_room) return no_room(judgement.no_room->detail);
    if (sender_->settings && !sender_->settings->keeps_addresses) meta.clear_remote_address();
    taken_.items = std::move(judgement.kept);
    taken_.dropped.insert(taken_.dropped.end(), judgement.dropped.begin(), judgement.dropped.end());
    if (auto refusal = make_record(meta, *envelope, std::move(judgement.envelope))) return refusal;
    if (upstream_limits_ != nullptr) {
      const auto passed = upstream_limits_->of(sender_->project, now_);
      judgement.limits.insert(judgement.limits.end(), passed.begin(), passed.end());
    }
    add_rate_limits(taken_.answer, judgement.limits, now_);
    return std::nullopt;
  }

  // Recordings inflate to a hundred times their size.
  bool scrubbing_takes_long(const relay::Envelope& envelope) const {
    if (workplace_.most_bytes == SIZE_MAX || !sender_->settings || sender_->settings->scrubbers.empty())
      return false;
    std::size_t bytes = 0;
    return std::ranges::any_of(envelope.items, [&](const relay::Item& item) {
      bytes += scrub::recording_bytes(item, workplace_.most_bytes + 1 - bytes);
      return bytes > workplace_.most_bytes;
    });
  }

  // With the request as it was, at a workplace that has more time.
  Refusal come_again(http::Request& request) {
    request.body = std::move(body_.as_sent);
    too_much_ = true;
    return no_room("the work takes too long here");
  }

  // Puts uploads in the place of what refers to them.
  std::optional<Refusal> fill(const relay::Envelope& envelope) {
    auto filled = fill_placeholders(envelope, taken_.sender.project, uploads_, config_, workplace_.room);
    if (!filled) return no_room(filled.error().detail);
    taken_.uploads = std::move(filled->uploads);
    taken_.dropped.insert(taken_.dropped.end(), filled->dropped.begin(), filled->dropped.end());
    body_.become(std::move(filled->envelope));
    return std::nullopt;
  }

  // Every item was refused for want of room: the first reason stands for the request.
  Refusal limited(Judgement judgement) {
    auto& dropped = judgement.dropped;
    auto refusal = make_refusal(429, "rate limited", dropped.front().reason, dropped.front().reason);
    refusal.outcome = dropped.front().outcome;
    refusal.items = {dropped.front().items};
    refusal.limits = std::move(judgement.limits);
    taken_.dropped.insert(taken_.dropped.end(), dropped.begin() + 1, dropped.end());
    return refusal;
  }

  std::optional<Refusal> convert(const http::RequestHead& head) {
    auto result = rule_->convert(
        {head, route_, body_.bytes, *sender_, config_, now_, workplace_.room});
    if (auto* refusal = std::get_if<Refusal>(&result)) return std::move(*refusal);
    auto& converted = std::get<Converted>(result);
    answer_ = std::move(converted.answer);
    if (sender_->client.empty()) sender_->client = std::move(converted.client);
    taken_.dropped = std::move(converted.dropped);
    taken_.more = std::move(converted.more);
    body_.become(std::move(converted.envelope));
    return std::nullopt;
  }

  // `changed` is what the pipeline has left of the envelope, if it changed anything.
  std::optional<Refusal> make_record(schema::IntakeMeta& meta,
                                     const relay::Envelope& envelope,
                                     std::optional<buffer::Bytes> changed) {
    const bool empty = envelope.items.empty();
    const auto id = empty ? std::nullopt : find_or_make_event_id(envelope);
    taken_.answer =
        answer_ ? *std::move(answer_) : accepted_reply(id ? relay::render_event_id(*id) : "");
    if (taken_.items.empty()) return std::nullopt;
    meta.set_store_endpoint(rule_->endpoint == Endpoint::store);
    meta.set_sent_at_ms(envelope.fields.sent_at_ms.value_or(0));
    if (id) meta.set_event_id(std::string(relay::raw_bytes(*id)));
    for (const auto& upload : taken_.uploads) meta.add_uploads(std::string(relay::raw_bytes(*relay::parse_event_id(upload))));
    describe_envelope(envelope, taken_.items, taken_.sender.key, meta);
    auto& record = taken_.record.emplace();
    record.received = now_;
    record.project = taken_.sender.project;
    record.key = relay::raw_bytes(taken_.sender.key);
    record.meta = meta.SerializeAsString();
    const bool as_sent = rule_->convert == nullptr && !changed;
    if (changed) body_.become(*std::move(changed));
    auto refusal = keep_body(std::move(body_), as_sent, workplace_.room, record);
    if (refusal) answer_ = std::move(taken_.answer);
    return refusal;
  }

  const Gate& gate_;
  const Pipeline& pipeline_;
  const IngestConfig& config_;
  const UploadStore* const uploads_;
  const UpstreamLimits* const upstream_limits_;
  const std::span<const relay::DataCategory> shed_;
  const Route& route_;
  const Time now_;
  const Workplace& workplace_;
  bool too_much_ = false;
  const EndpointRule* rule_ = nullptr;
  std::optional<Sender> sender_;
  RequestBody body_;
  std::optional<http::Response> answer_;  // the converter's
  Taken taken_;
};

}  // namespace

std::variant<Passed, Refusal> Intake::check_head(const http::RequestHead& head,
                                                 const Route& route) const {
  auto checked = gate_.check_head(head, route);
  if (auto* refusal = std::get_if<Refusal>(&checked)) return std::move(*refusal);
  auto& sender = std::get<std::optional<Sender>>(checked);
  const auto& rule = *find_rule(route, head);
  if (!sender && rule.convert != nullptr) return missing_key();
  const auto refused = [&](Refusal refusal) {
    refusal.sender = std::move(sender);
    return refusal;
  };
  auto codings = find_codings(head);
  if (auto* refusal = std::get_if<Refusal>(&codings)) return refused(std::move(*refusal));
  const auto most = rule.most_bytes(config_);
  const auto length = find_content_length(head);
  if (length && *length > most) return refused(too_large("the body exceeds the size limit"));
  return Passed{std::move(sender), most};
}

std::variant<Taken, Refusal, TooMuch> Intake::take_in(http::Request& request,
                                                      const Route& route,
                                                      Time now,
                                                      const Workplace& workplace) const {
  const auto shed = shedding_ == nullptr ? std::span<const relay::DataCategory>() : shedding_->refused();
  return TakingIn(gate_, pipeline_, config_, uploads_, upstream_limits_, shed, route, now, workplace).run(request);
}

}  // namespace picket::ingest

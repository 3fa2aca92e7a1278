// Session items: `session`, an update of one session, and `sessions`, counts of many.
//
//   {"sid","did","seq","init","timestamp","started","duration","status","errors","attrs":{…}}
//   {"aggregates":[{"started","did","exited","errored","abnormal","crashed","unhandled"}],"attrs":{…}}
//
// https://develop.sentry.dev/sdk/telemetry/sessions/
#include "api/digest/item_reader.h"
#include "api/digest/json_shape.h"
#include "api/digest/user_set.h"
#include "buffer/keys.h"
#include "relay/protocol/md5.h"

#include <algorithm>
#include <limits>

namespace picket::digest {
namespace {

using relay::DataCategory;
using relay::Outcome;

constexpr std::int64_t oldest_ms = std::int64_t{5} * 24 * 3'600'000;
constexpr std::int64_t future_ms = 60'000;
constexpr std::size_t most_aggregates = 100;

std::optional<JsonElement> member(JsonObject object, std::string_view name) {
  JsonElement found;
  if (object[name].get(found) != simdjson::SUCCESS || found.is_null()) return std::nullopt;
  return found;
}

std::string_view text_member(JsonObject object, std::string_view name, TextArena& arena, std::size_t most) {
  const auto found = member(object, name);
  return found ? text_of(*found, arena, {most, 0}) : std::string_view();
}

std::uint64_t count_member(JsonObject object, std::string_view name, std::uint64_t most) {
  const auto found = member(object, name);
  const auto number = found ? number_of(*found) : std::nullopt;
  return number ? std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(0, *number)), most) : 0;
}

struct Attributes {
  std::string_view release;
  std::string_view environment;
};

// A session without a release is none: everything about it is told per release.
std::optional<Attributes> read_attributes(JsonObject payload, TextArena& arena) {
  const auto attrs = member(payload, "attrs");
  const auto object = attrs ? object_of(*attrs) : std::nullopt;
  if (!object) return std::nullopt;
  Attributes read;
  read.release = without_outer_space(text_member(*object, "release", arena, 200));
  read.environment = without_outer_space(text_member(*object, "environment", arena, 64));
  if (read.release.empty()) return std::nullopt;
  return read;
}

// In our time, when the SDK's clock is known to be off; nothing when too old or from the future.
std::optional<std::int64_t> started_of(const EnvelopeContext& context, std::int64_t started_ms) {
  constexpr std::int64_t least_drift_ms = 55 * 60'000;
  const auto received_ms = to_ms(context.record.received);
  const auto drift = context.sent_at_ms == 0 ? 0 : received_ms - context.sent_at_ms;
  if (drift >= least_drift_ms || drift <= -least_drift_ms) started_ms += drift;
  if (started_ms > received_ms + future_ms || started_ms < received_ms - oldest_ms) return std::nullopt;
  return started_ms;
}

void refuse(EnvelopeContext& context, std::string_view reason, std::uint64_t quantity = 1) {
  context.count(DataCategory::session, Outcome::invalid, reason, quantity);
}

std::string_view session_id(EnvelopeContext& context, JsonObject payload, std::uint16_t index) {
  auto& text = context.batch.text;
  const auto id = relay::parse_event_id(text_member(payload, "sid", text, 64));
  if (id) return text.keep(relay::raw_bytes(*id));
  return text.keep(raw_bytes(relay::md5_of(buffer::Key().u64(context.record.sequence).u16(index))));
}

void add_update(EnvelopeContext& context,
                JsonObject payload,
                const Attributes& attributes,
                std::uint16_t index) {
  const auto started = member(payload, "started");
  const auto claimed = started ? time_of(*started) : std::nullopt;
  if (!claimed) return refuse(context, "invalid_json");
  const auto started_ms = started_of(context, *claimed);
  if (!started_ms) return refuse(context, "timestamp");
  auto& text = context.batch.text;
  ParsedSession read{.place = context.place(index), .id = session_id(context, payload, index), .update = {}};
  auto& update = read.update;
  update.started_ms = *started_ms;
  update.release = attributes.release;
  update.environment = attributes.environment;
  const auto user = text_member(payload, "did", text, 512);
  if (!user.empty()) update.user = user_hash(user);
  const auto timestamp = member(payload, "timestamp");
  const auto at = timestamp ? time_of(*timestamp) : std::nullopt;
  update.sequence = member(payload, "seq")
                        ? count_member(payload, "seq", std::numeric_limits<std::uint64_t>::max())
                        : static_cast<std::uint64_t>(std::max<std::int64_t>(0, at.value_or(read.place.received_ms)));
  update.errors = static_cast<std::uint32_t>(count_member(payload, "errors", 1'000'000));
  update.status = parse_session_status(text_member(payload, "status", text, 32));
  update.received_ms = read.place.received_ms;
  double seconds = 0;
  const auto duration = member(payload, "duration");
  // A session of more than 30 days is a clock that was set.
  if (duration && duration->get(seconds) == simdjson::SUCCESS && seconds >= 0 && seconds < 30.0 * 86'400)
    update.duration_ms = static_cast<std::int64_t>(seconds * 1000);
  context.batch.sessions.push_back(read);
  context.count(DataCategory::session, Outcome::accepted, "", 1);
}

// False when its time is out of range.
bool add_aggregate(EnvelopeContext& context,
                   JsonObject aggregate,
                   const Attributes& attributes,
                   std::uint16_t index) {
  const auto started = member(aggregate, "started");
  const auto claimed = started ? time_of(*started) : std::nullopt;
  const auto started_ms = claimed ? started_of(context, *claimed) : std::nullopt;
  if (!started_ms) return false;
  constexpr std::uint64_t most = 1'000'000'000;
  const auto user = text_member(aggregate, "did", context.batch.text, 512);
  SessionAggregate read;
  read.place = context.place(index);
  read.started_ms = *started_ms;
  read.release = attributes.release;
  read.environment = attributes.environment;
  read.user = user.empty() ? 0 : user_hash(user);
  read.exited = count_member(aggregate, "exited", most);
  read.errored = count_member(aggregate, "errored", most);
  read.crashed = count_member(aggregate, "crashed", most);
  read.abnormal = count_member(aggregate, "abnormal", most);
  read.unhandled = count_member(aggregate, "unhandled", most);
  context.batch.session_aggregates.push_back(read);
  return true;
}

}  // namespace

void read_session_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  bool repaired = false;
  const auto root = parse_json(item.payload, repaired);
  const auto payload = root ? object_of(*root) : std::nullopt;
  const auto attributes = payload ? read_attributes(*payload, context.batch.text) : std::nullopt;
  if (!attributes) return refuse(context, "invalid_json");
  add_update(context, *payload, *attributes, index);
}

void read_sessions_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  bool repaired = false;
  const auto root = parse_json(item.payload, repaired);
  const auto payload = root ? object_of(*root) : std::nullopt;
  const auto attributes = payload ? read_attributes(*payload, context.batch.text) : std::nullopt;
  const auto aggregates = payload ? member(*payload, "aggregates") : std::nullopt;
  if (!attributes || !aggregates) return refuse(context, "invalid_json");
  std::size_t added = 0;
  std::size_t late = 0;
  for_each_value(*aggregates, most_aggregates, [&](JsonElement element) {
    const auto aggregate = object_of(element);
    if (!aggregate) return;
    if (add_aggregate(context, *aggregate, *attributes, index)) {
      ++added;
    } else {
      ++late;
    }
  });
  // One item is one session to quotas and statistics, whatever it adds up.
  if (added > 0) return context.count(DataCategory::session, Outcome::accepted, "", 1);
  refuse(context, late > 0 ? "timestamp" : "invalid_json");
}

}  // namespace picket::digest

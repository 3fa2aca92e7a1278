// Clock drift, the future and the past: one shift for all timestamps of an event.
#include "api/digest/normalize_steps.h"
#include "api/digest/parsed_batch.h"
#include "relay/protocol/envelope.h"

#include <cmath>
#include <utility>

namespace picket::digest {
namespace {

constexpr double last_second = 253'402'300'799.999;   // of the year 9999
constexpr double first_second = -62'135'596'800.0;    // of the year 1

// Seconds with what precision the SDK gave: text may have microseconds, which time_ms() leaves out.
std::optional<double> seconds_of(const json::value& value) {
  const auto ms = time_ms(value);
  if (!ms) return std::nullopt;
  if (value.is_number()) {
    const auto number = value.to_number<double>();
    return std::abs(number) > 1e11 ? number / 1000 : number;
  }
  const auto& text = value.get_string();
  const auto dot = text.find('.');
  double fraction = 0;
  double scale = 0.1;
  if (dot != json::string::npos) {
    for (std::size_t i = dot + 1; i < text.size() && text[i] >= '0' && text[i] <= '9' && scale > 1e-8; ++i, scale /= 10)
      fraction += scale * (text[i] - '0');
  }
  if (fraction == 0) return static_cast<double>(*ms) / 1000;
  return std::floor(static_cast<double>(*ms) / 1000) + fraction;
}

void shift(json::object& object, std::string_view name, std::int64_t shift_ms, const Place& place, Notes& notes) {
  auto* value = object.if_contains(name);
  if (!value) return;
  const auto seconds = seconds_of(*value);
  const double shifted = seconds.value_or(0) + static_cast<double>(shift_ms) / 1000;
  const bool usable = seconds && shifted >= first_second && shifted <= last_second;
  if (usable) {
    *value = shifted;
  } else if (value->is_null()) {
    object.stable_erase(name);
  } else {
    reject(object, name, "invalid timestamp", Place(place, name), notes);
  }
}

json::object times(std::int64_t sdk_ms, std::int64_t server_ms) {
  return {{"sdk_time", relay::render_timestamp(sdk_ms)}, {"server_time", relay::render_timestamp(server_ms)}};
}

// Says why the event is filed under another time than the SDK said.
void note_timestamp(Work& work, std::int64_t said_ms, std::int64_t corrected_ms, const Place& place) {
  const auto& source = work.source;
  const auto drift = clock_drift_ms(source.sent_at_ms, source.received_ms);
  if (drift != 0) work.notes.error(place, "clock_drift", times(source.sent_at_ms, source.received_ms));
  const auto without_drift = said_ms + drift;
  if (corrected_ms == without_drift) return;
  const bool future = without_drift > source.received_ms;
  work.notes.error(place, future ? "future_timestamp" : "past_timestamp", times(without_drift, source.received_ms));
}

}  // namespace

void normalize_times(Work& work) {
  auto& event = work.event;
  const Place place(work.root, "timestamp");
  const auto* value = event.if_contains("timestamp");
  const auto said = value && !value->is_null() ? time_ms(*value) : std::nullopt;
  if (value && !value->is_null() && !said) reject(event, "timestamp", "invalid timestamp", place, work.notes);
  const auto& source = work.source;
  const auto corrected = corrected_timestamp(said, source.sent_at_ms, source.received_ms, source.max_age);
  std::int64_t shift_ms = 0;
  if (said) {
    note_timestamp(work, *said, corrected, place);
    shift_ms = corrected - *said;
    shift(event, "timestamp", shift_ms, work.root, work.notes);
  }
  // What is shown is what the event is filed under, to the millisecond.
  const auto* shown = event.if_contains("timestamp");
  if (!shown || time_ms(*shown) != corrected) event["timestamp"] = static_cast<double>(corrected) / 1000;
  shift(event, "start_timestamp", shift_ms, work.root, work.notes);

  const auto shift_list = [&](json::array& list, const Place& parent, std::initializer_list<std::string_view> names) {
    std::size_t index = 0;
    for (auto& each : list) {
      const Place here(parent, index++);
      auto* object = each.if_object();
      if (!object) continue;
      for (const auto name : names) shift(*object, name, shift_ms, here, work.notes);
    }
  };
  if (auto* spans = find_array(event, "spans")) shift_list(*spans, Place(work.root, "spans"), {"start_timestamp", "timestamp"});
  if (auto* crumbs = find(event, "breadcrumbs")) {
    const Place here(work.root, "breadcrumbs");
    auto* list = crumbs->if_array();
    if (auto* object = crumbs->if_object()) list = find_array(*object, "values");
    if (list) shift_list(*list, Place(here, "values"), {"timestamp"});
  }
}

}  // namespace picket::digest

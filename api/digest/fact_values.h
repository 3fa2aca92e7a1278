// Values of payloads as values of facts; shared by the fact readers.
#pragma once

#include "api/digest/fact_reader.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::digest {

// Nothing for null as well.
std::optional<JsonElement> known_member_of(JsonObject object, std::string_view name);
std::optional<JsonObject> object_member_of(JsonObject object, std::string_view name);
// Strings only, "" otherwise.
std::string_view string_member(JsonObject object, std::string_view name);
std::optional<double> real_of(JsonElement element);

// Nanoseconds of a number of seconds (to the microsecond) or of a date with up to nine digits.
std::optional<std::int64_t> time_ns_of(JsonElement element);
std::optional<std::int64_t> time_ns_member(JsonObject object, std::string_view name);

// The raw bytes of 16 or 32 hex digits (or a UUID); "" for anything else and for zeros only.
std::string raw_id(std::string_view text);
std::string raw_id_member(JsonObject object, std::string_view name);

// What has to be added to the times of a fact that ended at `end_ns`: the SDK's clock drift, or the
// way to the time of receipt when it claims the future or the distant past.
std::int64_t shift_ns(const FactContext& context, std::int64_t end_ns);

// Milliseconds between two times, to the microsecond; never negative.
double duration_ms(std::int64_t start_ns, std::int64_t end_ns);

// A JSON scalar or array under a name; objects and null are left out.
void add_value(facts::FactRows& rows, std::string_view name, JsonElement value);
// `{"key": {"value": …, "type": …}}` of containers, or `{"key": value}` of older shapes.
void add_attributes(facts::FactRows& rows, JsonObject attributes);
// Tags as an object or a list of pairs: always text.
void add_tags(facts::FactRows& rows, JsonElement tags);
// `{"lcp": {"value": 1, "unit": "millisecond"}}` as `measurements.lcp`.
void add_measurements(facts::FactRows& rows, JsonElement measurements);

// The name that an SDK's attribute goes by here: `sentry.op` → `span.op`.
std::string_view public_name(std::string_view attribute);

}  // namespace picket::digest

// Typed values of the search language: text to numbers, durations, times, booleans.
#pragma once

#include "buffer/clock.h"
#include "buffer/result.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace picket::query {

// "12", "-3.5", with k, m or b for thousands, millions, billions.
std::optional<double> parse_number(std::string_view text);
// "500ms", "3.3s", "2m", "1h", "3d", "1w" in milliseconds.
std::optional<double> parse_duration(std::string_view text);
std::optional<bool> parse_boolean(std::string_view text);  // true false 1 0

// A day is [00:00, next 00:00); a time is that millisecond.
struct DateValue {
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;  // excluded
  bool day = false;
};
// ISO 8601: "2024-01-31", "2024-01-31T12:00[:00[.123456]][Z|+02:00]".
std::optional<DateValue> parse_date(std::string_view text);

// "-24h": newer than that; "+14d": older. Units w d h m.
struct RelativeDate {
  bool newer = false;
  std::int64_t point_ms = 0;
};
std::optional<RelativeDate> parse_relative_date(std::string_view text, Time now);

}  // namespace picket::query

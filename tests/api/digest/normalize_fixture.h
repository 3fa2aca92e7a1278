// Normalising a payload in a test, and looking at places in the result.
#pragma once

#include "api/digest/normalize.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace picket::digest {

inline constexpr std::int64_t received_at = 1'700'000'100'000;

inline EventSource from_event(std::string_view item_type = "event") {
  return {.item_type = item_type, .remote_address = "203.0.113.9", .sent_at_ms = 0, .received_ms = received_at};
}

inline boost::json::object normalized(std::string_view payload, const EventSource& source, const GeoLookup* geo = nullptr) {
  auto made = normalize(payload, source, geo);
  EXPECT_TRUE(made) << payload.substr(0, 500);
  return made ? std::move(made->event) : boost::json::object();
}

// The JSON at a pointer ("/exception/values/0/type"); "" when there is none.
inline std::string at(const boost::json::object& event, std::string_view pointer) {
  const boost::json::value root(event);
  boost::json::error_code error;
  const auto* found = root.find_pointer(pointer, error);
  return found ? boost::json::serialize(*found) : std::string();
}

struct NormalizeCase {
  std::string_view payload;
  std::string_view pointer;
  std::string_view want;  // "" for absent
  std::string_view item_type = "event";
};
inline void PrintTo(const NormalizeCase& each, std::ostream* out) {
  *out << each.payload.substr(0, 300) << " at " << each.pointer;
}

class Normalizes : public ::testing::TestWithParam<NormalizeCase> {};

}  // namespace picket::digest

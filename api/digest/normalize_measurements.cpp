// Measurements of transactions: finite numbers with a unit, Sentry's own and ten more.
#include "api/digest/normalize_steps.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

namespace picket::digest {
namespace {

struct BuiltIn {
  std::string_view name;
  std::string_view unit;
};
// The names that Sentry's products read, and the unit that a value without one has.
constexpr std::array built_in = {
    BuiltIn{"app_start_cold", "millisecond"},
    BuiltIn{"app_start_warm", "millisecond"},
    BuiltIn{"cls", "none"},
    BuiltIn{"connection.rtt", "millisecond"},
    BuiltIn{"fcp", "millisecond"},
    BuiltIn{"fid", "millisecond"},
    BuiltIn{"fp", "millisecond"},
    BuiltIn{"frames_frozen", "none"},
    BuiltIn{"frames_frozen_rate", "ratio"},
    BuiltIn{"frames_slow", "none"},
    BuiltIn{"frames_slow_rate", "ratio"},
    BuiltIn{"frames_total", "none"},
    BuiltIn{"inp", "millisecond"},
    BuiltIn{"lcp", "millisecond"},
    BuiltIn{"stall_count", "none"},
    BuiltIn{"stall_longest_time", "millisecond"},
    BuiltIn{"stall_percentage", "ratio"},
    BuiltIn{"stall_total_time", "millisecond"},
    BuiltIn{"time_to_full_display", "millisecond"},
    BuiltIn{"time_to_initial_display", "millisecond"},
    BuiltIn{"ttfb", "millisecond"},
    BuiltIn{"ttfb.requesttime", "millisecond"},
};
constexpr std::size_t most_custom = 10;
constexpr double longest_app_start_ms = 180'000;

const BuiltIn* built_in_named(std::string_view name) {
  const auto found = std::ranges::find(built_in, name, &BuiltIn::name);
  return found == built_in.end() ? nullptr : &*found;
}

bool is_name(std::string_view name) {
  const auto first = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && name.size() <= 200 && first(name[0]) && std::ranges::all_of(name, [&](char c) {
    return first(c) || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '/' || c == ':';
  });
}

std::optional<double> value_of(const json::object& all, std::string_view name) {
  const auto* entry = all.if_contains(name);
  return entry && entry->is_object() ? number_of(entry->get_object(), "value") : std::nullopt;
}

void add_ratio(json::object& all, std::string_view name, std::optional<double> part, std::optional<double> whole) {
  if (!part || !whole || !(*whole > 0) || all.contains(name)) return;
  all[name] = json::object{{"value", *part / *whole}, {"unit", "ratio"}};
}

}  // namespace

void normalize_measurements(Work& work) {
  auto& event = work.event;
  auto* said = find_object(event, "measurements");
  if (!said) return;
  const Place place(work.root, "measurements");
  if (text_or(event, "type") != "transaction") {
    event.stable_erase("measurements");
    return;
  }
  json::object kept;
  std::size_t custom = 0;
  for (auto& [key, value] : *said) {
    const Place here(place, key);
    if (value.is_null()) continue;
    std::string name(key);
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (!is_name(name)) {
      work.notes.invalid(here, "invalid measurement name", value);
      continue;
    }
    auto* entry = value.if_object();
    const auto number = entry ? number_of(*entry, "value") : value.is_number() ? std::optional(value.to_number<double>()) : std::nullopt;
    if (!number) {
      work.notes.invalid(here, "expected a number", entry && entry->contains("value") ? entry->at("value") : value);
      continue;
    }
    const auto* known = built_in_named(name);
    if (known && name.starts_with("app_start_") && *number > longest_app_start_ms) continue;
    if (!known && ++custom > most_custom) {
      work.notes.invalid(here, "too many measurements", value);
      continue;
    }
    const std::string unit(entry ? text_or(*entry, "unit") : std::string_view());
    const std::string_view usual = known ? known->unit : std::string_view("none");
    kept[name] = json::object{{"value", *number}, {"unit", unit.empty() || unit.size() > 64 ? usual : std::string_view(unit)}};
  }
  const auto frames = value_of(kept, "frames_total");
  add_ratio(kept, "frames_slow_rate", value_of(kept, "frames_slow"), frames);
  add_ratio(kept, "frames_frozen_rate", value_of(kept, "frames_frozen"), frames);
  const auto start = number_of(event, "start_timestamp");
  const auto end = number_of(event, "timestamp");
  if (start && end) add_ratio(kept, "stall_percentage", value_of(kept, "stall_total_time"), (*end - *start) * 1000);
  if (kept.empty()) {
    event.stable_erase("measurements");
  } else {
    *said = std::move(kept);
  }
}

}  // namespace picket::digest

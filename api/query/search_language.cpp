#include "api/query/search_language.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace picket::query {
namespace {

constexpr std::array<std::string_view, 13> duration_measurements = {
    "fp",  "fcp",  "lcp", "fid", "inp", "ttfb", "ttfb.requesttime", "app_start_cold", "app_start_warm", "stall_total_time",
    "stall_longest_time", "time_to_initial_display", "time_to_full_display"};

SearchLanguage make_common() {
  SearchLanguage language;
  for (const auto* key : {"project_id", "project.id", "issue.id", "stack.colno", "stack.lineno", "stack.stack_level"})
    language.keys[key] = key_number;
  language.keys["transaction.duration"] = key_number | key_duration;
  for (const auto* key : {"start", "end", "firstSeen", "lastSeen", "last_seen()", "time", "event.timestamp", "timestamp",
                          "timestamp.to_hour", "timestamp.to_day"})
    language.keys[key] = key_date;
  for (const auto* key : {"error.handled", "error.unhandled", "stack.in_app", "team_key_transaction"})
    language.keys[key] = key_boolean;
  for (const auto* key : {"release.version", "release.build", "release.package", "release.stage"})
    language.keys[key] = key_version;
  language.keys["percentage"] = key_percentage;
  return language;
}

SearchLanguage make_issues() {
  auto language = make_common();
  for (const auto* key : {"times_seen", "timesSeen", "users_seen", "device.battery_level", "device.screen_density"})
    language.keys[key] = key_number;
  for (const auto* key : {"first_seen", "last_seen", "age", "date", "error.received"}) language.keys[key] = key_date;
  language.keys["error.main_thread"] = key_boolean;
  return language;
}

SearchLanguage make_facts() {
  auto language = make_common();
  language.open = true;
  // Whatever was sent under such a name is what it is.
  for (const auto* key : {"start", "end", "stack.colno", "stack.lineno", "stack.stack_level", "stack.in_app", "project_id",
                          "project.id", "issue.id", "transaction.duration", "team_key_transaction", "error.handled",
                          "error.unhandled", "firstSeen", "lastSeen", "event.timestamp"})
    language.keys.erase(key);
  return language;
}

SearchLanguage make_sessions() {
  auto language = make_common();
  language.free_text = false;
  language.only = {"release", "environment", "project"};
  return language;
}

}  // namespace

KeyKinds SearchLanguage::kinds_of(std::string_view key) const {
  if (const auto found = keys.find(key); found != keys.end()) return found->second;
  if (open) return key_text;
  if (key.starts_with("spans.")) return key_number | key_duration;
  constexpr std::string_view measurements = "measurements.";
  if (!key.starts_with(measurements) || key.size() == measurements.size()) return key_text;
  const auto name = key.substr(measurements.size());
  const bool lasts = std::ranges::find(duration_measurements, name) != duration_measurements.end();
  return static_cast<KeyKinds>(lasts ? key_number | key_duration : key_number);
}

std::string SearchLanguage::words_of(InvalidKind kind) const {
  if (const auto found = words.find(kind); found != words.end()) return found->second;
  switch (kind) {
    case InvalidKind::free_text_not_allowed: return "Free text is not supported in this search";
    case InvalidKind::wildcard_not_allowed: return "Wildcards not supported in search";
    case InvalidKind::must_be_quoted: return "Quotes must enclose text or be escaped";
    case InvalidKind::filter_must_have_value: return "Filter must have a value";
    case InvalidKind::invalid_boolean: return "Invalid boolean. Expected true, 1, false, or 0.";
    case InvalidKind::invalid_file_size: return "Invalid file size. Expected number followed by file size unit suffix";
    case InvalidKind::invalid_number:
      return "Invalid number. Expected number then optional k, m, or b suffix (e.g. 500k)";
    case InvalidKind::empty_value_in_list: return "Lists should not have empty values";
    case InvalidKind::empty_parameter: return "Function parameters should not have empty values";
    case InvalidKind::invalid_key: return "Invalid key.";
    case InvalidKind::invalid_duration: return "Invalid duration. Expected number followed by duration unit suffix";
    case InvalidKind::invalid_date_format: return "Invalid date format.";
  }
  std::abort();
}

const SearchLanguage& common_language() {
  static const SearchLanguage language = make_common();
  return language;
}
const SearchLanguage& issue_language() {
  static const SearchLanguage language = make_issues();
  return language;
}
const SearchLanguage& fact_language() {
  static const SearchLanguage language = make_facts();
  return language;
}
const SearchLanguage& session_language() {
  static const SearchLanguage language = make_sessions();
  return language;
}

}  // namespace picket::query

// Data categories and outcomes: the words in which received data is counted. The numbers are
// Sentry's wire numbers and are stored; names are the wire names.
// https://develop.sentry.dev/sdk/foundations/transport/rate-limiting/
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace picket::relay {

enum class DataCategory : std::uint8_t {
  default_ = 0,  // NOLINT(readability-identifier-naming): the wire name is a keyword
  error = 1,
  transaction = 2,
  security = 3,
  attachment = 4,
  session = 5,
  profile = 6,
  replay = 7,
  transaction_processed = 8,
  transaction_indexed = 9,
  monitor = 10,
  profile_indexed = 11,
  span = 12,
  monitor_seat = 13,
  feedback = 14,
  metric_bucket = 15,
  span_indexed = 16,
  profile_duration = 17,
  profile_chunk = 18,
  metric_second = 19,
  replay_video = 20,
  uptime = 21,
  attachment_item = 22,
  log_item = 23,
  log_byte = 24,
  profile_duration_ui = 25,
  profile_chunk_ui = 26,
  seer_autofix = 27,
  seer_scanner = 28,
  prevent_user = 29,
  prevent_review = 30,
  size_analysis = 31,
  installable_build = 32,
  trace_metric = 33,
  seer_user = 34,
  profile_backend = 35,
  profile_ui = 36,
  trace_metric_byte = 37,
  // Ours, never on the wire: items that Sentry counts in no category.
  client_report = 200,
  user_report = 201,
  unknown = 255,
};
// "unknown" also for a number that a newer version stored.
std::string_view wire_name(DataCategory category);
// By name, aliases included; an unknown word is nothing (and must be ignored). Our own
// categories cannot be named.
std::optional<DataCategory> parse_data_category(std::string_view name);

enum class Outcome : std::uint8_t {
  accepted = 0,
  filtered = 1,
  rate_limited = 2,
  invalid = 3,
  abuse = 4,
  client_discard = 5,
  cardinality_limited = 6,
};
std::string_view wire_name(Outcome outcome);
std::optional<Outcome> parse_outcome(std::string_view name);

}  // namespace picket::relay

// Writes logs and spans as Sentry's container items hold them, for the endpoints that take them in
// other formats.
//
//   {"items":[{"timestamp":1.5,"trace_id":"…","level":"info","body":"…","attributes":{
//     "key":{"value":"…","type":"string"}, …}}, …]}
// https://develop.sentry.dev/sdk/telemetry/logs/, …/telemetry/spans/span-protocol/
#pragma once

#include "relay/ingest/envelope_writer.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

namespace picket::ingest {

// Each key once: the first value stays. At most `most_attributes`.
class AttributeWriter {
 public:
  static constexpr std::size_t most_attributes = 1'000;

  void add(std::string_view key, std::string_view text) { add_raw(key, "string", json_text(text)); }
  void add_integer(std::string_view key, std::int64_t value);
  void add_double(std::string_view key, double value);  // what JSON cannot say is left out
  void add_flag(std::string_view key, bool value);
  void add_raw(std::string_view key, std::string_view type, std::string_view json);

  // The object; the writer is empty afterwards.
  std::string take();

 private:
  std::unordered_set<std::string> keys_;
  std::string json_;
};

// Whole nanoseconds as JSON seconds, exactly.
std::string json_seconds(std::uint64_t nanoseconds);
// "" for what JSON cannot say.
std::string json_number(double value);
std::string random_trace_id();  // 32 hex digits

struct LogLine {
  std::uint64_t timestamp_ns = 0;
  std::string trace_id;  // 32 hex digits; a random one is made for ""
  std::string span_id;   // 16 hex digits, or ""
  std::string_view level = "info";
  std::uint32_t severity = 0;  // OpenTelemetry's number, 0 for none
  std::string body;
};
std::string render_log(const LogLine& line, AttributeWriter attributes);

// Entries of one kind, in as many container items as Sentry's limits want.
class ContainerWriter {
 public:
  ContainerWriter(EnvelopeWriter& envelope, std::string_view type, std::size_t most_entries)
      : envelope_(envelope), type_(type), most_entries_(most_entries) {}

  void add(std::string_view entry);
  void finish();
  std::size_t count() const { return count_; }
  std::size_t size() const { return entries_.size(); }  // of what is not in the envelope yet

 private:
  EnvelopeWriter& envelope_;
  std::string type_;
  std::size_t most_entries_;
  std::size_t gathered_ = 0;
  std::size_t count_ = 0;  // in all
  std::string entries_;
};
constexpr std::size_t most_logs_per_item = 100;
constexpr std::size_t most_spans_per_item = 1'000;

}  // namespace picket::ingest

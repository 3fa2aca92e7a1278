#include "relay/ingest/telemetry_writer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace picket::ingest {
namespace {

constexpr std::size_t most_item_bytes = std::size_t{8} << 20;

}  // namespace

void AttributeWriter::add_integer(std::string_view key, std::int64_t value) {
  add_raw(key, "integer", std::to_string(value));
}

void AttributeWriter::add_double(std::string_view key, double value) {
  if (const auto number = json_number(value); !number.empty()) add_raw(key, "double", number);
}

void AttributeWriter::add_flag(std::string_view key, bool value) {
  add_raw(key, "boolean", value ? "true" : "false");
}

void AttributeWriter::add_raw(std::string_view key, std::string_view type, std::string_view json) {
  if (key.empty() || keys_.size() == most_attributes || !keys_.emplace(key).second) return;
  json_ += json_.empty() ? '{' : ',';
  json_.append(json_text(key)).append(R"(:{"value":)").append(json);
  json_.append(R"(,"type":")").append(type).append("\"}");
}

std::string AttributeWriter::take() {
  keys_.clear();
  auto json = std::exchange(json_, {});
  return json.empty() ? "{}" : std::move(json) + "}";
}

std::string json_seconds(std::uint64_t nanoseconds) {
  constexpr std::uint64_t second = 1'000'000'000;
  auto fraction = std::to_string(nanoseconds % second + second);
  fraction.front() = '.';
  return std::to_string(nanoseconds / second) + fraction;
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return {};
  std::array<char, 32> text{};
  return {text.begin(), std::to_chars(text.begin(), text.end(), value).ptr};
}

std::string random_trace_id() {
  return relay::render_event_id(relay::random_event_id());
}

std::string render_log(const LogLine& line, AttributeWriter attributes) {
  std::string json = R"({"timestamp":)" + json_seconds(line.timestamp_ns);
  json.append(R"(,"trace_id":")").append(line.trace_id.empty() ? random_trace_id() : line.trace_id);
  if (!line.span_id.empty()) json.append(R"(","span_id":")").append(line.span_id);
  json.append(R"(","level":")").append(line.level).append("\"");
  if (line.severity != 0) json.append(R"(,"severity_number":)" + std::to_string(line.severity));
  json.append(R"(,"body":)").append(json_text(line.body));
  json.append(R"(,"attributes":)").append(attributes.take()).append("}");
  return json;
}

void ContainerWriter::add(std::string_view entry) {
  if (gathered_ == most_entries_ || entries_.size() + entry.size() > most_item_bytes) finish();
  if (gathered_ > 0) entries_ += ',';
  entries_ += entry;
  ++gathered_;
  ++count_;
}

void ContainerWriter::finish() {
  envelope_.add_container(type_, gathered_, entries_);
  entries_.clear();
  gathered_ = 0;
}

}  // namespace picket::ingest

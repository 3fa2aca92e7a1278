#include "relay/ingest/crash_event.h"

#include "relay/protocol/json_repair.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace picket::ingest {
namespace {

namespace json = boost::json;

constexpr std::size_t most_depth = 64;
constexpr std::size_t most_indexes = 16;
constexpr std::size_t most_breadcrumbs = 100;
constexpr unsigned most_chunks = 1'000;

std::optional<json::object> parse_object(std::string_view text) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = most_depth;
  auto value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

void fill_in(json::object& into, const json::object& more, std::size_t depth) {
  for (const auto& [key, value] : more) {
    const auto there = into.find(key);
    if (there == into.end()) {
      into.emplace(key, value);
    } else if (there->value().is_null()) {
      there->value() = value;
    } else if (there->value().is_object() && value.is_object() && depth < most_depth) {
      fill_in(there->value().get_object(), value.get_object(), depth + 1);
    }
  }
}

// "sentry[a][b]" → a, b; nothing when it is not of that form.
std::optional<std::vector<std::string_view>> indexes_of(std::string_view name) {
  if (!name.starts_with("sentry[")) return std::nullopt;
  name.remove_prefix(6);
  std::vector<std::string_view> indexes;
  while (!name.empty()) {
    const auto end = name.find(']');
    if (name.front() != '[' || end == std::string_view::npos || end == 1) return std::nullopt;
    if (indexes.size() == most_indexes) return std::nullopt;
    indexes.push_back(name.substr(1, end - 1));
    name.remove_prefix(end + 1);
  }
  return indexes;
}

std::optional<unsigned> chunk_number(std::string_view name) {
  if (!name.starts_with("sentry__")) return std::nullopt;
  name.remove_prefix(8);
  unsigned number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) return std::nullopt;
  return number <= most_chunks ? std::optional(number) : std::nullopt;
}

void set_at(json::object& event, const std::vector<std::string_view>& indexes, std::string_view value) {
  json::object* at = &event;
  for (std::size_t i = 0; i + 1 < indexes.size(); ++i) {
    auto& next = (*at)[indexes[i]];
    if (next.is_null()) next.emplace_object();
    if (!next.is_object()) return;
    at = &next.get_object();
  }
  auto& last = (*at)[indexes.back()];
  if (last.is_null()) last = value;
}

json::object& object_at(json::object& parent, std::string_view key) {
  auto& value = parent[key];
  return value.is_object() ? value.get_object() : value.emplace_object();
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool has_exception(const json::object& event) {
  const auto* const exception = event.if_contains("exception");
  if (exception == nullptr) return false;
  const auto* values = exception->if_array();
  if (const auto* const object = exception->if_object()) {
    const auto* const inner = object->if_contains("values");
    values = inner == nullptr ? nullptr : inner->if_array();
  }
  return values != nullptr && !values->empty();
}

json::array objects_of(const std::vector<std::string>& texts) {
  json::array objects;
  for (const auto& text : texts) {
    if (auto object = parse_object(text)) objects.push_back(*std::move(object));
  }
  return objects;
}

// When the last of a list happened; SDKs write RFC 3339 or seconds.
std::int64_t last_time(const json::array& breadcrumbs) {
  if (breadcrumbs.empty()) return 0;
  const auto* const time = breadcrumbs.back().get_object().if_contains("timestamp");
  if (time == nullptr) return 0;
  const auto text = time->is_string() ? std::string(time->get_string()) : json::serialize(*time);
  return relay::parse_timestamp(text).value_or(0);
}

}  // namespace

bool CrashEvent::merge(std::string_view text) {
  const auto more = parse_object(text);
  if (more) merge(*more);
  return more.has_value();
}

void CrashEvent::merge(const json::object& more) {
  fill_in(event_, more, 0);
}

void CrashEvent::add_field(std::string_view name, std::string_view value) {
  if (name.empty()) return;
  const bool whole = name == "sentry" || name == "sentry___global" || name == "sentry___initialScope";
  if (whole && merge(value)) return;
  if (const auto number = chunk_number(name)) {
    chunks_.emplace_back(*number, value);
    return;
  }
  if (const auto indexes = indexes_of(name)) return set_at(event_, *indexes, value);
  object_at(event_, "extra").emplace(name, value);
}

void CrashEvent::join_chunks() {
  if (chunks_.empty()) return;
  std::stable_sort(chunks_.begin(), chunks_.end(),
                   [](const auto& left, const auto& right) { return left.first < right.first; });
  std::string text;
  for (const auto& [number, chunk] : chunks_) text += chunk;
  chunks_.clear();
  if (!merge(text)) object_at(event_, "extra").emplace("sentry__", text);
}

void CrashEvent::add_breadcrumbs(std::vector<std::string> first, std::vector<std::string> second) {
  auto older = objects_of(first);
  auto newer = objects_of(second);
  if (last_time(older) > last_time(newer)) std::swap(older, newer);
  older.insert(older.end(), newer.begin(), newer.end());
  if (older.size() > most_breadcrumbs) {
    older.erase(older.begin(), older.end() - static_cast<std::ptrdiff_t>(most_breadcrumbs));
  }
  if (!older.empty()) event_["breadcrumbs"] = json::object{{"values", std::move(older)}};
}

void CrashEvent::add_facts(const relay::MinidumpFacts& facts) {
  json::object contexts;
  if (!facts.system.empty()) {
    auto& os = object_at(contexts, "os");
    os["type"] = "os";
    os["name"] = facts.system;
    if (!facts.system_version.empty()) os["version"] = facts.system_version;
  }
  if (!facts.cpu.empty()) contexts["device"] = {{"type", "device"}, {"arch", facts.cpu}};
  if (!contexts.empty()) merge(json::object{{"contexts", std::move(contexts)}});
  if (facts.crashed_at) merge(json::object{{"timestamp", *facts.crashed_at}});
}

relay::EventId CrashEvent::finish(std::string_view reason) {
  join_chunks();
  event_["platform"] = "native";
  auto& level = event_["level"];
  if (!level.is_string()) level = "fatal";
  if (!has_exception(event_)) {
    event_["exception"] = {
        {"values",
         json::array{{{"type", "Minidump"},
                      {"value", reason.empty() ? "Invalid Minidump" : "Fatal Error: " + std::string(reason)},
                      {"mechanism", {{"type", "minidump"}, {"handled", false}, {"synthetic", true}}}}}}};
  }
  const auto given = relay::parse_event_id(text_of(event_, "event_id"));
  const auto id = given ? *given : relay::random_event_id();
  event_["event_id"] = relay::render_event_id(id);
  return id;
}

std::string CrashEvent::render() const {
  return relay::repair_utf8(json::serialize(event_));
}

}  // namespace picket::ingest

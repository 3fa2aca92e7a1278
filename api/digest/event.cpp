#include "api/digest/event.h"

#include "api/digest/event_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace picket::digest {
namespace {

struct LevelName {
  std::string_view name;
  EventLevel level;
};
// The first name of a level is its own.
constexpr std::array<LevelName, 15> level_names = {{
    {"sample", EventLevel::sample},
    {"debug", EventLevel::debug},
    {"info", EventLevel::info},
    {"warning", EventLevel::warning},
    {"error", EventLevel::error},
    {"fatal", EventLevel::fatal},
    {"trace", EventLevel::debug},
    {"verbose", EventLevel::debug},
    {"log", EventLevel::info},
    {"notice", EventLevel::info},
    {"warn", EventLevel::warning},
    {"err", EventLevel::error},
    {"critical", EventLevel::fatal},
    {"emergency", EventLevel::fatal},
    {"alert", EventLevel::fatal},
}};

struct TypeName {
  std::string_view name;
  EventType type;
};
constexpr std::array<TypeName, 10> type_names = {{
    {"error", EventType::error},
    {"default", EventType::default_},
    {"transaction", EventType::transaction},
    {"csp", EventType::csp},
    {"hpkp", EventType::hpkp},
    {"expectct", EventType::expect_ct},
    {"expectstaple", EventType::expect_staple},
    {"nel", EventType::nel},
    {"feedback", EventType::feedback},
    {"generic", EventType::generic},
}};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

}  // namespace

std::string_view wire_name(EventLevel level) {
  switch (level) {
    case EventLevel::sample: return "sample";
    case EventLevel::debug: return "debug";
    case EventLevel::info: return "info";
    case EventLevel::warning: return "warning";
    case EventLevel::error: return "error";
    case EventLevel::fatal: return "fatal";
  }
  std::abort();
}

EventLevel level_of_number(std::uint32_t number) {
  if (number >= 50) return EventLevel::fatal;
  if (number >= 40) return EventLevel::error;
  if (number >= 30) return EventLevel::warning;
  if (number >= 20) return EventLevel::info;
  return number >= 10 ? EventLevel::debug : EventLevel::sample;
}

std::optional<EventLevel> parse_level(std::string_view text) {
  const auto word = lower(without_outer_space(text));
  for (const auto& known : level_names) {
    if (known.name == word) return known.level;
  }
  std::uint32_t number = 0;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), number);
  if (word.empty() || read.ec != std::errc() || read.ptr != word.data() + word.size())
    return std::nullopt;
  return level_of_number(number);
}

std::string_view wire_name(EventType type) {
  switch (type) {
    case EventType::default_: return "default";
    case EventType::error: return "error";
    case EventType::csp: return "csp";
    case EventType::hpkp: return "hpkp";
    case EventType::expect_ct: return "expectct";
    case EventType::expect_staple: return "expectstaple";
    case EventType::nel: return "nel";
    case EventType::transaction: return "transaction";
    case EventType::feedback: return "feedback";
    case EventType::generic: return "generic";
  }
  std::abort();
}

std::optional<EventType> event_type_named(std::string_view name) {
  for (const auto& known : type_names) {
    if (known.name == name) return known.type;
  }
  return std::nullopt;
}

bool is_security(EventType type) {
  return type == EventType::csp || type == EventType::hpkp || type == EventType::expect_ct ||
         type == EventType::expect_staple;
}

relay::DataCategory category_of(EventType type) {
  if (is_security(type)) return relay::DataCategory::security;
  if (type == EventType::transaction) return relay::DataCategory::transaction;
  if (type == EventType::feedback) return relay::DataCategory::feedback;
  return relay::DataCategory::error;
}

EventLevel Event::level_or_default() const {
  const bool calm = type == EventType::transaction || type == EventType::feedback;
  return level.value_or(calm ? EventLevel::info : EventLevel::error);
}

std::optional<bool> Event::handled() const {
  std::optional<bool> known;
  for (const auto& exception : exceptions) {
    if (!exception.handled) continue;
    if (!*exception.handled) return false;
    known = true;
  }
  return known;
}

Result<Event> parse_event(std::string_view json) {
  constexpr std::size_t largest = std::size_t{64} << 20;
  if (json.size() > largest)
    return Error{Fault::too_large, "event of " + std::to_string(json.size()) + " bytes"};
  Event event;
  const auto root = parse_json(json, event.repaired);
  if (!root) return Error{Fault::malformed, "event is not JSON"};
  const auto object = object_of(*root);
  if (!object) return Error{Fault::malformed, "event is not a JSON object"};
  read_event(*object, event);
  return event;
}

}  // namespace picket::digest

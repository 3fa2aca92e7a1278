// Check-in items.
//
//   {"check_in_id","monitor_slug","status","duration","release","environment",
//    "monitor_config":{"schedule":{"type","value","unit"},"checkin_margin","max_runtime","timezone",
//                      "failure_issue_threshold","recovery_threshold"},
//    "contexts":{"trace":{"trace_id"}}}
//
// https://develop.sentry.dev/sdk/telemetry/check-ins/
#include "api/digest/item_reader.h"
#include "api/digest/json_shape.h"
#include "api/digest/monitor_schedule.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <array>

namespace picket::digest {
namespace {

using relay::DataCategory;
using relay::Outcome;

constexpr std::size_t longest_payload = std::size_t{100} << 10;

std::optional<JsonElement> member(JsonObject object, std::string_view name) {
  JsonElement found;
  if (object[name].get(found) != simdjson::SUCCESS || found.is_null()) return std::nullopt;
  return found;
}

std::string_view text_member(JsonObject object, std::string_view name, TextArena& arena, std::size_t most) {
  const auto found = member(object, name);
  return found ? text_of(*found, arena, {most, 0}) : std::string_view();
}

std::uint32_t number_member(JsonObject object, std::string_view name, std::int64_t most) {
  const auto found = member(object, name);
  const auto number = found ? number_of(*found) : std::nullopt;
  return number ? static_cast<std::uint32_t>(std::clamp<std::int64_t>(*number, 0, most)) : 0;
}

// Nothing for a schedule that is none: the check-in then counts for a monitor that is there.
std::optional<schema::MonitorConfig> read_config(JsonObject payload, TextArena& arena) {
  const auto given = member(payload, "monitor_config");
  const auto config = given ? object_of(*given) : std::nullopt;
  const auto listed = config ? member(*config, "schedule") : std::nullopt;
  const auto schedule = listed ? object_of(*listed) : std::nullopt;
  if (!schedule) return std::nullopt;
  constexpr std::int64_t most_minutes = 40'320;
  constexpr std::int64_t most_threshold = 720;
  schema::MonitorConfig read;
  const auto type = text_member(*schedule, "type", arena, 20);
  if (type == "crontab") {
    read.set_schedule_type(static_cast<std::uint32_t>(ScheduleType::crontab));
    read.set_crontab(std::string(without_outer_space(text_member(*schedule, "value", arena, 255))));
  } else if (type == "interval") {
    read.set_schedule_type(static_cast<std::uint32_t>(ScheduleType::interval));
    read.set_interval_count(number_member(*schedule, "value", 1'000'000));
    read.set_interval_unit(std::string(text_member(*schedule, "unit", arena, 20)));
  }
  read.set_checkin_margin_min(number_member(*config, "checkin_margin", most_minutes));
  read.set_max_runtime_min(number_member(*config, "max_runtime", most_minutes));
  read.set_timezone(std::string(text_member(*config, "timezone", arena, 64)));
  read.set_failure_threshold(number_member(*config, "failure_issue_threshold", most_threshold));
  read.set_recovery_threshold(number_member(*config, "recovery_threshold", most_threshold));
  if (!is_valid(read)) return std::nullopt;
  return read;
}

std::string_view read_trace(JsonObject payload, TextArena& arena) {
  const auto contexts = member(payload, "contexts");
  const auto named = contexts ? object_of(*contexts) : std::nullopt;
  const auto trace = named ? member(*named, "trace") : std::nullopt;
  const auto object = trace ? object_of(*trace) : std::nullopt;
  if (!object) return {};
  const auto id = relay::parse_event_id(text_member(*object, "trace_id", arena, 64));
  return id ? arena.keep(relay::raw_bytes(*id)) : std::string_view();
}

}  // namespace

std::string monitor_slug(std::string_view text) {
  constexpr std::size_t longest = 50;
  std::string slug;
  for (const char c : text.substr(0, 1000)) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (upper || plain) {
      slug += upper ? static_cast<char>(c + 32) : c;
    } else if (!slug.empty() && slug.back() != '-' && (c == '-' || c == ' ' || c == '\t')) {
      slug += '-';
    }
  }
  slug.resize(std::min(slug.size(), longest));
  while (slug.ends_with('-') || slug.ends_with('_'))
    slug.pop_back();
  slug.erase(0, std::min(slug.find_first_not_of("_-"), slug.size()));
  return slug;
}

void read_check_in_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  const auto refuse = [&](std::string_view reason) {
    context.count(DataCategory::monitor, Outcome::invalid, reason, 1);
  };
  if (item.payload.size() > longest_payload) return refuse("too_large:check_in");
  bool repaired = false;
  const auto root = parse_json(item.payload, repaired);
  const auto payload = root ? object_of(*root) : std::nullopt;
  if (!payload) return refuse("invalid_json");
  auto& text = context.batch.text;
  ParsedCheckIn read;
  read.slug = text.keep(monitor_slug(text_member(*payload, "monitor_slug", text, 1000)));
  const auto environment = without_outer_space(text_member(*payload, "environment", text, 1000));
  if (read.slug.empty() || environment.size() > 64) return refuse("invalid_check_in");
  const auto status = parse_check_in_status(text_member(*payload, "status", text, 20));
  if (!status) return refuse("invalid_check_in");
  read.status = *status;
  read.environment = environment.empty() ? "production" : environment;
  // An id of zeros, or none, means the latest that is in progress.
  const auto id = relay::parse_event_id(text_member(*payload, "check_in_id", text, 64));
  if (id && *id != relay::EventId()) read.id = text.keep(relay::raw_bytes(*id));
  double seconds = 0;
  const auto duration = member(*payload, "duration");
  constexpr double longest_seconds = 10.0 * 366 * 86'400;
  if (duration && duration->get(seconds) == simdjson::SUCCESS && seconds >= 0 && seconds < longest_seconds)
    read.duration_ms = static_cast<std::int64_t>(seconds * 1000);
  read.release = text_member(*payload, "release", text, 200);
  read.trace_id = read_trace(*payload, text);
  read.config = read_config(*payload, text);
  read.place = context.place(index);
  context.batch.check_ins.push_back(std::move(read));
  // What becomes of it is counted when it is written: its monitor may not be there.
}

}  // namespace picket::digest

// Kinds and lengths of fields, and those of the event itself.
#include "api/digest/json_shape.h"
#include "api/digest/normalize_rules.h"
#include "api/digest/normalize_steps.h"
#include "api/digest/part_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace picket::digest {
namespace {

using enum FieldKind;

constexpr std::array event_fields = {
    Field{"platform", text, {64, 0}},     Field{"logger", text, {64, 0}},       Field{"transaction", text, {200, 0}},
    Field{"culprit", text, {200, 0}},     Field{"release", text, {200, 0}},     Field{"dist", text, {64, 0}},
    Field{"environment", text, {64, 0}},  Field{"server_name", text, {256, 20}}, Field{"site", text, {200, 0}},
    Field{"event_id", text, {36, 0}},     Field{"type", text, {32, 0}},         Field{"request", object},
    Field{"user", object},                Field{"contexts", object},            Field{"sdk", object},
    Field{"transaction_info", object},    Field{"measurements", object},        Field{"breakdowns", object},
    Field{"csp", object},                 Field{"hpkp", object},                Field{"expectct", object},
    Field{"expectstaple", object},        Field{"nel", object},                 Field{"template", object},
    Field{"extra", object},               Field{"debug_meta", object},          Field{"spans", list},
    Field{"time_spent", whole},
};
constexpr std::array sdk_fields = {Field{"name", text, {200, 0}}, Field{"version", text, {100, 0}}, Field{"integrations", list},
                                   Field{"packages", list}, Field{"settings", object}};

std::string_view expected(FieldKind kind) {
  switch (kind) {
    case text: return "expected a string";
    case whole: return "expected an integer";
    case number: return "expected a number";
    case flag: return "expected a boolean";
    case time: return "expected a timestamp";
    case object: return "expected an object";
    case list: return "expected an array";
  }
  return {};
}

std::optional<std::int64_t> whole_of(const json::value& value) {
  if (const auto* small = value.if_int64()) return *small;
  if (const auto* real = value.if_double(); real && std::abs(*real) < 9e15) return static_cast<std::int64_t>(*real);
  const auto* digits = value.if_string();
  std::int64_t number = 0;
  if (!digits || digits->empty()) return std::nullopt;
  const auto read = std::from_chars(digits->data(), digits->data() + digits->size(), number);
  if (read.ec != std::errc() || read.ptr != digits->data() + digits->size()) return std::nullopt;
  return number;
}

bool check(json::value& value, const Field& field, const Place& place, Notes& notes) {
  switch (field.kind) {
    case text: return check_text(value, field.length, place, notes);
    case whole: {
      const auto read = whole_of(value);
      if (read) value = *read;
      return read.has_value();
    }
    case number: return value.is_number();
    case flag: {
      const auto read = flag_of(value);
      if (read) value = *read;
      return read.has_value();
    }
    case time: return time_ms(value).has_value();
    case object: return value.is_object();
    case list: return value.is_array();
  }
  return false;
}

bool has_content(const json::value& value) {
  const auto* listed = value.if_array();
  return listed ? !listed->empty() : !value.is_null();
}

// The object, or the first one of a list.
json::value first_object(json::value value) {
  auto* listed = value.if_array();
  if (!listed) return value;
  for (auto& each : *listed) {
    if (each.is_object()) return std::move(each);
  }
  return value;
}

bool has_message(const json::value& value) {
  const auto entry = first_object(value);
  const auto* object = entry.if_object();
  if (!object) return !scalar_text(value).value_or("").empty();
  return !scalar_text(*object, "message").value_or("").empty() || !scalar_text(*object, "formatted").value_or("").empty();
}

// Of the names that a part goes by, the first with content stays, under the present name.
void unite(json::object& event, std::size_t part) {
  const bool message = part == static_cast<std::size_t>(Part::logentry);
  const auto& names = part_names[part];
  std::optional<json::value> chosen;
  for (const auto name : names) {
    auto* value = name.empty() ? nullptr : event.if_contains(name);
    if (!value) continue;
    if (!chosen && has_content(*value) && (!message || has_message(*value))) chosen = std::move(*value);
    event.stable_erase(name);
  }
  if (chosen) event[names[0]] = *std::move(chosen);
}

void rename(json::object& event, std::string_view name, std::string_view old_name) {
  auto* old = event.if_contains(old_name);
  if (!old) return;
  auto value = std::move(*old);
  event.stable_erase(old_name);
  if (const auto* present = event.if_contains(name); !present || !has_content(*present)) event[name] = std::move(value);
}

void clean(Work& work, std::string_view name, std::string_view (*cleaned)(std::string_view), std::string_view reason) {
  auto* value = work.event.if_contains(name);
  const auto* said = value ? value->if_string() : nullptr;
  if (!said) return;
  const std::string good(cleaned(*said));
  if (!good.empty()) {
    *value = good;
  } else if (without_outer_space(*said).empty()) {
    work.event.stable_erase(name);
  } else {
    reject(work.event, name, reason, Place(work.root, name), work.notes);
  }
}

}  // namespace

bool check_text(json::value& value, Length length, const Place& place, Notes& notes) {
  auto said = scalar_text(value);
  if (!said) return false;
  const auto room = length.characters + length.slack;
  if (room != 0 && said->size() > room && first_characters(*said, room).size() < said->size()) {
    std::size_t before = 0;
    for (const char c : *said) before += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U ? 1 : 0;
    said = ellipsed(*said, length.characters);
    notes.cut(place, before, length.characters);
    value = *said;
  } else if (!value.is_string()) {
    value = *said;
  }
  return true;
}

void reject(json::object& object, std::string_view name, std::string_view reason, const Place& place, Notes& notes) {
  auto* value = object.if_contains(name);
  if (!value) return;
  notes.invalid(place, reason, *value);
  object.stable_erase(name);
}

void check_fields(json::object& object, std::span<const Field> fields, const Place& place, Notes& notes) {
  for (const auto& field : fields) {
    auto* value = object.if_contains(field.name);
    if (!value) continue;
    if (value->is_null()) {
      object.stable_erase(field.name);
      continue;
    }
    const Place here(place, field.name);
    if (!check(*value, field, here, notes)) reject(object, field.name, expected(field.kind), here, notes);
  }
}

void normalize_legacy(Work& work) {
  auto& event = work.event;
  for (std::size_t part = 0; part < part_names.size(); ++part) unite(event, part);
  rename(event, "breadcrumbs", "sentry.interfaces.Breadcrumbs");
  rename(event, "template", "sentry.interfaces.Template");
  for (const std::string_view name : {"request", "user", "contexts", "sdk", "csp"}) {
    auto* value = event.if_contains(name);
    if (value && value->is_array()) *value = first_object(std::move(*value));
  }
  if (auto* user = find(event, "user"); user && !user->is_object()) {
    if (auto id = scalar_text(*user)) *user = json::object{{"id", *id}};
  }
}

void normalize_fields(Work& work) {
  auto& event = work.event;
  check_fields(event, event_fields, work.root, work.notes);
  clean(work, "release", clean_release, "invalid release");
  clean(work, "environment", clean_environment, "invalid environment");
  clean(work, "dist", clean_dist, "invalid character in dist");
  for (const std::string_view name : {"platform", "logger", "transaction", "culprit"}) {
    if (text_or(event, name, "x").empty()) event.stable_erase(name);
  }
  if (auto* sdk = find_object(event, "sdk")) check_fields(*sdk, sdk_fields, Place(work.root, "sdk"), work.notes);
}

}  // namespace picket::digest

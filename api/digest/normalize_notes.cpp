#include "api/digest/normalize_notes.h"

#include <utility>

namespace picket::digest {
namespace {

constexpr std::size_t most_notes = 200;
constexpr std::size_t longest_quote = 500;

json::array& list_in(json::object& note, std::string_view name) {
  auto& list = note[name];
  if (!list.is_array()) list = json::array();
  return list.get_array();
}

// False for containers: those are shown only when they are small.
bool is_quotable(const json::value& value) {
  if (const auto* text = value.if_string()) return text->size() <= longest_quote;
  if (const auto* list = value.if_array()) return list->empty();
  if (const auto* object = value.if_object()) return object->empty();
  return !value.is_null();
}

}  // namespace

json::object& Notes::descend(const Place& place) {
  auto& level = place.parent() ? descend(*place.parent()) : meta_;
  return place.parent() ? make_object(level, place.key()) : level;
}

json::object* Notes::note_at(const Place& place) {
  if (count_ == most_notes) return nullptr;
  ++count_;
  return &make_object(descend(place), "");
}

void Notes::error(const Place& place, std::string_view kind, json::object details) {
  auto* note = note_at(place);
  if (!note) return;
  json::array error{json::value(kind)};
  if (!details.empty()) error.push_back(details);
  list_in(*note, "err").push_back(std::move(error));
  json::object entry{{"type", kind}, {"name", place.name()}};
  if (const auto* value = note->if_contains("val")) entry["value"] = *value;
  for (auto& [key, value] : details) entry[key] = std::move(value);
  errors_.push_back(std::move(entry));
}

void Notes::invalid(const Place& place, std::string_view reason, const json::value& value) {
  if (count_ == most_notes) return;
  if (is_quotable(value)) make_object(descend(place), "")["val"] = value;
  error(place, "invalid_data", {{"reason", reason}});
}

void Notes::cut(const Place& place, std::size_t before, std::size_t after) {
  auto* note = note_at(place);
  if (!note) return;
  list_in(*note, "rem").push_back(json::array{"!limit", "s", after > 3 ? after - 3 : 0, after});
  if (!note->contains("len")) (*note)["len"] = before;
}

void Notes::shortened(const Place& place, std::size_t before) {
  auto* note = note_at(place);
  if (note && !note->contains("len")) (*note)["len"] = before;
}

void Notes::removed(const Place& place) {
  if (auto* note = note_at(place)) list_in(*note, "rem").push_back(json::array{"!limit", "x"});
}

void Notes::replaced(const Place& place, std::string_view rule, const json::value& before) {
  auto* note = note_at(place);
  if (!note) return;
  list_in(*note, "rem").push_back(json::array{rule, "s"});
  if (is_quotable(before)) (*note)["val"] = before;
}

}  // namespace picket::digest

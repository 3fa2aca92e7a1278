// Message, breadcrumbs and images: the lists and texts that need little.
#include "api/digest/message_format.h"
#include "api/digest/normalize_steps.h"

#include <array>
#include <utility>

namespace picket::digest {
namespace {

using enum FieldKind;

constexpr std::array crumb_fields = {
    Field{"type", text, {128, 0}},      Field{"category", text, {128, 0}}, Field{"level", text, {32, 0}},
    Field{"message", text, {8192, 200}}, Field{"data", object},             Field{"event_id", text, {36, 0}},
};
constexpr std::array image_fields = {Field{"type", text, {64, 0}},      Field{"code_file", text, {256, 40}}, Field{"debug_file", text, {256, 40}},
                                     Field{"debug_id", text, {128, 0}}, Field{"code_id", text, {128, 0}},    Field{"arch", text, {64, 0}},
                                     Field{"image_addr", text, {64, 0}}};
constexpr std::size_t most_breadcrumbs = 1000;
constexpr std::size_t most_images = 10'000;

// As the digest reads them: the values of a list or an object, scalars only.
MessageParams params_of(const json::value& params, std::vector<std::string>& texts) {
  constexpr std::size_t most = 100;
  MessageParams read;
  const auto text = [&](const json::value& value) -> std::string_view {
    texts.push_back(ellipsed(scalar_text(value).value_or(""), 2048));
    return texts.back();
  };
  texts.reserve(most);
  if (const auto* list = params.if_array()) {
    for (const auto& value : *list) {
      if (read.size() < most) read.emplace_back("", text(value));
    }
  } else if (const auto* object = params.if_object()) {
    for (const auto& [key, value] : *object) {
      if (read.size() < most) read.emplace_back(key, text(value));
    }
  }
  return read;
}

}  // namespace

void normalize_message(Work& work) {
  constexpr Length longest{8192, 200};
  auto* value = work.event.if_contains("logentry");
  if (!value) return;
  const Place place(work.root, "logentry");
  if (auto* list = value->if_array()) {
    for (auto& each : *list) {
      if (!each.is_object()) continue;
      *value = json::value(std::move(each));
      break;
    }
  }
  if (!value->is_object()) {
    auto said = scalar_text(*value);
    if (!said) return reject(work.event, "logentry", "expected a message", place, work.notes);
    *value = json::object{{"formatted", *said}};
  }
  auto& entry = value->get_object();
  static constexpr std::array fields = {Field{"message", text, longest}, Field{"formatted", text, longest}};
  check_fields(entry, fields, place, work.notes);
  const auto template_text = std::string(text_or(entry, "message"));
  auto* params = entry.if_contains("params");
  if (params && !params->is_array() && !params->is_object()) {
    entry.stable_erase("params");
    params = nullptr;
  }
  if (text_or(entry, "formatted").empty() && params) {
    std::vector<std::string> texts;
    const auto read = params_of(*params, texts);
    if (!read.empty()) entry["formatted"] = ellipsed_over(format_message(template_text, read), longest);
  }
  if (text_or(entry, "formatted").empty()) entry["formatted"] = template_text;
  if (template_text.empty() || text_or(entry, "formatted") == template_text) entry.stable_erase("message");
  if (text_or(entry, "formatted").empty()) reject(work.event, "logentry", "no message present", place, work.notes);
}

void normalize_debug_images(Work& work) {
  auto* meta = find_object(work.event, "debug_meta");
  if (!meta) return;
  const Place place(work.root, "debug_meta");
  static constexpr std::array fields = {Field{"images", list}, Field{"sdk_info", object}};
  check_fields(*meta, fields, place, work.notes);
  auto* images = find_array(*meta, "images");
  if (!images) return;
  const Place list_place(place, "images");
  json::array kept;
  std::size_t index = 0;
  for (auto& image : *images) {
    const Place here(list_place, index++);
    auto* object = image.if_object();
    if (kept.size() == most_images || image.is_null()) continue;
    if (object) check_fields(*object, image_fields, here, work.notes);
    if (!object || text_or(*object, "type").empty()) {
      work.notes.invalid(here, object ? "missing type" : "expected an object", image);
      continue;
    }
    kept.push_back(std::move(image));
  }
  *images = std::move(kept);
  if (images->empty()) meta->stable_erase("images");
  if (meta->empty()) work.event.stable_erase("debug_meta");
}

void normalize_breadcrumbs(Work& work) {
  auto* value = work.event.if_contains("breadcrumbs");
  if (!value) return;
  const Place place(work.root, "breadcrumbs");
  if (auto* list = value->if_array()) *value = json::object{{"values", std::move(*list)}};
  auto* object = value->if_object();
  auto* list = object ? find_array(*object, "values") : nullptr;
  if (!list) {
    if (!value->is_null() && !(object && object->empty())) work.notes.invalid(place, "expected a list of breadcrumbs", *value);
    work.event.stable_erase("breadcrumbs");
    return;
  }
  const Place list_place(place, "values");
  json::array kept;
  const auto before = list->size();
  std::size_t index = 0;
  for (auto& crumb : *list) {
    const Place here(list_place, index++);
    // The newest are kept; they come last.
    if (crumb.is_null() || before - index >= most_breadcrumbs) continue;
    auto* fields = crumb.if_object();
    if (!fields) {
      work.notes.invalid(here, "expected an object", crumb);
      continue;
    }
    check_fields(*fields, crumb_fields, here, work.notes);
    if (text_or(*fields, "type").empty()) (*fields)["type"] = "default";
    const auto level = parse_level(text_or(*fields, "level"));
    (*fields)["level"] = level ? wire_name(*level) : std::string_view("info");
    kept.push_back(std::move(crumb));
  }
  if (before > most_breadcrumbs) work.notes.shortened(list_place, before);
  *list = std::move(kept);
  if (list->empty()) work.event.stable_erase("breadcrumbs");
}

}  // namespace picket::digest

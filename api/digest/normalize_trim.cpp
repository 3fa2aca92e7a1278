// The limits of what has no fixed shape: how deep it may nest, how many bytes it may have.
#include "api/digest/normalize_steps.h"

#include <algorithm>
#include <string>
#include <utility>

namespace picket::digest {
namespace {

// What is left of a bag's bytes. Entries that find nothing left are taken out.
class Bag {
 public:
  Bag(std::size_t depth, std::size_t bytes, Notes& notes) : depth_(depth), left_(bytes), notes_(notes) {}

  void trim(json::value& value, const Place& place) { trim(value, place, depth_); }
  bool is_full() const { return left_ == 0; }

 private:
  void spend(std::size_t bytes) { left_ -= std::min(left_, bytes); }

  void trim_text(json::value& value, const Place& place) {
    const std::string_view text(value.get_string());
    if (text.size() <= left_) return spend(text.size() + 2);
    std::size_t before = 0;
    for (const char c : text) before += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U ? 1 : 0;
    // At least one character: an ellipsis alone says nothing.
    const auto room = std::max<std::size_t>(left_, 4);
    auto cut = ellipsed(text, room);
    while (cut.size() > room + 3) cut = ellipsed(text, cut.size() - (cut.size() - room + 2) / 3);
    notes_.cut(place, before, room);
    left_ = 0;
    value = std::move(cut);
  }

  void trim_list(json::array& list, const Place& place, std::size_t depth) {
    const auto before = list.size();
    std::size_t kept = 0;
    for (; kept < before && !is_full(); ++kept) trim(list[kept], Place(place, kept), depth - 1);
    if (kept == before) return;
    list.resize(kept);
    notes_.shortened(place, before);
  }

  void trim_object(json::object& object, const Place& place, std::size_t depth) {
    const auto before = object.size();
    json::object kept;
    for (auto& [key, value] : object) {
      if (is_full()) break;
      const std::string_view name(key);
      spend(name.size() + 3);
      trim(value, Place(place, name), depth - 1);
      kept.emplace(key, std::move(value));
    }
    if (kept.size() != before) notes_.shortened(place, before);
    object = std::move(kept);
  }

  void trim(json::value& value, const Place& place, std::size_t depth) {
    const bool container = value.is_object() || value.is_array();
    const bool empty = container && (value.is_object() ? value.get_object().empty() : value.get_array().empty());
    // Too deep: shown as the JSON that it is.
    if (container && !empty && depth <= 1) value = json::serialize(value);
    if (auto* list = value.if_array()) return trim_list(*list, place, depth);
    if (auto* object = value.if_object()) return trim_object(*object, place, depth);
    if (value.is_string()) return trim_text(value, place);
    spend(value.is_null() ? 4 : 8);
  }

  std::size_t depth_;
  std::size_t left_;
  Notes& notes_;
};

void trim_member(json::object& object, std::string_view name, std::size_t depth, std::size_t bytes, const Place& place, Notes& notes) {
  if (auto* value = object.if_contains(name)) Bag(depth, bytes, notes).trim(*value, Place(place, name));
}

// What the digest and searches read comes first, so that a flood of other things does not cost it.
void put_first(json::object& context) {
  json::object sorted;
  for (const std::string_view name : {"type", "name", "version", "model", "family", "trace_id", "span_id", "parent_span_id", "op", "status", "processor_frequency",
                                      "processor_count", "memory_size"}) {
    if (auto* value = context.if_contains(name); value && !value->is_object() && !value->is_array()) sorted.emplace(name, std::move(*value));
  }
  for (auto& [key, value] : context) {
    if (!sorted.contains(key)) sorted.emplace(key, std::move(value));
  }
  context = std::move(sorted);
}

void trim_contexts(Work& work) {
  auto* contexts = find_object(work.event, "contexts");
  if (!contexts) return;
  const Place place(work.root, "contexts");
  constexpr std::size_t most_contexts = 100;
  json::object kept;
  const auto add = [&](json::string_view name, json::value& value) {
    auto* context = value.if_object();
    if (!context || kept.size() >= most_contexts || kept.contains(name)) return;
    put_first(*context);
    Bag(7, 8192, work.notes).trim(value, Place(place, name));
    kept.emplace(name, std::move(value));
  };
  const auto before = contexts->size();
  for (const std::string_view name : {"trace", "browser", "os", "client_os", "runtime", "device"}) {
    if (auto* value = contexts->if_contains(name)) add(name, *value);
  }
  for (auto& [name, value] : *contexts) add(name, value);
  if (kept.size() != before) work.notes.shortened(place, before);
  *contexts = std::move(kept);
}

void trim_frames(json::object& holder, const Place& place, Notes& notes) {
  for (const std::string_view name : {"stacktrace", "raw_stacktrace"}) {
    auto* trace = find_object(holder, name);
    auto* frames = trace ? find_array(*trace, "frames") : nullptr;
    if (!frames) continue;
    const Place trace_place(place, name);
    const Place list_place(trace_place, "frames");
    std::size_t index = 0;
    for (auto& each : *frames) {
      const Place here(list_place, index++);
      if (auto* frame = each.if_object()) trim_member(*frame, "vars", 5, 2048, here, notes);
    }
  }
}

void trim_values(Work& work, std::string_view name, void (*trim)(json::object&, const Place&, Notes&)) {
  auto* holder = find_object(work.event, name);
  auto* values = holder ? find_array(*holder, "values") : nullptr;
  if (!values) return;
  const Place place(work.root, name);
  const Place list_place(place, "values");
  std::size_t index = 0;
  for (auto& each : *values) {
    const Place here(list_place, index++);
    if (auto* object = each.if_object()) trim(*object, here, work.notes);
  }
}

void trim_exception(json::object& exception, const Place& place, Notes& notes) {
  trim_frames(exception, place, notes);
  auto* mechanism = find_object(exception, "mechanism");
  if (!mechanism) return;
  const Place here(place, "mechanism");
  trim_member(*mechanism, "data", 5, 2048, here, notes);
  trim_member(*mechanism, "meta", 5, 2048, here, notes);
}

void trim_extra(Work& work) {
  auto* extra = find_object(work.event, "extra");
  if (!extra) return;
  const Place place(work.root, "extra");
  std::size_t left = 262'144;
  const auto before = extra->size();
  json::object kept;
  for (auto& [key, value] : *extra) {
    if (left == 0) break;
    const std::string_view name(key);
    const auto bytes = std::min<std::size_t>(16'384, left);
    Bag(7, bytes, work.notes).trim(value, Place(place, name));
    const auto used = json::serialize(value).size() + name.size() + 3;
    left -= std::min(left, used);
    kept.emplace(key, std::move(value));
  }
  if (kept.size() != before) work.notes.shortened(place, before);
  *extra = std::move(kept);
}

void trim_spans(Work& work) {
  auto* spans = find_array(work.event, "spans");
  if (!spans) return;
  const Place place(work.root, "spans");
  std::size_t left = 819'200;
  std::size_t kept = 0;
  for (; kept < spans->size(); ++kept) {
    const Place here(place, kept);
    if (auto* span = (*spans)[kept].if_object()) {
      trim_member(*span, "data", 7, 8192, here, work.notes);
      trim_member(*span, "tags", 3, 8192, here, work.notes);
    }
    const auto used = json::serialize((*spans)[kept]).size() + 1;
    if (used > left) break;
    left -= used;
  }
  if (kept == spans->size()) return;
  work.notes.shortened(place, spans->size());
  spans->resize(kept);
}

}  // namespace

void trim_event(Work& work) {
  auto& event = work.event;
  auto& notes = work.notes;
  trim_contexts(work);
  trim_extra(work);
  trim_values(work, "exception", trim_exception);
  trim_values(work, "threads", trim_frames);
  trim_values(work, "breadcrumbs", [](json::object& crumb, const Place& place, Notes& each) { trim_member(crumb, "data", 5, 2048, place, each); });
  trim_frames(event, work.root, notes);
  trim_spans(work);
  if (auto* entry = find_object(event, "logentry")) trim_member(*entry, "params", 5, 2048, Place(work.root, "logentry"), notes);
  if (auto* request = find_object(event, "request")) {
    const Place place(work.root, "request");
    trim_member(*request, "data", 7, 8192, place, notes);
    trim_member(*request, "query_string", 3, 1024, place, notes);
    trim_member(*request, "cookies", 5, 2048, place, notes);
    trim_member(*request, "headers", 7, 8192, place, notes);
    trim_member(*request, "env", 7, 8192, place, notes);
  }
  if (auto* user = find_object(event, "user")) trim_member(*user, "data", 7, 8192, Place(work.root, "user"), notes);
  trim_member(event, "modules", 7, 8192, work.root, notes);
}

}  // namespace picket::digest

// Contexts: what the SDK says about system, runtime and device, and what the headers say about the
// client where it says nothing.
#include "api/digest/context_names.h"
#include "api/digest/normalize_rules.h"
#include "api/digest/normalize_steps.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::digest {
namespace {

using enum FieldKind;

constexpr std::array named_fields = {Field{"name", text, {200, 0}}, Field{"version", text, {100, 0}}, Field{"type", text, {64, 0}},
                                     Field{"build", text, {256, 0}}, Field{"kernel_version", text, {256, 0}}, Field{"raw_description", text, {1024, 0}}};
constexpr std::array device_fields = {Field{"name", text, {256, 0}}, Field{"type", text, {64, 0}}, Field{"model", text, {200, 0}},
                                      Field{"family", text, {200, 0}}, Field{"brand", text, {200, 0}}, Field{"manufacturer", text, {200, 0}},
                                      Field{"model_id", text, {200, 0}}, Field{"arch", text, {64, 0}}, Field{"simulator", flag}};

void put(json::object& object, std::string_view name, std::string_view value) {
  if (!value.empty() && text_or(object, name).empty()) object[name] = value;
}

void describe_the_os(json::object& os) {
  const std::string raw(text_or(os, "raw_description"));
  if (raw.empty() || !text_or(os, "name").empty()) return;
  const auto read = describe_os(raw);
  if (read.name.empty()) return;
  // What the line says of name and version counts together.
  os.stable_erase("version");
  put(os, "name", ellipsed(read.name, 200));
  put(os, "version", ellipsed(read.version, 100));
  put(os, "build", ellipsed(read.build, 256));
  put(os, "kernel_version", ellipsed(read.kernel_version, 256));
}

void describe_the_runtime(json::object& runtime) {
  const std::string raw(text_or(runtime, "raw_description"));
  const std::string build(text_or(runtime, "build"));
  if (!raw.empty() && text_or(runtime, "name").empty()) {
    const auto read = describe_runtime(raw);
    if (!read.name.empty()) {
      runtime.stable_erase("version");
      put(runtime, "name", ellipsed(read.name, 200));
      put(runtime, "version", ellipsed(read.version, 100));
    }
  }
  if (text_or(runtime, "name") == ".NET Framework") put(runtime, "version", net_framework_version(build));
}

// "Firefox 120.0" as Sentry's search knows it, under the context's own name.
void name_whole(json::object& context, std::string_view key) {
  const std::string name(text_or(context, "name"));
  const std::string version(text_or(context, "version"));
  if (!name.empty()) context[key] = version.empty() ? name : name + " " + version;
}

ClientHints hints_of(const json::object& request, std::array<std::string, 5>& texts) {
  ClientHints hints;
  const auto* headers = request.if_contains("headers");
  if (!headers) return hints;
  const auto take = [&](std::string_view name, const json::value& value) {
    std::string lower(name.substr(0, 40));
    std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    std::string_view agent;
    auto* place = lower == "user-agent" ? &agent : hint_named(hints, lower);
    if (!place) return;
    const std::array<const std::string_view*, 5> places = {&agent, &hints.brands, &hints.platform, &hints.platform_version, &hints.model};
    const auto slot = static_cast<std::size_t>(std::ranges::find(places, place) - places.begin());
    const auto* several = value.if_array();
    const auto said = scalar_text(several && !several->empty() ? several->front() : value);
    texts[slot] = ellipsed(said.value_or(""), 512);
    *place = texts[slot];
  };
  if (const auto* object = headers->if_object()) {
    for (const auto& [key, value] : *object) take(key, value);
  } else if (const auto* list = headers->if_array()) {
    for (const auto& each : *list) {
      const auto* pair = each.if_array();
      if (pair && pair->size() >= 2 && pair->front().is_string()) take(pair->front().get_string(), pair->at(1));
    }
  }
  return hints;
}

json::object* named_context(json::object& contexts, std::string_view name) {
  auto* context = find_object(contexts, name);
  return context && !text_or(*context, "name").empty() ? context : nullptr;
}

void add_named(json::object& contexts, std::string_view key, std::string_view name, std::string_view version) {
  if (name.empty() || named_context(contexts, key)) return;
  auto& context = make_object(contexts, key);
  context["name"] = name;
  if (version.empty()) {
    context.stable_erase("version");
  } else {
    context["version"] = version;
  }
  context["type"] = key;
}

void add_device(json::object& contexts, const UserAgent& agent) {
  if (find_object(contexts, "device") || (agent.device_family.empty() && agent.device_model.empty())) return;
  auto& device = make_object(contexts, "device");
  put(device, "family", agent.device_family);
  put(device, "model", agent.device_model);
  put(device, "brand", agent.device_brand);
  device["type"] = "device";
}

std::string_view class_of_device(const json::object& contexts) {
  const auto* device = contexts.if_contains("device");
  if (!device || !device->is_object()) return {};
  const auto& fields = device->get_object();
  const auto number = [&](std::string_view name) {
    const auto* value = fields.if_contains(name);
    return value && value->is_number() ? std::optional(value->to_number<double>()) : std::nullopt;
  };
  return device_class(text_or(fields, "family"),
                      {.frequency = number("processor_frequency"), .cores = number("processor_count"), .memory = number("memory_size")});
}

}  // namespace

void normalize_contexts(Work& work) {
  auto* contexts = find_object(work.event, "contexts");
  if (!contexts) return;
  const Place place(work.root, "contexts");
  std::vector<std::string> bad;
  for (auto& [key, value] : *contexts) {
    if (auto* list = value.if_array()) {
      for (auto& each : *list) {
        if (!each.is_object()) continue;
        value = json::value(std::move(each));
        break;
      }
    }
    if (value.is_object()) continue;
    if (!value.is_null()) work.notes.invalid(Place(place, key), "expected an object", value);
    bad.emplace_back(key);
  }
  if (!bad.empty()) {
    json::object good;
    for (auto& [key, value] : *contexts) {
      if (value.is_object()) good.emplace(key, std::move(value));
    }
    *contexts = std::move(good);
  }
  for (const std::string_view name : {"browser", "os", "client_os", "runtime"}) {
    auto* context = find_object(*contexts, name);
    if (!context) continue;
    check_fields(*context, named_fields, Place(place, name), work.notes);
    if (name == "os" || name == "client_os") describe_the_os(*context);
    if (name == "runtime") describe_the_runtime(*context);
  }
  if (auto* device = find_object(*contexts, "device")) check_fields(*device, device_fields, Place(place, "device"), work.notes);
}

void normalize_client(Work& work) {
  auto& event = work.event;
  if (const auto* request = find_object(event, "request")) {
    std::array<std::string, 5> texts;
    const auto hints = hints_of(*request, texts);
    const auto agent = read_user_agent(texts[0], hints);
    if (!agent.browser.empty() || !agent.os.empty() || !agent.device_family.empty() || !agent.device_model.empty()) {
      auto& contexts = make_object(event, "contexts");
      add_named(contexts, "browser", agent.browser, agent.browser_version);
      add_named(contexts, text_or(event, "platform") == "javascript" ? "os" : "client_os", agent.os, agent.os_version);
      add_device(contexts, agent);
    }
  }
  auto* contexts = find_object(event, "contexts");
  if (!contexts) return;
  for (auto& [key, value] : *contexts) {
    auto& context = value.get_object();
    if (text_or(context, "type").empty()) context["type"] = key;
  }
  for (const std::string_view name : {"browser", "os", "client_os", "runtime"}) {
    if (auto* context = find_object(*contexts, name)) name_whole(*context, name == "client_os" ? "os" : name);
  }
  if (const auto level = class_of_device(*contexts); !level.empty()) {
    auto& tags = event["tags"];
    if (!tags.is_array()) tags = json::array();
    auto& list = tags.get_array();
    const bool there = std::ranges::any_of(list, [](const json::value& pair) { return pair.get_array()[0].get_string() == "device.class"; });
    if (!there && list.size() < 200) list.push_back(json::array{"device.class", level});
  }
  // Looked up again: a new member of the event may have moved it.
  if (find_object(event, "contexts")->empty()) event.stable_erase("contexts");
}

}  // namespace picket::digest

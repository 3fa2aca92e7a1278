#include "api/rest/data_settings.h"

#include "api/grouping/grouping.h"
#include "api/rest/render.h"
#include "relay/filter/project_options.h"
#include "relay/scrub/scrubber.h"

#include <span>
#include <string>
#include <vector>

namespace picket::rest {

namespace json = boost::json;

namespace {

// The texts of a list setting; complains about what is no text.
std::vector<std::string> check_texts(Fields& fields,
                                     std::string_view name,
                                     const json::object& changes) {
  std::vector<std::string> texts;
  const auto* value = changes.if_contains(name);
  const auto* list = value == nullptr ? nullptr : value->if_array();
  if (list == nullptr) return texts;
  for (const auto& item : *list) {
    if (auto text = fields.text_item(name, item, {.most = 1'000, .required = false, .blank = true}))
      texts.push_back(*std::move(text));
  }
  return texts;
}

void check_scrubbing(Fields& fields, const json::object& changes) {
  for (const std::string_view name : {"sensitiveFields", "safeFields"}) {
    scrub::Settings settings;
    auto& list = name == "safeFields" ? settings.safe_fields : settings.sensitive_fields;
    list = check_texts(fields, name, changes);
    if (list.empty()) continue;
    const auto made = scrub::Scrubber::make(settings);
    if (!made) fields.fail(name, made.error().detail);
  }
  const auto* value = changes.if_contains("relayPiiConfig");
  const auto* text = value == nullptr ? nullptr : value->if_string();
  if (text == nullptr || text->empty()) return;
  scrub::Settings settings;
  settings.pii_config_json.assign(text->data(), text->size());
  const auto made = scrub::Scrubber::make(settings);
  if (!made) fields.fail("relayPiiConfig", made.error().detail);
}

// The complaint names line and column.
void check_grouping(Fields& fields, const json::object& changes) {
  const auto text = [&](std::string_view name) -> std::string_view {
    const auto* value = changes.if_contains(name);
    const auto* given = value == nullptr ? nullptr : value->if_string();
    return given == nullptr ? std::string_view() : std::string_view(*given);
  };
  if (const auto rules = grouping::StackRules::make_alone(text("groupingEnhancements")); !rules)
    fields.fail("groupingEnhancements", "Invalid stack trace rules: " + rules.error().detail);
  if (const auto rules = grouping::FingerprintRules::make(text("fingerprintingRules")); !rules)
    fields.fail("fingerprintingRules", "Invalid fingerprint rules: " + rules.error().detail);
}

std::string joined(std::span<const std::string_view> names) {
  std::string list;
  for (const auto name : names)
    list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

void check_sampling(Fields& fields, const json::object& changes) {
  const auto* mode = changes.if_contains("samplingMode");
  if (mode != nullptr && !mode->is_null() && *mode != "organization" && *mode != "project")
    fields.fail("samplingMode", "Must be organization or project.");
  const auto* biases = changes.if_contains("dynamicSamplingBiases");
  if (biases == nullptr || !biases->is_array()) return;
  filter::TargetRate target;
  for (const auto& entry : biases->get_array()) {
    const auto* bias = entry.if_object();
    const auto* id = bias == nullptr ? nullptr : bias->if_contains("id");
    const auto* active = bias == nullptr ? nullptr : bias->if_contains("active");
    const bool known = id != nullptr && id->is_string() && target.bias(id->get_string()) != nullptr;
    if (known && active != nullptr && active->is_bool()) continue;
    fields.fail("dynamicSamplingBiases", "Each is {\"id\", \"active\"} with one of " + joined(filter::bias_ids) + " and true or false.");
    return;
  }
}

}  // namespace

json::array render_biases(std::string_view project_json) {
  auto target = filter::read_target_rate(project_json, {});
  json::array biases;
  for (const auto id : filter::bias_ids)
    biases.push_back(json::object{{"id", id}, {"active", *target.bias(id)}});
  return biases;
}

void check_data_settings(Fields& fields, const json::object& changes) {
  check_scrubbing(fields, changes);
  check_grouping(fields, changes);
  check_sampling(fields, changes);
  const auto* domains = changes.if_contains("allowedDomains");
  if (domains != nullptr && domains->is_array()) {
    bool any = false;
    for (const auto& domain : check_texts(fields, "allowedDomains", changes))
      any = any || !domain.empty();
    if (!any) {
      fields.fail("allowedDomains",
                  "Empty value will block all requests, use * to accept from all domains");
    }
  }
  const auto* options = changes.if_contains("options");
  if (options == nullptr || !options->is_object()) return;
  for (const auto& [name, value] : options->get_object()) {
    const auto wrong = filter::check_option(name, json::serialize(value));
    if (!wrong.empty()) fields.fail("options", std::string(name) + ": " + wrong);
  }
}

void merge_option_map(std::string_view options_json, json::object& changes) {
  auto* given = changes.if_contains("options");
  if (given == nullptr || !given->is_object()) return;
  json::object merged;
  const auto stored = parse_options(options_json);
  if (const auto* map = stored.if_contains("options"); map != nullptr && map->is_object())
    merged = map->get_object();
  for (const auto& [name, value] : given->get_object()) {
    if (value.is_null()) {
      merged.erase(name);
    } else {
      merged[name] = value;
    }
  }
  *given = std::move(merged);
}

json::value stored_option(std::string_view options_json, std::string_view name) {
  const auto stored = parse_options(options_json);
  const auto* map = stored.if_contains("options");
  if (map == nullptr || !map->is_object()) return nullptr;
  const auto* value = map->get_object().if_contains(name);
  return value == nullptr ? json::value(nullptr) : *value;
}

}  // namespace picket::rest

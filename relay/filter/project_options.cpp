#include "relay/filter/project_options.h"

#include "relay/filter/sampling.h"

#include <simdjson.h>

#include <optional>

namespace picket::filter {
namespace {

using Json = simdjson::dom::element;
using Object = simdjson::dom::object;

std::optional<Object> read_object(simdjson::dom::parser& parser, std::string_view text) {
  Object object;
  if (text.empty()) return std::nullopt;
  if (parser.parse(text.data(), text.size()).get_object().get(object) != simdjson::SUCCESS)
    return std::nullopt;
  return object;
}

std::vector<std::string> texts(Json json) {
  std::vector<std::string> list;
  std::string_view text;
  simdjson::dom::array array;
  if (json.get(text) == simdjson::SUCCESS) return split_lines(text);
  if (json.get(array) != simdjson::SUCCESS) return list;
  for (const auto entry : array) {
    if (entry.get(text) == simdjson::SUCCESS && !text.empty()) list.emplace_back(text);
  }
  return list;
}

// true, 1, "1", "true".
bool is_on(Json json) {
  bool flag = false;
  std::int64_t number = 0;
  std::string_view text;
  if (json.get(flag) == simdjson::SUCCESS) return flag;
  if (json.get(number) == simdjson::SUCCESS) return number != 0;
  if (json.get(text) == simdjson::SUCCESS) return text == "1" || text == "true";
  return false;
}

// A JSON document, as itself or as text that holds one.
std::string document(Json json) {
  std::string_view text;
  if (json.get(text) == simdjson::SUCCESS) return std::string(text);
  if (json.is_null()) return {};
  return simdjson::minify(json);
}

std::vector<FilterOptions::Generic> generic_filters(Json json) {
  std::vector<FilterOptions::Generic> filters;
  simdjson::dom::array array;
  if (json.get(array) != simdjson::SUCCESS) return filters;
  for (const auto entry : array) {
    std::string_view id;
    Json condition;
    Json enabled;
    if (entry["id"].get(id) != simdjson::SUCCESS || id.empty()) continue;
    if (entry["condition"].get(condition) != simdjson::SUCCESS) continue;
    if (entry["isEnabled"].get(enabled) == simdjson::SUCCESS && !is_on(enabled)) continue;
    filters.push_back({std::string(id), simdjson::minify(condition)});
  }
  return filters;
}

// Whether the name is that of a filter's setting.
bool set_filter(FilterOptions& filters, std::string_view name, Json value) {
  if (name == "filters:blacklisted_ips") return filters.addresses = texts(value), true;
  if (name == "filters:releases") return filters.releases = texts(value), true;
  if (name == "filters:error_messages") return filters.error_messages = texts(value), true;
  if (name == "sentry:csp_ignored_sources") return filters.csp_sources = texts(value), true;
  if (name == "filters:browser-extensions") return filters.browser_extensions = is_on(value), true;
  if (name == "filters:localhost") return filters.localhost = is_on(value), true;
  if (name == "filters:web-crawlers") return filters.web_crawlers = is_on(value), true;
  if (name == "filters:filtered-transaction")
    return filters.filtered_transactions = is_on(value), true;
  if (name == "filters:react-hydration-errors")
    return filters.hydration_errors = is_on(value), true;
  if (name == "filters:chunk-load-error") return filters.chunk_load_errors = is_on(value), true;
  if (name == "filters:generic") return filters.generic = generic_filters(value), true;
  if (name != "filters:legacy-browsers") return false;
  filters.legacy_browsers = texts(value);
  // Newer Pickets may know more of them.
  std::erase_if(filters.legacy_browsers,
                [](const std::string& one) { return !LegacyBrowsers::known(one); });
  bool all = false;
  if (value.get(all) == simdjson::SUCCESS && all) filters.legacy_browsers = {"default"};
  return true;
}

std::string problem(std::string_view name, std::string_view why) {
  return std::string(name) + ": " + std::string(why);
}

void read_option(std::string_view name,
                 Json value,
                 ProjectOptions& options,
                 std::vector<std::string>& problems) {
  if (value.is_null()) return;
  if (name == "quotas:spike-protection-disabled") {
    options.spike_protection = !is_on(value);
  } else if (name == "picket:quotas") {
    auto quotas = parse_quotas(document(value));
    if (!quotas) return problems.push_back(problem(name, quotas.error().detail));
    options.quotas = *std::move(quotas);
  } else if (name == "picket:sampling") {
    auto text = document(value);
    if (text.empty()) return;
    const auto sampling = Sampling::parse(text);
    if (!sampling) return problems.push_back(problem(name, sampling.error().detail));
    options.sampling = std::move(text);
  } else {
    auto filters = FilterOptions();
    if (!set_filter(filters, name, value)) return;
    const auto made = Filters::make(filters);
    if (!made) return problems.push_back(problem(name, made.error().detail));
    set_filter(options.filters, name, value);
  }
}

std::optional<bool> flag(const Object& object, std::string_view name) {
  bool value = false;
  if (object[name].get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

void append(std::vector<std::string>& to, const Object& object, std::string_view name) {
  Json value;
  if (object[name].get(value) != simdjson::SUCCESS) return;
  for (auto& text : texts(value))
    to.push_back(std::move(text));
}

std::string text_of(const Object& object, std::string_view name) {
  std::string_view text;
  return object[name].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

void read_project(const Object& project,
                  ProjectOptions& options,
                  std::vector<std::string>& problems) {
  Json value;
  if (project["allowedDomains"].get(value) == simdjson::SUCCESS && value.is_array())
    options.allowed_domains = texts(value);
  auto& scrubbing = options.scrubbing;
  scrubbing.scrub_data = flag(project, "dataScrubber").value_or(true);
  scrubbing.scrub_defaults = flag(project, "dataScrubberDefaults").value_or(true);
  scrubbing.scrub_ip_addresses = flag(project, "scrubIPAddresses").value_or(false);
  append(scrubbing.sensitive_fields, project, "sensitiveFields");
  append(scrubbing.safe_fields, project, "safeFields");
  scrubbing.pii_config = text_of(project, "relayPiiConfig");
  Object map;
  if (project["options"].get(map) != simdjson::SUCCESS) return;
  for (const auto [name, option] : map)
    read_option(name, option, options, problems);
}

// What an organization demands holds for all of its projects.
void read_organization(const Object& organization, ScrubOptions& scrubbing) {
  if (flag(organization, "dataScrubber").value_or(false)) scrubbing.scrub_data = true;
  if (flag(organization, "dataScrubberDefaults").value_or(false)) scrubbing.scrub_defaults = true;
  if (flag(organization, "scrubIPAddresses").value_or(false)) scrubbing.scrub_ip_addresses = true;
  append(scrubbing.sensitive_fields, organization, "sensitiveFields");
  append(scrubbing.safe_fields, organization, "safeFields");
  scrubbing.organization_pii_config = text_of(organization, "relayPiiConfig");
}

}  // namespace

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  constexpr std::string_view space = " \t\r";
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto first = line.find_first_not_of(space);
    if (first == std::string_view::npos) continue;
    line = line.substr(first, line.find_last_not_of(space) - first + 1);
    lines.emplace_back(line);
  }
  return lines;
}

ProjectOptions read_project_options(std::string_view project_json,
                                    std::string_view organization_json,
                                    std::vector<std::string>& problems) {
  ProjectOptions options;
  simdjson::dom::parser parser;
  if (const auto project = read_object(parser, project_json))
    read_project(*project, options, problems);
  if (const auto organization = read_object(parser, organization_json))
    read_organization(*organization, options.scrubbing);
  options.target = read_target_rate(project_json, organization_json);
  return options;
}

std::string check_option(std::string_view name, std::string_view value_json) {
  simdjson::dom::parser parser;
  Json value;
  if (parser.parse(value_json.data(), value_json.size()).get(value) != simdjson::SUCCESS)
    return "not JSON";
  ProjectOptions options;
  std::vector<std::string> problems;
  read_option(name, value, options, problems);
  return problems.empty() ? std::string() : problems.front().substr(name.size() + 2);
}

}  // namespace picket::filter

#include "relay/filter/target_rate.h"

#include "relay/filter/known_errors.h"

#include <simdjson.h>

#include <cstdio>
#include <optional>

namespace picket::filter {
namespace {

using Settings = simdjson::simdjson_result<simdjson::dom::element>;

// Nothing is stored until something is set.
Settings parse(simdjson::dom::parser& parser, std::string_view json) {
  if (json.empty()) json = "{}";
  return parser.parse(json.data(), json.size());
}

std::optional<double> rate_of(const Settings& settings) {
  double rate = 0;
  if (settings["targetSampleRate"].get_double().get(rate) != simdjson::SUCCESS) return std::nullopt;
  if (!(rate >= 0 && rate <= 1)) return std::nullopt;
  return rate;
}

std::string quoted_list(const std::vector<std::string>& texts) {
  std::string list;
  for (const auto& text : texts)
    list.append(list.empty() ? "[\"" : ",\"").append(text).append("\"");
  return list + "]";
}

std::string rule(int id, std::string_view type, double rate, std::string_view condition) {
  char head[160];
  std::snprintf(head, sizeof head, R"({"id":%d,"type":"%.*s","samplingValue":{"type":"sampleRate","value":%.17g},"condition":)",
                id, static_cast<int>(type.size()), type.data(), rate);
  return head + std::string(condition) + "},";
}

}  // namespace

bool* TargetRate::bias(std::string_view id) {
  if (id == "boostReplayId") return &boost_replays;
  if (id == "boostEnvironments") return &boost_environments;
  if (id == "ignoreHealthChecks") return &ignore_health_checks;
  return nullptr;
}

TargetRate read_target_rate(std::string_view project_json, std::string_view organization_json) {
  TargetRate target;
  simdjson::dom::parser organization_parser;
  simdjson::dom::parser project_parser;
  const auto organization = parse(organization_parser, organization_json);
  const auto project = parse(project_parser, project_json);
  std::string_view mode;
  const bool by_project =
      organization["samplingMode"].get(mode) == simdjson::SUCCESS && mode == "project";
  target.rate = rate_of(by_project ? project : organization).value_or(1);
  simdjson::dom::array biases;
  if (project["dynamicSamplingBiases"].get(biases) != simdjson::SUCCESS) return target;
  for (const auto entry : biases) {
    std::string_view id;
    bool active = false;
    if (entry["id"].get(id) != simdjson::SUCCESS || entry["active"].get(active) != simdjson::SUCCESS) continue;
    if (auto* bias = target.bias(id)) *bias = active;
  }
  return target;
}

Sampling make_sampling(const TargetRate& target) {
  if (target.rate >= 1) return {};
  std::string rules;
  if (target.boost_replays) {
    rules += rule(1005, "trace", 1, R"({"op":"not","inner":{"op":"eq","name":"trace.replay_id","value":null}})");
  }
  if (target.boost_environments) {
    rules += rule(1001, "trace", 1,
                  R"({"op":"glob","name":"trace.environment","value":["*debug*","*dev*","*local*","*qa*","*test*"]})");
  }
  if (target.ignore_health_checks) {
    rules += rule(1002, "transaction", target.rate / 5,
                  R"({"op":"glob","name":"event.transaction","value":)" + quoted_list(health_check_globs()) + "}");
  }
  rules += rule(1000, "trace", target.rate, R"({"op":"and","inner":[]})");
  rules.pop_back();
  auto sampling = Sampling::parse(R"({"version":2,"rules":[)" + rules + "]}");
  return *std::move(sampling);
}

}  // namespace picket::filter

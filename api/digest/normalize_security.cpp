// Reports of browsers as events. They come as the browser posts them, alone or in an event, with
// dashes in the names, or in the camelCase of the Reporting API.
#include "api/digest/normalize_rules.h"
#include "api/digest/normalize_steps.h"

#include <array>
#include <utility>

namespace picket::digest {
namespace {

void take_report(json::object& event, std::string_view name, json::object report) {
  json::object renamed;
  for (auto& [key, value] : report) {
    if (!value.is_null()) renamed[csp_field(key)] = std::move(value);
  }
  event[name] = std::move(renamed);
}

// {"type": "csp-violation", "url": …, "user_agent": …, "body": {…}}
void take_reporting_api(json::object& event) {
  auto* body = find_object(event, "body");
  if (text_or(event, "type") != "csp-violation" || !body || find(event, "csp")) return;
  auto report = std::move(*body);
  const std::string url(text_or(event, "url"));
  const std::string agent(text_or(event, "user_agent"));
  for (const std::string_view name : {"type", "url", "user_agent", "body", "age"}) event.stable_erase(name);
  take_report(event, "csp", std::move(report));
  auto& csp = event.at("csp").get_object();
  if (!url.empty() && !csp.contains("document_uri")) csp["document_uri"] = url;
  const auto document = scalar_text(csp, "document_uri");
  if (agent.empty() || find(event, "request")) return;
  auto& request = make_object(event, "request");
  if (document) request["url"] = *document;
  make_object(request, "headers")["User-Agent"] = agent;
}

void describe_csp(Work& work) {
  auto* csp = find_object(work.event, "csp");
  if (!csp) return;
  const auto violated = scalar_text(*csp, "violated_directive").value_or("");
  if (!find(*csp, "effective_directive") && !violated.empty()) {
    (*csp)["effective_directive"] = ellipsed(std::string_view(violated).substr(0, violated.find(' ')), 128);
  }
  auto& event = work.event;
  const auto document = scalar_text(*csp, "document_uri").value_or("");
  const auto referrer = scalar_text(*csp, "referrer").value_or("");
  // An event that brings its own request is believed.
  if (!document.empty() && !find(event, "request")) event["request"] = json::object{{"url", document}};
  auto* request = find_object(event, "request");
  if (request && !referrer.empty() && !find(*request, "headers")) (*request)["headers"] = json::array{json::array{"Referer", referrer}};
}

}  // namespace

void normalize_security(Work& work) {
  auto& event = work.event;
  take_reporting_api(event);
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> raw = {{
      {"csp", "csp"},
      {"expectct", "expect-ct-report"},
      {"expectstaple", "expect-staple-report"},
  }};
  for (const auto& [name, raw_name] : raw) {
    auto* report = find_object(event, name);
    if (!report) report = find_object(event, raw_name);
    if (!report) continue;
    auto taken = std::move(*report);
    event.stable_erase(raw_name);
    take_report(event, name, std::move(taken));
  }
  describe_csp(work);
}

}  // namespace picket::digest

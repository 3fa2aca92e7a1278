#include "relay/ingest/network_errors.h"

#include "relay/ingest/body_format.h"
#include "relay/ingest/replies.h"
#include "relay/ingest/telemetry_writer.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace picket::ingest {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t most_reports = 1'000;

std::string_view text_of(const object& json, std::string_view key) {
  std::string_view text;
  return json[key].get_string().get(text) == simdjson::SUCCESS ? text : std::string_view();
}

std::string_view host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  const auto authority = url.substr(scheme + 3, url.find_first_of("/?#", scheme + 3) - scheme - 3);
  const auto host = authority.substr(authority.rfind('@') + 1);
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

// "http/1.1" and "h2" as conventions want them: a name and a version.
void add_protocol(std::string_view protocol, AttributeWriter& attributes) {
  if (protocol.empty()) return;
  const auto slash = protocol.find('/');
  if (protocol == "h2" || protocol == "h3") {
    attributes.add("network.protocol.name", "http");
    attributes.add("network.protocol.version", protocol.substr(1));
    return;
  }
  attributes.add("network.protocol.name", protocol.substr(0, slash));
  if (slash != std::string_view::npos)
    attributes.add("network.protocol.version", protocol.substr(slash + 1));
}

void add_number(const object& body,
                std::string_view key,
                std::string_view name,
                AttributeWriter& attributes) {
  std::int64_t whole = 0;
  double number = 0;
  if (body[key].get_int64().get(whole) == simdjson::SUCCESS) {
    attributes.add_integer(name, whole);
  } else if (body[key].get_double().get(number) == simdjson::SUCCESS) {
    attributes.add_double(name, number);
  }
}

void add_text(const object& body,
              std::string_view key,
              std::string_view name,
              AttributeWriter& attributes) {
  if (const auto text = text_of(body, key); !text.empty()) attributes.add(name, text);
}

// What happened, in a line: "connection failed: tcp.refused (GET https://shop.example/)".
std::string describe(std::string_view phase,
                     std::string_view type,
                     std::int64_t status,
                     std::string_view method,
                     std::string_view url) {
  std::string line;
  if (type == "ok") {
    line = "request succeeded";
  } else {
    line = (phase.empty() ? "request" : std::string(phase)) + " failed: ";
    line.append(type.empty() ? "unknown" : type);
    if (type == "http.error" && status != 0) line += " " + std::to_string(status);
  }
  line.append(" (").append(method).append(method.empty() ? "" : " ").append(url).append(")");
  return line;
}

std::optional<std::string> render_report(std::string_view json, const Inbound& inbound) {
  thread_local simdjson::dom::parser parser;
  object report;
  object body;
  if (parser.parse(json.data(), json.size()).get_object().get(report) != simdjson::SUCCESS ||
      report["body"].get_object().get(body) != simdjson::SUCCESS)
    return std::nullopt;
  if (const auto type = text_of(report, "type"); !type.empty() && type != "network-error")
    return std::nullopt;
  const auto url = text_of(report, "url");
  const auto type = text_of(body, "type");
  std::int64_t age_ms = 0;
  std::int64_t status = 0;
  if (report["age"].get_int64().get(age_ms) != simdjson::SUCCESS) age_ms = 0;
  if (body["status_code"].get_int64().get(status) != simdjson::SUCCESS) status = 0;
  const auto now_ms = to_ms(inbound.now);

  AttributeWriter attributes;
  attributes.add("sentry.origin", "auto.http.browser_report.nel");
  attributes.add("browser.report.type", "network-error");
  if (!url.empty()) attributes.add("url.full", url);
  if (const auto host = host_of(url); !host.empty()) attributes.add("url.domain", host);
  add_number(body, "elapsed_time", "http.request.duration", attributes);
  add_text(body, "method", "http.request.method", attributes);
  add_number(body, "status_code", "http.response.status_code", attributes);
  add_protocol(text_of(body, "protocol"), attributes);
  add_text(body, "server_ip", "server.address", attributes);
  add_text(body, "referrer", "nel.referrer", attributes);
  add_text(body, "phase", "nel.phase", attributes);
  add_number(body, "sampling_fraction", "nel.sampling_fraction", attributes);
  add_number(body, "elapsed_time", "nel.elapsed_time", attributes);
  if (!type.empty()) attributes.add("nel.type", type);
  add_text(report, "user_agent", "user_agent.original", attributes);

  LogLine line;
  line.timestamp_ns =
      static_cast<std::uint64_t>(now_ms - std::clamp<std::int64_t>(age_ms, 0, now_ms)) * 1'000'000;
  line.level = type == "ok" ? "info" : "warn";
  line.body = describe(text_of(body, "phase"), type, status, text_of(body, "method"), url);
  return render_log(line, std::move(attributes));
}

}  // namespace

std::variant<Converted, Refusal> convert_network_errors(const Inbound& inbound) {
  const auto type = find_mime_type(inbound.head);
  if (type != "application/json" && type != "application/reports+json") {
    return make_refusal(415, "unsupported media type", "no content type of browser reports",
                        "content_type");
  }
  const auto bad_json = [](std::string_view why) {
    return make_refusal(400, "invalid JSON data", why, "invalid_json");
  };
  const auto reports = split_objects(inbound.body, most_reports);
  if (!reports) {
    if (reports.error().fault == Fault::too_large)
      return make_refusal(413, "payload too large", reports.error().detail, "too_large:nel");
    return bad_json(reports.error().detail);
  }
  EnvelopeWriter envelope;
  ContainerWriter logs(envelope, "log", most_logs_per_item);
  std::uint64_t unusable = 0;
  for (const auto report : *reports) {
    const auto log = render_report(report, inbound);
    log ? logs.add(*log) : static_cast<void>(++unusable);
  }
  logs.finish();
  if (logs.count() == 0 && unusable > 0) return bad_json("no report of a network error");
  Converted converted;
  if (unusable > 0) {
    converted.dropped.push_back(
        {{relay::DataCategory::log_item, unusable}, relay::Outcome::invalid, "invalid_json"});
  }
  converted.envelope = envelope.take();
  converted.answer = empty_reply(200);
  return converted;
}

}  // namespace picket::ingest

#include "api/digest/security_event.h"

#include "api/digest/json_shape.h"
#include "relay/protocol/json_object.h"
#include "relay/protocol/json_repair.h"
#include "relay/protocol/security_report.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

using relay::SecurityReport;

// "document-uri" and "documentURL" → "document_uri"
std::string field_name(std::string_view key) {
  if (key == "sample") return "script_sample";
  if (key.ends_with("URL")) return field_name(std::string(key.substr(0, key.size() - 3)) + "-uri");
  std::string name;
  for (const char c : key) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper) name += '_';
    name += c == '-' ? '_' : upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return name;
}

struct Field {
  std::string name;
  std::string text;  // of strings and numbers, else ""
  std::string json;
};
using Fields = std::vector<Field>;

Fields read_fields(JsonObject report) {
  constexpr std::size_t most = 100;
  Fields fields;
  for (const auto [key, value] : report) {
    if (value.is_null() || fields.size() == most) continue;
    Field field{field_name(key), {}, simdjson::minify(value)};
    std::string_view text;
    std::int64_t number = 0;
    if (value.get(text) == simdjson::SUCCESS) field.text = text;
    if (value.get(number) == simdjson::SUCCESS) field.text = std::to_string(number);
    fields.push_back(std::move(field));
  }
  return fields;
}

std::string_view text_of(const Fields& fields, std::string_view name) {
  for (const auto& field : fields) {
    if (field.name == name) return field.text;
  }
  return {};
}

void set_text(Fields& fields, std::string_view name, std::string_view text) {
  if (text.empty() || !text_of(fields, name).empty()) return;
  Field field{std::string(name), std::string(text), {}};
  append_json_text(field.json, text);
  fields.push_back(std::move(field));
}

class Writer {
 public:
  void raw(std::string_view name, std::string_view json) {
    json_ += json_.empty() ? '{' : ',';
    append_json_text(json_, name);
    json_.append(":").append(json);
  }
  void text(std::string_view name, std::string_view text) {
    if (text.empty()) return;
    std::string json;
    append_json_text(json, relay::repair_utf8(text));
    raw(name, json);
  }
  std::string take() { return json_.empty() ? "{}" : std::move(json_) + "}"; }

 private:
  std::string json_;
};

// [[name, value], …] of what is there.
std::string render_pairs(const std::vector<std::pair<std::string_view, std::string_view>>& pairs) {
  std::string json = "[";
  for (const auto& [name, value] : pairs) {
    if (value.empty()) continue;
    json += json.size() > 1 ? ",[" : "[";
    append_json_text(json, name);
    json += ',';
    append_json_text(json, relay::repair_utf8(value));
    json += ']';
  }
  return json + "]";
}

struct Words {
  std::string_view type;
  std::string message;
  std::string culprit;
  std::string url;
  std::string referrer;
  std::string agent;  // the browser's own word, of the Reporting API
  std::string tags;   // JSON
};

Words describe_csp_report(Fields& fields) {
  const std::string violated(text_of(fields, "violated_directive"));
  set_text(fields, "effective_directive", violated.substr(0, violated.find(' ')));
  const std::string directive(text_of(fields, "effective_directive"));
  const std::string blocked(text_of(fields, "blocked_uri"));
  Words words;
  words.type = "csp";
  words.message = describe_csp(directive, blocked, violated);
  words.culprit = violated.empty() ? directive : violated;
  words.url = text_of(fields, "document_uri");
  words.referrer = text_of(fields, "referrer");
  const auto place = blocked_place(blocked);
  const auto host = place.substr(0, place.rfind(':'));
  words.tags = render_pairs({{"effective-directive", directive},
                             {"blocked-uri", blocked},
                             {"blocked-host", blocked.find("://") == std::string::npos ? "" : host}});
  return words;
}

Words describe_host_report(SecurityReport kind, const Fields& fields) {
  const std::string host(text_of(fields, "hostname"));
  const auto port = text_of(fields, "port");
  Words words;
  words.url = host;
  if (kind != SecurityReport::hpkp) words.culprit = host;
  switch (kind) {
    case SecurityReport::expect_ct:
      words.type = "expectct";
      words.message = "Expect-CT failed for '" + host + "'";
      words.tags = render_pairs({{"hostname", host}, {"port", port}});
      break;
    case SecurityReport::expect_staple:
      words.type = "expectstaple";
      words.message = "Expect-Staple failed for '" + host + "'";
      words.tags = render_pairs({{"hostname", host},
                                 {"port", port},
                                 {"response_status", text_of(fields, "response_status")},
                                 {"cert_status", text_of(fields, "cert_status")}});
      break;
    default:
      words.type = "hpkp";
      words.message = "Public key pinning validation failed for '" + host + "'";
      words.tags = render_pairs({{"hostname", host}, {"port", port}});
  }
  return words;
}

std::optional<JsonObject> member(JsonObject object, std::string_view name) {
  JsonObject found;
  if (object[name].get(found) != simdjson::SUCCESS) return std::nullopt;
  return found;
}

std::string text_member(JsonObject object, std::string_view name) {
  std::string_view text;
  return object[name].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

// The part of what was posted that holds the report's fields.
std::optional<JsonObject> find_report(SecurityReport kind, JsonObject posted) {
  switch (kind) {
    case SecurityReport::csp: return member(posted, "csp-report");
    case SecurityReport::csp_reporting_api: return member(posted, "body");
    case SecurityReport::expect_ct: return member(posted, "expect-ct-report");
    case SecurityReport::expect_staple: return member(posted, "expect-staple-report");
    case SecurityReport::hpkp: return posted;
  }
  std::abort();
}

void write_address_fields(std::string_view item_header, Writer& event) {
  relay::JsonObjectReader reader(item_header);
  while (const auto field = reader.next()) {
    if (!field->is_string()) continue;
    if (field->named("sentry_release")) event.text("release", relay::unescape_json(field->raw_text()));
    if (field->named("sentry_environment"))
      event.text("environment", relay::unescape_json(field->raw_text()));
  }
}

std::string render(const Words& words, const Fields& fields, const relay::Item& item,
                   const schema::IntakeMeta& meta) {
  Writer report;
  for (const auto& field : fields)
    report.raw(field.name, field.json);
  Writer event;
  event.text("type", words.type);
  event.text("platform", "other");
  event.text("level", "error");
  event.text("logger", "csp");
  Writer message;
  message.text("formatted", words.message);
  event.raw("logentry", message.take());
  event.text("culprit", words.culprit);
  write_address_fields(item.header, event);
  event.raw("tags", words.tags);
  Writer request;
  request.text("url", words.url);
  const auto agent = words.agent.empty() ? std::string_view(meta.user_agent()) : words.agent;
  request.raw("headers", render_pairs({{"Referer", words.referrer}, {"User-Agent", agent}}));
  event.raw("request", request.take());
  if (!meta.remote_address().empty()) {
    Writer user;
    user.text("ip_address", meta.remote_address());
    event.raw("user", user.take());
  }
  event.raw(words.type, report.take());
  return event.take();
}

}  // namespace

std::string_view blocked_place(std::string_view uri) {
  const auto scheme = uri.find("://");
  if (scheme == std::string_view::npos) return uri;
  const auto rest = uri.substr(scheme + 3);
  const auto place = rest.substr(0, rest.find_first_of("/?#"));
  return place.empty() ? uri : place;
}

std::string describe_csp(std::string_view directive,
                         std::string_view blocked,
                         std::string_view violated) {
  auto what = directive;
  if (directive.ends_with("-src") && directive != "default-src") what = directive.substr(0, directive.size() - 4);
  if (directive.ends_with("-src-elem") || directive.ends_with("-src-attr"))
    what = directive.substr(0, directive.find('-'));
  if (directive == "img-src") what = "image";
  const auto quoted = "'" + std::string(what) + "'";
  if (directive == "form-action") return "Blocked 'form' action to '" + std::string(blocked_place(blocked)) + "'";
  if (blocked == "eval") return "Blocked unsafe eval() " + quoted;
  if (blocked.empty() || blocked == "self" || blocked == "inline") {
    if (violated.find("'unsafe-inline'") != std::string_view::npos) return "Blocked unsafe inline " + quoted;
    if (violated.find("'unsafe-eval'") != std::string_view::npos) return "Blocked unsafe eval() " + quoted;
    if (what == "script" && blocked != "inline") return "Blocked unsafe (eval() or inline) " + quoted;
    return "Blocked inline " + quoted;
  }
  return "Blocked " + quoted + " from '" + std::string(blocked_place(blocked)) + "'";
}

std::string render_security_event(const relay::Item& item, const schema::IntakeMeta& meta) {
  const auto kind = relay::find_security_report(item.payload);
  bool repaired = false;
  const auto json = parse_json(item.payload, repaired);
  JsonObject posted;
  if (!kind || !json || json->get(posted) != simdjson::SUCCESS) return {};
  const auto report = find_report(*kind, posted);
  if (!report) return {};
  auto fields = read_fields(*report);
  const bool csp = *kind == SecurityReport::csp || *kind == SecurityReport::csp_reporting_api;
  if (*kind == SecurityReport::csp_reporting_api) set_text(fields, "document_uri", text_member(posted, "url"));
  auto words = csp ? describe_csp_report(fields) : describe_host_report(*kind, fields);
  if (*kind == SecurityReport::csp_reporting_api) words.agent = text_member(posted, "user_agent");
  return render(words, fields, item, meta);
}

}  // namespace picket::digest

#include "relay/ingest/security_reports.h"

#include "relay/ingest/body_format.h"
#include "relay/ingest/envelope_writer.h"
#include "relay/ingest/replies.h"
#include "relay/protocol/security_report.h"

#include <algorithm>
#include <array>
#include <string>

namespace picket::ingest {
namespace {

constexpr std::array<std::string_view, 7> mime_types{
    "application/csp-report",           "application/json",
    "application/reports+json",         "application/expect-ct-report",
    "application/expect-ct-report+json", "application/expect-staple-report",
    "application/expect-staple-report+json"};

constexpr std::size_t most_reports = 100;

// What the page's author wrote into the report's address.
std::string find_item_fields(std::string_view query) {
  std::string fields = R"(,"content_type":"application/json")";
  for (const auto& [name, value] : http::parse_query(query)) {
    if (name != "sentry_release" && name != "sentry_environment") continue;
    if (value.empty() || value.size() > 200) continue;
    fields.append(",\"").append(name).append("\":").append(json_text(value));
  }
  return fields;
}

}  // namespace

std::variant<Converted, Refusal> convert_security(const Inbound& inbound) {
  const auto type = find_mime_type(inbound.head);
  if (std::find(mime_types.begin(), mime_types.end(), type) == mime_types.end()) {
    return make_refusal(415, "unsupported media type", "no content type of security reports",
                        "content_type");
  }
  if (inbound.body.empty())
    return make_refusal(400, "empty request body", "no security report", "no_data");
  const auto reports = split_objects(inbound.body, most_reports);
  if (!reports) {
    if (reports.error().fault == Fault::too_large)
      return make_refusal(413, "payload too large", reports.error().detail, "too_large:security");
    return make_refusal(400, "invalid JSON data", reports.error().detail, "invalid_json");
  }
  const auto fields = find_item_fields(inbound.head.query);
  Converted converted;
  converted.answer = empty_reply(200);
  EnvelopeWriter writer(relay::random_event_id());
  std::uint64_t unknown = 0;
  for (const auto report : *reports) {
    if (relay::find_security_report(report)) {
      writer.add("raw_security", report, fields);
    } else {
      ++unknown;
    }
  }
  if (unknown > 0) {
    converted.dropped.push_back({{relay::DataCategory::security, unknown},
                                 relay::Outcome::invalid,
                                 "security_report_type"});
  }
  converted.envelope = writer.take();
  return converted;
}

}  // namespace picket::ingest

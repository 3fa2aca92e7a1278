#include "api/digest/monitor_incident.h"

#include "api/digest/grouping.h"
#include "api/digest/issue_decision.h"
#include "api/digest/issue_state.h"
#include "api/digest/item_reader.h"
#include "api/digest/monitor_state.h"
#include "api/digest/occurrence.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/hex.h"
#include "relay/protocol/md5.h"

#include <optional>
#include <string>
#include <utility>

namespace picket::digest {
namespace {

using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::put_row;
using buffer::Table;

std::string fingerprint_json(const schema::Monitor& monitor, std::string_view environment, std::uint64_t incident) {
  std::string json = "[\"crons\",\"" + std::to_string(monitor.id()) + "\",";
  append_json_text(json, environment);
  return json + ",\"" + std::to_string(incident) + "\"]";
}

std::string_view failure_words(CheckInStatus status) {
  switch (status) {
    case CheckInStatus::missed: return "A missed check-in was detected";
    case CheckInStatus::timeout: return "A timeout check-in was detected";
    default: return "An error check-in was detected";
  }
}

}  // namespace

void tell_of_failure(buffer::Batch& batch, const schema::Monitor& monitor, const schema::CheckInRow& check_in, Time at) {
  const auto& name = monitor.name().empty() ? monitor.slug() : monitor.name();
  const auto status = static_cast<CheckInStatus>(check_in.status());
  const auto id = relay::md5_of(Key().raw("monitor occurrence").raw(check_in.id()).u64(check_in.number()));
  std::string json = "{\"event_id\":\"" + render_hash(id) + "\",\"type\":\"generic\",\"level\":\"error\",\"platform\":\"other\",\"timestamp\":\"";
  json += relay::render_timestamp(to_ms(at)) + "\",\"logentry\":{\"formatted\":";
  append_json_text(json, "Cron failure: " + name);
  json += "},\"culprit\":";
  append_json_text(json, failure_words(status));
  json += ",\"environment\":";
  append_json_text(json, check_in.environment());
  if (!check_in.release().empty()) {
    json += ",\"release\":";
    append_json_text(json, check_in.release());
  }
  json += ",\"fingerprint\":" + fingerprint_json(monitor, check_in.environment(), check_in.incident());
  json += ",\"tags\":{\"monitor.id\":\"" + std::to_string(monitor.id()) + "\",\"monitor.slug\":";
  append_json_text(json, monitor.slug());
  json += "},\"contexts\":{\"monitor\":{\"type\":\"monitor\",\"slug\":";
  append_json_text(json, monitor.slug());
  json += ",\"id\":\"" + std::to_string(monitor.id()) + "\",\"check_in_id\":\"" + relay::render_hex(check_in.id()) + "\",\"status\":";
  append_json_text(json, wire_name(status));
  json += "}";
  if (!check_in.trace_id().empty()) json += ",\"trace\":{\"trace_id\":\"" + relay::render_hex(check_in.trace_id()) + "\"}";
  json += "}}";
  write_occurrence(batch, {.project = monitor.project(),
                           .at = at,
                           .issue_type = "monitor_check_in_failure",
                           .id = relay::event_id_from_raw(raw_bytes(id)).value_or(relay::EventId()),
                           .payload = std::move(json)});
}

void resolve_incident(buffer::Batch& batch, const schema::Monitor& monitor, std::string_view environment, std::uint64_t incident, Time at) {
  const auto id = incident_issue(batch, monitor, environment, incident);
  auto issue = id == 0 ? std::nullopt : find_row<schema::Issue>(batch, Table::issues, Key().u64(id));
  // People may have resolved or ignored it already.
  if (!issue || status_of(*issue) != Status::unresolved) return;
  stamp_automatic(batch, *issue, buffer::IssuePart::status, to_ms(at));
  issue->set_status(static_cast<std::uint32_t>(Status::resolved));
  issue->set_substatus(static_cast<std::uint32_t>(Substatus::none));
  issue->set_resolved_ms(to_ms(at));
  issue->clear_status_details_json();
  put_row(batch, Table::issues, Key().u64(id), *issue);
  schema::Activity activity;
  activity.set_id(batch.next_number("activity"));
  activity.set_type("set_resolved");
  activity.set_at_ms(to_ms(at));
  activity.set_data_json("{}");
  const auto key = Key().u64(id).descending(static_cast<std::uint64_t>(to_ms(at))).descending(activity.id());
  put_row(batch, Table::activities, key, activity);
}

std::uint64_t incident_issue(const buffer::Reader& reader,
                             const schema::Monitor& monitor,
                             std::string_view environment,
                             std::uint64_t incident) {
  if (incident == 0) return 0;
  const auto event = parse_event("{\"fingerprint\":" + fingerprint_json(monitor, environment, incident) + "}");
  if (!event) return 0;
  const auto hash = hashes_of(*event).front();
  const auto id = reader.get(Table::issue_hashes, Key().u64(monitor.project()).raw(raw_bytes(hash)));
  return id ? KeyReader(*id).u64() : 0;
}

}  // namespace picket::digest

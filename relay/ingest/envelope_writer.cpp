#include "relay/ingest/envelope_writer.h"

#include "relay/protocol/json_object.h"
#include "relay/protocol/json_repair.h"

namespace picket::ingest {

EnvelopeWriter::EnvelopeWriter(const std::optional<relay::EventId>& event_id) {
  bytes_ = event_id ? R"({"event_id":")" + relay::render_event_id(*event_id) + "\"}\n" : "{}\n";
}

void EnvelopeWriter::add(std::string_view type, std::string_view payload, std::string_view more) {
  bytes_.append(R"({"type":")").append(type).append(R"(","length":)");
  bytes_.append(std::to_string(payload.size())).append(more).append("}\n");
  bytes_.append(payload).append("\n");
}

void EnvelopeWriter::add_container(std::string_view type,
                                   std::size_t count,
                                   std::string_view entries) {
  if (count == 0) return;
  const std::string_view kind = type == "span" ? "span.v2" : type;
  std::string more = R"(,"content_type":"application/vnd.sentry.items.)";
  more.append(kind).append(R"(+json","item_count":)").append(std::to_string(count));
  std::string payload = type == "span" ? R"({"version":2,"items":[)" : R"({"items":[)";
  payload.append(entries).append("]}");
  add(type, payload, more);
}

std::string json_text(std::string_view text) {
  return relay::render_json_string(relay::repair_utf8(text));
}

}  // namespace picket::ingest

// What every converter of ingest promises of its result, and a request to give it.
#pragma once

#include "fuzz/invariant.h"
#include "relay/ingest/endpoint.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/json_index.h"
#include "relay/protocol/json_object.h"

#include <string>
#include <string_view>
#include <variant>

namespace picket::ingest {

// What an SDK sent deeper than our own writers ever go is an object as well.
inline void check_object(std::string_view json) {
  relay::JsonObjectReader reader(json);
  while (reader.next()) {
  }
  const auto first = json.find_first_not_of(" \t\r\n");
  const bool deep = first != std::string_view::npos && json[first] == '{' && relay::is_json(json);
  fuzz::check(!reader.failure() || deep, "a payload that is made is a JSON object");
}

inline void check_envelope(std::string_view bytes) {
  const auto envelope = relay::parse_envelope(bytes);
  fuzz::check(static_cast<bool>(envelope), "an envelope that is made parses");
  for (const auto& item : envelope->items) {
    fuzz::check(item.length.has_value(), "an item that is made names its length");
    if (item.type != "attachment") check_object(item.payload);
  }
}

inline void check_converted(const std::variant<Converted, Refusal>& result) {
  if (const auto* refusal = std::get_if<Refusal>(&result)) {
    fuzz::check(refusal->status >= 400 && refusal->status < 500, "a bad body is its sender's fault");
    fuzz::check(!refusal->reason.empty(), "a refusal has a reason");
    return;
  }
  const auto& converted = std::get<Converted>(result);
  check_envelope(converted.envelope);
  for (const auto& envelope : converted.more)
    check_envelope(envelope);
  for (const auto& [items, outcome, reason] : converted.dropped)
    fuzz::check(items.quantity > 0 && !reason.empty(), "what is dropped is counted");
}

struct FuzzedRequest {
  http::RequestHead head;
  Route route;
  Sender sender{*relay::parse_project_key("0123456789abcdef0123456789abcdef"), 1, {}, {}, {}};
  IngestConfig config;

  void convert(Converter converter, std::string_view body) {
    check_converted(
        converter({head, route, body, sender, config, time_from_ms(1'700'000'000'000)}));
  }
};

}  // namespace picket::ingest

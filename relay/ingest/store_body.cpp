#include "relay/ingest/store_body.h"

#include "relay/ingest/replies.h"
#include "relay/protocol/base64.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/json_repair.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace picket::ingest {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const auto first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

Refusal too_large_event() {
  return make_refusal(413, "payload too large", "the event exceeds its size limit",
                      "too_large:event");
}

// The JSON text within a body that does not begin with '{'.
std::variant<std::string, Refusal> unpack(std::string_view body, std::size_t max_bytes) {
  auto unpacked = relay::parse_base64(body);
  if (!unpacked)
    return make_refusal(400, "invalid event payload", "neither a JSON object nor base64",
                        "payload");
  if (trim(*unpacked).starts_with('{')) return *std::move(unpacked);
  auto inflated = relay::decode(*unpacked, relay::Coding::deflate, max_bytes);
  if (inflated) return *std::move(inflated);
  if (inflated.error().fault == Fault::too_large) return too_large_event();
  return make_refusal(400, "invalid event payload", "the base64 content is neither JSON nor zlib",
                      "invalid_compression");
}

struct Gist {
  std::optional<relay::EventId> event_id;
  bool transaction = false;
};

// Nothing when `text` is not one JSON object.
std::optional<Gist> read_gist(std::string_view text) {
  thread_local simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(text.data(), text.size()).get_object().get(object) != simdjson::SUCCESS)
    return std::nullopt;
  Gist gist;
  std::string_view word;
  if (object["event_id"].get_string().get(word) == simdjson::SUCCESS) {
    const auto id = relay::parse_event_id(word);
    if (id) gist.event_id = *id;
  }
  gist.transaction =
      object["type"].get_string().get(word) == simdjson::SUCCESS && word == "transaction";
  return gist;
}

// A '+' of base64 that nobody escaped reads as a space.
std::string find_query_data(std::string_view query) {
  for (auto& [name, value] : http::parse_query(query)) {
    if (name != "sentry_data") continue;
    if (!value.starts_with('{')) std::replace(value.begin(), value.end(), ' ', '+');
    return std::move(value);
  }
  return {};
}

}  // namespace

std::optional<relay::EventId> find_event_id(std::string_view payload) {
  const auto gist = read_gist(payload);
  return gist ? gist->event_id : std::nullopt;
}

std::variant<WrappedEvent, Refusal> wrap_store_body(std::string_view body,
                                                    std::size_t max_event_bytes) {
  auto text = trim(body);
  if (text.empty()) return make_refusal(400, "empty request body", "no event payload", "no_data");

  std::string unpacked;
  if (!text.starts_with('{')) {
    auto result = unpack(text, max_event_bytes);
    if (auto* refusal = std::get_if<Refusal>(&result)) return std::move(*refusal);
    unpacked = std::get<std::string>(std::move(result));
    text = trim(unpacked);
  }
  if (text.size() > max_event_bytes) return too_large_event();

  auto gist = read_gist(text);
  std::string repaired;
  if (!gist) {
    repaired = relay::repair_json(text);
    text = repaired;
    gist = read_gist(text);
  }
  if (!gist)
    return make_refusal(400, "invalid JSON data", "the payload is not a JSON object",
                        "invalid_json");

  WrappedEvent wrapped;
  wrapped.event_id = gist->event_id ? *gist->event_id : relay::random_event_id();
  wrapped.envelope.reserve(text.size() + 128);
  wrapped.envelope.append(R"({"event_id":")").append(relay::render_event_id(wrapped.event_id));
  wrapped.envelope.append("\"}\n{\"type\":\"").append(gist->transaction ? "transaction" : "event");
  wrapped.envelope.append(R"(","length":)").append(std::to_string(text.size())).append("}\n");
  wrapped.envelope.append(text).append("\n");
  return wrapped;
}

std::variant<Converted, Refusal> convert_store(const Inbound& inbound) {
  const bool pixel = inbound.head.method == "GET";
  const auto max_bytes = static_cast<std::size_t>(inbound.config.max_event_bytes);
  const auto data = pixel ? find_query_data(inbound.head.query) : std::string();
  auto wrapped = wrap_store_body(pixel ? std::string_view(data) : inbound.body, max_bytes);
  if (auto* refusal = std::get_if<Refusal>(&wrapped)) return std::move(*refusal);
  Converted converted;
  converted.envelope = std::move(std::get<WrappedEvent>(wrapped).envelope);
  if (pixel) converted.answer = pixel_reply();
  return converted;
}

}  // namespace picket::ingest

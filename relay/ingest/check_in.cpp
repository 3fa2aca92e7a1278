#include "relay/ingest/check_in.h"

#include "relay/ingest/body_format.h"
#include "relay/ingest/envelope_writer.h"
#include "relay/ingest/replies.h"
#include "relay/protocol/json_object.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace picket::ingest {
namespace {

constexpr std::string_view latest = "00000000000000000000000000000000";
constexpr std::array<std::string_view, 5> statuses{"in_progress", "ok", "error", "missed",
                                                   "timeout"};

Refusal bad_check_in(std::string_view cause) {
  auto refusal = make_refusal(400, "invalid check-in", cause, "invalid_check_in");
  refusal.items = {{relay::DataCategory::monitor, 1}};
  return refusal;
}

// The members of a check-in, checked one by one as they come.
class CheckInWriter {
 public:
  explicit CheckInWriter(std::string_view slug) { json_ = R"({"monitor_slug":)" + json_text(slug); }

  // Each returns what is wrong, "" when nothing is.
  std::string_view set_status(std::string_view status) {
    if (std::find(statuses.begin(), statuses.end(), status) == statuses.end())
      return "the status is none of in_progress, ok, error, missed, timeout";
    has_status_ = true;
    return add_raw("status", json_text(status));
  }
  std::string_view set_id(std::string_view text) {
    const auto id = relay::parse_event_id(text);
    if (!id) return "check_in_id is no UUID";
    has_id_ = true;
    return add_raw("check_in_id", json_text(relay::render_event_id(*id)));
  }
  std::string_view set_duration(std::string_view text) {
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(seconds) ||
        seconds < 0)
      return "duration is no number of seconds";
    std::array<char, 32> number{};
    const auto last = std::to_chars(number.begin(), number.end(), seconds).ptr;
    return add_raw("duration", std::string_view(number.begin(), last));
  }
  std::string_view add_raw(std::string_view key, std::string_view value) {
    json_.append(",").append(json_text(key)).append(":").append(value);
    return {};
  }

  bool has_status() const { return has_status_; }
  std::string take() {
    if (!has_id_) add_raw("check_in_id", json_text(latest));
    return std::move(json_) + "}";
  }

 private:
  std::string json_;
  bool has_status_ = false;
  bool has_id_ = false;
};

std::string_view read_query(std::string_view query, CheckInWriter& writer) {
  std::array<bool, 4> seen{};
  const auto first = [&seen](std::size_t i) { return !std::exchange(seen.at(i), true); };
  for (const auto& [name, value] : http::parse_query(query)) {
    std::string_view fault;
    if (name == "status" && first(0)) fault = writer.set_status(value);
    if (name == "check_in_id" && !value.empty() && first(1)) fault = writer.set_id(value);
    if (name == "environment" && !value.empty() && first(2))
      writer.add_raw("environment", json_text(value));
    if (name == "duration" && !value.empty() && first(3)) fault = writer.set_duration(value);
    if (!fault.empty()) return fault;
  }
  return {};
}

std::string_view read_body(std::string_view body, CheckInWriter& writer) {
  relay::JsonObjectReader reader(body);
  while (const auto member = reader.next()) {
    if (member->named("monitor_slug") || member->is_null()) continue;
    std::string_view fault;
    const auto text = member->is_string() ? relay::unescape_json(member->raw_text()) : "";
    if (member->named("status")) {
      fault = writer.set_status(text);
    } else if (member->named("check_in_id")) {
      fault = writer.set_id(text);
    } else if (member->named("duration")) {
      fault = writer.set_duration(member->value);
    } else {
      writer.add_raw(relay::unescape_json(member->key), member->value);
    }
    if (!fault.empty()) return fault;
  }
  return reader.failure() ? "the body is not a JSON object" : std::string_view();
}

}  // namespace

std::variant<Converted, Refusal> convert_check_in(const Inbound& inbound) {
  const auto slug = http::percent_decode(inbound.route.name, false);
  CheckInWriter writer(slug);
  const bool json = !inbound.body.empty() && find_mime_type(inbound.head) == "application/json";
  const auto fault =
      json ? read_body(inbound.body, writer) : read_query(inbound.head.query, writer);
  if (!fault.empty()) return bad_check_in(fault);
  if (!writer.has_status()) return bad_check_in("a status is required");
  EnvelopeWriter envelope;
  envelope.add("check_in", writer.take(), R"(,"content_type":"application/json")");
  Converted converted;
  converted.envelope = envelope.take();
  converted.answer = empty_reply(202);
  converted.client = "relay-http";
  return converted;
}

}  // namespace picket::ingest

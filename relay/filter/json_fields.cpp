#include "relay/filter/json_fields.h"

#include "relay/protocol/envelope.h"

#include <simdjson.h>

#include <optional>
#include <string>

namespace picket::filter {
namespace {

using Json = simdjson::dom::element;
using Found = std::optional<Json>;

Found member(Json json, std::string_view key) {
  simdjson::dom::object object;
  Json found;
  if (json.get(object) != simdjson::SUCCESS) return std::nullopt;
  if (object.at_key(key).get(found) != simdjson::SUCCESS) return std::nullopt;
  return found;
}

// In [[key, value], …].
Found pair_named(Json json, std::string_view key) {
  simdjson::dom::array pairs;
  if (json.get(pairs) != simdjson::SUCCESS) return std::nullopt;
  for (const auto entry : pairs) {
    simdjson::dom::array pair;
    std::string_view name;
    Json value;
    if (entry.get(pair) != simdjson::SUCCESS || pair.at(0).get(name) != simdjson::SUCCESS) continue;
    if (name == key && pair.at(1).get(value) == simdjson::SUCCESS) return value;
  }
  return std::nullopt;
}

// "a.b.c" within `json`: keys may have dots themselves, so the longest key is tried first.
Found follow(Json json, std::string_view path, int depth = 0) {
  constexpr int deepest = 8;
  if (auto found = member(json, path)) return found;
  if (auto found = pair_named(json, path)) return found;
  if (depth == deepest) return std::nullopt;
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  auto inner = member(json, path.substr(0, dot));
  if (!inner) inner = pair_named(json, path.substr(0, dot));
  return inner ? follow(*inner, path.substr(dot + 1), depth + 1) : std::nullopt;
}

std::optional<double> milliseconds(Json root, std::string_view key) {
  const auto found = member(root, key);
  if (!found) return std::nullopt;
  double seconds = 0;
  if (found->get_double().get(seconds) == simdjson::SUCCESS) return seconds * 1000;
  std::string_view text;
  if (found->get(text) != simdjson::SUCCESS) return std::nullopt;
  const auto ms = relay::parse_timestamp(text);
  if (!ms) return std::nullopt;
  return static_cast<double>(*ms);
}

Scalar scalar(const Found& found) {
  if (!found) return {};
  std::string_view text;
  double number = 0;
  bool flag = false;
  if (found->get(text) == simdjson::SUCCESS) return std::string(text);
  if (found->get(flag) == simdjson::SUCCESS) return flag;
  if (found->get_double().get(number) == simdjson::SUCCESS) return number;
  return {};
}

// The array, or what it is wrapped in as {"values": […]}.
std::optional<simdjson::dom::array> list(const Found& found) {
  if (!found) return std::nullopt;
  simdjson::dom::array array;
  if (found->get(array) == simdjson::SUCCESS) return array;
  const auto values = member(*found, "values");
  if (values && values->get(array) == simdjson::SUCCESS) return array;
  return std::nullopt;
}

// The names of Sentry's conditions that are no paths of the payload.
std::string_view event_path(std::string_view name) {
  if (name == "exceptions") return "exception";
  if (name == "transaction.source") return "transaction_info.source";
  return name;
}

class ElementFields final : public Fields {
 public:
  explicit ElementFields(Json json) : json_(json) {}
  Scalar value(std::string_view name) const override {
    return scalar(follow(json_, name == "ty" ? "type" : name));
  }
  bool each(std::string_view name, const Visit& visit) const override {
    const auto array = list(follow(json_, name));
    if (!array) return false;
    for (const auto element : *array) {
      if (visit(ElementFields(element))) break;
    }
    return true;
  }

 private:
  Json json_;
};

}  // namespace

struct JsonFields::Documents {
  std::string_view payload_text;
  std::string_view trace_text;
  bool payload_read = false;
  bool trace_read = false;
  Found payload;
  Found trace;

  const Found& read_payload() {
    thread_local simdjson::dom::parser parser;
    if (!payload_read) payload = read(parser, payload_text);
    payload_read = true;
    return payload;
  }
  const Found& read_trace() {
    thread_local simdjson::dom::parser parser;
    if (!trace_read) trace = read(parser, trace_text);
    trace_read = true;
    return trace;
  }
  static Found read(simdjson::dom::parser& parser, std::string_view text) {
    Json root;
    if (text.empty() || parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS)
      return std::nullopt;
    return root;
  }
};

JsonFields::JsonFields(std::string_view space, std::string_view payload, std::string_view trace)
    : space_(space), documents_(std::make_unique<Documents>()) {
  documents_->payload_text = payload;
  documents_->trace_text = trace;
}

JsonFields::~JsonFields() = default;

Scalar JsonFields::value(std::string_view name) const {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return {};
  const auto space = name.substr(0, dot);
  const auto rest = name.substr(dot + 1);
  if (space == "trace") {
    const auto& trace = documents_->read_trace();
    if (!trace) return {};
    if (auto found = follow(*trace, rest)) return scalar(found);
    if (rest == "user.id") return scalar(member(*trace, "user_id"));
    if (rest == "user.segment") return scalar(member(*trace, "user_segment"));
    return {};
  }
  if (space != space_) return {};
  const auto& payload = documents_->read_payload();
  if (!payload) return {};
  if (space == "event" && rest == "duration") {
    const auto start = milliseconds(*payload, "start_timestamp");
    const auto end = milliseconds(*payload, "timestamp");
    if (!start || !end) return {};
    return *end - *start;
  }
  if (rest.starts_with("attributes.")) {
    const auto attributes = member(*payload, "attributes");
    const auto found = attributes ? member(*attributes, rest.substr(11)) : std::nullopt;
    return scalar(found ? member(*found, "value") : std::nullopt);
  }
  return scalar(follow(*payload, event_path(rest)));
}

bool JsonFields::each(std::string_view name, const Visit& visit) const {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos || name.substr(0, dot) != space_) return false;
  const auto& payload = documents_->read_payload();
  if (!payload) return false;
  const auto array = list(follow(*payload, event_path(name.substr(dot + 1))));
  if (!array) return false;
  for (const auto element : *array) {
    if (visit(ElementFields(element))) break;
  }
  return true;
}

}  // namespace picket::filter

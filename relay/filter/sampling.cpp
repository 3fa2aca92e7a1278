#include "relay/filter/sampling.h"

#include "relay/filter/json_fields.h"
#include "relay/protocol/envelope.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace picket::filter {
namespace {

Error malformed(std::string detail) {
  return Error{Fault::malformed, std::move(detail)};
}

std::optional<Time> read_time(simdjson::simdjson_result<simdjson::dom::element> member) {
  std::string_view text;
  if (member.get(text) != simdjson::SUCCESS) return std::nullopt;
  const auto ms = relay::parse_timestamp(text);
  if (!ms) return std::nullopt;
  return time_from_ms(*ms);
}

std::optional<double> to_number(const Scalar& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

// PCG-XSH-RR (O'Neill, 2014) with a 64-bit state, two outputs to a double.
class Pcg {
 public:
  Pcg(std::uint64_t state, std::uint64_t stream) : state_(0), increment_(stream << 1 | 1) {
    state_ = (state + increment_) * multiplier + increment_;
  }
  double unit() {
    const std::uint64_t low = next();
    const std::uint64_t high = next();
    constexpr double scale = 1.0 / static_cast<double>(std::uint64_t{1} << 52);
    return static_cast<double>((high << 32 | low) >> 12) * scale;
  }

 private:
  static constexpr std::uint64_t multiplier = 6364136223846793005ULL;
  std::uint32_t next() {
    const auto before = state_;
    state_ = before * multiplier + increment_;
    const auto mixed = static_cast<std::uint32_t>(((before >> 18) ^ before) >> 27);
    const auto turn = static_cast<std::uint32_t>(before >> 59);
    return mixed >> turn | mixed << ((32 - turn) & 31);
  }
  std::uint64_t state_;
  std::uint64_t increment_;
};

std::uint64_t big_endian(const std::uint8_t* bytes) {
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i)
    number = number << 8 | bytes[i];
  return number;
}

// In [0, 1): what the trace's first SDK drew, or what its id says.
std::optional<double> draw(const Fields& fields) {
  const auto drawn = to_number(fields.value("trace.sample_rand"));
  if (drawn && *drawn >= 0 && *drawn < 1) return drawn;
  const auto id = fields.value("trace.trace_id");
  const auto* text = std::get_if<std::string>(&id);
  return text == nullptr ? std::nullopt : number_of_trace(*text);
}

}  // namespace

std::optional<double> number_of_trace(std::string_view trace_id) {
  const auto id = relay::parse_event_id(trace_id);
  if (!id) return std::nullopt;
  return Pcg(big_endian(id->bytes.data()), big_endian(id->bytes.data() + 8)).unit();
}

struct Sampling::Reader {
  static Result<Rule> read(const simdjson::dom::object& object) {
    std::uint64_t id = 0;
    if (object["id"].get(id) != simdjson::SUCCESS || id > 0xffff'ffff)
      return malformed("id must be a whole number");
    std::string_view text;
    if (object["type"].get(text) != simdjson::SUCCESS ||
        (text != "trace" && text != "transaction" && text != "project"))
      return malformed("type is one of trace, transaction, project");
    simdjson::dom::element inner;
    std::string json = R"({"op":"and","inner":[]})";
    if (object["condition"].get(inner) == simdjson::SUCCESS) json = simdjson::minify(inner);
    auto condition = Condition::parse(json);
    if (!condition) return condition.error();
    Rule rule{.id = static_cast<std::uint32_t>(id),
              .start = {},
              .end = {},
              .decayed = {},
              .condition = *std::move(condition)};
    if (auto read = read_value(object, rule); !read) return read.error();
    rule.start = read_time(object["timeRange"]["start"]);
    rule.end = read_time(object["timeRange"]["end"]);
    double decayed = 0;
    if (object["decayingFn"]["type"].get(text) == simdjson::SUCCESS && text == "linear") {
      if (object["decayingFn"]["decayedValue"].get_double().get(decayed) != simdjson::SUCCESS)
        return malformed("a linear decayingFn needs a decayedValue");
      if (!rule.start || !rule.end || *rule.end <= *rule.start)
        return malformed("a linear decayingFn needs a timeRange with start and end");
      rule.decayed = decayed;
    }
    return rule;
  }

  static Result<void> read_value(const simdjson::dom::object& object, Rule& rule) {
    std::string_view type;
    if (object["samplingValue"]["type"].get(type) != simdjson::SUCCESS)
      return malformed("samplingValue needs a type");
    if (type == "reservoir") {
      rule.value_type = Value::reservoir;
      if (object["samplingValue"]["limit"].get(rule.limit) != simdjson::SUCCESS)
        return malformed("a reservoir needs a limit");
      return {};
    }
    if (type == "sampleRate") {
      rule.value_type = Value::sample_rate;
    } else if (type == "factor") {
      rule.value_type = Value::factor;
    } else if (type == "minimumSampleRate") {
      rule.value_type = Value::minimum;
    } else {
      return malformed("unknown samplingValue \"" + std::string(type.substr(0, 40)) + "\"");
    }
    if (object["samplingValue"]["value"].get_double().get(rule.value) != simdjson::SUCCESS ||
        rule.value < 0)
      return malformed("samplingValue needs a value of 0 or more");
    if (rule.value_type != Value::factor && rule.value > 1)
      return malformed("a sample rate is at most 1");
    return {};
  }
};

Result<Sampling> Sampling::parse(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::object root;
  simdjson::dom::array list;
  if (parser.parse(json.data(), json.size()).get_object().get(root) != simdjson::SUCCESS)
    return malformed("sampling is not a JSON object");
  Sampling sampling;
  const auto found = root["rules"].get(list);
  if (found == simdjson::NO_SUCH_FIELD) return sampling;
  if (found != simdjson::SUCCESS) return malformed("rules is not a list");
  for (const auto entry : list) {
    const auto where = "rule " + std::to_string(sampling.rules_.size() + 1) + ": ";
    if (sampling.rules_.size() == most_rules)
      return malformed("there are more than " + std::to_string(most_rules) + " rules");
    simdjson::dom::object object;
    if (entry.get(object) != simdjson::SUCCESS) return malformed(where + "not an object");
    auto rule = Reader::read(object);
    if (!rule) return malformed(where + rule.error().detail);
    sampling.rules_.push_back(*std::move(rule));
  }
  return sampling;
}

bool Sampling::reads_payload() const {
  return std::ranges::any_of(rules_, [](const Rule& rule) { return !rule.condition.reads_only("trace."); });
}

void Sampling::append(Sampling other) {
  rules_.insert(rules_.end(), std::make_move_iterator(other.rules_.begin()),
                std::make_move_iterator(other.rules_.end()));
}

double Sampling::value_at(const Rule& rule, Time now) {
  if (!rule.decayed) return rule.value;
  const auto whole = static_cast<double>((*rule.end - *rule.start).count());
  const auto gone = static_cast<double>((now - *rule.start).count());
  return rule.value + (*rule.decayed - rule.value) * std::clamp(gone / whole, 0.0, 1.0);
}

std::string Sampling::judge(std::string_view space,
                            std::string_view payload,
                            std::string_view trace,
                            Time now,
                            const Reservoir& reservoir) const {
  if (rules_.empty()) return {};
  const JsonFields fields(space, payload, trace);
  double factor = 1;
  double minimum = 0;
  std::string ids;
  for (const auto& rule : rules_) {
    if ((rule.start && now < *rule.start) || (rule.end && now >= *rule.end)) continue;
    if (!rule.condition.matches(fields)) continue;
    if (rule.value_type == Value::reservoir) {
      if (reservoir(rule.id, rule.limit)) return {};
      continue;
    }
    ids += (ids.empty() ? "" : ",") + std::to_string(rule.id);
    const auto value = value_at(rule, now);
    if (rule.value_type == Value::factor) {
      factor *= value;
    } else if (rule.value_type == Value::minimum) {
      minimum = std::max(minimum, value);
    } else {
      auto rate = std::clamp(std::max(value, minimum) * factor, 0.0, 1.0);
      const auto client = to_number(fields.value("trace.sample_rate"));
      if (client && *client > 0 && *client <= 1) rate = rate < *client ? rate / *client : 1.0;
      const auto drawn = draw(fields);
      // Without a trace there is nothing to decide by that another item would agree with.
      if (!drawn || *drawn < rate) return {};
      return "Sampled:" + ids;
    }
  }
  return {};
}

}  // namespace picket::filter

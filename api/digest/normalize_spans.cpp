// Transactions: name and times, trace context, spans, measurements.
#include "api/digest/normalize_rules.h"
#include "api/digest/normalize_steps.h"
#include "relay/protocol/envelope.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

using enum FieldKind;

constexpr std::array span_fields = {
    Field{"op", text, {128, 0}},           Field{"description", text, {8192, 200}}, Field{"span_id", text, {32, 0}}, Field{"parent_span_id", text, {32, 0}},
    Field{"trace_id", text, {36, 0}},      Field{"status", text, {64, 0}},          Field{"origin", text, {128, 0}}, Field{"start_timestamp", number},
    Field{"timestamp", number},            Field{"tags", object},                   Field{"data", object},           Field{"measurements", object},
    Field{"exclusive_time", number},
};
constexpr std::array trace_fields = {Field{"span_id", text, {32, 0}}, Field{"parent_span_id", text, {32, 0}}, Field{"op", text, {128, 0}},
                                     Field{"status", text, {64, 0}},  Field{"origin", text, {128, 0}},         Field{"data", object}};
constexpr std::size_t most_spans = 10'000;

bool is_transaction(const Work& work) {
  return text_or(work.event, "type") == "transaction";
}

struct Interval {
  double start;
  double end;
};

// Milliseconds of `own` that no other interval covers.
double exclusive_ms(Interval own, std::vector<Interval>& children) {
  std::ranges::sort(children, {}, &Interval::start);
  double covered = 0;
  double at = own.start;
  for (const auto& child : children) {
    const double start = std::max(child.start, at);
    const double end = std::min(child.end, own.end);
    if (end <= start) continue;
    covered += end - start;
    at = end;
  }
  return std::max(0.0, (own.end - own.start - covered) * 1000);
}

// `precision`: by how many seconds the end may be off.
std::optional<Interval> interval_of(const json::object& object, double precision = 0) {
  const auto start = number_of(object, "start_timestamp");
  const auto end = number_of(object, "timestamp");
  if (!start || !end || *end + precision < *start) return std::nullopt;
  return Interval{*start, std::max(*start, *end)};
}

// The end of a transaction is kept to the millisecond (normalize_times.cpp), its start is not.
constexpr double event_precision = 0.001;

// False for what is no span: without times it has no place.
bool check_span(json::value& value, const Place& place, Notes& notes) {
  auto* span = value.if_object();
  if (!span) {
    notes.invalid(place, "expected a span", value);
    return false;
  }
  check_fields(*span, span_fields, place, notes);
  const bool timed = interval_of(*span).has_value();
  if (!timed) {
    const bool both = span->contains("start_timestamp") && span->contains("timestamp");
    notes.error(place, "invalid_data", {{"reason", both ? "end timestamp is smaller than start timestamp" : "span has no times"}});
  }
  if (text_or(*span, "op").empty()) (*span)["op"] = "default";
  return true;
}

void add_exclusive_times(json::object& event, json::array& spans, json::object* trace) {
  std::unordered_map<std::string, std::vector<Interval>> children;
  for (const auto& each : spans) {
    const auto& span = each.get_object();
    const auto interval = interval_of(span);
    if (interval) children[std::string(text_or(span, "parent_span_id"))].push_back(*interval);
  }
  // Who has an id takes its children: that many spans say they are the same one costs nothing.
  const auto add = [&](json::object& owner, std::optional<Interval> own) {
    const std::string id(text_or(owner, "span_id"));
    auto found = id.empty() ? children.end() : children.find(id);
    std::vector<Interval> own_children;
    if (found != children.end()) {
      own_children = std::move(found->second);
      children.erase(found);
    }
    if (own && !owner.contains("exclusive_time")) owner["exclusive_time"] = exclusive_ms(*own, own_children);
  };
  if (trace) add(*trace, interval_of(event, event_precision));
  for (auto& each : spans) add(each.get_object(), interval_of(each.get_object()));
}

// Time per kind of operation, as overlapping spans cover it.
void add_breakdowns(json::object& event, const json::array& spans) {
  if (find(event, "breakdowns")) return;
  static constexpr std::array<std::string_view, 5> kinds = {"http", "db", "browser", "resource", "ui"};
  std::array<std::vector<Interval>, kinds.size()> by_kind;
  std::vector<Interval> all;
  for (const auto& each : spans) {
    const auto& span = each.get_object();
    const auto op = text_or(span, "op");
    const auto interval = interval_of(span);
    for (std::size_t i = 0; interval && i < kinds.size(); ++i) {
      if (!op.starts_with(kinds[i]) || (op.size() > kinds[i].size() && op[kinds[i].size()] != '.')) continue;
      by_kind[i].push_back(*interval);
      all.push_back(*interval);
    }
  }
  if (all.empty()) return;
  const auto covered = [](std::vector<Interval>& list) {
    std::ranges::sort(list, {}, &Interval::start);
    double sum = 0;
    double at = list.front().start;
    for (const auto& each : list) {
      const double start = std::max(each.start, at);
      if (each.end > start) sum += each.end - start;
      at = std::max(at, each.end);
    }
    return json::object{{"value", sum * 1000}, {"unit", "millisecond"}};
  };
  json::object ops;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (!by_kind[i].empty()) ops["ops." + std::string(kinds[i])] = covered(by_kind[i]);
  }
  ops["total.time"] = covered(all);
  event["breakdowns"] = json::object{{"span_ops", std::move(ops)}};
}

}  // namespace

void normalize_transaction(Work& work) {
  if (!is_transaction(work)) return;
  auto& event = work.event;
  const auto start = number_of(event, "start_timestamp");
  const auto end = number_of(event, "timestamp");
  const Place place(work.root, "start_timestamp");
  if (!start) {
    work.notes.error(place, "missing_attribute", {{"attribute", "start_timestamp"}});
  } else if (end && *end + event_precision < *start) {
    work.notes.invalid(place, "end timestamp is smaller than start timestamp", event.at("start_timestamp"));
  }
  auto& info = make_object(event, "transaction_info");
  const auto source = ellipsed(scalar_text(info, "source").value_or(""), 32);
  if (text_or(info, "source").empty()) info["source"] = source.empty() ? "unknown" : source;
  const std::string name(text_or(event, "transaction"));
  if (name.empty()) {
    event["transaction"] = "<unlabeled transaction>";
  } else if (is_url_transaction(name, source)) {
    if (const auto clean = sanitised_transaction(name)) {
      work.notes.replaced(Place(work.root, "transaction"), "int", event.at("transaction"));
      event["transaction"] = *clean;
    }
    if (source == "url") info["source"] = "sanitized";
  }
}

void normalize_trace(Work& work) {
  auto* contexts = find_object(work.event, "contexts");
  auto* trace = contexts ? find_object(*contexts, "trace") : nullptr;
  const Place contexts_place(work.root, "contexts");
  const Place place(contexts_place, "trace");
  if (!trace) {
    if (is_transaction(work)) work.notes.error(place, "missing_attribute", {{"attribute", "contexts.trace"}});
    return;
  }
  check_fields(*trace, trace_fields, place, work.notes);
  auto* id = trace->if_contains("trace_id");
  if (id && !(id->is_string() && relay::parse_event_id(std::string_view(id->get_string())))) {
    if (id->is_null()) {
      trace->stable_erase("trace_id");
    } else {
      reject(*trace, "trace_id", "invalid trace id", Place(place, "trace_id"), work.notes);
    }
  }
  if (auto* sampled = trace->if_contains("sampled"); sampled && !sampled->is_bool()) {
    const auto flag = flag_of(*sampled);
    if (flag) {
      *sampled = *flag;
    } else {
      trace->stable_erase("sampled");
    }
  }
  if (!is_transaction(work)) return;
  if (text_or(*trace, "op").empty()) (*trace)["op"] = "default";
  if (text_or(*trace, "status").empty()) (*trace)["status"] = "unknown";
}

void normalize_spans(Work& work) {
  auto* said = find_array(work.event, "spans");
  if (!said) return;
  const Place place(work.root, "spans");
  json::array kept;
  const auto before = said->size();
  for (std::size_t i = 0; i < before && kept.size() < most_spans; ++i) {
    if ((*said)[i].is_null()) continue;
    if (check_span((*said)[i], Place(place, i), work.notes)) kept.push_back(std::move((*said)[i]));
  }
  if (before > most_spans) work.notes.shortened(place, before);
  auto* contexts = find_object(work.event, "contexts");
  auto* trace = contexts ? find_object(*contexts, "trace") : nullptr;
  add_exclusive_times(work.event, kept, trace);
  if (is_transaction(work)) add_breakdowns(work.event, kept);
  work.event["spans"] = std::move(kept);
}

}  // namespace picket::digest

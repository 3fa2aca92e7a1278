// Transactions, their spans, span items and span v2 containers as facts.
#include "api/digest/derived_tags.h"
#include "api/digest/fact_values.h"

#include <algorithm>
#include <initializer_list>
#include <unordered_map>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

using facts::Dataset;
using facts::FactRows;

constexpr std::size_t most_spans = 20'000;  // of one transaction; SDKs stop at 1,000

// What a transaction's spans share with it.
struct Segment {
  std::string event_id;
  std::string trace_id;
  std::string span_id;
  std::string_view transaction;
  std::string_view release;
  std::string_view environment;
  std::string_view platform;
  std::string_view dist;
  std::string_view sdk_name;
  std::string_view sdk_version;
  std::string_view user;
};

struct SpanTimes {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

std::optional<SpanTimes> times_of(JsonObject span, std::string_view end_name) {
  const auto start = time_ns_member(span, "start_timestamp");
  auto end = time_ns_member(span, end_name);
  if (!end) end = time_ns_member(span, "timestamp");
  if (!start && !end) return std::nullopt;
  return SpanTimes{start.value_or(end.value_or(0)), end.value_or(start.value_or(0))};
}

void add_segment(FactRows& rows, const Segment& segment) {
  const auto text = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) rows.text(name, value);
  };
  text("transaction", segment.transaction);
  text("release", segment.release);
  text("environment", segment.environment);
  text("platform", segment.platform);
  text("dist", segment.dist);
  text("sdk.name", segment.sdk_name);
  text("sdk.version", segment.sdk_version);
  text("user", segment.user);
  rows.id("transaction.event_id", segment.event_id);
  rows.id("transaction.span_id", segment.span_id);
}

void add_text_member(FactRows& rows, JsonObject object, std::string_view member, std::string_view name) {
  const auto text = string_member(object, member);
  if (!text.empty()) rows.text(name, text);
}

// The members that spans of version 1 have wherever they are.
void add_span_members(FactRows& rows, JsonObject span) {
  rows.id("id", raw_id_member(span, "span_id"));
  rows.id("parent_span", raw_id_member(span, "parent_span_id"));
  add_text_member(rows, span, "op", "span.op");
  add_text_member(rows, span, "description", "span.description");
  add_text_member(rows, span, "status", "span.status");
  add_text_member(rows, span, "origin", "origin");
}

void add_span_details(FactRows& rows, JsonObject span) {
  if (const auto data = object_member_of(span, "data")) add_attributes(rows, *data);
  if (const auto tags = known_member_of(span, "tags")) add_tags(rows, *tags);
  if (const auto measurements = known_member_of(span, "measurements")) add_measurements(rows, *measurements);
}

// Time in a span that is in none of its children, in milliseconds, by index.
class SelfTimes {
 public:
  void add(const std::string& id, const std::string& parent, const SpanTimes& times) {
    if (!id.empty()) by_id_.emplace(id, spans_.size());
    spans_.push_back({parent, times});
  }
  std::vector<double> compute() const {
    std::vector<std::vector<SpanTimes>> children(spans_.size());
    for (const auto& [parent, times] : spans_) {
      const auto found = parent.empty() ? by_id_.end() : by_id_.find(parent);
      if (found != by_id_.end()) children[found->second].push_back(times);
    }
    std::vector<double> self(spans_.size());
    for (std::size_t i = 0; i < spans_.size(); ++i) {
      const auto& own = spans_[i].second;
      auto& inner = children[i];
      std::ranges::sort(inner, {}, &SpanTimes::start_ns);
      std::int64_t covered = 0;
      auto reached = own.start_ns;
      for (const auto& child : inner) {
        const auto from = std::max(reached, child.start_ns);
        const auto to = std::min(own.end_ns, child.end_ns);
        if (to <= from) continue;
        covered += to - from;
        reached = to;
      }
      self[i] = duration_ms(own.start_ns + covered, own.end_ns);
    }
    return self;
  }

 private:
  std::vector<std::pair<std::string, SpanTimes>> spans_;
  std::unordered_map<std::string, std::size_t> by_id_;
};

struct ChildSpan {
  JsonObject json;
  SpanTimes times;
  std::uint32_t index = 0;
};

std::vector<ChildSpan> child_spans(JsonObject payload, SelfTimes& self) {
  std::vector<ChildSpan> children;
  JsonArray list;
  if (payload["spans"].get(list) != simdjson::SUCCESS) return children;
  std::uint32_t index = 0;
  for (const auto entry : list) {
    ++index;
    JsonObject span;
    if (children.size() == most_spans || entry.get(span) != simdjson::SUCCESS) continue;
    const auto times = times_of(span, "timestamp");
    if (!times) continue;
    self.add(raw_id_member(span, "span_id"), raw_id_member(span, "parent_span_id"), *times);
    children.push_back({span, *times, index});
  }
  return children;
}

// `id`, `email`, … of an event's user; the tag that says who is `user`.
std::string_view add_user(FactRows& rows, JsonObject payload, TextArena& arena) {
  const auto user = object_member_of(payload, "user");
  if (!user) return {};
  EventUser known;
  const auto text = [&](std::string_view name) {
    const auto value = known_member_of(*user, name);
    return value ? text_of(*value, arena, {128, 0}) : std::string_view();
  };
  known = {text("id"), text("email"), text("username"), text("ip_address")};
  if (!known.id.empty()) rows.text("user.id", known.id);
  if (!known.email.empty()) rows.text("user.email", known.email);
  if (!known.username.empty()) rows.text("user.username", known.username);
  if (!known.ip.empty() && known.ip != "{{auto}}") rows.text("user.ip", known.ip);
  return user_tag(known, arena);
}

Segment segment_of(JsonObject payload, JsonObject trace, const relay::EventId& id) {
  Segment segment;
  segment.event_id = relay::raw_bytes(id);
  segment.trace_id = raw_id_member(trace, "trace_id");
  segment.span_id = raw_id_member(trace, "span_id");
  segment.transaction = string_member(payload, "transaction");
  if (segment.transaction.empty()) segment.transaction = "<unlabeled transaction>";
  segment.release = string_member(payload, "release");
  segment.environment = string_member(payload, "environment");
  segment.platform = string_member(payload, "platform");
  segment.dist = string_member(payload, "dist");
  if (const auto sdk = object_member_of(payload, "sdk")) {
    segment.sdk_name = string_member(*sdk, "name");
    segment.sdk_version = string_member(*sdk, "version");
  }
  return segment;
}

// As the SDK says, or else the one that came along.
std::string profile_of(JsonObject contexts, const FactContext& context) {
  const auto profile = object_member_of(contexts, "profile");
  auto named = profile ? raw_id_member(*profile, "profile_id") : std::string();
  return named.empty() ? context.profile_id : named;
}

// What only the transaction and its own span have: contexts, request, profiler, replay.
void add_transaction_contexts(FactRows& rows, JsonObject payload, JsonObject contexts) {
  const auto id = [&](std::string_view context, std::string_view member, std::string_view name) {
    if (const auto object = object_member_of(contexts, context))
      rows.id(name, raw_id_member(*object, member));
  };
  id("profile", "profiler_id", "profiler.id");
  id("replay", "replay_id", "replay.id");
  if (const auto request = object_member_of(payload, "request")) {
    add_text_member(rows, *request, "url", "url");
    add_text_member(rows, *request, "method", "http.method");
  }
  for (const std::string_view name : {"browser", "os", "device", "runtime"}) {
    if (const auto context = object_member_of(contexts, name)) {
      add_text_member(rows, *context, "name", std::string(name) + ".name");
      add_text_member(rows, *context, "family", std::string(name) + ".family");
    }
  }
  if (const auto response = object_member_of(contexts, "response")) {
    if (const auto code = known_member_of(*response, "status_code")) add_value(rows, "http.status_code", *code);
  }
}

}  // namespace

void read_transaction_facts(JsonObject payload,
                            const FactContext& context,
                            const relay::EventId& id,
                            std::uint32_t event,
                            FactRows& rows) {
  JsonObject empty;
  const auto contexts = object_member_of(payload, "contexts").value_or(empty);
  const bool has_contexts = object_member_of(payload, "contexts").has_value();
  const auto trace = has_contexts ? object_member_of(contexts, "trace") : std::nullopt;
  auto times = times_of(payload, "timestamp");
  if (!times) times = SpanTimes{context.received_ms * 1'000'000, context.received_ms * 1'000'000};
  const auto shift = shift_ns(context, times->end_ns);
  TextArena arena(512);
  Segment segment;
  if (trace) {
    segment = segment_of(payload, *trace, id);
  } else {
    segment.event_id = relay::raw_bytes(id);
    segment.transaction = string_member(payload, "transaction");
  }
  SelfTimes self;
  self.add(segment.span_id, {}, *times);
  const auto children = child_spans(payload, self);
  const auto self_times = self.compute();
  const auto duration = duration_ms(times->start_ns, times->end_ns);
  const facts::Place place{context.sequence, context.item, 0};

  const auto add_own = [&] {
    rows.id("trace", segment.trace_id);
    segment.user = add_user(rows, payload, arena);
    add_segment(rows, segment);
    if (has_contexts) add_transaction_contexts(rows, payload, contexts);
    rows.id("profile.id", has_contexts ? profile_of(contexts, context) : context.profile_id);
    if (const auto tags = known_member_of(payload, "tags")) add_tags(rows, *tags);
    if (const auto measurements = known_member_of(payload, "measurements"))
      add_measurements(rows, *measurements);
    if (const auto data = trace ? object_member_of(*trace, "data") : std::nullopt)
      add_attributes(rows, *data);
  };

  rows.begin(Dataset::transactions, context.project, place, times->end_ns + shift, event);
  rows.id("id", segment.event_id);
  rows.number("transaction.duration", duration);
  if (trace) {
    add_text_member(rows, *trace, "op", "transaction.op");
    add_text_member(rows, *trace, "status", "transaction.status");
    rows.id("trace.span", segment.span_id);
    rows.id("trace.parent_span", raw_id_member(*trace, "parent_span_id"));
  }
  add_text_member(rows, payload, "server_name", "server_name");
  add_own();

  rows.begin(Dataset::spans, context.project, place, times->start_ns + shift, event);
  if (trace) add_span_members(rows, *trace);
  rows.boolean("is_transaction", true);
  rows.number("span.duration", duration);
  rows.number("span.self_time", self_times.front());
  rows.text("span.description", segment.transaction);
  add_own();

  for (std::size_t i = 0; i < children.size(); ++i) {
    const auto& [json, child, index] = children[i];
    rows.begin(Dataset::spans, context.project, {context.sequence, context.item, index},
               child.start_ns + shift, event);
    add_span_members(rows, json);
    const auto own_trace = raw_id_member(json, "trace_id");
    rows.id("trace", own_trace.empty() ? segment.trace_id : own_trace);
    rows.boolean("is_transaction", false);
    rows.number("span.duration", duration_ms(child.start_ns, child.end_ns));
    const auto given = known_member_of(json, "exclusive_time");
    rows.number("span.self_time", (given ? real_of(*given) : std::nullopt).value_or(self_times[i + 1]));
    add_segment(rows, segment);
    add_span_details(rows, json);
  }
}

namespace {

// Version 1: a span item of its own.
bool add_span_item(JsonObject span, const FactContext& context, FactRows& rows) {
  const auto times = times_of(span, "timestamp");
  if (!times) return false;
  rows.begin(Dataset::spans, context.project, {context.sequence, context.item, 0},
             times->start_ns + shift_ns(context, times->end_ns));
  add_span_members(rows, span);
  rows.id("trace", raw_id_member(span, "trace_id"));
  rows.id("transaction.span_id", raw_id_member(span, "segment_id"));
  bool segment = false;
  if (span["is_segment"].get(segment) != simdjson::SUCCESS) segment = false;
  rows.boolean("is_transaction", segment);
  const auto duration = duration_ms(times->start_ns, times->end_ns);
  rows.number("span.duration", duration);
  const auto given = known_member_of(span, "exclusive_time");
  rows.number("span.self_time", (given ? real_of(*given) : std::nullopt).value_or(duration));
  rows.id("profile.id", raw_id_member(span, "profile_id"));
  add_span_details(rows, span);
  return true;
}

// The first of these attributes that is a text.
std::string_view attribute_text(JsonObject attributes, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    const auto typed = object_member_of(attributes, name);
    const auto text = typed ? string_member(*typed, "value") : string_member(attributes, name);
    if (!text.empty()) return text;
  }
  return {};
}

// OpenTelemetry has no operations and descriptions: its conventions' attributes say what a span does
// (opentelemetry.io, "Semantic conventions").
void add_conventional_words(FactRows& rows, JsonObject attributes) {
  const auto has = [&](std::initializer_list<std::string_view> names) { return !attribute_text(attributes, names).empty(); };
  const auto op = [&](std::string_view word) { rows.text("span.op", word); };
  if (has({"http.request.method", "http.method"})) {
    const auto kind = attribute_text(attributes, {"sentry.kind"});
    return op(kind == "client" ? "http.client" : kind == "server" ? "http.server" : "http");
  }
  if (has({"db.system.name", "db.system"})) {
    const auto statement = attribute_text(attributes, {"db.query.text", "db.statement"});
    if (!statement.empty()) rows.text("span.description", statement);
    return op("db");
  }
  if (has({"rpc.service"})) return op("rpc");
  if (has({"messaging.system"})) return op("message");
}

bool add_span_v2(JsonObject span, std::uint32_t index, const FactContext& context, FactRows& rows) {
  const auto times = times_of(span, "end_timestamp");
  if (!times || raw_id_member(span, "span_id").empty()) return false;
  rows.begin(Dataset::spans, context.project, {context.sequence, context.item, index},
             times->start_ns + shift_ns(context, times->end_ns));
  rows.id("id", raw_id_member(span, "span_id"));
  rows.id("trace", raw_id_member(span, "trace_id"));
  rows.id("parent_span", raw_id_member(span, "parent_span_id"));
  add_text_member(rows, span, "name", "span.name");
  add_text_member(rows, span, "status", "span.status");
  bool segment = false;
  if (span["is_segment"].get(segment) != simdjson::SUCCESS) segment = false;
  rows.boolean("is_transaction", segment);
  const auto duration = duration_ms(times->start_ns, times->end_ns);
  rows.number("span.duration", duration);
  const auto attributes = object_member_of(span, "attributes");
  if (attributes) {
    add_attributes(rows, *attributes);
    add_conventional_words(rows, *attributes);
  }
  rows.number("span.self_time", duration);
  add_text_member(rows, span, "name", "span.description");
  if (segment) add_text_member(rows, span, "name", "transaction");
  return true;
}

}  // namespace

ContainerRead read_span_facts(JsonElement payload, const FactContext& context, FactRows& rows) {
  ContainerRead read;
  JsonObject object;
  if (payload.get(object) != simdjson::SUCCESS) return {0, 1};
  JsonArray items;
  if (object["items"].get(items) != simdjson::SUCCESS) {
    const bool added = add_span_item(object, context, rows);
    return added ? ContainerRead{1, 0} : ContainerRead{0, 1};
  }
  std::uint32_t index = 0;
  for (const auto entry : items) {
    JsonObject span;
    const bool added =
        entry.get(span) == simdjson::SUCCESS && add_span_v2(span, index, context, rows);
    ++index;
    ++(added ? read.accepted : read.invalid);
  }
  return read;
}

}  // namespace picket::digest

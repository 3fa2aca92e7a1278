#include "api/digest/bucket_facts.h"

#include "api/digest/fact_values.h"
#include "relay/protocol/json_repair.h"

#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

struct Bucket {
  std::string_view name;
  std::string_view unit;
  std::string_view type;  // counter, distribution, gauge, set
  std::int64_t time_ns = 0;
  std::vector<double> values;                                // of a gauge: last, min, max, sum, count
  std::vector<std::string> members;                          // of a set
  std::vector<std::pair<std::string, std::string>> tags;
};

std::string_view type_word(std::string_view type) {
  if (type == "c" || type == "m") return "counter";
  if (type == "d" || type == "ms" || type == "h") return "distribution";
  if (type == "g") return "gauge";
  if (type == "s") return "set";
  return {};
}

// "name@unit"; "none" is no unit.
void split_unit(std::string_view text, Bucket& bucket) {
  const auto at = text.rfind('@');
  bucket.name = text.substr(0, at);
  if (at != std::string_view::npos && text.substr(at + 1) != "none") bucket.unit = text.substr(at + 1);
}

std::string_view cut(std::string_view& rest, char at) {
  const auto end = rest.find(at);
  const auto part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

bool has_values(const Bucket& bucket) {
  if (bucket.type == "set") return !bucket.members.empty();
  if (bucket.type == "gauge") return bucket.values.size() == 1 || bucket.values.size() == 5;
  return !bucket.values.empty();
}

// One fact each; `index` counts them within the item.
class Adding {
 public:
  Adding(const FactContext& context, facts::FactRows& rows) : context_(context), rows_(rows) {}

  void add(const Bucket& bucket) {
    if (bucket.type == "set") {
      for (const auto& member : bucket.members) {
        begin(bucket, 1);
        rows_.text("metric.member", member);
        end(bucket);
      }
    } else if (bucket.type == "distribution") {
      for (const auto value : bucket.values) {
        begin(bucket, value);
        end(bucket);
      }
    } else {
      double sum = 0;
      for (const auto value : bucket.values) sum += value;
      begin(bucket, bucket.type == "gauge" ? bucket.values.front() : sum);
      if (bucket.type == "gauge" && bucket.values.size() == 5) {
        constexpr std::string_view names[] = {"gauge.min", "gauge.max", "gauge.sum", "gauge.count"};
        for (std::size_t i = 1; i < 5; ++i) rows_.number(names[i - 1], bucket.values[i]);
      }
      end(bucket);
    }
  }

 private:
  void begin(const Bucket& bucket, double value) {
    rows_.begin(facts::Dataset::metrics, context_.project, {context_.sequence, context_.item, index_++},
                bucket.time_ns + shift_ns(context_, bucket.time_ns));
    rows_.text("metric.name", bucket.name);
    rows_.text("metric.type", bucket.type);
    if (!bucket.unit.empty()) rows_.text("metric.unit", bucket.unit);
    rows_.number("value", value);
  }
  // Behind what is ours, which a tag of the same name does not replace.
  void end(const Bucket& bucket) {
    for (const auto& [key, value] : bucket.tags) rows_.text(key, value);
  }

  const FactContext& context_;
  facts::FactRows& rows_;
  std::uint32_t index_ = 0;
};

// ---- statsd -----------------------------------------------------------------------------------------

// `\n`, `\r`, `\t`, `\\` and `\u{2c}`: how a tag's value has what would end it.
std::string plain_tag(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
    if (next == 'n' || next == 'r' || next == 't' || next == '\\') {
      plain += next == 'n' ? '\n' : next == 'r' ? '\r' : next == 't' ? '\t' : '\\';
      ++i;
    } else if (text.substr(i).starts_with("\\u{2c}") || text.substr(i).starts_with("\\u{7c}")) {
      plain += text[i + 3] == '2' ? ',' : '|';
      i += 5;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool read_values(std::string_view list, Bucket& bucket) {
  while (!list.empty()) {
    const auto text = cut(list, ':');
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool number = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
    if (bucket.type == "set" ? text.empty() : !number) return false;
    if (bucket.type == "set") {
      bucket.members.emplace_back(text);
    } else {
      bucket.values.push_back(value);
    }
  }
  return has_values(bucket);
}

bool read_line(std::string_view line, const FactContext& context, Bucket& bucket) {
  auto head = cut(line, '|');
  bucket.type = type_word(cut(line, '|'));
  split_unit(cut(head, ':'), bucket);
  if (bucket.type.empty() || bucket.name.empty() || !read_values(head, bucket)) return false;
  bucket.time_ns = context.received_ms * 1'000'000;
  while (!line.empty()) {
    auto part = cut(line, '|');
    if (part.starts_with('T')) {
      constexpr std::int64_t latest = 253'402'300'799;  // the end of the year 9999
      std::int64_t at = 0;
      part.remove_prefix(1);
      const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), at);
      if (error != std::errc() || end != part.data() + part.size() || at < 0 || at > latest) return false;
      // What is past 2262 does not fit into nanoseconds: it is told as the time of receipt is.
      if (at < INT64_MAX / second_ns) bucket.time_ns = at * second_ns;
    } else if (part.starts_with('#')) {
      part.remove_prefix(1);
      while (!part.empty()) {
        auto value = cut(part, ',');
        const auto key = cut(value, ':');
        if (!key.empty()) bucket.tags.emplace_back(key, plain_tag(value));
      }
    }
  }
  return true;
}

// ---- metric_buckets ---------------------------------------------------------------------------------

bool read_member(JsonElement element, Bucket& bucket) {
  if (bucket.type == "set") {
    TextArena arena(256);
    const auto text = text_of(element, arena, {facts::most_text_bytes, 0});
    if (!text.empty()) bucket.members.emplace_back(text);
    return !text.empty();
  }
  const auto number = real_of(element);
  if (number) bucket.values.push_back(*number);
  return number.has_value();
}

bool read_value(JsonElement value, Bucket& bucket) {
  JsonObject gauge;
  JsonArray list;
  if (value.get(gauge) == simdjson::SUCCESS) {
    for (const std::string_view name : {"last", "min", "max", "sum", "count"}) {
      const auto part = known_member_of(gauge, name);
      const auto number = part ? real_of(*part) : std::nullopt;
      if (bucket.type != "gauge" || !number) return false;
      bucket.values.push_back(*number);
    }
  } else if (value.get(list) == simdjson::SUCCESS) {
    for (const auto element : list) {
      if (!read_member(element, bucket)) return false;
    }
  } else if (!read_member(value, bucket)) {
    return false;
  }
  return has_values(bucket);
}

bool read_object(JsonObject object, const FactContext& context, Bucket& bucket) {
  auto name = string_member(object, "name");
  auto type = string_member(object, "type");
  const auto value = known_member_of(object, "value");
  // "d:custom/name@unit" says the type as well.
  if (const auto colon = name.find(':'); colon != std::string_view::npos && !type_word(name.substr(0, colon)).empty()) {
    if (type.empty()) type = name.substr(0, colon);
    name.remove_prefix(colon + 1);
  }
  bucket.type = type_word(type);
  split_unit(name, bucket);
  if (bucket.type.empty() || bucket.name.empty() || !value || !read_value(*value, bucket)) return false;
  bucket.time_ns = time_ns_member(object, "timestamp").value_or(context.received_ms * 1'000'000);
  if (const auto tags = object_member_of(object, "tags")) {
    TextArena arena;
    for (const auto [key, tag] : *tags) bucket.tags.emplace_back(key, text_of(tag, arena, {facts::most_text_bytes, 0}));
  }
  return true;
}

}  // namespace

ContainerRead read_statsd_facts(std::string_view payload, const FactContext& context, facts::FactRows& rows) {
  const auto text = relay::repair_utf8(payload);
  std::string_view rest = text;
  Adding adding(context, rows);
  ContainerRead read;
  while (!rest.empty()) {
    auto line = cut(rest, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    Bucket bucket;
    const bool whole = read_line(line, context, bucket);
    ++(whole ? read.accepted : read.invalid);
    if (whole) adding.add(bucket);
  }
  return read;
}

ContainerRead read_bucket_facts(JsonElement payload, const FactContext& context, facts::FactRows& rows) {
  JsonArray buckets;
  if (payload.get(buckets) != simdjson::SUCCESS) return {0, 1};
  Adding adding(context, rows);
  ContainerRead read;
  for (const auto entry : buckets) {
    JsonObject object;
    Bucket bucket;
    const bool whole = entry.get(object) == simdjson::SUCCESS && read_object(object, context, bucket);
    ++(whole ? read.accepted : read.invalid);
    if (whole) adding.add(bucket);
  }
  return read;
}

}  // namespace picket::digest

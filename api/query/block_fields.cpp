#include "api/query/block_fields.h"

#include "api/digest/fact_values.h"
#include "api/query/issue_names.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace picket::query {
namespace {

using facts::Dataset;
using facts::ValueType;
using Kind = FactValue::Kind;

struct Alias {
  std::string_view name;
  std::string_view column;
};
// Names that clients use for what is stored under another one; tried before the name itself.
constexpr std::array<Alias, 30> aliases = {{
    {"span_id", "id"},
    {"trace_id", "trace"},
    {"parent_span_id", "parent_span"},
    {"description", "span.description"},
    {"op", "span.op"},
    {"status", "span.status"},
    {"duration", "span.duration"},
    {"self_time", "span.self_time"},
    {"exclusive_time", "span.self_time"},
    {"span.exclusive_time", "span.self_time"},
    {"is_segment", "is_transaction"},
    {"segment.name", "transaction"},
    {"segment_id", "transaction.span_id"},
    {"segment.id", "transaction.span_id"},
    {"profile_id", "profile.id"},
    {"replayId", "replay.id"},
    {"replay_id", "replay.id"},
    {"event_id", "id"},
    {"platform.name", "platform"},
    {"log.body", "message"},
    {"body", "message"},
    {"level", "severity"},
    {"severity_text", "severity"},
    {"name", "metric.name"},
    {"metric.value", "value"},
    {"type", "event.type"},
    {"span.domain", "sentry.domain"},
    {"geo.country_code", "user.geo.country_code"},
    {"handled", "error.handled"},
    {"span.category", "span.category"},
}};

std::string render_date(std::int64_t time_ns) {
  auto text = relay::render_timestamp(time_ns / 1'000'000);  // …Z
  const auto dot = text.find('.');
  if (dot != std::string::npos) text.resize(dot);
  if (!text.empty() && text.back() == 'Z') text.pop_back();
  return text + "+00:00";
}

FactValue text_value(std::string_view text) {
  return {.kind = Kind::text, .integer = 0, .number = 0, .text = text};
}
FactValue integer_value(std::int64_t integer) {
  return {.kind = Kind::integer, .integer = integer, .number = 0, .text = {}};
}
FactValue number_value(double number) {
  return {.kind = Kind::number, .integer = 0, .number = number, .text = {}};
}

std::int64_t number_at(const facts::ColumnValues* column, std::size_t row) {
  return column != nullptr && row < column->integers.size() ? column->integers[row] : 0;
}

}  // namespace

std::optional<double> FactValue::as_number() const {
  if (kind == Kind::number) return number;
  if (kind == Kind::integer || kind == Kind::boolean) return static_cast<double>(integer);
  if (kind != Kind::text || text.empty()) return std::nullopt;
  double read = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), read);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return read;
}

std::string FactValue::as_text() const {
  switch (kind) {
    case Kind::none: return {};
    case Kind::text:
    case Kind::array: return std::string(text);
    case Kind::integer: return std::to_string(integer);
    case Kind::boolean: return integer != 0 ? "true" : "false";
    case Kind::number: {
      std::array<char, 64> room;
      const auto end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
      return {room.data(), end};
    }
  }
  std::abort();
}

const IssueNames::Name& IssueNames::find(std::uint64_t issue) {
  if (const auto found = known_.find(issue); found != known_.end()) return found->second;
  Name name;
  if (const auto id = issue == 0 ? std::nullopt : resolve_issue(reader_, issue)) {
    const auto row =
        buffer::find_row<schema::Issue>(reader_, buffer::Table::issues, buffer::Key().u64(*id));
    const auto project = row ? buffer::find_row<schema::Project>(reader_, buffer::Table::projects,
                                                                 buffer::Key().u64(row->project()))
                             : std::nullopt;
    if (row && project) {
      name.id = *id;
      name.short_id = render_short_id(project->slug(), row->short_number());
    }
  }
  return known_.emplace(issue, std::move(name)).first->second;
}

bool IssueNames::has_frame(std::uint64_t issue, const Pattern& pattern) {
  auto& known = frames_[&pattern];
  if (const auto found = known.find(issue); found != known.end()) return found->second;
  const auto id = find(issue).id;
  const auto texts = id == 0 ? std::nullopt
                             : buffer::find_row<schema::IssueTexts>(reader_, buffer::Table::issue_texts, buffer::Key().u64(id));
  return known.emplace(issue, texts && pattern.found_in_lower(texts->frames())).first->second;
}

std::vector<std::string_view> columns_of_field(Dataset dataset, std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& alias : aliases) {
    if (alias.name != name) continue;
    if (name == "span_id" && dataset != Dataset::spans) continue;
    if (name == "level" && dataset != Dataset::logs) continue;
    if (name == "event_id" && dataset == Dataset::spans) continue;
    if (name == "name" && dataset != Dataset::metrics) continue;
    if (name == "type" && dataset == Dataset::metrics) continue;
    if (alias.column != name) names.push_back(alias.column);
  }
  if (name == "name" && dataset == Dataset::spans) names.push_back("span.name");
  if (name == "type" && dataset == Dataset::metrics) names.push_back("metric.type");
  if (name == "unit" && dataset == Dataset::metrics) names.push_back("metric.unit");
  if (name == "span.name") names = {"span.name", "span.op"};
  if (dataset == Dataset::transactions && name == "trace.span") names = {"trace.span"};
  // An attribute is also found by the name that the SDK gave it.
  if (const auto shown = digest::public_name(name); shown != name) names.push_back(shown);
  names.push_back(name);
  return names;
}

std::string render_item_id(Dataset dataset, const facts::Place& place) {
  buffer::Key key;
  key.u8(static_cast<std::uint8_t>(dataset)).u8(0).u64(place.sequence).u16(place.item).u32(place.index);
  return relay::render_hex(key.view());
}

std::optional<ItemId> parse_item_id(std::string_view text) {
  const auto id = text.size() == 32 ? relay::parse_event_id(text) : Result<relay::EventId>(Error{});
  if (!id) return std::nullopt;
  buffer::KeyReader key(relay::raw_bytes(*id));
  const auto dataset = key.u8();
  if (dataset < 1 || dataset > 5 || key.u8() != 0) return std::nullopt;
  ItemId item;
  item.dataset = static_cast<Dataset>(dataset);
  item.place.sequence = key.u64();
  item.place.item = key.u16();
  item.place.index = key.u32();
  return item;
}

bool BlockFields::take(std::size_t bytes) {
  if (budget_ == nullptr) return true;
  taken_ += bytes;
  return budget_->take(bytes);
}

const facts::ColumnValues* BlockFields::column(std::string_view name, ValueType type) {
  const auto key = std::pair(std::string(name), type);
  if (const auto found = columns_.find(key); found != columns_.end()) return &found->second;
  const auto* summary = block_.find(name, type);
  if (summary == nullptr) return nullptr;
  if (!take(summary->raw_bytes + summary->present * sizeof(std::string))) return nullptr;
  auto values = block_.read(*summary);
  if (!values) return nullptr;
  if (type == ValueType::id) {
    for (auto& text : values->texts) text = relay::render_hex(text);
  }
  return &columns_.emplace(key, *std::move(values)).first->second;
}

void BlockFields::fill_column(std::string_view name, FieldType type, std::vector<FactValue>& values) {
  const auto wanted = [&](FieldType one) { return type == FieldType::any || type == one; };
  const auto fill = [&](ValueType stored) {
    const auto* column = this->column(name, stored);
    if (column == nullptr) return;
    for (std::size_t row = 0; row < values.size(); ++row) {
      const auto at = column->at(row);
      if (!at || values[row].there()) continue;
      switch (stored) {
        case ValueType::text:
        case ValueType::id: values[row] = text_value(column->text(*at)); break;
        case ValueType::array:
          values[row] = text_value(column->text(*at));
          values[row].kind = Kind::array;
          break;
        case ValueType::integer: values[row] = integer_value(column->integers[*at]); break;
        case ValueType::number: values[row] = number_value(column->numbers[*at]); break;
        case ValueType::boolean:
          values[row] = integer_value(column->integers[*at]);
          values[row].kind = Kind::boolean;
          break;
      }
    }
  };
  if (wanted(FieldType::text)) {
    fill(ValueType::text);
    fill(ValueType::id);
  }
  if (wanted(FieldType::number)) {
    fill(ValueType::number);
    fill(ValueType::integer);
  }
  if (wanted(FieldType::boolean)) fill(ValueType::boolean);
  if (wanted(FieldType::array)) fill(ValueType::array);
}

bool BlockFields::fill_special(const FieldExpression& field, std::vector<FactValue>& values) {
  const auto& name = field.name;
  const auto each = [&](auto value_of) {
    for (std::size_t row = 0; row < values.size(); ++row) values[row] = value_of(row);
    return true;
  };
  if (field.explicit_tag) return false;
  if (name == "timestamp" || name == "sentry.timestamp" || name == "time")
    return each([&](std::size_t row) { return text_value(keep(render_date(time_ns(row)))); });
  if (name == "timestamp_precise" || name == "sentry.timestamp_precise")
    return each([&](std::size_t row) { return integer_value(time_ns(row)); });
  if (name == "observed_timestamp" || name == "precise.start_ts")
    return each([&](std::size_t row) { return number_value(static_cast<double>(time_ns(row) / 1000) / 1e6); });
  if (name == "precise.finish_ts") {
    std::vector<FactValue> durations(values.size());
    fill_column("span.duration", FieldType::number, durations);
    return each([&](std::size_t row) {
      const auto start = static_cast<double>(time_ns(row) / 1000) / 1e6;
      return number_value(start + durations[row].as_number().value_or(0) / 1000.0);
    });
  }
  if (name == "project" || name == "project.name" || name == "sentry.project")
    return each([&](std::size_t) { return text_value(project_.slug); });
  if (name == "project.id" || name == "project_id" || name == "sentry.project_id")
    return each([&](std::size_t) { return integer_value(static_cast<std::int64_t>(project_.id)); });
  if (name == "sentry.item_id" || (name == "id" && dataset_ != Dataset::spans && dataset_ != Dataset::errors &&
                                   dataset_ != Dataset::transactions))
    return each([&](std::size_t row) { return text_value(keep(render_item_id(dataset_, place(row)))); });
  if (name == "issue" || name == "issue.id" || name == "issue_id") {
    const auto* column = this->column("issue.id", ValueType::integer);
    return each([&](std::size_t row) {
      const auto at = column ? column->at(row) : std::nullopt;
      if (!at) return FactValue{};
      const auto& found = issues_.find(static_cast<std::uint64_t>(column->integers[*at]));
      if (found.id == 0) return FactValue{};
      if (name == "issue") return text_value(found.short_id);
      return integer_value(static_cast<std::int64_t>(found.id));
    });
  }
  if (name == "event.type" && dataset_ == Dataset::transactions)
    return each([&](std::size_t) { return text_value("transaction"); });
  return false;
}

const std::vector<FactValue>& BlockFields::values(const FieldExpression& field) {
  if (const auto found = loaded_.find(field.text); found != loaded_.end()) return found->second;
  std::vector<FactValue> values(block_.rows());
  take(values.size() * sizeof(FactValue));
  if (!fill_special(field, values)) {
    if (field.explicit_tag) fill_column(field.name, field.type, values);
    for (const auto name : columns_of_field(dataset_, field.name)) fill_column(name, field.type, values);
  }
  return loaded_.emplace(field.text, std::move(values)).first->second;
}

bool BlockFields::has(const FieldExpression& field) const {
  const auto names = columns_of_field(dataset_, field.name);
  return std::ranges::any_of(block_.columns(), [&](const facts::ColumnSummary& column) {
    return std::ranges::find(names, column.name) != names.end();
  });
}

bool BlockFields::issue_has_frame(std::size_t row, const Pattern& pattern) {
  const auto* column = this->column("issue.id", ValueType::integer);
  const auto at = column ? column->at(row) : std::nullopt;
  return at && issues_.has_frame(static_cast<std::uint64_t>(column->integers[*at]), pattern);
}

std::int64_t BlockFields::time_ns(std::size_t row) {
  if (fixed_[0] == nullptr) fixed_[0] = column("@time", ValueType::integer);
  return number_at(fixed_[0], row);
}

facts::Place BlockFields::place(std::size_t row) {
  if (fixed_[1] == nullptr) {
    fixed_[1] = column("@sequence", ValueType::integer);
    fixed_[2] = column("@item", ValueType::integer);
    fixed_[3] = column("@index", ValueType::integer);
  }
  return {static_cast<std::uint64_t>(number_at(fixed_[1], row)),
          static_cast<std::uint16_t>(number_at(fixed_[2], row)),
          static_cast<std::uint32_t>(number_at(fixed_[3], row))};
}

}  // namespace picket::query

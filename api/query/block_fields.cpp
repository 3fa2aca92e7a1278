#include "api/query/block_fields.h"

#include "api/digest/fact_values.h"
#include "api/query/issue_names.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

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

constexpr double no_number_there = std::numeric_limits<double>::quiet_NaN();

// Fields that are no columns.
enum class Special : std::uint8_t {
  none,
  date,
  time_ns,
  time_s,
  finish,
  project,
  project_id,
  item_id,
  issue,
  issue_id,
  transaction_type,
};

Special special_of(Dataset dataset, const FieldExpression& field) {
  if (field.explicit_tag) return Special::none;
  const std::string_view name = field.name;
  if (name == "timestamp" || name == "sentry.timestamp" || name == "time") return Special::date;
  if (name == "timestamp_precise" || name == "sentry.timestamp_precise") return Special::time_ns;
  if (name == "observed_timestamp" || name == "precise.start_ts") return Special::time_s;
  if (name == "precise.finish_ts") return Special::finish;
  if (name == "project" || name == "project.name" || name == "sentry.project") return Special::project;
  if (name == "project.id" || name == "project_id" || name == "sentry.project_id") return Special::project_id;
  const bool ids_are_columns = dataset == Dataset::spans || dataset == Dataset::errors || dataset == Dataset::transactions;
  if (name == "sentry.item_id" || (name == "id" && !ids_are_columns)) return Special::item_id;
  if (name == "issue") return Special::issue;
  if (name == "issue.id" || name == "issue_id") return Special::issue_id;
  if (name == "event.type" && dataset == Dataset::transactions) return Special::transaction_type;
  return Special::none;
}

// Whether values of a stored type are what a field of this type asks for.
bool holds(ValueType stored, FieldType wanted) {
  switch (wanted) {
    case FieldType::any: return true;
    case FieldType::text: return stored == ValueType::text || stored == ValueType::id;
    case FieldType::number: return stored == ValueType::number || stored == ValueType::integer;
    case FieldType::boolean: return stored == ValueType::boolean;
    case FieldType::array: return stored == ValueType::array;
  }
  std::abort();
}

// What is measured is a number, whatever else an SDK has under the same name: that is found as tags[…].
FieldType type_of(Dataset dataset, const FieldExpression& field) {
  struct Measure {
    Dataset dataset;
    std::string_view name;
  };
  constexpr std::array<Measure, 6> measures = {{{Dataset::metrics, "value"},
                                                {Dataset::metrics, "metric.value"},
                                                {Dataset::spans, "span.duration"},
                                                {Dataset::spans, "span.self_time"},
                                                {Dataset::transactions, "transaction.duration"},
                                                {Dataset::transactions, "span.duration"}}};
  if (field.explicit_tag || field.type != FieldType::any) return field.type;
  const bool measured = std::ranges::any_of(measures, [&](const Measure& measure) { return measure.dataset == dataset && measure.name == field.name; });
  return measured ? FieldType::number : FieldType::any;
}

std::int64_t number_at(const facts::ColumnValues* column, std::size_t row) {
  return column != nullptr && row < column->integers.size() ? column->integers[row] : 0;
}

}  // namespace

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

bool IssueNames::frames_pass(std::uint64_t issue, const FrameTest& test) {
  auto& known = frames_[&test];
  if (const auto found = known.find(issue); found != known.end()) return found->second;
  const auto id = find(issue).id;
  const auto texts = id == 0 ? std::nullopt
                             : buffer::find_row<schema::IssueTexts>(reader_, buffer::Table::issue_texts, buffer::Key().u64(id));
  return known.emplace(issue, test(texts ? std::string_view(texts->frames()) : std::string_view())).first->second;
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
    for (auto& text : values->texts) text = keep(relay::render_hex(text));
  }
  return &columns_.emplace(key, *std::move(values)).first->second;
}

void BlockFields::fill_column(std::string_view name, FieldType type, std::vector<FactValue>& values) {
  const auto fill = [&](ValueType stored) {
    const auto* column = holds(stored, type) ? this->column(name, stored) : nullptr;
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
  for (const auto stored : {ValueType::text, ValueType::id, ValueType::number, ValueType::integer, ValueType::boolean, ValueType::array})
    fill(stored);
}

bool BlockFields::fill_special(const FieldExpression& field, std::vector<FactValue>& values) {
  const auto each = [&](auto value_of) {
    for (std::size_t row = 0; row < values.size(); ++row) values[row] = value_of(row);
  };
  switch (special_of(dataset_, field)) {
    case Special::none: return false;
    case Special::date: each([&](std::size_t row) { return text_value(keep(render_date(time_ns(row)))); }); break;
    case Special::time_ns: each([&](std::size_t row) { return integer_value(time_ns(row)); }); break;
    case Special::time_s:
      each([&](std::size_t row) { return number_value(static_cast<double>(time_ns(row) / 1000) / 1e6); });
      break;
    case Special::finish: {
      std::vector<FactValue> durations(values.size());
      fill_column("span.duration", FieldType::number, durations);
      each([&](std::size_t row) {
        const auto start = static_cast<double>(time_ns(row) / 1000) / 1e6;
        return number_value(start + durations[row].as_number().value_or(0) / 1000.0);
      });
      break;
    }
    case Special::project: each([&](std::size_t) { return text_value(project_.slug); }); break;
    case Special::project_id:
      each([&](std::size_t) { return integer_value(static_cast<std::int64_t>(project_.id)); });
      break;
    case Special::item_id: each([&](std::size_t row) { return text_value(keep(render_item_id(dataset_, place(row)))); }); break;
    case Special::issue:
    case Special::issue_id: {
      const auto* column = this->column("issue.id", ValueType::integer);
      each([&](std::size_t row) {
        const auto at = column ? column->at(row) : std::nullopt;
        if (!at) return FactValue{};
        const auto& found = issues_.find(static_cast<std::uint64_t>(column->integers[*at]));
        if (found.id == 0) return FactValue{};
        if (field.name == "issue") return text_value(found.short_id);
        return integer_value(static_cast<std::int64_t>(found.id));
      });
      break;
    }
    case Special::transaction_type: each([&](std::size_t) { return text_value("transaction"); }); break;
  }
  return true;
}

BlockFields::Sources BlockFields::sources_of(const FieldExpression& field) const {
  auto names = columns_of_field(dataset_, field.name);
  if (field.explicit_tag) names.push_back(field.name);
  Sources sources;
  const auto type = type_of(dataset_, field);
  for (const auto& column : block_.columns()) {
    if (!holds(column.type, type) || std::ranges::find(names, column.name) == names.end()) continue;
    ++sources.count;
    sources.only = &column;
  }
  return sources;
}

const CodedField* BlockFields::dictionary(const FieldExpression& field) {
  if (const auto found = dictionaries_.find(field.text); found != dictionaries_.end())
    return found->second ? &*found->second : nullptr;
  auto& made = dictionaries_[field.text];
  const auto sources = special_of(dataset_, field) == Special::none ? sources_of(field) : Sources{2, nullptr};
  if (sources.count > 1 || (sources.count == 1 && !facts::is_bytes(sources.only->type))) return nullptr;
  const auto* column = sources.count == 1 ? this->column(sources.only->name, sources.only->type) : nullptr;
  const auto texts = column == nullptr ? 0 : column->texts.size();
  if (!take(rows() * sizeof(std::uint32_t) + texts * sizeof(FactValue))) column = nullptr;
  made.emplace();
  made->values.reserve(texts + 1);
  for (std::size_t code = 0; column != nullptr && code < texts; ++code) {
    made->values.push_back(text_value(column->texts[code]));
    if (column->type == ValueType::array) made->values.back().kind = Kind::array;
  }
  if (column != nullptr && column->positions.empty()) {
    made->codes = column->codes;
    return &*made;
  }
  made->own_codes.resize(rows(), static_cast<std::uint32_t>(made->values.size()));
  made->values.emplace_back();  // of rows without one
  for (std::size_t row = 0; column != nullptr && row < rows(); ++row) {
    if (const auto at = column->at(row)) made->own_codes[row] = column->codes[*at];
  }
  made->codes = made->own_codes;
  return &*made;
}

// Equal arrays may get several codes.
CodedField BlockFields::code_values(const std::vector<FactValue>& values) {
  CodedField made;
  made.own_codes.resize(values.size());
  made.codes = made.own_codes;
  std::unordered_map<std::string_view, std::uint32_t> texts;
  std::unordered_map<std::uint64_t, std::uint32_t> integers;
  std::unordered_map<std::uint64_t, std::uint32_t> numbers;
  std::array<std::optional<std::uint32_t>, 3> few;  // none, false, true
  for (std::size_t row = 0; row < values.size(); ++row) {
    const auto& value = values[row];
    const auto next = static_cast<std::uint32_t>(made.values.size());
    auto code = next;
    switch (value.kind) {
      case Kind::none:
      case Kind::boolean: {
        auto& same = few[!value.there() ? 0 : value.integer != 0 ? 2 : 1];
        code = same.value_or(next);
        same = code;
        break;
      }
      case Kind::text: code = texts.try_emplace(value.text, next).first->second; break;
      case Kind::integer: code = integers.try_emplace(static_cast<std::uint64_t>(value.integer), next).first->second; break;
      case Kind::number: code = numbers.try_emplace(std::bit_cast<std::uint64_t>(value.number), next).first->second; break;
      case Kind::array: break;
    }
    if (code == next) made.values.push_back(value);
    made.own_codes[row] = code;
  }
  take(made.codes.size() * sizeof(std::uint32_t) + made.values.size() * sizeof(FactValue));
  return made;
}

const CodedField& BlockFields::coded(const FieldExpression& field) {
  if (const auto* simple = dictionary(field)) return *simple;
  const auto found = coded_.find(field.text);
  return found != coded_.end() ? found->second : coded_.emplace(field.text, code_values(values(field))).first->second;
}

std::vector<double> BlockFields::numbers_of(const facts::ColumnValues& column) {
  std::vector<double> read;
  switch (column.type) {
    case ValueType::number: read = column.numbers; break;
    case ValueType::integer:
    case ValueType::boolean: read.assign(column.integers.begin(), column.integers.end()); break;
    case ValueType::text:
    case ValueType::id: {
      std::vector<double> by_code;
      for (const auto text : column.texts) by_code.push_back(text_value(text).as_number().value_or(no_number_there));
      for (const auto code : column.codes) read.push_back(by_code[code]);
      break;
    }
    case ValueType::array: read.assign(column.codes.size(), no_number_there); break;
  }
  if (column.positions.empty()) return read;
  std::vector<double> by_row(rows(), no_number_there);
  for (std::size_t row = 0; row < by_row.size(); ++row) {
    if (const auto at = column.at(row)) by_row[row] = read[*at];
  }
  return by_row;
}

std::span<const double> BlockFields::numbers(const FieldExpression& field) {
  if (const auto found = numbers_.find(field.text); found != numbers_.end()) return found->second;
  const auto sources = special_of(dataset_, field) == Special::none ? sources_of(field) : Sources{2, nullptr};
  std::vector<double> made;
  if (sources.count == 1) {
    const auto* column = this->column(sources.only->name, sources.only->type);
    if (column != nullptr && column->type == ValueType::number && column->positions.empty()) return column->numbers;
    if (column != nullptr) made = numbers_of(*column);
  } else if (sources.count > 1) {
    for (const auto& value : values(field)) made.push_back(value.as_number().value_or(no_number_there));
  }
  made.resize(rows(), no_number_there);
  take(made.size() * sizeof(double));
  return numbers_.emplace(field.text, std::move(made)).first->second;
}

// Of a field that the block has hashes of; the order of the attempts is that of the blocks' age.
std::vector<std::int64_t> BlockFields::stored_hashes() {
  if (const auto* packed = column(facts::hash_column, ValueType::array); packed != nullptr && packed->texts.size() == 1)
    return facts::unpack_hashes(packed->texts.front(), rows());
  const auto* integers = column(facts::hash_column, ValueType::integer);
  if (integers == nullptr) return {};
  std::vector<std::int64_t> made(rows(), facts::no_hash);
  for (std::size_t row = 0; row < made.size(); ++row) {
    if (const auto at = integers->at(row)) made[row] = integers->integers[*at];
  }
  return made;
}

std::span<const std::int64_t> BlockFields::hashes(const FieldExpression& field) {
  if (const auto found = hashes_.find(field.text); found != hashes_.end()) return found->second;
  const auto sources = special_of(dataset_, field) == Special::none ? sources_of(field) : Sources{2, nullptr};
  const bool is_hashed = sources.count == 1 && sources.only->name == facts::hashed_column && sources.only->type == ValueType::text;
  auto made = is_hashed ? stored_hashes() : std::vector<std::int64_t>();
  if (made.empty()) {
    const auto& shared = coded(field);
    std::vector<std::int64_t> by_code;
    by_code.reserve(shared.values.size());
    for (const auto& value : shared.values) {
      const bool is_text = value.kind == Kind::text || value.kind == Kind::array;
      by_code.push_back(!value.there() ? facts::no_hash
                                       : is_text ? facts::distinct_hash(value.text) : facts::distinct_hash(value.as_text()));
    }
    made.reserve(rows());
    for (const auto code : shared.codes) made.push_back(by_code[code]);
  }
  take(made.size() * sizeof(std::int64_t));
  return hashes_.emplace(field.text, std::move(made)).first->second;
}

const std::vector<FactValue>& BlockFields::values(const FieldExpression& field) {
  if (const auto found = loaded_.find(field.text); found != loaded_.end()) return found->second;
  std::vector<FactValue> values(block_.rows());
  take(values.size() * sizeof(FactValue));
  if (!fill_special(field, values)) {
    if (field.explicit_tag) fill_column(field.name, field.type, values);
    const auto type = type_of(dataset_, field);
    for (const auto name : columns_of_field(dataset_, field.name)) fill_column(name, type, values);
  }
  return loaded_.emplace(field.text, std::move(values)).first->second;
}

bool BlockFields::has(const FieldExpression& field) const {
  const auto names = columns_of_field(dataset_, field.name);
  return std::ranges::any_of(block_.columns(), [&](const facts::ColumnSummary& column) {
    return std::ranges::find(names, column.name) != names.end();
  });
}

bool BlockFields::frames_pass(std::size_t row, const FrameTest& test) {
  const auto* column = this->column("issue.id", ValueType::integer);
  const auto at = column ? column->at(row) : std::nullopt;
  return issues_.frames_pass(at ? static_cast<std::uint64_t>(column->integers[*at]) : 0, test);
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

#include "api/query/block_fields.h"

#include "api/query/fact_fields.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <unordered_map>

namespace picket::query {
namespace {

using facts::Dataset;
using facts::ValueType;
using Kind = FactValue::Kind;

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

std::int64_t number_at(const facts::ColumnValues* column, std::size_t row) {
  return column != nullptr && row < column->integers.size() ? column->integers[row] : 0;
}

}  // namespace

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
    case SpecialField::none: return false;
    case SpecialField::date: each([&](std::size_t row) { return text_value(keep(render_date(time_ns(row)))); }); break;
    case SpecialField::time_ns: each([&](std::size_t row) { return integer_value(time_ns(row)); }); break;
    case SpecialField::time_s:
      each([&](std::size_t row) { return number_value(static_cast<double>(time_ns(row) / 1000) / 1e6); });
      break;
    case SpecialField::finish: {
      std::vector<FactValue> durations(values.size());
      fill_column("span.duration", FieldType::number, durations);
      each([&](std::size_t row) {
        const auto start = static_cast<double>(time_ns(row) / 1000) / 1e6;
        return number_value(start + durations[row].as_number().value_or(0) / 1000.0);
      });
      break;
    }
    case SpecialField::project: each([&](std::size_t) { return text_value(project_.slug); }); break;
    case SpecialField::project_id:
      each([&](std::size_t) { return integer_value(static_cast<std::int64_t>(project_.id)); });
      break;
    case SpecialField::item_id: each([&](std::size_t row) { return text_value(keep(render_item_id(dataset_, place(row)))); }); break;
    case SpecialField::issue:
    case SpecialField::issue_id: {
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
    case SpecialField::transaction_type: each([&](std::size_t) { return text_value("transaction"); }); break;
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
  const auto sources = special_of(dataset_, field) == SpecialField::none ? sources_of(field) : Sources{2, nullptr};
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
  const auto sources = special_of(dataset_, field) == SpecialField::none ? sources_of(field) : Sources{2, nullptr};
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
  const auto sources = special_of(dataset_, field) == SpecialField::none ? sources_of(field) : Sources{2, nullptr};
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

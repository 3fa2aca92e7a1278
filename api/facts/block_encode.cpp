#include "api/facts/block.h"
#include "api/facts/bloom.h"
#include "buffer/byte_stream.h"
#include "relay/protocol/content_encoding.h"

#include <algorithm>
#include <cmath>

namespace picket::facts {
namespace {

using buffer::ByteWriter;
using buffer::zigzag;

constexpr std::size_t summary_text_bytes = 32;
constexpr std::size_t least_compressed_bytes = 64;

struct Gathered {
  std::string_view name;
  ValueType type = ValueType::integer;
  std::vector<std::uint32_t> rows;   // ascending
  std::vector<std::uint64_t> values;  // bits
};

std::int64_t as_integer(std::uint64_t bits) {
  return static_cast<std::int64_t>(bits);
}

void put_integers(const Gathered& column, ByteWriter& header, ByteWriter& values) {
  std::int64_t least = as_integer(column.values.front());
  std::int64_t greatest = least;
  std::uint64_t before = 0;
  for (const auto bits : column.values) {
    least = std::min(least, as_integer(bits));
    greatest = std::max(greatest, as_integer(bits));
    values.varint(zigzag(as_integer(bits - before)));  // wraps around, and back when read
    before = bits;
  }
  header.varint(0);
  header.varint(zigzag(least));
  header.varint(zigzag(greatest));
}

void put_booleans(const Gathered& column, ByteWriter& header, ByteWriter& values) {
  std::string bits((column.values.size() + 7) / 8, '\0');
  std::size_t set = 0;
  for (std::size_t i = 0; i < column.values.size(); ++i) {
    if (column.values[i] == 0) continue;
    bits[i / 8] = static_cast<char>(static_cast<unsigned char>(bits[i / 8]) | (1U << (i % 8)));
    ++set;
  }
  values.raw(bits);
  header.varint(0);
  header.varint(zigzag(set == column.values.size() ? 1 : 0));
  header.varint(zigzag(set == 0 ? 0 : 1));
}

// The power of ten that makes all of them whole numbers that read back as they were.
std::optional<int> scale_of(const std::vector<std::uint64_t>& values) {
  for (const int digits : {0, 3, 6}) {
    const double factor = std::pow(10.0, digits);
    const bool whole = std::ranges::all_of(values, [&](std::uint64_t bits) {
      const auto value = std::bit_cast<double>(bits);
      if (std::abs(value) * factor > 9e15 || (value == 0 && std::signbit(value))) return false;
      return static_cast<double>(std::llround(value * factor)) / factor == value;
    });
    if (whole) return digits;
  }
  return std::nullopt;
}

void put_numbers(const Gathered& column, ByteWriter& header, ByteWriter& values) {
  double least = std::bit_cast<double>(column.values.front());
  double greatest = least;
  const auto scale = scale_of(column.values);
  const double factor = scale ? std::pow(10.0, *scale) : 1.0;
  values.u8(scale ? static_cast<std::uint8_t>(*scale + 1) : std::uint8_t{0});
  for (const auto bits : column.values) {
    const auto value = std::bit_cast<double>(bits);
    least = std::min(least, value);
    greatest = std::max(greatest, value);
    if (scale) {
      values.varint(zigzag(std::llround(value * factor)));
    } else {
      values.fixed(bits);
    }
  }
  header.varint(0);
  header.fixed(std::bit_cast<std::uint64_t>(least));
  header.fixed(std::bit_cast<std::uint64_t>(greatest));
}

// The codes that a column gives to texts, by the texts' numbers; none of them between two columns.
using Codes = std::vector<std::uint32_t>;
constexpr std::uint32_t no_code = ~std::uint32_t{0};

void put_bytes(const FactRows& rows, const Gathered& column, Codes& codes, ByteWriter& header, ByteWriter& values) {
  std::vector<std::string_view> distinct;
  std::vector<std::uint32_t> coded;
  coded.reserve(column.values.size());
  for (const auto number : column.values) {
    auto& code = codes[number];
    if (code == no_code) {
      code = static_cast<std::uint32_t>(distinct.size());
      distinct.push_back(rows.text_of(number));
    }
    coded.push_back(code);
  }
  for (const auto number : column.values)
    codes[number] = no_code;
  const bool in_order = distinct.size() == coded.size();
  values.u8(in_order ? 1 : 0);
  for (const auto text : distinct) values.varint(text.size());
  for (const auto text : distinct) values.raw(text);
  if (!in_order && distinct.size() > 1) {
    for (const auto code : coded) values.varint(code);
  }
  header.varint(distinct.size());
  if (column.type == ValueType::id) {
    auto bloom = Bloom::empty_for(distinct.size());
    for (const auto text : distinct) Bloom::add(bloom, text);
    return header.text(bloom);
  }
  const auto [least, greatest] = std::ranges::minmax_element(distinct);
  header.text(least->substr(0, summary_text_bytes));
  header.text(greatest->substr(0, summary_text_bytes));
}

std::string presence_of(const Gathered& column, std::size_t rows) {
  std::string bits((rows + 7) / 8, '\0');
  for (const auto row : column.rows)
    bits[row / 8] = static_cast<char>(static_cast<unsigned char>(bits[row / 8]) | (1U << (row % 8)));
  return bits;
}

void put_column(const FactRows& rows,
                const Gathered& column,
                std::size_t count,
                Codes& codes,
                ByteWriter& header,
                std::string& body) {
  header.u8(static_cast<std::uint8_t>(column.type));
  header.text(column.name);
  header.varint(column.rows.size());
  ByteWriter values;
  if (column.rows.size() < count) values.raw(presence_of(column, count));
  switch (column.type) {
    case ValueType::integer: put_integers(column, header, values); break;
    case ValueType::boolean: put_booleans(column, header, values); break;
    case ValueType::number: put_numbers(column, header, values); break;
    case ValueType::text:
    case ValueType::id:
    case ValueType::array: put_bytes(rows, column, codes, header, values); break;
  }
  const auto& raw = values.bytes();
  std::string packed;
  if (raw.size() >= least_compressed_bytes) packed = relay::encode_zstd(raw, 1);
  const bool smaller = !packed.empty() && packed.size() < raw.size();
  header.u8(smaller ? 1 : 0);
  header.varint(raw.size());
  header.varint(smaller ? packed.size() : raw.size());
  body += smaller ? packed : raw;
}

void add_hashes(const FactRows& rows, Dataset dataset, std::vector<Gathered>& columns) {
  if (dataset != Dataset::errors && dataset != Dataset::transactions) return;
  const auto hashed = std::ranges::find_if(columns, [](const Gathered& column) {
    return column.type == ValueType::text && column.name == hashed_column;
  });
  if (hashed == columns.end()) return;
  Gathered hashes{hash_column, ValueType::integer, hashed->rows, {}};
  hashes.values.reserve(hashed->values.size());
  for (const auto number : hashed->values) hashes.values.push_back(static_cast<std::uint64_t>(distinct_hash(rows.text_of(number))));
  columns.push_back(std::move(hashes));
}

}  // namespace

std::uint64_t settled_bits(const FactRows& rows,
                           const FactRows::Row& row,
                           const FactRows::Cell& cell,
                           std::span<const std::uint64_t> issues) {
  if (row.event == no_event || row.event >= issues.size()) return cell.bits;
  const auto& column = rows.columns()[cell.column];
  const bool deferred = column.type == ValueType::integer && column.name == issue_column;
  return deferred ? issues[row.event] : cell.bits;
}

std::string encode_block(const FactRows& rows,
                         std::span<const std::uint32_t> chosen,
                         std::span<const std::uint64_t> issues) {
  std::vector<Gathered> columns(4);
  columns[0].name = "@sequence";
  columns[1].name = "@item";
  columns[2].name = "@index";
  columns[3].name = "@time";
  std::vector<std::uint32_t> local(rows.columns().size(), ~std::uint32_t{0});
  for (std::uint32_t at = 0; at < chosen.size(); ++at) {
    const auto& row = rows.row(chosen[at]);
    const std::uint64_t fixed[4] = {row.place.sequence, row.place.item, row.place.index,
                                    static_cast<std::uint64_t>(row.time_ns)};
    for (std::size_t i = 0; i < 4; ++i) {
      columns[i].rows.push_back(at);
      columns[i].values.push_back(fixed[i]);
    }
    const auto* cells = rows.cells(row);
    for (std::uint32_t i = 0; i < row.cells; ++i) {
      auto& number = local[cells[i].column];
      if (number == ~std::uint32_t{0}) {
        number = static_cast<std::uint32_t>(columns.size());
        const auto& column = rows.columns()[cells[i].column];
        columns.push_back({column.name, column.type, {}, {}});
      }
      auto& column = columns[number];
      column.rows.push_back(at);
      column.values.push_back(settled_bits(rows, row, cells[i], issues));
    }
  }
  if (!chosen.empty()) add_hashes(rows, rows.row(chosen.front()).dataset, columns);
  ByteWriter header;
  std::string body;
  header.u8(1);
  header.varint(chosen.size());
  header.varint(chosen.empty() ? 0 : columns.size());
  if (!chosen.empty()) {
    Codes codes(rows.texts(), no_code);
    for (const auto& column : columns) put_column(rows, column, chosen.size(), codes, header, body);
  }
  auto block = header.take();
  block += body;
  return block;
}

}  // namespace picket::facts

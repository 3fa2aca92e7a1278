#include "api/facts/block.h"
#include "buffer/byte_stream.h"
#include "relay/protocol/content_encoding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>

namespace picket::facts {
namespace {

using buffer::ByteReader;
using buffer::unzigzag;

constexpr std::uint64_t most_rows = std::uint64_t{1} << 16;
constexpr std::uint64_t most_columns = std::uint64_t{1} << 12;
constexpr std::uint64_t most_column_bytes = std::uint64_t{256} << 20;

Error corrupt(const char* what) {
  return Error{Fault::corrupt, std::string("facts block: ") + what};
}

bool known(std::uint8_t type) {
  return type >= 1 && type <= 6;
}

void read_summary(ByteReader& reader, ColumnSummary& column) {
  column.distinct = reader.varint();
  switch (column.type) {
    case ValueType::integer:
    case ValueType::boolean:
      column.least = unzigzag(reader.varint());
      column.greatest = unzigzag(reader.varint());
      return;
    case ValueType::number:
      column.least_number = std::bit_cast<double>(reader.fixed());
      column.greatest_number = std::bit_cast<double>(reader.fixed());
      return;
    case ValueType::text:
    case ValueType::array:
      column.least_text = reader.text();
      column.greatest_text = reader.text();
      return;
    case ValueType::id: column.bloom = reader.text(); return;
  }
}

void read_integers(ByteReader& reader, std::size_t count, ColumnValues& values) {
  values.integers.resize(count);
  reader.varints(std::span(values.integers));
  std::uint64_t value = 0;
  for (auto& integer : values.integers) {
    value += static_cast<std::uint64_t>(unzigzag(static_cast<std::uint64_t>(integer)));
    integer = static_cast<std::int64_t>(value);
  }
}

void read_booleans(ByteReader& reader, std::size_t count, ColumnValues& values) {
  const auto bits = reader.raw((count + 7) / 8);
  if (reader.failed()) return;
  values.integers.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    values.integers.push_back(static_cast<unsigned char>(bits[i / 8]) >> (i % 8) & 1);
}

// Numbers are read in pieces that stay in the cache next to the core; all of a piece by the same steps, so that the
// compiler takes several at once.
constexpr std::size_t piece = 1024;

template <class Whole>
void scale_piece(const std::array<Whole, piece>& whole, double factor, double* numbers) {
  using Signed = std::make_signed_t<Whole>;
  for (std::size_t i = 0; i < piece; ++i)
    numbers[i] = static_cast<double>(static_cast<Signed>(whole[i] >> 1) ^ -static_cast<Signed>(whole[i] & 1)) / factor;
}

// Up to a piece of them. In 32 bits each, unless one of them may need more.
void read_piece(ByteReader& reader, std::size_t count, double factor, double* numbers) {
  constexpr auto greatest = std::numeric_limits<std::uint32_t>::max();
  const auto start = reader;
  std::array<std::uint32_t, piece> narrow;
  std::fill(narrow.begin() + static_cast<std::ptrdiff_t>(count), narrow.end(), 0U);
  reader.varints(std::span(narrow).first(count));
  unsigned wide = 0;
  for (std::size_t i = 0; i < piece; ++i) wide |= narrow[i] == greatest ? 1U : 0U;
  if (wide == 0) return scale_piece(narrow, factor, numbers);
  reader = start;
  std::array<std::uint64_t, piece> whole{};
  reader.varints(std::span(whole).first(count));
  scale_piece(whole, factor, numbers);
}

void read_numbers(ByteReader& reader, std::size_t count, ColumnValues& values) {
  const auto scale = reader.u8();
  if (scale == 0) {
    values.numbers.reserve(count);
    for (std::size_t i = 0; i < count && !reader.failed(); ++i)
      values.numbers.push_back(std::bit_cast<double>(reader.fixed()));
    return;
  }
  const double factor = std::pow(10.0, scale - 1);
  values.numbers.resize((count + piece - 1) / piece * piece);
  for (std::size_t at = 0; at < count && !reader.failed(); at += piece)
    read_piece(reader, std::min(piece, count - at), factor, values.numbers.data() + at);
  values.numbers.resize(count);
}

// Many at a time: of a number of steps that it knows, the compiler takes several at once.
bool are_below(std::span<const std::uint32_t> codes, std::uint32_t end) {
  constexpr std::size_t many = 64;
  const auto last = end - 1;  // below 2^31, so that a difference below 0 has the highest bit, as has a code that is larger yet
  std::uint32_t odd = 0;
  const auto* code = codes.data();
  for (auto left = codes.size(); left >= many; left -= many, code += many) {
    for (std::size_t i = 0; i < many; ++i) odd |= code[i] | (last - code[i]);
  }
  for (std::size_t i = codes.size() / many * many; i < codes.size(); ++i) odd |= codes[i] | (last - codes[i]);
  return odd >> 31 == 0;
}

// False when a code or a length makes no sense.
bool read_bytes(ByteReader& reader, std::size_t distinct, std::size_t count, ColumnValues& values) {
  const bool in_order = reader.u8() == 1;
  if (distinct > count || (in_order && distinct != count)) return false;
  std::vector<std::uint64_t> lengths(distinct);
  reader.varints(std::span(lengths));
  std::uint64_t bytes = 0;
  for (const auto length : lengths) {
    if (length > reader.rest().size()) return false;
    bytes += length;
  }
  auto texts = reader.raw(bytes);
  if (reader.failed()) return false;
  values.texts.reserve(distinct);
  for (const auto length : lengths) {
    values.texts.push_back(texts.substr(0, static_cast<std::size_t>(length)));
    texts.remove_prefix(static_cast<std::size_t>(length));
  }
  values.codes.resize(count);
  if (in_order) std::iota(values.codes.begin(), values.codes.end(), 0U);
  if (in_order || distinct <= 1) return distinct > 0 || count == 0;
  reader.varints(std::span(values.codes));
  return !reader.failed() && are_below(values.codes, static_cast<std::uint32_t>(distinct));
}

// False when the bitmap does not hold as many as the header says.
bool read_presence(ByteReader& reader, std::size_t rows, std::size_t present, ColumnValues& values) {
  const auto bits = reader.raw((rows + 7) / 8);
  if (reader.failed()) return false;
  values.positions.resize(rows);
  std::uint32_t next = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    if ((static_cast<unsigned char>(bits[row / 8]) >> (row % 8) & 1U) != 0)
      values.positions[row] = ++next;
  }
  return next == present;
}

}  // namespace

Result<BlockView> BlockView::parse(std::string_view bytes) {
  ByteReader reader(bytes);
  BlockView view;
  if (reader.u8() != 1) return corrupt("unknown version");
  const auto rows = reader.varint();
  const auto columns = reader.varint();
  if (reader.failed() || rows > most_rows || columns > most_columns) return corrupt("size");
  view.rows_ = static_cast<std::size_t>(rows);
  std::vector<std::uint64_t> stored;
  // A column's header takes six bytes at least: what claims more is found out below.
  const auto likely = static_cast<std::size_t>(std::min<std::uint64_t>(columns, bytes.size() / 6));
  stored.reserve(likely);
  view.columns_.reserve(likely);
  for (std::uint64_t i = 0; i < columns; ++i) {
    ColumnSummary column;
    const auto type = reader.u8();
    if (!known(type)) return corrupt("column type");
    column.type = static_cast<ValueType>(type);
    column.name = reader.text();
    column.present = reader.varint();
    read_summary(reader, column);
    column.coding = reader.u8();
    column.raw_bytes = reader.varint();
    stored.push_back(reader.varint());
    if (reader.failed() || column.present > rows || column.raw_bytes > most_column_bytes ||
        column.distinct > column.present || column.coding > 1)
      return corrupt("column header");
    view.columns_.push_back(column);
  }
  for (std::size_t i = 0; i < view.columns_.size(); ++i) {
    view.columns_[i].stored = reader.raw(stored[i]);
    if (reader.failed()) return corrupt("column bytes");
  }
  if (const auto* time = view.find("@time", ValueType::integer)) view.time_ = *time;
  if (rows > 0 && (!view.time_ || !view.find("@sequence", ValueType::integer)))
    return corrupt("no place");
  return view;
}

const ColumnSummary* BlockView::find(std::string_view name, ValueType type) const {
  for (const auto& column : columns_) {
    if (column.type == type && column.name == name) return &column;
  }
  return nullptr;
}

std::uint64_t BlockView::last_sequence() const {
  const auto* sequence = find("@sequence", ValueType::integer);
  return sequence ? static_cast<std::uint64_t>(sequence->greatest) : 0;
}

Result<ColumnValues> BlockView::read(const ColumnSummary& column) const {
  ColumnValues values;
  std::string_view raw = column.stored;
  if (column.coding == 1) {
    auto decoded = relay::decode(column.stored, relay::Coding::zstd,
                                 static_cast<std::size_t>(column.raw_bytes));
    if (!decoded) return corrupt("column does not inflate");
    values.unpacked = std::make_unique<const std::string>(*std::move(decoded));
    raw = *values.unpacked;
  }
  ByteReader reader(raw);
  values.type = column.type;
  values.rows = rows_;
  const auto present = static_cast<std::size_t>(column.present);
  if (present < rows_ && !read_presence(reader, rows_, present, values)) return corrupt("presence");
  bool sound = true;
  switch (column.type) {
    case ValueType::integer: read_integers(reader, present, values); break;
    case ValueType::boolean: read_booleans(reader, present, values); break;
    case ValueType::number: read_numbers(reader, present, values); break;
    case ValueType::text:
    case ValueType::id:
    case ValueType::array:
      sound = read_bytes(reader, static_cast<std::size_t>(column.distinct), present, values);
      break;
  }
  if (!sound || reader.failed()) return corrupt("values");
  return values;
}

Result<void> decode_block(const BlockView& block,
                          Dataset dataset,
                          std::uint64_t project,
                          FactRows& rows) {
  struct Source {
    std::uint32_t column = 0;
    ColumnValues values;
    std::vector<std::uint64_t> texts;  // by code
  };
  std::vector<Source> sources;
  std::vector<ColumnValues> fixed(4);
  constexpr std::string_view fixed_names[4] = {"@sequence", "@item", "@index", "@time"};
  for (const auto& column : block.columns()) {
    const bool is_fixed = std::ranges::find(fixed_names, column.name) != std::end(fixed_names);
    if (column.name.starts_with('@') && !is_fixed) continue;  // made anew when a block is written
    auto values = block.read(column);
    if (!values) return values.error();
    if (column.name.starts_with('@')) {
      for (std::size_t i = 0; i < 4; ++i) {
        if (column.name == fixed_names[i] && column.type == ValueType::integer)
          fixed[i] = *std::move(values);
      }
      continue;
    }
    Source source{rows.column(column.name, column.type), *std::move(values), {}};
    for (const auto& text : source.values.texts) source.texts.push_back(rows.intern(text));
    sources.push_back(std::move(source));
  }
  for (const auto& column : fixed) {
    if (column.integers.size() != block.rows()) return corrupt("no place");
  }
  for (std::size_t row = 0; row < block.rows(); ++row) {
    const Place place{static_cast<std::uint64_t>(fixed[0].integers[row]),
                      static_cast<std::uint16_t>(fixed[1].integers[row]),
                      static_cast<std::uint32_t>(fixed[2].integers[row])};
    rows.begin(dataset, project, place, fixed[3].integers[row]);
    for (const auto& source : sources) {
      const auto at = source.values.at(row);
      if (!at) continue;
      if (is_bytes(source.values.type)) {
        rows.put_new(source.column, source.texts[source.values.codes[*at]]);
      } else if (source.values.type == ValueType::number) {
        rows.put_new(source.column, std::bit_cast<std::uint64_t>(source.values.numbers[*at]));
      } else {
        rows.put_new(source.column, static_cast<std::uint64_t>(source.values.integers[*at]));
      }
    }
  }
  return {};
}

}  // namespace picket::facts

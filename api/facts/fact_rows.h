// Facts: what queries over transactions, spans, logs, metrics and errors are answered from. A fact is
// one row of a dataset: when it was, where its payload lies in the journal, and named, typed values.
//
// FactRows holds facts in memory between a reader (the digest, a decoded block) and encode_block().
// Texts are kept once however often they occur, names of columns too: a value costs 16 bytes.
//
// A column is a name and a type: `size` as text and `size` as a number are two columns. Names that
// begin with '@' are the place and the time; no attribute can have one.
//
// THREADS  A FactRows belongs to one thread while it changes.
#pragma once

#include "buffer/text_table.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::facts {

// Stored in keys: never renumber.
enum class Dataset : std::uint8_t { errors = 1, transactions = 2, spans = 3, logs = 4, metrics = 5 };
constexpr Dataset all_datasets[] = {Dataset::errors, Dataset::transactions, Dataset::spans,
                                    Dataset::logs, Dataset::metrics};

// Stored in blocks: never renumber. `id` is raw bytes shown as hex digits, `array` is JSON text.
enum class ValueType : std::uint8_t {
  integer = 1,
  number = 2,
  text = 3,
  boolean = 4,
  id = 5,
  array = 6,
};
constexpr bool is_bytes(ValueType type) {
  return type == ValueType::text || type == ValueType::id || type == ValueType::array;
}

// Where the payload of a fact is: journal record, item of its envelope, place in the item's container
// (spans of a transaction count from 1, the transaction itself is 0).
struct Place {
  std::uint64_t sequence = 0;
  std::uint16_t item = 0;
  std::uint32_t index = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

constexpr std::size_t most_attributes = 128;  // of one fact; further ones are in the payload only
constexpr std::size_t most_name_bytes = 200;  // a longer name is left out
constexpr std::size_t most_text_bytes = 8192;  // what is longer is cut
constexpr std::uint32_t no_event = ~std::uint32_t{0};

class FactRows {
 public:
  struct Column {
    std::string name;
    ValueType type = ValueType::text;
  };
  // `bits`: of a double, of an integer, a flag, or the number of a text.
  struct Cell {
    std::uint32_t column = 0;
    std::uint64_t bits = 0;
  };
  struct Row {
    Dataset dataset = Dataset::spans;
    std::uint64_t project = 0;
    Place place;
    std::int64_t time_ns = 0;
    std::uint32_t event = no_event;  // whose index in the batch decides whether the fact is kept
    std::uint32_t cells = 0;
    std::size_t first_cell = 0;
  };

  // Starts a row; the values that follow are its own. The first value of a column stays.
  void begin(Dataset dataset, std::uint64_t project, const Place& place, std::int64_t time_ns,
             std::uint32_t event = no_event);
  void integer(std::string_view name, std::int64_t value);
  void number(std::string_view name, double value);  // NaN and infinities are left out
  void boolean(std::string_view name, bool value);
  void text(std::string_view name, std::string_view value) { bytes(name, ValueType::text, value); }
  void id(std::string_view name, std::string_view raw) { bytes(name, ValueType::id, raw); }
  void array(std::string_view name, std::string_view json) { bytes(name, ValueType::array, json); }

  // Forgets the rows from `count` on, as if they had never begun.
  void resize(std::size_t count);
  void clear();

  std::size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  const Row& row(std::size_t index) const { return rows_[index]; }
  const Cell* cells(const Row& row) const { return cells_.data() + row.first_cell; }
  const std::vector<Column>& columns() const { return columns_; }
  std::size_t texts() const { return texts_.size(); }
  std::string_view text_of(std::uint64_t number) const { return texts_[number]; }
  // What the rows take in memory, about.
  std::size_t memory_bytes() const {
    return rows_.size() * sizeof(Row) + cells_.size() * sizeof(Cell) + texts_.memory_bytes();
  }

  // The same as the members above for a caller that knows the column's number already.
  std::uint32_t column(std::string_view name, ValueType type);
  void put(std::uint32_t column, std::uint64_t bits);
  // REQUIRES: the row has no value of this column yet.
  void put_new(std::uint32_t column, std::uint64_t bits);
  std::uint64_t intern(std::string_view text) { return texts_.intern(text); }

 private:
  void bytes(std::string_view name, ValueType type, std::string_view value);

  std::vector<Row> rows_;
  std::vector<Cell> cells_;
  std::vector<Column> columns_;
  buffer::TextTable column_ids_;                // type and name, numbered as columns_ is
  std::array<std::uint32_t, 64> last_columns_{};  // by where their names lay: most are literals
  buffer::TextTable texts_;
  std::string scratch_;
};

}  // namespace picket::facts

#include "api/facts/store.h"

#include "buffer/logger.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>

namespace picket::facts {
namespace {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

constexpr std::size_t key_bytes = 17;

struct Stored {
  std::uint64_t number = 0;
  BlockView block;
};

// Rows of one run that become a block, and the columns they have.
struct Part {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint32_t> columns;
};

// Cuts rows of one run into blocks of at most `most` rows and block_columns columns.
std::vector<Part> cut(const FactRows& rows, const std::vector<std::uint32_t>& chosen, std::size_t most) {
  std::vector<Part> parts(1);
  std::vector<std::uint32_t> last_part(rows.columns().size(), 0);  // that has the column; from 1
  for (const auto index : chosen) {
    const auto& row = rows.row(index);
    const std::span cells(rows.cells(row), row.cells);
    const auto is_new = [&](const FactRows::Cell& cell) { return last_part[cell.column] != parts.size(); };
    const auto added = static_cast<std::size_t>(std::ranges::count_if(cells, is_new));
    if (parts.back().rows.size() == most || parts.back().columns.size() + added > block_columns)
      parts.emplace_back();
    auto& part = parts.back();
    for (const auto& cell : cells) {
      if (!is_new(cell)) continue;
      last_part[cell.column] = static_cast<std::uint32_t>(parts.size());
      part.columns.push_back(cell.column);
    }
    part.rows.push_back(index);
  }
  return parts;
}

std::string column_key(ValueType type, std::string_view name) {
  return std::string(1, static_cast<char>(type)).append(name);
}

// Sizes of blocks by powers of four.
std::size_t size_class(std::size_t rows) {
  return (static_cast<std::size_t>(std::bit_width(rows)) - 1) / 2;
}

// The newest blocks of a run that become one, of at most `most` rows, with the `count` rows to come, newest first; `number` is
// that of the newest block there is, 0 for none. Four of a size class become one of the next, or as many as there
// is room for in a block: a row is written again but a few times on its way into a full block, and few blocks wait for others.
std::vector<Stored> blocks_to_merge(const buffer::Reader& reader,
                                    std::string_view prefix,
                                    std::unordered_set<std::string> columns,
                                    std::size_t count,
                                    std::size_t most,
                                    std::uint64_t& number) {
  constexpr std::size_t others = 3;
  std::vector<Stored> found;
  std::size_t merged = 0;     // of those found
  std::size_t rows = count;   // with those that are merged
  std::size_t waiting = 0;    // rows of the others that were found
  number = 0;
  auto cursor = reader.cursor(Table::facts);
  bool there = cursor.seek_before(Key().raw(prefix).u64(~std::uint64_t{0}).u8(0));
  for (; there && cursor.key().starts_with(prefix); there = cursor.previous()) {
    const auto own = KeyReader(cursor.key().substr(prefix.size())).u64();
    if (number == 0) number = own;
    auto block = BlockView::parse(cursor.value());
    if (!block || size_class(block->rows()) > size_class(rows) || rows + waiting + block->rows() > most) break;
    for (const auto& column : block->columns())
      columns.insert(column_key(column.type, column.name));
    if (columns.size() > block_columns) break;
    waiting += block->rows();
    found.push_back({own, *std::move(block)});
    const bool full = rows + waiting + std::max(count, found.back().block.rows()) > most;
    if (found.size() - merged < others && !full) continue;
    merged = found.size();
    rows += std::exchange(waiting, 0);
  }
  found.resize(merged);
  return found;
}

// Copies rows behind those of `to`, with the issues that are known by now.
void copy_rows(const FactRows& from,
               std::span<const std::uint32_t> chosen,
               std::span<const std::uint64_t> issues,
               FactRows& to) {
  constexpr std::uint32_t unknown = ~std::uint32_t{0};
  std::vector<std::uint32_t> columns(from.columns().size(), unknown);
  std::vector<std::uint32_t> texts(from.texts(), unknown);
  const auto text = [&](std::uint64_t number) {
    if (texts[number] == unknown) texts[number] = static_cast<std::uint32_t>(to.intern(from.text_of(number)));
    return std::uint64_t{texts[number]};
  };
  for (const auto index : chosen) {
    const auto& row = from.row(index);
    to.begin(row.dataset, row.project, row.place, row.time_ns);
    for (const auto& cell : std::span(from.cells(row), row.cells)) {
      const auto& column = from.columns()[cell.column];
      auto& number = columns[cell.column];
      if (number == unknown) number = to.column(column.name, column.type);
      to.put_new(number, is_bytes(column.type) ? text(cell.bits) : settled_bits(from, row, cell, issues));
    }
  }
}

// The facts of blocks, the newest of which comes first; nothing when one cannot be read.
std::optional<FactRows> rows_of(const std::vector<Stored>& blocks, Dataset dataset, std::uint64_t project) {
  FactRows rows;
  for (auto stored = blocks.rbegin(); stored != blocks.rend(); ++stored) {
    const auto decoded = decode_block(stored->block, dataset, project, rows);
    if (decoded) continue;
    log(Level::warning, "facts", "block stays as it is", {{"reason", decoded.error().detail}});
    return std::nullopt;
  }
  return rows;
}

void append_block(buffer::Batch& batch, const FactRows& rows, const Part& part, std::span<const std::uint64_t> issues) {
  const auto& first = rows.row(part.rows.front());
  const auto prefix = facts_prefix(first.dataset, first.project);
  std::unordered_set<std::string> columns;
  for (const auto index : part.columns)
    columns.insert(column_key(rows.columns()[index].type, rows.columns()[index].name));
  std::uint64_t number = 0;
  const auto older = blocks_to_merge(batch, prefix, std::move(columns), part.rows.size(), block_rows_of(first.dataset), number);
  auto merged = older.empty() ? std::nullopt : rows_of(older, first.dataset, first.project);
  if (!merged) return batch.put(Table::facts, Key(prefix).u64(number + 1), encode_block(rows, part.rows, issues));
  copy_rows(rows, part.rows, issues, *merged);
  std::vector<std::uint32_t> all(merged->size());
  std::iota(all.begin(), all.end(), 0U);
  for (const auto& stored : older) batch.remove(Table::facts, Key(prefix).u64(stored.number));
  batch.put(Table::facts, Key(prefix).u64(older.back().number), encode_block(*merged, all));
}

}  // namespace

Key facts_prefix(Dataset dataset, std::uint64_t project) {
  return std::move(Key().u8(static_cast<std::uint8_t>(dataset)).u64(project));
}

std::size_t append_facts(buffer::Batch& batch, const FactRows& rows, const Selection& selection) {
  std::map<std::pair<Dataset, std::uint64_t>, std::vector<std::uint32_t>> runs;
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    const auto& row = rows.row(i);
    if (row.event != no_event && (row.event >= selection.kept.size() || !selection.kept[row.event]))
      continue;
    runs[{row.dataset, row.project}].push_back(i);
  }
  std::size_t written = 0;
  for (const auto& [run, chosen] : runs) {
    if (selection.known_project && !selection.known_project(run.second)) continue;
    for (const auto& part : cut(rows, chosen, block_rows_of(run.first))) {
      append_block(batch, rows, part, selection.issues);
      written += part.rows.size();
    }
  }
  return written;
}

namespace {

// Calls `doomed` with the keys of blocks before the floor; false once it returns false.
template <class Doomed>
bool for_each_before(const buffer::Reader& reader, std::uint64_t floor, Doomed doomed) {
  auto cursor = reader.cursor(Table::facts);
  bool there = cursor.first();
  while (there) {
    if (cursor.key().size() != key_bytes) {
      there = cursor.next();
      continue;
    }
    const auto block = BlockView::parse(cursor.value());
    if (!block || block->last_sequence() < floor) {
      if (!doomed(cursor.key())) return false;
      there = cursor.next();
    } else {
      // Within a run sequences ascend: the next block that may go is of the next run.
      const auto run = cursor.key().substr(0, key_bytes - 8);
      there = cursor.seek(Key().raw(run).u64(~std::uint64_t{0}).u8(0));
    }
  }
  return true;
}

}  // namespace

TrimmedFacts trim_facts(buffer::Batch& batch, std::uint64_t floor, std::size_t most) {
  std::vector<std::string> keys;
  TrimmedFacts trimmed;
  trimmed.done = for_each_before(batch, floor, [&](std::string_view key) {
    if (keys.size() == most) return false;
    keys.emplace_back(key);
    return true;
  });
  for (const auto& key : keys) batch.remove(Table::facts, key);
  trimmed.blocks = keys.size();
  return trimmed;
}

bool anything_to_trim(const buffer::Reader& reader, std::uint64_t floor) {
  return !for_each_before(reader, floor, [](std::string_view) { return false; });
}

void for_each_block(const buffer::Reader& reader,
                    Dataset dataset,
                    std::uint64_t project,
                    const std::function<bool(const BlockView&)>& visit) {
  const auto prefix = facts_prefix(dataset, project);
  auto cursor = reader.cursor(Table::facts);
  bool there = cursor.seek_before(Key(prefix).u64(~std::uint64_t{0}).u8(0));
  for (; there && cursor.key().starts_with(prefix.view()); there = cursor.previous()) {
    const auto block = BlockView::parse(cursor.value());
    if (block && !visit(*block)) return;
  }
}

}  // namespace picket::facts

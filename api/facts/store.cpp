#include "api/facts/store.h"

#include "buffer/logger.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

namespace picket::facts {
namespace {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

constexpr std::size_t key_bytes = 17;

struct Last {
  std::uint64_t number = 0;
  std::size_t rows = 0;
  std::string bytes;  // the block, when it is worth merging
};

// The newest block of a run; nothing when there is none.
std::optional<Last> last_block(const buffer::Reader& reader, std::string_view prefix) {
  auto cursor = reader.cursor(Table::facts);
  const auto past = Key().raw(prefix).u64(~std::uint64_t{0}).u8(0);
  if (!cursor.seek_before(past) || !cursor.key().starts_with(prefix)) return std::nullopt;
  Last last;
  last.number = KeyReader(cursor.key().substr(prefix.size())).u64();
  const auto block = BlockView::parse(cursor.value());
  last.rows = block ? block->rows() : block_rows;
  last.bytes = cursor.value();
  return last;
}

// Cuts rows of one run into blocks that keep both limits.
std::vector<std::vector<std::uint32_t>> cut(const FactRows& rows,
                                            const std::vector<std::uint32_t>& chosen) {
  std::vector<std::vector<std::uint32_t>> parts(1);
  std::unordered_set<std::uint32_t> columns;
  for (const auto index : chosen) {
    const auto& row = rows.row(index);
    const auto* cells = rows.cells(row);
    std::size_t added = 0;
    for (std::uint32_t i = 0; i < row.cells; ++i) added += columns.contains(cells[i].column) ? 0 : 1;
    if (parts.back().size() == block_rows || columns.size() + added > block_columns) {
      parts.emplace_back();
      columns.clear();
    }
    for (std::uint32_t i = 0; i < row.cells; ++i) columns.insert(cells[i].column);
    parts.back().push_back(index);
  }
  return parts;
}

std::size_t columns_of(const BlockView& a, const BlockView& b) {
  std::unordered_set<std::string> names;
  for (const auto* block : {&a, &b}) {
    for (const auto& column : block->columns())
      names.insert(std::string(1, static_cast<char>(column.type)).append(column.name));
  }
  return names.size();
}

// The two as one block; nothing when they should stay apart.
std::optional<std::string> merged(std::string_view older,
                                  std::string_view newer,
                                  Dataset dataset,
                                  std::uint64_t project) {
  const auto first = BlockView::parse(older);
  const auto second = BlockView::parse(newer);
  if (!first || !second || columns_of(*first, *second) > block_columns) return std::nullopt;
  FactRows rows;
  for (const auto* block : {&*first, &*second}) {
    if (const auto decoded = decode_block(*block, dataset, project, rows); !decoded) {
      log(Level::warning, "facts", "block stays as it is", {{"reason", decoded.error().detail}});
      return std::nullopt;
    }
  }
  std::vector<std::uint32_t> all(rows.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  return encode_block(rows, all);
}

void append_block(buffer::Batch& batch,
                  Dataset dataset,
                  std::uint64_t project,
                  std::string block,
                  std::size_t count) {
  const auto prefix = facts_prefix(dataset, project);
  auto last = last_block(batch, prefix);
  while (last && last->rows < 2 * count && last->rows + count <= block_rows) {
    auto both = merged(last->bytes, block, dataset, project);
    if (!both) break;
    block = *std::move(both);
    count += last->rows;
    batch.remove(Table::facts, Key(prefix).u64(last->number));
    if (batch.failed()) return;
    const auto number = last->number;
    last = last_block(batch, prefix);
    if (!last) last = Last{number - 1, block_rows, {}};
  }
  batch.put(Table::facts, Key(prefix).u64(last ? last->number + 1 : 1), block);
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
    for (const auto& part : cut(rows, chosen)) {
      append_block(batch, run.first, run.second, encode_block(rows, part, selection.issues),
                   part.size());
      written += part.size();
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

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

struct Stored {
  std::uint64_t number = 0;
  std::string bytes;  // the block
};

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

// The newest blocks of a run that become one with the `count` rows to come, newest first; `number` is
// that of the newest block there is, 0 for none. Each is smaller than twice what comes after it, so
// that a row is written again but a few times on its way into a full block.
std::vector<Stored> blocks_to_merge(const buffer::Reader& reader,
                                    std::string_view prefix,
                                    std::unordered_set<std::string> columns,
                                    std::size_t count,
                                    std::uint64_t& number) {
  std::vector<Stored> found;
  number = 0;
  auto cursor = reader.cursor(Table::facts);
  bool there = cursor.seek_before(Key().raw(prefix).u64(~std::uint64_t{0}).u8(0));
  for (; there && cursor.key().starts_with(prefix); there = cursor.previous()) {
    const auto own = KeyReader(cursor.key().substr(prefix.size())).u64();
    if (number == 0) number = own;
    const auto block = BlockView::parse(cursor.value());
    if (!block || block->rows() >= 2 * count || block->rows() + count > block_rows) break;
    for (const auto& column : block->columns())
      columns.insert(std::string(1, static_cast<char>(column.type)).append(column.name));
    if (columns.size() > block_columns) break;
    found.push_back({own, std::string(cursor.value())});
    count += block->rows();
  }
  return found;
}

// Appends the rows of one run behind those of `older`, as one block; nothing when one of those cannot
// be read.
std::optional<std::string> merged(const std::vector<Stored>& older,
                                  const BlockView& newer,
                                  Dataset dataset,
                                  std::uint64_t project) {
  FactRows rows;
  const auto add = [&](const BlockView& block) {
    const auto decoded = decode_block(block, dataset, project, rows);
    if (!decoded)
      log(Level::warning, "facts", "block stays as it is", {{"reason", decoded.error().detail}});
    return static_cast<bool>(decoded);
  };
  for (auto block = older.rbegin(); block != older.rend(); ++block) {
    const auto view = BlockView::parse(block->bytes);
    if (!view || !add(*view)) return std::nullopt;
  }
  if (!add(newer)) return std::nullopt;
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
  const auto view = BlockView::parse(block);
  std::unordered_set<std::string> columns;
  if (view) {
    for (const auto& column : view->columns())
      columns.insert(std::string(1, static_cast<char>(column.type)).append(column.name));
  }
  std::uint64_t number = 0;
  auto older = blocks_to_merge(batch, prefix, std::move(columns), count, number);
  if (!older.empty()) {
    auto all = view ? merged(older, *view, dataset, project) : std::nullopt;
    if (all) {
      block = *std::move(all);
      for (const auto& stored : older) batch.remove(Table::facts, Key(prefix).u64(stored.number));
      number = older.back().number - 1;
    }
  }
  batch.put(Table::facts, Key(prefix).u64(number + 1), block);
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

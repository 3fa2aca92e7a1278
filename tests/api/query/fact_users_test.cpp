// Users of blocks that were written before hashes of users were packed.
#include "api/facts/store.h"
#include "api/query/fact_search.h"
#include "buffer/byte_stream.h"
#include "buffer/keys.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace picket::query {
namespace {

// Hashes are integers; the last row has none.
std::string block_with_integer_hashes(std::span<const std::int64_t> hashes) {
  buffer::ByteWriter header;
  buffer::ByteWriter body;
  const auto rows = hashes.size() + 1;
  header.u8(1);
  header.varint(rows);
  header.varint(6);
  const auto add = [&](facts::ValueType type, std::string_view name, std::size_t present, auto put_summary, const std::string& values) {
    header.u8(static_cast<std::uint8_t>(type));
    header.text(name);
    header.varint(present);
    put_summary();
    header.u8(0);
    header.varint(values.size());
    header.varint(values.size());
    body.raw(values);
  };
  const auto no_range = [&] {
    header.varint(0);
    header.varint(0);
    header.varint(0);
  };
  for (const auto* name : {"@sequence", "@item", "@index", "@time"})
    add(facts::ValueType::integer, name, rows, no_range, std::string(rows, '\0'));
  buffer::ByteWriter values;
  values.u8(static_cast<std::uint8_t>((1U << hashes.size()) - 1));
  std::int64_t before = 0;
  for (const auto hash : hashes) values.varint(buffer::zigzag(hash - std::exchange(before, hash)));
  add(facts::ValueType::integer, facts::hash_column, hashes.size(), no_range, values.bytes());
  values.clear();
  values.u8(static_cast<std::uint8_t>((1U << hashes.size()) - 1));
  values.u8(0);
  values.varint(1);
  values.raw("u");
  add(facts::ValueType::text, "user", hashes.size(), [&] {
    header.varint(1);
    header.text("u");
    header.text("u");
  }, values.bytes());
  return header.take() + body.take();
}

TEST(FactUsers, OfBlocksFromBeforeAreCountedByTheirIntegersAndOfOlderOnesByTheirNames) {
  testing::TempDir dir;
  auto tables = *buffer::Tables::open({.path = dir / "tables.mdb", .map_bytes = std::uint64_t{1} << 28});
  FactRequest asked;
  asked.dataset = facts::Dataset::transactions;
  asked.projects = {{7, "shop", "shop"}};
  asked.to_ms = 1;
  asked.fields = {*parse_field_expression("count()"), *parse_field_expression("count_unique(user)")};
  const auto users_in = [&](const std::string& block) {
    EXPECT_TRUE(tables->write([&](buffer::Batch& batch) {
      batch.put(buffer::Table::facts, buffer::Key(facts::facts_prefix(asked.dataset, 7)).u64(1), block);
    }));
    const auto page = find_facts(tables->snapshot(), asked);
    EXPECT_TRUE(page && page->rows.size() == 1 && page->rows[0].cells[0].integer == 4);
    return page ? page->rows[0].cells[1].integer : -1;
  };
  const std::vector<std::int64_t> hashes = {1'000, 5, 5};
  auto block = block_with_integer_hashes(hashes);
  EXPECT_EQ(users_in(block), 2);
  block.replace(block.find("@user"), 5, "@none");
  EXPECT_EQ(users_in(block), 1);
}

}  // namespace
}  // namespace picket::query

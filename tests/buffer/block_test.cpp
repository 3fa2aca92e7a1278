#include "buffer/block.h"

#include "buffer/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace picket::buffer {
namespace {

Record a_record(std::string body, std::int64_t received = 1000) {
  Record record;
  record.coding = 3;
  record.flags = 5;
  record.received = time_from_ms(received);
  record.project = 42;
  record.key = "0123456789abcdef";
  record.meta = "meta";
  record.body = std::move(body);
  return record;
}

std::string pack(const std::vector<Record>& records, Sequence first) {
  std::string packed(block_bytes(records), '\xee');
  pack_block(records, first, packed.data());
  return packed;
}

TEST(Crc32c, IsTheCastagnoliChecksum) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c_by_table("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(Crc32c, IsTheSameByInstructionAndByTableAtEveryLengthAndAlignment) {
  std::mt19937 random(7);
  std::string bytes(600, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  for (std::size_t start = 0; start < 9; ++start) {
    for (std::size_t length = 0; length < 100; ++length) {
      const auto piece = std::string_view(bytes).substr(start, length);
      ASSERT_EQ(crc32c(piece), crc32c_by_table(piece));
    }
  }
}

TEST(Crc32c, ContinuesFromWhatWasBefore) {
  EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
  EXPECT_EQ(crc32c_by_table("6789", crc32c_by_table("12345")), crc32c("123456789"));
}

TEST(BlockKey, SortsAsBytesLikeTheNumbersItHolds) {
  EXPECT_LT(render_block_key({1, 2}), render_block_key({1, 300}));
  EXPECT_LT(render_block_key({255, 9}), render_block_key({256, 0}));
  EXPECT_EQ(parse_block_key(render_block_key({77, 3})), (BlockKey{77, 3}));
  EXPECT_FALSE(parse_block_key("short"));
}

TEST(Block, GivesBackWhatWasPacked) {
  const std::vector<Record> records = {a_record("one", 2000), a_record("", 1000),
                                       a_record(std::string(5000, 'x'), 3000)};
  const auto packed = pack(records, 17);
  const auto block = Block::parse(packed);
  ASSERT_TRUE(block) << block.error().detail;
  EXPECT_EQ(block->head().key, (BlockKey{17, 0}));
  EXPECT_EQ(block->head().count, 3U);
  EXPECT_EQ(to_ms(block->head().oldest), 1000);
  EXPECT_EQ(to_ms(block->head().newest), 3000);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto bytes = block->records(i, i + 1);
    ASSERT_TRUE(checksum_holds(bytes, {17 + i, 0}, block->checksum(i)));
    const auto record = parse_record(bytes, 17 + i);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->sequence, 17 + i);
    EXPECT_EQ(record->kind, RecordKind::envelope);
    EXPECT_EQ(record->coding, 3);
    EXPECT_EQ(record->flags, 5);
    EXPECT_EQ(record->received, records[i].received);
    EXPECT_EQ(record->project, 42U);
    EXPECT_EQ(record->key, records[i].key);
    EXPECT_EQ(record->meta, "meta");
    EXPECT_EQ(record->body, records[i].body);
  }
}

TEST(Block, ARecordInTheWrongPlaceFailsItsChecksum) {
  const auto packed = pack({a_record("same"), a_record("same")}, 5);
  const auto block = Block::parse(packed);
  ASSERT_TRUE(block);
  EXPECT_FALSE(checksum_holds(block->records(0, 1), {6, 0}, block->checksum(0)));
  EXPECT_FALSE(checksum_holds(block->records(0, 1), {5, 1}, block->checksum(0)));
}

TEST(Block, EveryFlippedBitIsNoticed) {
  const auto packed = pack({a_record("hello"), a_record("world")}, 9);
  for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
    auto flipped = packed;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto block = Block::parse(flipped);
    if (!block) continue;
    const bool all = checksum_holds(block->records(0, 1), {9, 0}, block->checksum(0)) &&
                     checksum_holds(block->records(1, 2), {10, 0}, block->checksum(1));
    ASSERT_FALSE(all) << "bit " << bit;
  }
}

TEST(Block, EveryTruncationIsNoticed) {
  const auto packed = pack({a_record("hello"), a_record("world")}, 9);
  for (std::size_t length = 0; length < packed.size(); ++length) {
    ASSERT_FALSE(Block::parse(std::string_view(packed).substr(0, length))) << length;
  }
  EXPECT_FALSE(Block::parse(packed + "x"));
}

TEST(Block, RandomBytesNeverParse) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 300, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    if (bytes.size() > 8 && round % 2 == 0) bytes.replace(0, 8, std::string("PKB1\1\0\100\0", 8));
    EXPECT_FALSE(Block::parse(bytes));
    EXPECT_FALSE(parse_record(bytes.substr(0, 27), 1));
  }
}

TEST(Block, PartsOfARecordJoinToItsBytes) {
  const auto record = a_record(std::string(1000, 'b') + std::string(500, 'c'));
  const auto bytes = record_bytes(record);
  for (const std::size_t size : {1UL, 7UL, 29UL, 48UL, 400UL, bytes}) {
    std::string joined;
    RecordPart part{.key = {3, 0}, .parts = static_cast<std::uint32_t>((bytes + size - 1) / size)};
    for (; part.offset < bytes; part.offset += part.bytes, ++part.key.part) {
      part.bytes = std::min(size, bytes - part.offset);
      std::string packed(block_head_bytes + block_entry_bytes + part.bytes, '\0');
      pack_part(record, part, packed.data());
      const auto block = Block::parse(packed);
      ASSERT_TRUE(block);
      EXPECT_EQ(block->head().key, part.key);
      EXPECT_EQ(block->head().parts, part.parts);
      ASSERT_TRUE(checksum_holds(block->records(0, 1), part.key, block->checksum(0)));
      joined += block->records(0, 1);
    }
    const auto whole = parse_record(joined, 3);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->body, record.body);
    EXPECT_EQ(whole->key, record.key);
  }
}

}  // namespace
}  // namespace picket::buffer

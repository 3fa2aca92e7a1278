#include "api/facts/block.h"
#include "api/facts/bloom.h"
#include "buffer/byte_stream.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace picket::facts {
namespace {

std::vector<std::uint32_t> all_of(const FactRows& rows) {
  std::vector<std::uint32_t> all(rows.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

// A row as text by column, to compare what went in with what came out.
using Plain = std::map<std::string, std::string>;
Plain plain(const FactRows& rows, std::size_t index) {
  const auto& row = rows.row(index);
  Plain values{{"@sequence", std::to_string(row.place.sequence)},
               {"@item", std::to_string(row.place.item)},
               {"@index", std::to_string(row.place.index)},
               {"@time", std::to_string(row.time_ns)}};
  const auto* cells = rows.cells(row);
  for (std::uint32_t i = 0; i < row.cells; ++i) {
    const auto& column = rows.columns()[cells[i].column];
    values[std::to_string(static_cast<int>(column.type)) + column.name] =
        is_bytes(column.type) ? std::string(rows.text_of(cells[i].bits))
                              : std::to_string(cells[i].bits);
  }
  return values;
}

FactRows round_trip(const FactRows& rows) {
  const auto bytes = encode_block(rows, all_of(rows));
  const auto block = BlockView::parse(bytes);
  EXPECT_TRUE(block) << block.error().detail;
  FactRows back;
  if (block) {
    const auto decoded = decode_block(*block, Dataset::spans, 7, back);
    EXPECT_TRUE(decoded) << decoded.error().detail;
  }
  return back;
}

TEST(FactBlock, GivesBackRandomRowsAsTheyWere) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::uint64_t limit) { return random() % limit; };
    FactRows rows;
    const auto count = 1 + below(700);
    for (std::uint64_t i = 0; i < count; ++i) {
      rows.begin(Dataset::spans, 7,
                 {random() >> below(64), static_cast<std::uint16_t>(below(65536)),
                  static_cast<std::uint32_t>(random() >> 32)},
                 static_cast<std::int64_t>(random()) >> below(40));
      const auto values = below(12);
      for (std::uint64_t v = 0; v < values; ++v) {
        const auto name = "a" + std::to_string(below(9));
        switch (below(6)) {
          case 0: rows.integer(name, static_cast<std::int64_t>(random()) >> below(64)); break;
          case 1: rows.number(name, static_cast<double>(below(1'000'000)) / 1000.0); break;
          case 2: rows.number(name, std::bit_cast<double>(random())); break;
          case 3: rows.text(name, std::string(below(20), static_cast<char>(random()))); break;
          case 4: rows.boolean(name, below(2) == 0); break;
          default: rows.id(name, std::string(8, static_cast<char>(random()))); break;
        }
      }
    }
    const auto back = round_trip(rows);
    ASSERT_EQ(back.size(), rows.size()) << "seed " << seed;
    for (std::size_t i = 0; i < rows.size(); ++i)
      ASSERT_EQ(plain(back, i), plain(rows, i)) << "seed " << seed << ", row " << i;
  }
}

TEST(FactBlock, KeepsNumbersThatScalingWouldChange) {
  FactRows rows;
  const std::vector<double> values = {0.1, 1e300, -0.0, 1.0 / 3, 5e-324, 9007199254740993.0, -12.5};
  for (const auto value : values) {
    rows.begin(Dataset::spans, 7, {1, 0, 0}, 0);
    rows.number("x", value);
  }
  const auto back = round_trip(rows);
  ASSERT_EQ(back.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(back.cells(back.row(i))[0].bits, std::bit_cast<std::uint64_t>(values[i])) << values[i];
}

// Those that need more than 32 bits, the least one that does and the greatest that does not, wherever they stand.
TEST(FactBlock, KeepsNumbersOfAnyWidthInBlocksOfAnySize) {
  for (const std::size_t count : {1U, 1023U, 1024U, 1025U, 2049U, 4096U}) {
    for (const double odd : {2147483.647, 2147483.648, -2147483.648, -2147483.649, 4294967.296, 12345678901.5}) {
      for (const std::size_t place : {std::size_t{0}, count / 2, count - 1}) {
        FactRows rows;
        for (std::size_t i = 0; i < count; ++i) {
          rows.begin(Dataset::spans, 7, {i + 1, 0, 0}, 0);
          rows.number("x", i == place ? odd : static_cast<double>(i % 7) / 1000.0);
        }
        const auto bytes = encode_block(rows, all_of(rows));
        const auto block = BlockView::parse(bytes);
        ASSERT_TRUE(block);
        const auto values = block->read(*block->find("x", ValueType::number));
        ASSERT_TRUE(values);
        ASSERT_EQ(values->numbers.size(), count);
        for (std::size_t i = 0; i < count; ++i)
          ASSERT_EQ(values->numbers[i], i == place ? odd : static_cast<double>(i % 7) / 1000.0) << i << " of " << count;
      }
    }
  }
}

// One text for all of `codes` but those that say another one.
std::string block_of_codes(const std::vector<std::uint64_t>& codes, std::uint64_t distinct) {
  const auto column = [](ValueType type, std::string_view name, std::size_t present, std::uint64_t distinct_texts, std::size_t bytes) {
    buffer::ByteWriter head;
    head.u8(static_cast<std::uint8_t>(type));
    head.text(name);
    head.varint(present);
    head.varint(distinct_texts);
    head.u8(0);  // least and greatest: 0, or no text
    head.u8(0);
    head.u8(0);
    head.varint(bytes);
    head.varint(bytes);
    return head.take();
  };
  buffer::ByteWriter texts;
  texts.u8(0);
  for (std::uint64_t i = 0; i < distinct; ++i) texts.varint(1);
  auto values = texts.take();
  values.append(distinct, 'x');
  buffer::ByteWriter written;
  for (const auto code : codes) written.varint(code);
  values += written.take();
  const std::string zeros(codes.size(), '\0');
  buffer::ByteWriter head;
  head.u8(1);
  head.varint(codes.size());
  head.varint(3);
  return head.take() + column(ValueType::integer, "@time", codes.size(), 0, zeros.size()) +
         column(ValueType::integer, "@sequence", codes.size(), 0, zeros.size()) +
         column(ValueType::text, "t", codes.size(), distinct, values.size()) + zeros + zeros + values;
}

TEST(FactBlock, RefusesACodeThatNamesNoText) {
  const auto is_sound = [](const std::vector<std::uint64_t>& codes, std::uint64_t distinct) {
    const auto bytes = block_of_codes(codes, distinct);
    const auto block = BlockView::parse(bytes);
    EXPECT_TRUE(block) << block.error().detail;
    return block && static_cast<bool>(block->read(*block->find("t", ValueType::text)));
  };
  for (const std::size_t count : {5U, 64U, 130U, 200U}) {
    for (const std::size_t place : {std::size_t{0}, std::size_t{3}, count / 2, count - 1}) {
      std::vector<std::uint64_t> codes(count, 1);
      EXPECT_TRUE(is_sound(codes, 3)) << count;
      for (const std::uint64_t code : {std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{1} << 31, (std::uint64_t{1} << 32) - 1, std::uint64_t{1} << 33}) {
        codes[place] = code;
        EXPECT_EQ(is_sound(codes, 3), code < 3) << code << " at " << place << " of " << count;
      }
    }
  }
}

TEST(FactBlock, SumsUpWhatAColumnHolds) {
  FactRows rows;
  for (int i = 0; i < 10; ++i) {
    rows.begin(Dataset::logs, 7, {100U + static_cast<unsigned>(i), 0, 0}, 1000 + i);
    rows.number("duration", i * 1.5);
    if (i == 3) rows.text("release", "shop@1");
    rows.id("trace", std::string(16, static_cast<char>('a' + i)));
  }
  const auto bytes = encode_block(rows, all_of(rows));
  const auto block = BlockView::parse(bytes);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->earliest_ns(), 1000);
  EXPECT_EQ(block->latest_ns(), 1009);
  EXPECT_EQ(block->last_sequence(), 109U);
  const auto* duration = block->find("duration", ValueType::number);
  ASSERT_NE(duration, nullptr);
  EXPECT_EQ(duration->greatest_number, 13.5);
  const auto* release = block->find("release", ValueType::text);
  ASSERT_NE(release, nullptr);
  EXPECT_EQ(release->present, 1U);
  EXPECT_EQ(release->least_text, "shop@1");
  const auto* trace = block->find("trace", ValueType::id);
  ASSERT_NE(trace, nullptr);
  EXPECT_TRUE(Bloom::may_hold(trace->bloom, std::string(16, 'd')));
  EXPECT_EQ(block->find("duration", ValueType::text), nullptr);
  const auto values = block->read(*release);
  ASSERT_TRUE(values);
  EXPECT_FALSE(values->at(2));
  ASSERT_TRUE(values->at(3));
  EXPECT_EQ(values->text(*values->at(3)), "shop@1");
}

TEST(FactBlock, HasAHashOfEachRowsUser) {
  for (const std::size_t count : {1U, 2U, 3U, 100U, 4096U}) {
    FactRows rows;
    std::vector<std::int64_t> expected;
    for (std::size_t i = 0; i < count; ++i) {
      rows.begin(Dataset::transactions, 7, {i + 1, 0, 0}, 0);
      const auto user = "id:" + std::to_string(i * i % 77);
      if (i % 5 != 3) rows.text("user", user);
      expected.push_back(i % 5 != 3 ? distinct_hash(user) : no_hash);
    }
    const auto bytes = encode_block(rows, all_of(rows));
    const auto block = BlockView::parse(bytes);
    ASSERT_TRUE(block);
    const auto* column = block->find(hash_column, ValueType::array);
    ASSERT_NE(column, nullptr);
    const auto values = block->read(*column);
    ASSERT_TRUE(values) << values.error().detail;
    ASSERT_EQ(values->texts.size(), 1U);
    EXPECT_EQ(unpack_hashes(values->texts.front(), count), expected);
    EXPECT_TRUE(unpack_hashes(values->texts.front(), count + 1).empty());
    // What is made when a block is written is no fact's own.
    EXPECT_EQ(plain(round_trip(rows), 0), plain(rows, 0));
  }
}

TEST(FactBlock, PacksAnyHash) {
  constexpr auto greatest = (std::int64_t{1} << 40) - 1;
  const std::vector<std::int64_t> hashes = {0, no_hash, 1, greatest - 1, greatest};
  EXPECT_EQ(unpack_hashes(pack_hashes(hashes), hashes.size()), (std::vector<std::int64_t>{0, no_hash, 1, greatest - 1, greatest - 1}));
}

TEST(FactBlock, KeepsAsTheyAreColumnsThatCompressionSavesLittleOf) {
  std::mt19937_64 random(9);
  FactRows rows;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    rows.begin(Dataset::logs, 7, {i, 0, 0}, 0);
    rows.integer("random", static_cast<std::int64_t>(random() >> 24));
    rows.integer("same", 5);
  }
  const auto bytes = encode_block(rows, all_of(rows));
  const auto block = BlockView::parse(bytes);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->find("random", ValueType::integer)->coding, 0);
  EXPECT_EQ(block->find("same", ValueType::integer)->coding, 1);
}

TEST(FactBlock, FillsInTheIssueWhenItIsWritten) {
  FactRows rows;
  rows.begin(Dataset::errors, 7, {1, 0, 0}, 0, 1);
  rows.integer("issue.id", 0);
  const std::vector<std::uint64_t> issues = {11, 22};
  const auto bytes = encode_block(rows, all_of(rows), issues);
  const auto block = BlockView::parse(bytes);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->find("issue.id", ValueType::integer)->greatest, 22);
}

TEST(FactBlock, RefusesDamagedBytesWithoutReadingOutside) {
  FactRows rows;
  std::mt19937_64 random(5);
  for (unsigned i = 0; i < 200; ++i) {
    rows.begin(Dataset::spans, 7, {i, 0, i}, i);
    rows.text("op", i % 3 == 0 ? "db" : "http");
    if (i % 5 == 0) rows.number("n", 1.0 / (i + 1));
    rows.id("id", std::string(8, static_cast<char>(i)));
  }
  const auto good = encode_block(rows, all_of(rows));
  for (std::size_t length = 0; length < good.size(); length += 7)
    EXPECT_FALSE(BlockView::parse(std::string_view(good).substr(0, length)));
  for (int round = 0; round < 500; ++round) {
    auto bad = good;
    for (int i = 0; i < 3; ++i) bad[random() % bad.size()] = static_cast<char>(random());
    const auto block = BlockView::parse(bad);
    if (!block) continue;
    FactRows back;
    (void)decode_block(*block, Dataset::spans, 7, back);
  }
}

TEST(FactRows, KeepsTheFirstValueOfAColumnAndLeavesOutWhatDoesNotFit) {
  FactRows rows;
  rows.begin(Dataset::spans, 7, {1, 0, 0}, 0);
  rows.text("op", "first");
  rows.text("op", "second");
  rows.number("op", 3);
  rows.number("nan", std::numeric_limits<double>::quiet_NaN());
  rows.text("@time", "mine");
  rows.text(std::string(300, 'n'), "long name");
  EXPECT_EQ(rows.row(0).cells, 2U);
  for (int i = 0; i < 500; ++i) rows.integer("k" + std::to_string(i), i);
  EXPECT_EQ(rows.row(0).cells, most_attributes);
  rows.begin(Dataset::spans, 7, {1, 0, 1}, 0);
  rows.text("cut", std::string(most_text_bytes - 1, 'x') + "\xc3\xa9");
  EXPECT_EQ(rows.text_of(rows.cells(rows.row(1))[0].bits).size(), most_text_bytes - 1);
}

TEST(Bloom, NeverDeniesWhatItHoldsAndSeldomClaimsMore) {
  auto bits = Bloom::empty_for(1000);
  std::mt19937_64 random(3);
  const auto id = [&] {
    std::string bytes(8, '\0');
    for (auto& c : bytes) c = static_cast<char>(random());
    return bytes;
  };
  std::vector<std::string> held;
  for (int i = 0; i < 1000; ++i) Bloom::add(bits, held.emplace_back(id()));
  for (const auto& one : held) EXPECT_TRUE(Bloom::may_hold(bits, one));
  int wrong = 0;
  for (int i = 0; i < 10'000; ++i) wrong += Bloom::may_hold(bits, id()) ? 1 : 0;
  EXPECT_LT(wrong, 300);
}

}  // namespace
}  // namespace picket::facts

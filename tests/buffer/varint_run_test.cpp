#include "buffer/byte_stream.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

namespace picket::buffer {
namespace {

std::vector<std::uint64_t> random_values(std::mt19937_64& random, std::size_t count, unsigned most_bits) {
  std::vector<std::uint64_t> values(count);
  for (auto& value : values) value = random() >> (64 - 1 - random() % most_bits);
  return values;
}

std::string written(const std::vector<std::uint64_t>& values) {
  ByteWriter writer;
  for (const auto value : values) writer.varint(value);
  return writer.take();
}

// Short ones, long ones, all lengths beside one another; what follows them stays.
TEST(Varints, AreReadAtOnceAsOneAfterTheOther) {
  std::mt19937_64 random(1);
  for (const std::size_t count : {0U, 1U, 7U, 63U, 64U, 65U, 200U, 4096U}) {
    for (const unsigned bits : {1U, 7U, 8U, 21U, 41U, 56U, 57U, 64U}) {
      const auto values = random_values(random, count, bits);
      for (const std::string rest : {"", "x", "\x81\x82", "0123456789012345678901234567890123456789012345678901234567890123456789"}) {
        const auto bytes = written(values) + rest;
        ByteReader reader(bytes);
        std::vector<std::uint64_t> read(count);
        reader.varints(std::span(read));
        EXPECT_FALSE(reader.failed());
        EXPECT_EQ(read, values) << count << " of " << bits << " bits";
        EXPECT_EQ(reader.rest(), rest);
      }
    }
  }
}

TEST(Varints, ThatAreTooLargeForTheirPlaceBecomeTheGreatestThatFits) {
  const auto bytes = written({5, std::uint64_t{1} << 32, std::numeric_limits<std::uint64_t>::max()}) + std::string(100, '\1');
  std::vector<std::uint32_t> read(3);
  ByteReader(bytes).varints(std::span(read));
  EXPECT_EQ(read, (std::vector<std::uint32_t>{5, 0xffffffffU, 0xffffffffU}));
}

TEST(Varints, FailWhereOneIsMissingOrDoesNotEnd) {
  std::mt19937_64 random(2);
  const auto values = random_values(random, 300, 64);
  const auto bytes = written(values);
  std::vector<std::uint64_t> read(values.size());
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    const auto exactly = std::string(bytes, 0, cut);  // nothing behind it that may be read
    ByteReader reader(exactly);
    reader.varints(std::span(read));
    ASSERT_TRUE(reader.failed()) << cut;
  }
  for (const std::size_t before : {0U, 10U, 60U, 200U}) {
    const auto endless = std::string(before, '\1') + std::string(10, '\xff') + std::string(200, '\1');
    ByteReader reader(endless);
    std::vector<std::uint64_t> some(before + 5);
    reader.varints(std::span(some));
    EXPECT_TRUE(reader.failed()) << before;
  }
}

// Whatever the bytes are: the same as one after the other, or a failure as there.
TEST(Varints, OfAnyBytesAgreeWithReadingEach) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes(random() % 200, '\0');
    const auto share = random() % 100;
    for (auto& byte : bytes) byte = static_cast<char>(random() % 100 < share ? random() | 0x80 : random() & 0x7f);
    std::vector<std::uint64_t> read(random() % 60);
    ByteReader at_once(bytes);
    at_once.varints(std::span(read));
    ByteReader each(bytes);
    std::vector<std::uint64_t> expected;
    for (std::size_t i = 0; i < read.size(); ++i) expected.push_back(each.varint());
    ASSERT_EQ(at_once.failed(), each.failed());
    if (each.failed()) continue;
    ASSERT_EQ(read, expected);
    ASSERT_EQ(at_once.rest(), each.rest());
  }
}

}  // namespace
}  // namespace picket::buffer

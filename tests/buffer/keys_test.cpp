#include "buffer/keys.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::buffer {
namespace {

TEST(Key, OrdersNumbersAndTextAsTheirValues) {
  EXPECT_LT(Key().u64(2).view(), Key().u64(256).view());
  EXPECT_GT(Key().descending(2).view(), Key().descending(256).view());
  EXPECT_LT(Key().text("a").text("z").view(), Key().text("aa").text("a").view());
}

TEST(Key, ReadsBackWhatWasWritten) {
  const std::string key(Key().u8(7).text("name").u16(300).u32(70'000).u64(1).descending(9).view());
  KeyReader reader(key);
  EXPECT_EQ(reader.u8(), 7);
  EXPECT_EQ(reader.text(), "name");
  EXPECT_EQ(reader.u16(), 300);
  EXPECT_EQ(reader.u32(), 70'000U);
  EXPECT_EQ(reader.u64(), 1U);
  EXPECT_EQ(reader.descending(), 9U);
  EXPECT_EQ(reader.u64(), 0U);
  EXPECT_EQ(reader.text(), "");
}

TEST(Key, CutsLongTextAndKeepsItDistinct) {
  const std::string a = std::string(300, 'x') + "a";
  const std::string b = std::string(300, 'x') + "b";
  EXPECT_LE(Key().text(a).size(), 201U);
  EXPECT_NE(Key().text(a).view(), Key().text(b).view());
}

TEST(Key, DropsZeroBytesOfText) {
  EXPECT_EQ(Key().text(std::string_view("a\0b", 3)).view(), Key().text("ab").view());
}

}  // namespace
}  // namespace picket::buffer

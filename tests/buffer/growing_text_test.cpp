#include "buffer/growing_text.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace picket::buffer {
namespace {

constexpr std::size_t long_enough = std::size_t{16} << 20;

class GrowingTextTest : public ::testing::Test {
 protected:
  const testing::TempDir folder;
  GrowingText text;
};

TEST_F(GrowingTextTest, IsTheSameInMemoryAndInAFile) {
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    if (i == 100) {
      ASSERT_TRUE(text.move_to_file(folder.path(), long_enough));
    }
    const std::string piece(static_cast<std::size_t>(i) * 251 % 30'000, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(text.append(piece));
    expected += piece;
    EXPECT_EQ(text.in_file(), i >= 100);
  }
  EXPECT_TRUE(text.view() == expected);
  EXPECT_LT(text.memory_bytes(), 100U);
  GrowingText other = std::move(text);
  EXPECT_TRUE(other.view() == expected);
}

TEST_F(GrowingTextTest, TakesNoMoreThanItMay) {
  ASSERT_TRUE(text.append("0123456789"));
  ASSERT_TRUE(text.move_to_file(folder.path(), 10'000));
  ASSERT_TRUE(text.append(std::string(9'000, 'x')));
  EXPECT_FALSE(text.append(std::string(991, 'y')));
  EXPECT_EQ(text.size(), 9'010U);
  EXPECT_TRUE(text.append(std::string(990, 'y')));
  EXPECT_EQ(text.view().substr(9'000, 20), "xxxxxxxxxxyyyyyyyyyy");
}

TEST_F(GrowingTextTest, StaysInMemoryWhereNoFileCanBe) {
  ASSERT_TRUE(text.append("stays"));
  EXPECT_FALSE(text.move_to_file(folder / "nothing here", long_enough));
  EXPECT_FALSE(text.move_to_file(folder.path(), 3));
  EXPECT_FALSE(text.in_file());
  EXPECT_EQ(text.view(), "stays");
}

TEST_F(GrowingTextTest, GivesItsMemoryBackWhenItIsReplaced) {
  ASSERT_TRUE(text.append(std::string(1'000'000, 'x')));
  text = GrowingText();
  EXPECT_LT(text.memory_bytes(), 100U);
  EXPECT_EQ(text.size(), 0U);
}

TEST_F(GrowingTextTest, ItsFileHasNoNameAndMayBeLeft) {
  ASSERT_TRUE(text.move_to_file(folder.path(), long_enough));
  ASSERT_TRUE(text.append(std::string(1000, 'x')));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  text = {};
  EXPECT_FALSE(text.in_file());
  EXPECT_EQ(text.size(), 0U);
}

}  // namespace
}  // namespace picket::buffer

#include "buffer/spool.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace picket::buffer {
namespace {

using picket::testing::TempDir;

struct Fixture {
  explicit Fixture(std::uint64_t max_bytes = std::uint64_t{64} << 20, std::uint64_t reserve = 0) {
    auto opened = Spool::open({.folder = dir.path() / "spool",
                               .max_bytes = max_bytes,
                               .disk_reserve_bytes = reserve,
                               .above_bytes = 1000});
    EXPECT_TRUE(opened);
    spool = *opened;
  }
  bool folder_is_empty() const { return std::filesystem::is_empty(dir.path() / "spool"); }

  TempDir dir;
  std::shared_ptr<Spool> spool;
};

std::string text_of(std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += std::to_string(text.size()) + " ";
  text.resize(bytes);
  return text;
}

Bytes built(ByteRoom room, const std::string& text, std::size_t step) {
  BytesBuilder builder(std::move(room));
  for (std::size_t at = 0; at < text.size(); at += step) {
    EXPECT_TRUE(builder.append(std::string_view(text).substr(at, step)));
  }
  EXPECT_EQ(builder.size(), text.size());
  auto bytes = std::move(builder).finish();
  EXPECT_TRUE(bytes);
  return *std::move(bytes);
}

TEST(BytesBuilder, KeepsWhatIsSmallInMemoryAndTheRestInAFile) {
  const Fixture fixture;
  for (const std::size_t size : {0, 1, 999, 1000}) {
    const auto bytes = built({fixture.spool}, text_of(size), 100);
    EXPECT_FALSE(bytes.in_file()) << size;
    EXPECT_EQ(bytes, text_of(size));
  }
  for (const std::size_t size : {1001, 5000, 3'000'000}) {
    const auto bytes = built({fixture.spool}, text_of(size), 700);
    EXPECT_TRUE(bytes.in_file()) << size;
    EXPECT_TRUE(bytes == text_of(size)) << size;
  }
}

TEST(BytesBuilder, GoesToTheFileAtOnceWhenMuchIsExpected) {
  const Fixture fixture;
  BytesBuilder builder({fixture.spool});
  ASSERT_TRUE(builder.expect(5000));
  ASSERT_TRUE(builder.append("abc"));
  const auto bytes = std::move(builder).finish();
  ASSERT_TRUE(bytes);
  EXPECT_TRUE(bytes->in_file());
  EXPECT_EQ(*bytes, "abc");
}

TEST(BytesBuilder, MovesToTheFileWhenTheMemoryOfAllIsUsedUp) {
  const Fixture fixture;
  const auto budget = std::make_shared<MemoryBudget>(600);
  const auto first = built({fixture.spool, budget}, text_of(400), 100);
  EXPECT_FALSE(first.in_file());
  EXPECT_EQ(budget->used_bytes(), 400U);
  const auto second = built({fixture.spool, budget}, text_of(400), 100);
  EXPECT_TRUE(second.in_file());
  EXPECT_EQ(second, text_of(400));
  EXPECT_EQ(budget->used_bytes(), 400U);
}

TEST(BytesBuilder, RefusesWithoutMemoryAndWithoutSpool) {
  BytesBuilder builder({nullptr, std::make_shared<MemoryBudget>(10)});
  EXPECT_TRUE(builder.append("0123456789"));
  const auto refused = builder.append("x");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::unavailable);
}

TEST(Spool, LeavesNoNamesBehindAndGivesItsRoomBack) {
  const Fixture fixture;
  {
    const auto bytes = built({fixture.spool}, text_of(100'000), 5000);
    EXPECT_TRUE(fixture.folder_is_empty());
    EXPECT_EQ(fixture.spool->used_bytes(), 100'000U);
    const auto slice = bytes.slice(bytes.view().substr(1, 1));
    EXPECT_EQ(fixture.spool->used_bytes(), 100'000U);
  }
  EXPECT_EQ(fixture.spool->used_bytes(), 0U);
}

TEST(Spool, RemovesWhatAKillLeftBehind) {
  const TempDir dir;
  std::filesystem::create_directories(dir.path() / "spool");
  std::ofstream(dir.path() / "spool" / "body-abcdef") << "left over";
  ASSERT_TRUE(Spool::open({.folder = dir.path() / "spool"}));
  EXPECT_TRUE(std::filesystem::is_empty(dir.path() / "spool"));
}

TEST(Spool, KeepsToItsBudget) {
  const Fixture fixture(std::uint64_t{8} << 20);
  const auto first = built({fixture.spool}, text_of(3'000'000), 1 << 20);
  const auto second = built({fixture.spool}, text_of(3'000'000), 1 << 20);
  BytesBuilder third({fixture.spool});
  const auto refused = third.append(text_of(3'000'000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::unavailable);
  // Reading back what is in the journal must go on, or no room would ever be made.
  BytesBuilder reader({fixture.spool, nullptr, Spool::Purpose::reading});
  EXPECT_TRUE(reader.append(text_of(3'000'000)));
}

TEST(Spool, LeavesTheReserveOfTheDiskAlone) {
  const Fixture fixture(std::uint64_t{1} << 40, std::uint64_t{1} << 60);
  BytesBuilder builder({fixture.spool});
  EXPECT_FALSE(builder.append(text_of(2000)));
  EXPECT_EQ(fixture.spool->used_bytes(), 0U);
}

}  // namespace
}  // namespace picket::buffer

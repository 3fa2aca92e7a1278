#include "buffer/bytes.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace picket::buffer {
namespace {

Bytes shared(const std::string& text) {
  auto owner = std::make_shared<const std::string>(text);
  return {owner, *owner};
}

TEST(Bytes, ShowTheSameInMemoryAndInAFile) {
  for (const Bytes& bytes : {Bytes(std::string("some bytes")), shared("some bytes")}) {
    EXPECT_EQ(bytes.view(), "some bytes");
    EXPECT_EQ(bytes, std::string("some bytes"));
    EXPECT_EQ(bytes.size(), 10U);
    const Bytes copy = bytes;
    EXPECT_EQ(copy, "some bytes");
    EXPECT_EQ(bytes.slice(bytes.view().substr(5)), "bytes");
  }
  EXPECT_TRUE(Bytes().empty());
}

TEST(Bytes, CostMemoryOnlyInMemory) {
  EXPECT_EQ(Bytes(std::string("abc")).memory_bytes(), 3U);
  EXPECT_EQ(shared("abc").memory_bytes(), 0U);
}

TEST(Bytes, ASliceKeepsTheFileAndItsAddress) {
  auto owner = std::make_shared<const std::string>(1000, 'x');
  const std::weak_ptr<const std::string> watched = owner;
  const char* const address = owner->data();
  Bytes slice;
  {
    const Bytes all(owner, *owner);
    slice = all.slice(all.view().substr(10, 20));
  }
  owner.reset();
  EXPECT_FALSE(watched.expired());
  EXPECT_EQ(slice.data(), address + 10);
  const Bytes moved = std::move(slice);
  EXPECT_EQ(moved.data(), address + 10);
}

TEST(Bytes, GiveTheirMemoryBackWhenTheyDie) {
  const auto budget = std::make_shared<MemoryBudget>(100);
  {
    MemoryLease lease(budget);
    ASSERT_TRUE(lease.take(60));
    EXPECT_FALSE(lease.take(60));
    Bytes bytes("text", std::move(lease));
    EXPECT_EQ(budget->used_bytes(), 60U);
    const Bytes copy = bytes;
    EXPECT_EQ(budget->used_bytes(), 60U);
    const Bytes moved = std::move(bytes);
    EXPECT_EQ(budget->used_bytes(), 60U);
  }
  EXPECT_EQ(budget->used_bytes(), 0U);
}

}  // namespace
}  // namespace picket::buffer

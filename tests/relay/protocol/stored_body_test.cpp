#include "relay/protocol/stored_body.h"

#include "relay/protocol/content_encoding.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::relay {
namespace {

buffer::StoredRecord stored(std::string_view body, Coding coding) {
  buffer::StoredRecord record;
  record.coding = static_cast<std::uint8_t>(coding);
  record.body = body;
  return record;
}

TEST(StoredBody, IsOpenedWithoutItsCoding) {
  const std::string plain = "{\"event_id\":\"fc6d8c0c43fc4630ad850ee518f1b9d0\"}\n{\"type\":\"event\"}\n{}\n";
  for (const auto coding : {Coding::gzip, Coding::zstd}) {
    const auto body = coding == Coding::gzip ? encode_gzip(plain, 6) : encode_zstd(plain, 3);
    const auto opened = open_stored_body(stored(body, coding));
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->bytes, plain);
    EXPECT_EQ(opened->coding, static_cast<std::uint8_t>(Coding::identity));
  }
}

TEST(StoredBody, StaysAsItIsWhenThereIsNothingToOpen) {
  EXPECT_FALSE(open_stored_body(stored("{}", Coding::identity)));
  auto later = stored(encode_gzip("{}", 6), Coding::gzip);
  later.coding = 5;  // of a version to come
  EXPECT_FALSE(open_stored_body(later));
}

TEST(StoredBody, StaysAsItIsWhenItIsDamagedOrTooLarge) {
  auto body = encode_gzip(std::string(5'000, 'x'), 6);
  body.resize(body.size() - 5);
  EXPECT_FALSE(open_stored_body(stored(body, Coding::gzip)));
  const std::string large((std::size_t{1} << 20) + 1, 'x');
  EXPECT_FALSE(open_stored_body(stored(encode_gzip(large, 6), Coding::gzip)));
  EXPECT_TRUE(open_stored_body(stored(encode_gzip(std::string_view(large).substr(1), 6), Coding::gzip)));
}

}  // namespace
}  // namespace picket::relay

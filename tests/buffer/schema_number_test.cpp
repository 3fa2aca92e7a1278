#include "buffer/schema_number.h"

#include "buffer/rows.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace picket::buffer {
namespace {

class SchemaNumberTest : public ::testing::Test {
 protected:
  SchemaNumberTest() {
    auto tables = Tables::open({.path = folder_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(tables);
    tables_ = *std::move(tables);
  }
  schema::Environment stored() {
    return *find_row<schema::Environment>(tables_->snapshot(), Table::meta, "environment");
  }
  void store(std::string_view row) {
    ASSERT_TRUE(tables_->write([&](Batch& batch) { batch.put(Table::meta, "environment", row); }));
  }

  const testing::TempDir folder_;
  std::unique_ptr<Tables> tables_;
  const Time now_ = time_from_ms(5000);
};

TEST_F(SchemaNumberTest, AFreshFolderIsMarkedWithOurNumber) {
  const auto found = check_schema(*tables_, now_);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->created);
  EXPECT_EQ(stored().schema_number(), schema_number);
  EXPECT_EQ(stored().minimum_reader(), minimum_reader);
  EXPECT_EQ(stored().version(), PICKET_VERSION);
  EXPECT_EQ(stored().created_ms(), 5000);
  EXPECT_FALSE(check_schema(*tables_, now_)->created);
}

TEST_F(SchemaNumberTest, DataThatNeedsANewerVersionIsRefusedWithWordsThatSayWhich) {
  schema::Environment newer;
  newer.set_schema_number(schema_number + 5);
  newer.set_minimum_reader(schema_number + 3);
  newer.set_version("9.8.7");
  store(newer.SerializeAsString());
  const auto found = check_schema(*tables_, now_);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().fault, Fault::malformed);
  EXPECT_NE(found.error().detail.find("9.8.7"), std::string::npos);
  EXPECT_NE(found.error().detail.find("schema " + std::to_string(schema_number + 3)), std::string::npos);
  EXPECT_FALSE(check_schema_readable(*tables_));
  EXPECT_EQ(stored().schema_number(), schema_number + 5);
}

TEST_F(SchemaNumberTest, ReadableDataOfANewerVersionIsTakenAndNotedAsWrittenByUs) {
  schema::Environment newer;
  newer.set_schema_number(schema_number + 5);
  newer.set_minimum_reader(minimum_reader);
  newer.set_version("9.8.7");
  newer.set_created_ms(77);
  // A field that only the newer version knows: number 100, a varint.
  store(newer.SerializeAsString() + std::string("\xa0\x06\x2a", 3));
  const auto found = check_schema(*tables_, now_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->written_by, schema_number + 5);
  EXPECT_EQ(stored().schema_number(), schema_number);
  EXPECT_EQ(stored().created_ms(), 77);
  EXPECT_NE(stored().SerializeAsString().find(std::string("\xa0\x06\x2a", 3)), std::string::npos);
}

TEST_F(SchemaNumberTest, TheLeastReaderThatANewerVersionSetIsNeverLowered) {
  schema::Environment newer;
  newer.set_minimum_reader(schema_number);
  store(newer.SerializeAsString());
  ASSERT_TRUE(check_schema(*tables_, now_));
  EXPECT_EQ(stored().minimum_reader(), std::max(schema_number, minimum_reader));
}

}  // namespace
}  // namespace picket::buffer

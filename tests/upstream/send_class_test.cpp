#include "upstream/send_class.h"

#include <gtest/gtest.h>

namespace picket::upstream {
namespace {

using relay::DataCategory;

TEST(SendClass, IsReadByTheNameItHas) {
  for (const SendClass one : send_classes) EXPECT_EQ(parse_send_class(class_name(one)), one);
  EXPECT_FALSE(parse_send_class("Errors"));
  EXPECT_FALSE(parse_send_class(""));
}

TEST(SendClass, GivesEveryCategoryExactlyOne) {
  EXPECT_EQ(class_of({DataCategory::error}), SendClass::errors);
  EXPECT_EQ(class_of({DataCategory::user_report}), SendClass::errors);
  EXPECT_EQ(class_of({DataCategory::monitor}), SendClass::check_ins);
  EXPECT_EQ(class_of({DataCategory::session}), SendClass::sessions);
  EXPECT_EQ(class_of({DataCategory::transaction}), SendClass::transactions);
  EXPECT_EQ(class_of({DataCategory::span}), SendClass::transactions);
  EXPECT_EQ(class_of({DataCategory::log_item}), SendClass::logs);
  EXPECT_EQ(class_of({DataCategory::replay}), SendClass::replays);
  EXPECT_EQ(class_of({DataCategory::profile_chunk}), SendClass::replays);
  EXPECT_EQ(class_of({DataCategory::attachment}), SendClass::attachments);
  EXPECT_EQ(class_of({DataCategory::unknown}), SendClass::other);
  EXPECT_EQ(class_of({DataCategory::client_report}), SendClass::other);
  EXPECT_EQ(class_of({}), SendClass::other);
  for (int category = 0; category <= 255; ++category) {
    EXPECT_LT(static_cast<std::size_t>(class_of({static_cast<DataCategory>(category)})), send_classes.size());
  }
}

TEST(SendClass, LetsTheMostImportantItemDecide) {
  EXPECT_EQ(class_of({DataCategory::replay, DataCategory::session, DataCategory::span}), SendClass::sessions);
  EXPECT_EQ(class_of({DataCategory::unknown, DataCategory::attachment}), SendClass::attachments);
}

}  // namespace
}  // namespace picket::upstream

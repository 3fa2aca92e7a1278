#include "upstream/limits.h"

#include <gtest/gtest.h>

#include <chrono>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;
using relay::DataCategory;

constexpr Time now = time_from_ms(1'700'000'000'000);

Label label(DataCategory decisive, relay::ProjectId project = 1, const std::string& key = "k1") {
  Label made;
  made.project = project;
  made.target = {"https://host", project, key, ""};
  made.decisive = {decisive};
  return made;
}

relay::RateLimit limit(const std::string& scope, std::vector<DataCategory> categories, Duration lasts = 60s) {
  relay::RateLimit made;
  made.all = categories.empty();
  made.categories = std::move(categories);
  made.scope = scope;
  made.until = now + lasts;
  return made;
}

TEST(Limits, BindTheirCategoryAndNoOther) {
  Limits limits;
  limits.note(limit("key", {DataCategory::error, DataCategory::log_byte}), label(DataCategory::error), now);
  EXPECT_EQ(limits.waits_until(label(DataCategory::error), now), now + 60s);
  EXPECT_EQ(limits.waits_until(label(DataCategory::log_item), now), now + 60s) << "bytes and items are one";
  EXPECT_FALSE(limits.waits_until(label(DataCategory::transaction), now));
  EXPECT_FALSE(limits.waits_until(label(DataCategory::error), now + 60s));
}

TEST(Limits, BindTheScopeTheyName) {
  const auto waits = [](const std::string& scope, const Label& other) {
    Limits limits;
    limits.note(limit(scope, {}), label(DataCategory::error, 1, "k1"), now);
    return limits.waits_until(other, now).has_value();
  };
  EXPECT_TRUE(waits("key", label(DataCategory::error, 1, "k1")));
  EXPECT_FALSE(waits("key", label(DataCategory::error, 1, "k2")));
  EXPECT_TRUE(waits("project", label(DataCategory::error, 1, "k2")));
  EXPECT_FALSE(waits("project", label(DataCategory::error, 2, "k3")));
  EXPECT_TRUE(waits("organization", label(DataCategory::error, 2, "k3")));
  Label elsewhere = label(DataCategory::error);
  elsewhere.target.origin = "https://other";
  EXPECT_FALSE(waits("organization", elsewhere));
}

TEST(Limits, AreNeverShortenedAndNeverReachFurtherThanADay) {
  Limits limits;
  EXPECT_TRUE(limits.note(limit("key", {}, 60s), label(DataCategory::error), now));
  EXPECT_FALSE(limits.note(limit("key", {}, 30s), label(DataCategory::error), now));
  EXPECT_EQ(limits.waits_until(label(DataCategory::error), now), now + 60s);
  EXPECT_TRUE(limits.note(limit("key", {}, 24h * 365), label(DataCategory::error), now));
  EXPECT_EQ(limits.waits_until(label(DataCategory::error), now), now + 24h);
}

TEST(Limits, ForCategoriesThatNobodyKnowsBindNothing) {
  Limits limits;
  auto unknown = limit("key", {});
  unknown.all = false;
  EXPECT_FALSE(limits.note(unknown, label(DataCategory::error), now));
  EXPECT_FALSE(limits.waits_until(label(DataCategory::error), now));
}

TEST(Limits, SurviveBeingStored) {
  Limits limits;
  limits.note(limit("project", {DataCategory::session, DataCategory::error}), label(DataCategory::error), now);
  limits.note(limit("organization", {}, 10s), label(DataCategory::error), now);
  schema::Destination row;
  limits.store(row);
  ASSERT_TRUE(row.ParseFromString(row.SerializeAsString()));
  Limits loaded;
  loaded.load(row, now);
  EXPECT_EQ(loaded.waits_until(label(DataCategory::session), now), now + 60s);
  EXPECT_EQ(loaded.waits_until(label(DataCategory::profile), now), now + 10s);
  EXPECT_EQ(loaded.all_until(label(DataCategory::error).target, now), now + 10s);
  loaded.load(row, now - 24h * 30);
  EXPECT_EQ(loaded.last_until(now - 24h * 30), now - 24h * 29) << "a clock set back stretches no limit past a day";
}

TEST(Limits, DoNotGrowWithWhatAnUpstreamInvents) {
  Limits limits;
  for (std::uint64_t i = 0; i < 5'000; ++i) {
    limits.note(limit("key", {}, Duration(1'000 + i)), label(DataCategory::error, i + 1), now);
  }
  schema::Destination row;
  limits.store(row);
  EXPECT_LE(row.limits_size(), 500);
}

}  // namespace
}  // namespace picket::upstream

// The journey of an envelope against a model of it (model/journey.h), by seeds.
#include "model/journey.h"

namespace picket::model {
namespace {

// One seed, or as many as PICKET_MODEL_SEEDS says.
class JourneyTest : public ::testing::TestWithParam<bool> {};

TEST_P(JourneyTest, KeepsWhatTheDesignPromisesAfterEachTurn) {
  const char* const wanted = std::getenv("PICKET_MODEL_SEEDS");
  const char* const given = std::getenv("PICKET_SEED");
  const auto seeds = wanted == nullptr ? 3UL : std::strtoul(wanted, nullptr, 10);
  const auto first = given == nullptr ? 1ULL : std::strtoull(given, nullptr, 10);
  std::uint64_t floors = 0;
  std::size_t dropped = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("PICKET_SEED=" + std::to_string(seed));
    Journey journey(seed, GetParam());
    for (int turns = 0; turns < 1500; ++turns) {
      journey.turn();
      ASSERT_FALSE(HasFailure()) << "in turn " << turns;
    }
    journey.finish();
    ASSERT_FALSE(HasFailure());
    floors += journey.floor();
    dropped += journey.dropped();
  }
  EXPECT_GT(floors, 0U) << "retention had nothing to do";
  EXPECT_TRUE(dropped > 0 || seeds == 1 || !GetParam()) << "no body was dropped";
}

INSTANTIATE_TEST_SUITE_P(Model, JourneyTest, ::testing::Bool(), [](const auto& each) { return each.param ? "DropOldest" : "Refuse"; });

}  // namespace
}  // namespace picket::model

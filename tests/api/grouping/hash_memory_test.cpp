// What is remembered of stacks never says anything else than the tree does.
#include "api/grouping/hash_memory.h"

#include "api/grouping/grouping.h"
#include "api/grouping/made_evidence.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace picket::grouping {
namespace {

std::vector<Hash> hashes(const std::vector<ExceptionValue>& exceptions, const Config& config, Detail detail = Detail::hashes) {
  Evidence evidence;
  evidence.platform = "python";
  evidence.exceptions = exceptions;
  return group(evidence, config, detail).hashes;
}

bool is_remembered(const std::vector<ExceptionValue>& exceptions, const Config& config) {
  Evidence evidence;
  evidence.platform = "python";
  evidence.exceptions = exceptions;
  SeenStacks stacks(*config.stack, evidence.platform);
  const auto key = key_of_stacks(evidence, stacks);
  return !key.empty() && config.stack->memory().find(key).has_value();
}

TEST(HashMemory, KnowsAStackWhateverItsExceptionSays) {
  const auto config = *Config::make("function:unheard_of -app", "");
  const std::vector first = {made_exception("E", "order 1", {made_frame("pay", true)})};
  const std::vector second = {made_exception("E", "order 2 of Bob", {made_frame("pay", true)})};
  EXPECT_FALSE(is_remembered(first, config));
  const auto made = hashes(first, config);
  EXPECT_TRUE(is_remembered(second, config));
  EXPECT_EQ(hashes(second, config), made);
  EXPECT_EQ(hashes(second, config, Detail::explanation), made);
}

TEST(HashMemory, LeavesOutWhereValuesCount) {
  // The one frame does not count, so that the value does.
  const auto config = *Config::make("function:pay -group", "");
  const auto of = [](std::string_view value) { return std::vector{made_exception("E", value, {made_frame("pay", true)})}; };
  EXPECT_NE(hashes(of("card"), config), hashes(of("cash"), config));
  EXPECT_FALSE(is_remembered(of("card"), config));
  EXPECT_NE(hashes(of("card"), config), hashes(of(""), config));
  // A cause without a stack is told by its value.
  const auto plain = *Config::make("function:unheard_of -app", "");
  const auto chain = [](std::string_view value) {
    return std::vector{made_exception("Cause", value, {}), made_exception("E", "v", {made_frame("pay", true)})};
  };
  EXPECT_NE(hashes(chain("card"), plain), hashes(chain("cash"), plain));
  EXPECT_FALSE(is_remembered(chain("card"), plain));
}

TEST(HashMemory, LeavesOutRulesThatGoByValues) {
  const auto config = *Config::make("error.value:*card* function:lib -group", "");
  const auto of = [](std::string_view value) {
    return std::vector{made_exception("E", value, {made_frame("lib", true), made_frame("pay", true)})};
  };
  EXPECT_NE(hashes(of("card"), config), hashes(of("cash"), config));
  EXPECT_FALSE(is_remembered(of("card"), config));
}

// JSON may say "\u0000" anywhere: fields must not run into each other in what frames are remembered by.
TEST(HashMemory, TellsFramesApartWhateverTheirTextsHold) {
  using namespace std::string_view_literals;
  const auto of = [](std::string_view function, std::string_view raw, std::string_view module) {
    auto one = made_frame(function, true);
    one.raw_function = raw;
    one.module = module;
    return std::vector{made_exception("E", "v", {one})};
  };
  const auto first = of("a\0b"sv, "c", "m");
  const auto second = of("a", "b\0c"sv, "m");
  const auto config = *Config::make("function:unheard_of -app", "");
  const auto other = *Config::make("function:unheard_of -app", "");
  EXPECT_NE(hashes(first, config), hashes(second, config));
  EXPECT_EQ(hashes(second, config), hashes(second, other));
}

TEST(HashMemory, ForgetsRatherThanGrows) {
  const auto config = *Config::make("function:unheard_of -app", "");
  const std::vector first = {made_exception("E", "v", {made_frame("pay", true)})};
  const auto made = hashes(first, config);
  EXPECT_TRUE(is_remembered(first, config));
  for (int i = 0; i < 30'000; ++i) {
    const auto type = "E" + std::to_string(i);
    hashes({made_exception(type, "v", {made_frame("pay", true), made_frame("lib"), made_frame("take")})}, config);
  }
  EXPECT_FALSE(is_remembered(first, config));
  EXPECT_EQ(hashes(first, config), made);
  EXPECT_TRUE(is_remembered(first, config));
}

// Events out of so few parts that nearly every one has been there before but for something small.
class Draw {
 public:
  explicit Draw(std::uint32_t seed) : random_(seed) {}

  std::vector<ExceptionValue> exceptions() {
    std::vector<ExceptionValue> made(1 + below(3) / 2);
    for (std::size_t index = 0; index < made.size(); ++index) {
      auto& each = made[index];
      each.type = pick({"", "E", "F"});
      each.value = pick({"", "v", "card 7", "E"});
      each.mechanism = pick({"", "", "signal"});
      each.synthetic = below(5) == 0;
      each.is_group = below(8) == 0;
      if (below(3) == 0) each.id = static_cast<std::int64_t>(made.size() - 1 - index);
      if (each.id && *each.id > 0) each.parent = *each.id - 1;
      if (below(10) == 0) each.ns_error = NsError{pick({"D", "F"}), pick({"1", "2"})};
      each.frames.resize(below(4));
      each.has_stacktrace = !each.frames.empty() || below(4) == 0;
      for (auto& one : each.frames) {
        one.function = pick({"", "pay", "lib", "lib"});
        one.module = pick({"m", "m", "n"});
        one.abs_path = pick({"", "/a.py", "https://x.example/a"});
        one.platform = pick({"", "", "javascript"});
        one.line = below(2);
        if (below(3) > 0) one.in_app = below(2) == 0;
      }
    }
    return made;
  }
  std::vector<std::string_view> fingerprint() {
    if (below(12) != 0) return {};
    return {pick({"{{ default }}", "mine"}), pick({"{{ type }}", "x"})};
  }

 private:
  std::uint32_t below(std::uint32_t end) { return std::uniform_int_distribution<std::uint32_t>(0, end - 1)(random_); }
  std::string_view pick(std::vector<std::string_view> from) { return from[below(static_cast<std::uint32_t>(from.size()))]; }
  std::mt19937 random_;
};

class HashMemoryRules : public ::testing::TestWithParam<std::string_view> {};

TEST_P(HashMemoryRules, AgreeWithTheTree) {
  const auto config = *Config::make(GetParam(), "");
  Draw draw(7);
  std::size_t known = 0;
  for (int i = 0; i < 6'000; ++i) {
    const auto exceptions = draw.exceptions();
    const auto fingerprint = draw.fingerprint();
    Evidence evidence;
    evidence.platform = i % 5 == 0 ? "java" : "python";
    evidence.exceptions = exceptions;
    evidence.fingerprint = fingerprint;
    evidence.formatted = "hello";
    const auto made = group(evidence, config, Detail::hashes);
    if (made.variants.empty()) ++known;
    ASSERT_EQ(made.hashes, group(evidence, config, Detail::explanation).hashes) << i;
  }
  const bool goes_by_values = GetParam().find("error.value") != std::string_view::npos;
  EXPECT_EQ(known == 0, goes_by_values) << known;
}

INSTANTIATE_TEST_SUITE_P(Of, HashMemoryRules,
                         ::testing::Values("", "function:lib -group", "function:lib -app\nmodule:n +app",
                                           "error.type:E max-frames=1\nerror.mechanism:signal invert-stacktrace=1",
                                           "function:* min-frames=2\n[ function:pay ] | function:lib -group",
                                           "error.value:*card* function:lib -group",
                                           "function:pay | [ error.value:v ] +app"));

}  // namespace
}  // namespace picket::grouping

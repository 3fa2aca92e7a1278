#include "api/grouping/stack_rules.h"

#include "api/grouping/stack_verdict.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace picket::grouping {
namespace {

Frame frame(std::string_view function, std::string_view module = {}, std::optional<bool> in_app = {}) {
  Frame made;
  made.function = function;
  made.module = module;
  made.in_app = in_app;
  return made;
}

std::string complaint(std::string_view rules) {
  const auto made = StackRules::make_alone(rules);
  return made ? std::string() : made.error().detail;
}

// One letter a frame, oldest first: 'A' in app and counting, 'a' in app, 'S' and 's' likewise for the others.
std::string verdict(std::string_view rules, const std::vector<Frame>& frames, const RuledException* exception = nullptr) {
  const auto made = StackRules::make_alone(rules);
  EXPECT_TRUE(made) << made.error().detail;
  const StackVerdict said(**made, frames, std::make_shared<const SeenFrames>((*made)->facts_of(frames, "native")), exception);
  Arena arena;
  std::vector<Component*> components;
  for (std::size_t i = 0; i < frames.size(); ++i) components.push_back(arena.leaf(Part::frame, "x"));
  auto* stack = arena.component(Part::stacktrace);
  said.apply(components, *stack);
  std::string text;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const bool counts = components[i]->contributes && stack->contributes;
    text += said.in_app(i) ? (counts ? 'A' : 'a') : (counts ? 'S' : 's');
  }
  return text;
}

TEST(StackRules, SwitchFramesOfTheApplication) {
  const std::vector frames = {frame("main"), frame("lib::f"), frame("shop::pay")};
  EXPECT_EQ(verdict("function:shop::* +app", frames), "SSA");
  EXPECT_EQ(verdict("function:* +app\nfunction:lib::* -app", frames), "ASA");
  EXPECT_EQ(verdict("!function:main +app", frames), "SAA");
}

TEST(StackRules, LeaveFramesOutAndTakeThemIn) {
  const std::vector frames = {frame("a"), frame("b"), frame("c")};
  EXPECT_EQ(verdict("function:b -group", frames), "SsS");
  EXPECT_EQ(verdict("function:b ^-group", frames), "SSs");
  EXPECT_EQ(verdict("function:b v-group", frames), "sSS");
  EXPECT_EQ(verdict("function:b -group v-group", frames), "ssS");
  EXPECT_EQ(verdict("function:* -group\nfunction:b +group", frames), "sSs");
}

TEST(StackRules, LaterOnesGoOverEarlierOnes) {
  const std::vector frames = {frame("a"), frame("b")};
  EXPECT_EQ(verdict("function:a category=x\nfunction:a category=y\ncategory:x -group", frames), "SS");
  EXPECT_EQ(verdict("function:a category=x\ncategory:x -group", frames), "sS");
}

TEST(StackRules, LookAtCallerAndCallee) {
  const std::vector frames = {frame("a"), frame("b"), frame("a"), frame("c")};
  EXPECT_EQ(verdict("[ function:b ] | function:a -group", frames), "SSsS");
  EXPECT_EQ(verdict("function:a | [ function:c ] -group", frames), "SSsS");
  EXPECT_EQ(verdict("[function:x] | function:a -group", frames), "SSSS");
}

TEST(StackRules, SettleWhatMatchesBeforeTheyChangeIt) {
  const std::vector frames = {frame("f"), frame("f"), frame("f")};
  EXPECT_EQ(verdict("function:f category=in\n[ category:in ] | category:in category=deep\ncategory:deep -group", frames), "Sss");
}

TEST(StackRules, LookAtFamilyModulePackagePathAndApp) {
  Frame library = frame("f", "shop.cart");
  library.package = "/usr/lib/libshop.so";
  library.abs_path = "C:\\src\\shop\\Cart.cpp";
  const std::vector frames = {library, frame("g", "", true)};
  EXPECT_EQ(verdict("module:shop.* -group", frames), "sA");
  EXPECT_EQ(verdict("package:/usr/lib/** -group", frames), "sA");
  EXPECT_EQ(verdict("path:**/shop/*.CPP -group", frames), "sA");
  EXPECT_EQ(verdict("app:yes -group", frames), "Sa");
  EXPECT_EQ(verdict("family:native function:f -group", frames), "sA");
  EXPECT_EQ(verdict("family:javascript function:f -group", frames), "SA");
  EXPECT_EQ(verdict("family:javascript,native app:no -group", frames), "sA");
}

TEST(StackRules, LookAtTheException) {
  const std::vector frames = {frame("a"), frame("b")};
  const RuledException timeout{"Timeout", "after 5 s", "generic"};
  EXPECT_EQ(verdict("error.type:Timeout function:a -group", frames, &timeout), "sS");
  EXPECT_EQ(verdict("error.value:*5* -group", frames, &timeout), "ss");
  EXPECT_EQ(verdict("error.mechanism:generic max-frames=1", frames, &timeout), "sS");
  EXPECT_EQ(verdict("type:Other -group", frames, &timeout), "SS");
  EXPECT_EQ(verdict("type:Timeout -group", frames), "SS");
}

TEST(StackRules, LimitTheNumberOfFrames) {
  const std::vector frames = {frame("a"), frame("b"), frame("c")};
  EXPECT_EQ(verdict("family:native max-frames=2", frames), "sSS");
  EXPECT_EQ(verdict("family:native max-frames=0", frames), "SSS");
  EXPECT_EQ(verdict("family:native min-frames=3", frames), "SSS");
  EXPECT_EQ(verdict("family:native min-frames=4", frames), "sss");
}

TEST(StackRules, PassOverCommentsAndEmptyLines) {
  EXPECT_EQ(verdict("# nothing\n\n   \r\n function:a   -group  # why\r\n", {frame("a")}), "s");
}

TEST(StackRules, TakeQuotedValues) {
  EXPECT_EQ(verdict("function:\"-[[]Cart pay]\" -group", {frame("-[Cart pay]")}), "s");
}

TEST(StackRules, SayWhereTheyAreWrong) {
  EXPECT_EQ(complaint("function:a -group\n  nonsense:b -group"), "line 2, column 3: there is no matcher of this name");
  EXPECT_NE(complaint("function:a").find("line 1, column 11"), std::string::npos);
  EXPECT_NE(complaint("-group").find("line 1, column 1"), std::string::npos);
  EXPECT_NE(complaint("function:a -fish").find("column 13"), std::string::npos);
  EXPECT_NE(complaint("function:a max-frames=x").find("column 23"), std::string::npos);
  EXPECT_NE(complaint("function:a speed=3").find("column 12"), std::string::npos);
  EXPECT_NE(complaint("function:\"a -group").find("column 10"), std::string::npos);
  EXPECT_NE(complaint("app:perhaps -group").find("column 5"), std::string::npos);
  EXPECT_NE(complaint("family:fish -group").find("column 8"), std::string::npos);
  EXPECT_NE(complaint("[ function:a function:b -group").find("column"), std::string::npos);
  EXPECT_NE(complaint("function:a ^").find("column"), std::string::npos);
  EXPECT_NE(complaint("function: -group").find("column 10"), std::string::npos);
}

TEST(StackRules, AreLimitedInSizeAndNumber) {
  EXPECT_FALSE(complaint(std::string(300 * 1024, '#')).empty());
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "function:a -group\n";
  EXPECT_NE(complaint(many).find("too many"), std::string::npos);
}

TEST(StackRules, DefaultsKnowBasesOfThreadsAndInsidesOfSystems) {
  const auto rules = StackRules::defaults();
  EXPECT_GT(rules->rules().size(), 50U);
  auto in = [](std::string_view function, std::string_view package) {
    Frame made = frame(function);
    made.package = package;
    return made;
  };
  const std::vector frames = {in("RtlUserThreadStart", "C:\\Windows\\System32\\ntdll.dll"), in("shop::pay", "shop.exe"),
                              in("CreateFileW", "C:\\Windows\\System32\\KERNELBASE.dll"),
                              in("NtCreateFile", "C:\\Windows\\System32\\ntdll.dll")};
  const StackVerdict said(*rules, frames, std::make_shared<const SeenFrames>(rules->facts_of(frames, "native")), nullptr);
  Arena arena;
  std::vector<Component*> components;
  for (std::size_t i = 0; i < frames.size(); ++i) components.push_back(arena.leaf(Part::frame, "x"));
  said.apply(components, *arena.component(Part::stacktrace));
  EXPECT_FALSE(components[0]->contributes);
  EXPECT_TRUE(components[1]->contributes);
  EXPECT_TRUE(components[2]->contributes);
  EXPECT_FALSE(components[3]->contributes);
}

}  // namespace
}  // namespace picket::grouping

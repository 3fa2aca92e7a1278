#include "api/grouping/grouping.h"

#include "api/grouping/made_evidence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace picket::grouping {
namespace {

ExceptionValue member(std::string_view type, std::string_view value, std::int64_t id, std::optional<std::int64_t> parent,
                      bool group = false) {
  auto made = made_exception(type, value);
  made.id = id;
  made.parent = parent;
  made.is_group = group;
  return made;
}

// "app=<text that was hashed> system=…", told apart by trying the md5 of what is expected.
std::string summary(const Evidence& evidence, const Config& config = Config::defaults()) {
  const auto made = group(evidence, config, Detail::explanation);
  std::string text;
  for (const auto& variant : made.variants) {
    if (!variant.hash) continue;
    if (!text.empty()) text += ' ';
    text += variant.name;
    text += '=';
    if (variant.root != nullptr && variant.kind == VariantKind::component) {
      append_contributing(*variant.root, text);
    } else {
      text += render_hash(*variant.hash);
    }
  }
  // The short way must not come to other hashes.
  EXPECT_EQ(made.hashes, group(evidence, config, Detail::hashes).hashes);
  return text;
}

std::string of_exceptions(const std::vector<ExceptionValue>& exceptions) {
  Evidence evidence;
  evidence.platform = "other";
  evidence.exceptions = exceptions;
  return summary(evidence);
}

TEST(Grouping, GoesByTheMessageWithoutWhatVaries) {
  Evidence evidence;
  evidence.formatted = "order 17 failed";
  EXPECT_EQ(summary(evidence), "default=order <int> failed");
  evidence.message = "order %s failed";
  EXPECT_EQ(summary(evidence), "default=order %s failed");
  evidence.message = "\n first \n\nsecond\nthird";
  EXPECT_EQ(summary(evidence), "default= first \nsecond...");
}

TEST(Grouping, IsTheMd5OfWhatCounts) {
  Evidence evidence;
  evidence.formatted = "hello world";
  EXPECT_EQ(render_hash(group(evidence, Config::defaults(), Detail::hashes).hashes.at(0)), "5eb63bbbe01eeed093cb22bb8f5acdc3");
}

TEST(Grouping, FallsBackWhenThereIsNothing) {
  EXPECT_EQ(summary({}), "fallback=d41d8cd98f00b204e9800998ecf8427e");
}

TEST(Grouping, TellsTheApplicationsFramesFromAll) {
  EXPECT_EQ(of_exceptions({made_exception("E", "v", {made_frame("lib"), made_frame("own", true)})}), "app=mownE system=mlibmownE");
  EXPECT_EQ(of_exceptions({made_exception("E", "v", {made_frame("own", true)})}), "system=mownE");
  EXPECT_EQ(of_exceptions({made_exception("E", "v", {made_frame("lib"), made_frame("lib2", false)})}), "system=mlibmlib2E");
}

TEST(Grouping, TakesTheValueWhereThereIsNoStack) {
  EXPECT_EQ(of_exceptions({made_exception("E", "took 5 turns")}), "app=Etook <int> turns");
  auto made = made_exception("E", "v", {made_frame("own", true)});
  made.synthetic = true;
  EXPECT_EQ(of_exceptions({made}), "system=mown");
}

TEST(Grouping, PrefersDomainAndCodeOfAppleErrors) {
  auto made = made_exception("NSError", "something happened");
  made.ns_error = NsError{"Shop", "12"};
  EXPECT_EQ(of_exceptions({made}), "app=NSErrorShop12");
}

TEST(Grouping, CountsRecursionOnce) {
  EXPECT_EQ(of_exceptions({made_exception("E", "", {made_frame("f", true, 1), made_frame("f", true, 1), made_frame("g", true)})}), "system=mfmgE");
  EXPECT_EQ(of_exceptions({made_exception("E", "", {made_frame("f", true, 1), made_frame("f", true, 2)})}), "system=mfmfE");
}

TEST(Grouping, ChainsExceptions) {
  EXPECT_EQ(of_exceptions({made_exception("Cause", "c"), made_exception("Outer", "o")}), "app=CausecOutero");
  EXPECT_EQ(of_exceptions({made_exception("Cause", "c", {made_frame("f", true)}), made_exception("Outer", "o")}),
            "app=mfCauseOutero system=mfCause");
}

TEST(Grouping, TakesTheOneMemberThatAGroupIsMadeOf) {
  const std::vector alike = {member("A", "try 2", 2, 0), member("A", "try 1", 1, 0), member("Group", "several", 0, {}, true)};
  EXPECT_EQ(of_exceptions(alike), "app=Atry <int>");
  const std::vector caused = {member("Inner", "i", 2, 1), member("A", "a", 1, 0), member("Group", "several", 0, {}, true)};
  EXPECT_EQ(of_exceptions(caused), "app=AaInneri");
}

TEST(Grouping, ListsDifferentMembersOfAGroupAndTheGroup) {
  const std::vector mixed = {member("B", "b", 3, 0), member("A", "a", 2, 0), member("A", "a", 1, 0),
                             member("Group", "several", 0, {}, true)};
  EXPECT_EQ(of_exceptions(mixed), "app=BbAaGroupseveral");
  const std::vector nested = {member("A", "a", 3, 2), member("Group", "inner", 2, 0, true), member("B", "b", 1, 0),
                              member("Group", "outer", 0, {}, true)};
  EXPECT_EQ(of_exceptions(nested), "app=BbAaGroupouter");
}

TEST(Grouping, EndsWhereExceptionsCauseEachOther) {
  const std::vector cycle = {member("A", "a", 2, 1), member("B", "b", 1, 2), member("Group", "g", 0, {}, true)};
  EXPECT_EQ(of_exceptions(cycle), "app=Groupg");
  const std::vector own = {member("A", "a", 1, 1), member("Group", "g", 0, 0, true)};
  EXPECT_EQ(of_exceptions(own), "app=Groupg");
  const std::vector twice = {member("A", "a", 0, {}), member("Group", "g", 0, {}, true)};
  EXPECT_EQ(of_exceptions(twice), "app=AaGroupg");
}

TEST(Grouping, GoesByTheOneThreadThatMatters) {
  const std::vector frames = {made_frame("f", true)};
  Evidence evidence;
  evidence.formatted = "crash";
  evidence.threads = {3, true, true, frames};
  EXPECT_EQ(summary(evidence), "system=mf");
  evidence.threads = {3, false, false, {}};
  EXPECT_EQ(summary(evidence), "default=crash");
}

TEST(Grouping, GoesByTheEventsOwnStackAfterThat) {
  const std::vector frames = {made_frame("f"), made_frame("g", true)};
  Evidence evidence;
  evidence.has_stacktrace = true;
  evidence.stacktrace = frames;
  EXPECT_EQ(summary(evidence), "app=mg system=mfmg");
}

TEST(Grouping, GoesByTemplates) {
  Evidence evidence;
  evidence.error_template = Template{"cart.html", "{{ total }}"};
  EXPECT_EQ(summary(evidence), "default=cart.html{{ total }}");
}

TEST(Grouping, GoesByDirectiveAndHostOfReports) {
  Evidence evidence;
  evidence.formatted = "Blocked";
  evidence.report = {ReportKind::csp, "img-src", "img-src", "https://x.example:8/a.png?b", "http://shop.example/", ""};
  EXPECT_EQ(summary(evidence), "default=img-srcx.example:8");
  for (const auto& [blocked, want] : {std::pair{"", "'self'"}, {"self", "'self'"}, {"data:x", "data:"}, {"blob", "blob:"},
                                      {"chrome-extension://abc/x", "chrome-extension://abc"}}) {
    evidence.report.blocked = blocked;
    EXPECT_EQ(summary(evidence), std::string("default=img-src") + want);
  }
  evidence.report = {ReportKind::csp, "script-src", "script-src 'self' 'unsafe-inline'", "self", "", ""};
  EXPECT_EQ(summary(evidence), "default=script-src'unsafe-inline'");
  evidence.report = {ReportKind::expect_ct, "", "", "", "", "shop.example"};
  EXPECT_EQ(summary(evidence), "default=expect-ctshop.example");
}

TEST(Grouping, FollowsTheClientsFingerprint) {
  const std::vector<std::string_view> parts = {"cart", "{{ transaction }}"};
  Evidence evidence;
  evidence.formatted = "x";
  evidence.transaction = "/pay";
  evidence.fingerprint = parts;
  EXPECT_EQ(summary(evidence), "custom-fingerprint=" + render_hash(relay::md5_of("cart/pay")));
  const std::vector<std::string_view> only_default = {"{{default}}"};
  evidence.fingerprint = only_default;
  EXPECT_EQ(summary(evidence), "default=x");
}

TEST(Grouping, PutsTheDefaultIntoAFingerprint) {
  const std::vector<std::string_view> parts = {"eu", "{{ default }}"};
  Evidence evidence;
  evidence.formatted = "x";
  evidence.fingerprint = parts;
  EXPECT_EQ(summary(evidence), "default=" + render_hash(relay::md5_of("eux")));
}

TEST(Grouping, FollowsAProjectsRules) {
  const auto config = Config::make("module:m function:own -app", "message:*disk* -> disk title=\"Disk\"");
  ASSERT_TRUE(config) << config.error().detail;
  Evidence evidence;
  evidence.formatted = "Disk full";
  EXPECT_EQ(summary(evidence, *config), "custom-fingerprint=" + render_hash(relay::md5_of("disk")));
  const auto made = group(evidence, *config, Detail::hashes);
  EXPECT_EQ(made.title, "Disk");
  EXPECT_EQ(made.matched_rule, "message:\"*disk*\" -> \"disk\" title=\"Disk\"");
  const std::vector exceptions = {made_exception("E", "v", {made_frame("lib"), made_frame("own", true), made_frame("mine", true)})};
  Evidence other;
  other.exceptions = exceptions;
  EXPECT_EQ(summary(other, *config), "app=mmineE system=mlibmownmmineE");
  EXPECT_EQ(summary(other), "app=mownmmineE system=mlibmownmmineE");
}

TEST(Grouping, RefusesRulesThatAreWrong) {
  EXPECT_FALSE(Config::make("nonsense", ""));
  EXPECT_FALSE(Config::make("", "nonsense"));
}

TEST(Grouping, ExplainsItself) {
  const std::vector exceptions = {made_exception("E", "v 1", {made_frame("lib"), made_frame("own", true)})};
  Evidence evidence;
  evidence.exceptions = exceptions;
  evidence.formatted = "hello";
  const auto made = group(evidence, Config::defaults(), Detail::explanation);
  const auto named = [&](std::string_view name) {
    return std::ranges::find(made.variants, name, &Variant::name);
  };
  ASSERT_NE(named("default"), made.variants.end());
  EXPECT_EQ(render_hint(named("default")->root->hint), "left out: exception of app/system goes first");
  const auto* stack = named("app")->root->first_child->first_child;
  EXPECT_EQ(stack->part, Part::stacktrace);
  EXPECT_EQ(render_hint(stack->first_child->hint), "left out: not the application's own");
  for (auto reason = 1; reason <= static_cast<int>(Reason::violation_first); ++reason)
    EXPECT_FALSE(render_hint({static_cast<Reason>(reason), 2, "about"}).empty()) << reason;
}

}  // namespace
}  // namespace picket::grouping

#include "api/grouping/fingerprint_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace picket::grouping {
namespace {

using Parts = std::vector<std::string>;

// An event about a database, to try rules on.
struct Case {
  std::vector<ExceptionValue> exceptions{2};
  std::vector<Tag> tags = {{"server", "eu1"}, {"empty", ""}};
  Evidence evidence;

  Case() {
    auto& inner = exceptions[0];
    inner.type = "SocketError";
    inner.value = "Connection refused";
    auto& outer = exceptions[1];
    outer.type = "DatabaseDown";
    outer.value = "no database";
    outer.has_stacktrace = true;
    outer.frames.resize(2);
    outer.frames[0].function = "main";
    outer.frames[0].module = "shop.app";
    outer.frames[0].abs_path = "/srv/shop/App.cpp";
    outer.frames[0].in_app = true;
    outer.frames[1].function = "connect";
    outer.frames[1].module = "lib.db";
    outer.frames[1].package = "/usr/lib/libdb.so";
    evidence.platform = "native";
    evidence.exceptions = exceptions;
    evidence.formatted = "Could not pay";
    evidence.transaction = "/pay";
    evidence.logger = "shop.payment";
    evidence.level = "error";
    evidence.release = "shop@1.2";
    evidence.sdk = "sentry.native";
    evidence.tags = tags;
  }
};

Parts found(std::string_view rules) {
  const Case given;
  const auto made = FingerprintRules::make(rules);
  EXPECT_TRUE(made) << made.error().detail;
  const auto* rule = (*made)->find(given.evidence);
  return rule == nullptr ? Parts{"(none)"} : resolved_fingerprint(given.evidence, rule->fingerprint);
}

std::string complaint(std::string_view rules) {
  const auto made = FingerprintRules::make(rules);
  return made ? std::string() : made.error().detail;
}

TEST(FingerprintRules, FollowTheFirstThatHolds) {
  EXPECT_EQ(found("type:Other -> a\nerror.type:DatabaseDown -> b\ntype:SocketError -> c"), Parts{"b"});
  EXPECT_EQ(found("type:Other -> a"), Parts{"(none)"});
  EXPECT_EQ(found(""), Parts{"(none)"});
}

TEST(FingerprintRules, LookAtEverythingThatAnEventSays) {
  for (const std::string_view matcher :
       {"error.value:*REFUSED*", "message:\"could not *\"", "message:\"no data*\"", "logger:shop.*", "level:ERROR",
        "tags.server:eu?", "sdk:sentry.native", "release:shop@*", "family:native", "stack.module:shop.*",
        "stack.function:main", "path:**/shop/*.cpp", "stack.package:**/libdb.so", "app:yes"}) {
    EXPECT_EQ(found(std::string(matcher) + " -> hit"), Parts{"hit"}) << matcher;
  }
  for (const std::string_view matcher : {"message:\"could not *\"", "logger:shop.*", "level:error", "tags.server:eu?",
                                         "sdk:sentry.native", "release:shop@*", "family:native"})
    EXPECT_EQ(found("!" + std::string(matcher) + " -> hit"), Parts{"(none)"}) << matcher;
  EXPECT_EQ(found("tags.none:* -> hit"), Parts{"(none)"});
  EXPECT_EQ(found("!tags.server:us1 -> hit"), Parts{"hit"});
}

TEST(FingerprintRules, WantTheSameFrameAndTheSameException) {
  EXPECT_EQ(found("function:main app:yes -> hit"), Parts{"hit"});
  EXPECT_EQ(found("function:connect app:yes -> hit"), Parts{"(none)"});
  EXPECT_EQ(found("type:SocketError value:*refused -> hit"), Parts{"hit"});
  EXPECT_EQ(found("type:DatabaseDown value:*refused -> hit"), Parts{"(none)"});
  EXPECT_EQ(found("type:DatabaseDown function:main level:error -> hit"), Parts{"hit"});
}

TEST(FingerprintRules, ResolveVariables) {
  const auto of = [](std::string_view name) { return found("level:error -> {{ " + std::string(name) + " }}").at(0); };
  EXPECT_EQ(of("error.type"), "DatabaseDown");
  EXPECT_EQ(of("error.value"), "no database");
  EXPECT_EQ(of("message"), "Could not pay");
  EXPECT_EQ(of("transaction"), "/pay");
  EXPECT_EQ(of("logger"), "shop.payment");
  EXPECT_EQ(of("level"), "error");
  EXPECT_EQ(of("release"), "shop@1.2");
  EXPECT_EQ(of("stack.function"), "main");
  EXPECT_EQ(of("module"), "shop.app");
  EXPECT_EQ(of("stack.abs_path"), "/srv/shop/App.cpp");
  EXPECT_EQ(of("package"), "<no-package>");
  EXPECT_EQ(of("tags.server"), "eu1");
  EXPECT_EQ(of("tags.empty"), "<no-value-for-tag-empty>");
  EXPECT_EQ(of("default"), "{{ default }}");
  EXPECT_EQ(of("unheard.of"), "{{ unheard.of }}");
}

TEST(FingerprintRules, SayWhatAnEventDoesNotSay) {
  const Evidence nothing;
  for (const auto& [name, want] : {std::pair{"type", "<no-type>"}, {"value", "<no-value>"}, {"function", "<no-function>"},
                                   {"module", "<no-module>"}, {"abs_path", "<no-abs-path>"}, {"transaction", "<no-transaction>"},
                                   {"message", "<no-message>"}, {"logger", "<no-logger>"}})
    EXPECT_EQ(variable_value(nothing, name), want);
}

TEST(FingerprintRules, TakeListsTextsWithVariablesAndQuotes) {
  EXPECT_EQ(found("level:error -> a, b"), (Parts{"a", "b"}));
  EXPECT_EQ(found("level:error -> log-{{ logger }}-{{level}}"), (Parts{"log-", "shop.payment", "-", "error"}));
  EXPECT_EQ(found("level:error -> \"a b\", {{ default }}"), (Parts{"a b", "{{ default }}"}));
  EXPECT_EQ(found("logger:\"shop.payment\" -> a # why"), Parts{"a"});
}

TEST(FingerprintRules, GiveATitle) {
  const Case given;
  const auto made = FingerprintRules::make("level:error -> a title=\"Payment ({{ transaction }})\"");
  ASSERT_TRUE(made);
  const auto* rule = (*made)->find(given.evidence);
  ASSERT_NE(rule, nullptr);
  ASSERT_TRUE(rule->title);
  EXPECT_EQ(resolved_text(given.evidence, *rule->title), "Payment (/pay)");
  EXPECT_EQ(rule->text, "level:\"error\" -> \"a\" title=\"Payment ({{ transaction }})\"");
}

TEST(FingerprintRules, SayWhereTheyAreWrong) {
  EXPECT_EQ(complaint("type:a -> b\n fish:c -> d"), "line 2, column 2: there is no matcher of this name");
  EXPECT_NE(complaint("type:a b").find("line 1, column 8"), std::string::npos);
  EXPECT_NE(complaint("type:a").find("'->'"), std::string::npos);
  EXPECT_NE(complaint("-> a").find("column"), std::string::npos);
  EXPECT_NE(complaint("type:a ->").find("column 10"), std::string::npos);
  EXPECT_NE(complaint("type:a -> {{ b").find("column 11"), std::string::npos);
  EXPECT_NE(complaint("type:a -> b size=\"1\"").find("column 13"), std::string::npos);
  EXPECT_NE(complaint("type:\"a -> b").find("column 6"), std::string::npos);
  EXPECT_NE(complaint("app:perhaps -> b").find("column 5"), std::string::npos);
}

}  // namespace
}  // namespace picket::grouping

#include "upstream/routing.h"

#include "relay/protocol/content_encoding.h"
#include "upstream/parcel.h"
#include "upstream/selector.h"
#include "upstream/window.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace picket::upstream {
namespace {

using relay::DataCategory;
using Fates = std::string;  // one letter an item: g goes, r not routed

std::string item_text(const std::string& header, const std::string& payload) {
  return "{" + header + ",\"length\":" + std::to_string(payload.size()) + "}\n" + payload + "\n";
}
std::string typed(const std::string& type, const std::string& payload = "{}") {
  return item_text("\"type\":\"" + type + "\"", payload);
}
std::string event(const std::string& payload = "{}") {
  return typed("event", payload);
}

DestinationConfig routed(RoutingConfig routing) {
  DestinationConfig config;
  config.dsn = "https://abababababababababababababababab@sentry.example.com/12";
  config.routing = std::move(routing);
  return config;
}

Parcel parcel_of(const std::string& items, const std::string& header = "{}") {
  static std::deque<std::string> kept;
  kept.push_back(header + "\n" + items);
  Parcel parcel;
  parcel.label.project = 1;
  parcel.stored = kept.back();
  const auto envelope = relay::parse_envelope(parcel.stored);
  for (const auto& item : envelope->items) add_count(parcel.label.counts, relay::category_of(item), item.item_count);
  parcel.label.decisive = decisive_of(parcel.label.counts);
  return parcel;
}

struct Selected {
  Fates fates;
  bool looked_inside = false;
  Label label;
};

Selected select(const RoutingConfig& routing, Parcel parcel) {
  const auto selector = Selector::make(routed(routing));
  EXPECT_TRUE(selector) << selector.error().detail;
  const auto items = relay::parse_envelope(parcel.stored)->items.size();
  const auto selected = selector->select(parcel);
  EXPECT_TRUE(selected) << selected.error().detail;
  Selected said{{}, parcel.decoded.has_value(), parcel.label};
  for (std::size_t i = 0; i < items; ++i) {
    const bool goes = parcel.kept.empty() ? !parcel.label.nothing_goes() : parcel.kept[i];
    said.fates += goes ? 'g' : 'r';
  }
  return said;
}

Fates fates(const RoutingConfig& routing, const std::string& items, const std::string& header = "{}") {
  return select(routing, parcel_of(items, header)).fates;
}

std::string refusal(const RoutingConfig& routing) {
  const auto result = checked({routed(routing)});
  return result ? "" : result.error().detail;
}

TEST(Routing, NamesTheKeyAndTheWordThatIsWrong) {
  const auto says = [](const RoutingConfig& routing, const std::string& words) {
    const auto said = refusal(routing);
    EXPECT_NE(said.find(words), std::string::npos) << said;
    EXPECT_NE(said.find("\"sentry.example.com\""), std::string::npos) << said;
  };
  says({.projects = {.include = {"web"}}}, "include_projects: \"web\" is not a project id");
  says({.projects = {.exclude = {"1", "-1"}}}, "exclude_projects: \"-1\"");
  says({.categories = {.include = {"errors"}}}, "include_categories: \"errors\" is no category");
  says({.categories = {.exclude = {""}}}, "exclude_categories: \"\"");
  says({.environments = {.include = {"[prod"}}}, "include_environments: \"[prod\"");
  says({.releases = {.exclude = {std::string(5'000, 'x')}}}, "exclude_releases: ");
  says({.levels = {.include = {"{a,{b}}"}}}, "include_levels: ");
  says({.environments = {.exclude = std::vector<std::string>(101, "a")}}, "exclude_environments: more than 100");
  EXPECT_EQ(refusal({.categories = {.include = {"error", "client_report", "unknown"}}}), "");
}

TEST(Routing, DecidesByProjectAndCategoryWithoutLookingInside) {
  const auto is_quick = [](const RoutingConfig& routing, const std::string& items, const Fates& expected) {
    const auto said = select(routing, parcel_of(items));
    EXPECT_EQ(said.fates, expected) << items;
    EXPECT_FALSE(said.looked_inside) << items;
  };
  is_quick({.projects = {.include = {"1"}}}, event(), "g");
  is_quick({.projects = {.include = {"2"}}}, event(), "r");
  is_quick({.projects = {.exclude = {"1"}}}, event() + typed("attachment"), "rr");
  is_quick({.categories = {.include = {"error"}}}, event(), "g");
  is_quick({.categories = {.include = {"error"}}}, typed("transaction"), "r");
  is_quick({.categories = {.exclude = {"session"}}}, typed("session"), "r");
  is_quick({.categories = {.exclude = {"session"}}}, event() + typed("attachment"), "gg");
  is_quick({.categories = {.exclude = {"session"}}, .levels = {.include = {"fatal"}}}, typed("session"), "r");
}

TEST(Routing, KeepsWhatBelongsToAnEventWithIt) {
  const RoutingConfig errors{.categories = {.include = {"error"}}};
  EXPECT_EQ(fates(errors, event() + typed("attachment") + typed("session") + typed("client_report")), "ggrr");
  EXPECT_EQ(fates(errors, typed("attachment") + typed("user_report") + event()), "ggg");
  EXPECT_EQ(fates(errors, typed("transaction") + typed("profile") + typed("check_in")), "rrr");
  EXPECT_EQ(fates({.categories = {.include = {"transaction"}}}, typed("transaction") + typed("profile")), "gg");
  EXPECT_EQ(fates({.categories = {.include = {"replay"}}}, typed("replay_event") + typed("replay_recording", "{}\nx")), "gg");
  EXPECT_EQ(fates({.categories = {.exclude = {"replay"}}}, typed("replay_event") + typed("replay_recording", "{}\nx") + typed("session")), "rrg");
}

TEST(Routing, TakesAwayAttachmentsWhereTheyAreExcludedByName) {
  const RoutingConfig slim{.categories = {.exclude = {"attachment"}}};
  const auto said = select(slim, parcel_of(event() + typed("attachment", "0123456789") + typed("attachment", "1")));
  EXPECT_EQ(said.fates, "grr");
  EXPECT_EQ(said.label.counts, (std::vector<ItemCount>{{DataCategory::error, 1}}));
  EXPECT_EQ(said.label.left_out, (std::vector<LeftOut>{{static_cast<std::uint8_t>(Fate::not_routed), DataCategory::attachment, 2}}));
  EXPECT_EQ(fates(slim, typed("attachment")), "r");
}

TEST(Routing, TakesACrashFileForTheEventThatItBecomes) {
  const std::string minidump = item_text(R"("type":"attachment","attachment_type":"event.minidump")", "MDMP");
  EXPECT_EQ(fates({.categories = {.include = {"error"}}}, minidump + typed("attachment")), "gg");
  EXPECT_EQ(fates({.categories = {.exclude = {"attachment"}}}, event() + minidump + typed("attachment")), "ggr");
  EXPECT_EQ(fates({.categories = {.include = {"transaction"}}}, minidump), "r");
  EXPECT_EQ(fates({.levels = {.include = {"fatal"}}}, minidump), "g");
}

TEST(Routing, MatchesEnvironmentReleaseAndLevelOfThePayload) {
  const std::string prod = event(R"({"environment":"Production","release":"app@1.2.3","level":"fatal"})");
  EXPECT_EQ(fates({.environments = {.include = {"prod*"}}}, prod), "g");
  EXPECT_EQ(fates({.environments = {.exclude = {"prod*"}}}, prod), "r");
  EXPECT_EQ(fates({.releases = {.include = {"app@1.*", "web@*"}}}, prod), "g");
  EXPECT_EQ(fates({.releases = {.include = {"web@*"}}}, prod), "r");
  EXPECT_EQ(fates({.levels = {.include = {"fatal", "error"}}}, prod), "g");
  EXPECT_EQ(fates({.levels = {.exclude = {"{fatal,error}"}}}, prod), "r");
  EXPECT_EQ(fates({.environments = {.include = {"prod*"}}, .releases = {.exclude = {"app@1.2.3"}}}, prod), "r");
}

TEST(Routing, TakesWhatIsNotSaidForTheEmptyTextAndNoLevelForAnError) {
  EXPECT_EQ(fates({.environments = {.include = {"prod"}}}, event()), "r");
  EXPECT_EQ(fates({.environments = {.include = {"prod", ""}}}, event()), "g");
  EXPECT_EQ(fates({.environments = {.include = {"*"}}}, event()), "g");
  EXPECT_EQ(fates({.environments = {.exclude = {"dev"}}}, event()), "g");
  EXPECT_EQ(fates({.levels = {.include = {"error"}}}, event()), "g");
  EXPECT_EQ(fates({.levels = {.include = {"fatal"}}}, typed("session") + typed("transaction")), "gg");
}

TEST(Routing, FindsEnvironmentAndReleaseWhereEachKindOfItemHasThem) {
  const RoutingConfig prod{.environments = {.include = {"prod"}}, .releases = {.include = {"r1"}}};
  const std::string plain = R"({"release":"r1","environment":"prod"})";
  EXPECT_EQ(fates(prod, typed("transaction", plain)), "g");
  EXPECT_EQ(fates(prod, typed("check_in", plain)), "g");
  EXPECT_EQ(fates(prod, typed("session", R"({"attrs":{"release":"r1","environment":"prod"}})")), "g");
  EXPECT_EQ(fates(prod, typed("session", R"({"attrs":{"release":"r1","environment":"dev"}})")), "r");
  const std::string container = R"("type":"log","item_count":1,"content_type":"application/vnd.sentry.items.log+json")";
  EXPECT_EQ(fates(prod, item_text(container, R"({"items":[{"attributes":{"sentry.release":{"value":"r1","type":"string"},"sentry.environment":{"value":"prod","type":"string"}}}]})")), "g");
  EXPECT_EQ(fates(prod, item_text(container, R"({"items":[{"attributes":{}}]})")), "r");
  EXPECT_EQ(fates(prod, item_text(container, R"({"items":[{}]})"), R"({"trace":{"release":"r1","environment":"prod"}})"), "g");
  // The event's own word, not that of whoever began the trace.
  EXPECT_EQ(fates(prod, event(R"({"release":"r2","environment":"prod"})"), R"({"trace":{"release":"r1","environment":"prod"}})"), "r");
}

TEST(Routing, ReadsHostilePayloadsAsFarAsTheyGo) {
  const RoutingConfig prod{.environments = {.include = {"prod"}}};
  EXPECT_EQ(fates(prod, event("{\"environment\":\"prod\",\"x\":")), "g");
  EXPECT_EQ(fates(prod, event("{\"x\":[[[[")), "r");
  EXPECT_EQ(fates(prod, event(R"({"environment":["prod"]})")), "r");
  EXPECT_EQ(fates(prod, event(R"({"environment":"\u0070rod"})")), "g");
  EXPECT_EQ(fates(prod, event(std::string(100'000, '{'))), "r");
  EXPECT_EQ(fates(prod, item_text(R"("type":"log","content_type":"application/vnd.sentry.items.log+json")", R"({"items":[]})")), "r");
}

TEST(Routing, SaysThatAnEnvelopeCannotBeReadRatherThanGuess) {
  const auto selector = Selector::make(routed({.levels = {.include = {"fatal"}}}));
  Parcel parcel;
  parcel.stored = "{}\n{\"type\":\"event\",\"length\":100}\n{}";
  parcel.label.counts = {{DataCategory::error, 1}};
  const auto selected = selector->select(parcel);
  ASSERT_FALSE(selected);
  EXPECT_EQ(selected.error().fault, Fault::malformed);
}

TEST(Routing, LimitsOfWhatIsLeftOutMakeNothingWait) {
  const auto said = select({.categories = {.exclude = {"session"}}}, parcel_of(typed("session") + typed("check_in")));
  EXPECT_EQ(said.label.decisive, (std::vector{DataCategory::monitor}));
}

TEST(Routing, RendersTheItemsThatGoByteForByte) {
  auto parcel = parcel_of(event("{\"a\": 1 }") + typed("session", "{\"b\":2}") + "{\"type\":\"future\"}\nline\n", R"({"extra":[1]})");
  parcel.kept = {true, false, true};
  const auto request = render_request(parcel, Time{}, {.coding = relay::Coding::identity});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->body, "{\"extra\":[1]}\n" + event("{\"a\": 1 }") + "{\"type\":\"future\"}\nline\n");
}

}  // namespace
}  // namespace picket::upstream

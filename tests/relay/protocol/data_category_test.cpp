#include "relay/protocol/data_category.h"

#include "relay/protocol/envelope.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace picket::relay {
namespace {

Item item_of(std::string type) {
  Item item;
  item.type = std::move(type);
  return item;
}

TEST(DataCategory, IsReadBackFromItsWireName) {
  std::set<std::string> names;
  for (int number = 0; number < 200; ++number) {
    const auto category = static_cast<DataCategory>(number);
    const auto name = wire_name(category);
    if (name == "unknown") continue;
    EXPECT_EQ(parse_data_category(name), category);
    EXPECT_TRUE(names.insert(std::string(name)).second) << name;
  }
  EXPECT_EQ(names.size(), 38U);
}

TEST(DataCategory, HasTheNumbersAndNamesOfTheWire) {
  EXPECT_EQ(wire_name(static_cast<DataCategory>(0)), "default");
  EXPECT_EQ(wire_name(static_cast<DataCategory>(1)), "error");
  EXPECT_EQ(wire_name(static_cast<DataCategory>(12)), "span");
  EXPECT_EQ(wire_name(static_cast<DataCategory>(23)), "log_item");
  EXPECT_EQ(wire_name(static_cast<DataCategory>(33)), "trace_metric");
  EXPECT_EQ(wire_name(static_cast<DataCategory>(37)), "trace_metric_byte");
}

TEST(DataCategory, KnowsTheAliasOfFeedback) {
  EXPECT_EQ(parse_data_category("user_report_v2"), DataCategory::feedback);
  EXPECT_EQ(wire_name(DataCategory::feedback), "feedback");
}

TEST(DataCategory, IgnoresWordsItDoesNotKnow) {
  for (const std::string name :
       {"", "Error", "errors", "unknown", "client_report", "user_report", " error"}) {
    EXPECT_FALSE(parse_data_category(name)) << name;
  }
}

TEST(DataCategory, NamesOursAndWhatANewerVersionStored) {
  EXPECT_EQ(wire_name(DataCategory::client_report), "client_report");
  EXPECT_EQ(wire_name(DataCategory::user_report), "user_report");
  EXPECT_EQ(wire_name(DataCategory::unknown), "unknown");
  EXPECT_EQ(wire_name(static_cast<DataCategory>(99)), "unknown");
}

TEST(Outcome, IsReadBackFromItsWireName) {
  for (int number = 0; number <= 6; ++number) {
    const auto outcome = static_cast<Outcome>(number);
    EXPECT_EQ(parse_outcome(wire_name(outcome)), outcome);
  }
  EXPECT_EQ(wire_name(Outcome::client_discard), "client_discard");
  EXPECT_EQ(wire_name(static_cast<Outcome>(7)), "unknown");
  EXPECT_FALSE(parse_outcome("lost"));
}

TEST(CategoryOf, CountsEachItemTypeAsSentryDoes) {
  const std::pair<const char*, DataCategory> expected[] = {
      {"event", DataCategory::error},
      {"transaction", DataCategory::transaction},
      {"attachment", DataCategory::attachment},
      {"session", DataCategory::session},
      {"sessions", DataCategory::session},
      {"check_in", DataCategory::monitor},
      {"log", DataCategory::log_item},
      {"span", DataCategory::span},
      {"statsd", DataCategory::metric_bucket},
      {"metric_buckets", DataCategory::metric_bucket},
      {"trace_metric", DataCategory::trace_metric},
      {"profile", DataCategory::profile},
      {"profile_chunk", DataCategory::profile_chunk},
      {"replay_event", DataCategory::replay},
      {"replay_recording", DataCategory::replay},
      {"replay_video", DataCategory::replay},
      {"feedback", DataCategory::feedback},
      {"raw_security", DataCategory::security},
      {"security", DataCategory::security},
      {"client_report", DataCategory::client_report},
      {"user_report", DataCategory::user_report},
      {"", DataCategory::default_},
      {"something_new", DataCategory::unknown},
      {"Event", DataCategory::unknown},
  };
  for (const auto& [type, category] : expected)
    EXPECT_EQ(category_of(item_of(type)), category) << type;
}

TEST(RequiresEventId, HoldsForWhatBelongsToAnEvent) {
  for (const auto* type : {"event", "transaction", "security", "raw_security", "attachment",
                           "user_report", "feedback", "form_data", "unreal_report"}) {
    EXPECT_TRUE(requires_event_id(item_of(type))) << type;
  }
  for (const auto* type :
       {"session", "sessions", "check_in", "log", "span", "client_report", "statsd",
        "profile_chunk", "replay_recording", "trace_metric", "", "something_new"}) {
    EXPECT_FALSE(requires_event_id(item_of(type))) << type;
  }
}

TEST(RequiresEventId, DoesNotHoldForTheAttachmentOfATrace) {
  auto item = item_of("attachment");
  for (const std::string_view type : {"application/vnd.sentry.trace-attachment", "application/vnd.sentry.attachment.v2",
                                      "Application/Vnd.Sentry.Attachment.V2; charset=utf-8"}) {
    item.content_type = type;
    EXPECT_TRUE(is_trace_attachment(item)) << type;
    EXPECT_FALSE(requires_event_id(item)) << type;
  }
  for (const std::string_view type : {"", "text/plain", "application/vnd.sentry.attachment-ref+json", "application/vnd.sentry.attachment.v"}) {
    item.content_type = type;
    EXPECT_FALSE(is_trace_attachment(item)) << type;
    EXPECT_TRUE(requires_event_id(item)) << type;
  }
  item.type = "log";
  item.content_type = "application/vnd.sentry.attachment.v2";
  EXPECT_FALSE(is_trace_attachment(item)) << "the type decides first";
}

}  // namespace
}  // namespace picket::relay

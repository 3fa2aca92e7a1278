#include "api/digest/message_format.h"

#include "api/digest/event.h"

#include <gtest/gtest.h>

namespace picket::digest {
namespace {

TEST(FormatMessage, FillsPrintfPlaceholdersInOrder) {
  EXPECT_EQ(format_message("pump %d at %-5.2s (%%)", {{"", "7"}, {"", "dock"}}),
            "pump 7 at dock (%)");
}

TEST(FormatMessage, FillsNamedPlaceholders) {
  EXPECT_EQ(format_message("%(who)s and {who} and {0}", {{"who", "ada"}}), "ada and ada and ada");
}

TEST(FormatMessage, FillsBracesInOrder) {
  EXPECT_EQ(format_message("{} then {:>8}", {{"", "a"}, {"", "b"}}), "a then b");
}

TEST(FormatMessage, LeavesWhatNoParameterFills) {
  EXPECT_EQ(format_message("%s %s 100%", {{"", "a"}}), "a %s 100%");
  EXPECT_EQ(format_message("{7} {nobody} { %(open", {{"", "a"}}), "{7} {nobody} { %(open");
  EXPECT_EQ(format_message("", {}), "");
}

TEST(ParseEvent, FormatsAMessageThatComesWithItsParametersOnly) {
  const auto event = parse_event(R"({"logentry":{"message":"pump %d at %s","params":[7,"dock"]}})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->formatted, "pump 7 at dock");
  EXPECT_EQ(event->message, "pump %d at %s");
}

TEST(ParseEvent, KeepsTheFormattedMessageOfTheSdk) {
  const auto event = parse_event(
      R"({"logentry":{"message":"a %s","params":["b"],"formatted":"as the SDK says"}})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->formatted, "as the SDK says");
}

}  // namespace
}  // namespace picket::digest

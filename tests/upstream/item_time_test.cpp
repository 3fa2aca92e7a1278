// When what an envelope tells of was.
#include "upstream/item_time.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::upstream {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const Time noon = time_from_ms(*relay::parse_timestamp("2026-12-01T12:00:00Z"));

std::string item(const std::string& header, const std::string& payload) {
  return "{" + header + ",\"length\":" + std::to_string(payload.size()) + "}\n" + payload + "\n";
}

std::string newest(const std::string& items, const std::vector<bool>& kept = {}) {
  const std::string text = "{}\n" + items;
  const auto envelope = relay::parse_envelope(text, {});
  if (!envelope) return envelope.error().detail;
  const auto found = find_newest_time(*envelope, kept);
  return found ? relay::render_timestamp(to_ms(*found)) : "none";
}

TEST(ItemTime, IsTheEndOfATransactionOrSpan) {
  const std::string end = R"({"start_timestamp":1764590000,"timestamp":1764590400.25,"type":"transaction"})";
  EXPECT_EQ(newest(item(R"("type":"transaction")", end)), "2025-12-01T12:00:00.250Z");
  EXPECT_EQ(newest(item(R"("type":"transaction")", R"({"timestamp":"2026-12-01T12:00:00Z"})")), "2026-12-01T12:00:00.000Z");
  EXPECT_EQ(newest(item(R"("type":"span")", R"({"timestamp":1764590400})")), "2025-12-01T12:00:00.000Z");
  EXPECT_EQ(newest(item(R"("type":"span","item_count":2,"content_type":"application/vnd.sentry.items.span.v2+json")",
                        R"({"items":[{"end_timestamp":1764590400},{"end_timestamp":1764590300}]})")),
            "2025-12-01T12:00:00.000Z");
}

TEST(ItemTime, IsTheStartOfASessionAndOfTheNewestOfSeveral) {
  EXPECT_EQ(newest(item(R"("type":"session")", R"({"started":"2026-12-01T12:00:00Z","timestamp":"2026-12-01T13:00:00Z"})")), "2026-12-01T12:00:00.000Z");
  EXPECT_EQ(newest(item(R"("type":"sessions")", R"({"aggregates":[{"started":"2026-12-01T11:00:00Z"},{"started":"2026-12-01T12:00:00Z","exited":1},{"exited":2}]})")),
            "2026-12-01T12:00:00.000Z");
  EXPECT_EQ(newest(item(R"("type":"session")", R"({"started":"2026-11-01T12:00:00Z"})") + item(R"("type":"session")", R"({"started":"2026-12-01T12:00:00Z"})")),
            "2026-12-01T12:00:00.000Z");
}

TEST(ItemTime, IsOfWhatGoes) {
  const auto both = item(R"("type":"session")", R"({"started":"2026-11-01T12:00:00Z"})") + item(R"("type":"session")", R"({"started":"2026-12-01T12:00:00Z"})");
  EXPECT_EQ(newest(both, {true, false}), "2026-11-01T12:00:00.000Z");
  EXPECT_EQ(newest(both, {false, false}), "none");
}

TEST(ItemTime, IsNotKnownOfWhatSaysNoneOrIsNoJson) {
  for (const char* const payload : {"{}", "[]", "not json", R"({"timestamp":null})", R"({"timestamp":"yesterday"})", R"({"timestamp":{"a":1}})", R"({"timestamp":1e999})"}) {
    EXPECT_EQ(newest(item(R"("type":"transaction")", payload)), "none") << payload;
  }
  EXPECT_EQ(newest(item(R"("type":"sessions")", R"({"aggregates":[1,"2",null,[]]})")), "none");
  EXPECT_EQ(newest(item(R"("type":"span","content_type":"application/vnd.sentry.items.span.v2+json")", R"({"items":{"end_timestamp":5}})")), "none");
  // An error is judged by its arrival, a log is never too old.
  EXPECT_EQ(newest(item(R"("type":"event")", R"({"timestamp":1764590400})")), "none");
  EXPECT_EQ(newest(item(R"("type":"log")", R"({"timestamp":1764590400})")), "none");
}

TEST(ItemTime, ByOurClockIsPutRightOnlyWhereTheSendersIsFarOff) {
  EXPECT_EQ(time_by_our_clock(noon - hours(2), std::nullopt, noon), noon - hours(2));
  EXPECT_EQ(time_by_our_clock(noon - hours(2), noon - minutes(54), noon), noon - hours(2));
  EXPECT_EQ(time_by_our_clock(noon - hours(2), noon - minutes(55), noon), noon - minutes(65));
  EXPECT_EQ(time_by_our_clock(noon + hours(2), noon + hours(3), noon), noon - hours(1));
  EXPECT_EQ(time_by_our_clock(noon + minutes(5), noon, noon), noon);
}

TEST(ItemTime, OfTheFarthestTimesThereAreIsNoOverflow) {
  for (const char* const far : {"0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    const Time time = time_from_ms(*relay::parse_timestamp(far));
    for (const char* const sent : {"0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
      EXPECT_LE(time_by_our_clock(time, time_from_ms(*relay::parse_timestamp(sent)), noon), noon);
    }
  }
}

}  // namespace
}  // namespace picket::upstream

#include "upstream/sampling.h"

#include "upstream/parcel.h"
#include "upstream/selector.h"
#include "upstream/unsent_reports.h"
#include "upstream/window.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

namespace picket::upstream {
namespace {

using relay::DataCategory;
using namespace std::chrono_literals;
using Rates = std::vector<std::pair<std::string, std::string>>;

std::string id_of(std::uint64_t number) {
  const auto digits = std::to_string(number);
  return std::string(32 - digits.size(), '0') + digits;
}

// 'g' goes, 's' sampled out, for each item.
std::string sampled(const Rates& rates, const std::string& text, bool* looked_inside = nullptr) {
  DestinationConfig config;
  config.dsn = "https://abababababababababababababababab@sentry.example.com/12";
  config.sample_rates = rates;
  const auto selector = Selector::make(config);
  EXPECT_TRUE(selector) << selector.error().detail;
  Parcel parcel;
  parcel.stored = text;
  const auto envelope = relay::parse_envelope(text);
  for (const auto& item : envelope->items) add_count(parcel.label.counts, relay::category_of(item), item.item_count);
  EXPECT_TRUE(selector->select(parcel));
  if (looked_inside != nullptr) *looked_inside = parcel.decoded.has_value();
  std::string said;
  for (std::size_t i = 0; i < envelope->items.size(); ++i) said += parcel.kept.empty() || parcel.kept[i] ? 'g' : 's';
  for (const auto& left : parcel.label.left_out) EXPECT_EQ(left.fate, static_cast<std::uint8_t>(Fate::not_sampled));
  return said;
}

std::string item(const std::string& type, const std::string& payload = "{}") {
  return "{\"type\":\"" + type + "\",\"length\":" + std::to_string(payload.size()) + "}\n" + payload + "\n";
}
std::string with_trace(const std::string& id) {
  return "{\"trace\":{\"trace_id\":\"" + id + "\"}}\n";
}

TEST(Sampling, NamesTheKeyOfWhatIsNoRate) {
  const auto refused = [](const Rates& rates, const std::string& words) {
    const auto made = Sampling::make(rates);
    ASSERT_FALSE(made) << words;
    EXPECT_NE(made.error().detail.find(words), std::string::npos) << made.error().detail;
  };
  for (const char* const bad : {"", "1.1", "-0.1", "10%", "nan", "0.5x", "inf"}) refused({{"transaction", bad}}, "sample_rates.transaction must be");
  refused({{"transactions", "0.5"}}, "sample_rates: \"transactions\" is no category");
  EXPECT_TRUE(Sampling::make({{"transaction", "1"}})->empty());
}

TEST(Sampling, DrawsNumbersEvenlyAndTheSameForEverySpellingOfAnId) {
  constexpr int draws = 20'000;
  std::array<int, 10> tenths{};
  for (int i = 0; i < draws; ++i) ++tenths.at(static_cast<std::size_t>(number_of_id(id_of(static_cast<std::uint64_t>(i))) * 10));
  for (const int tenth : tenths) EXPECT_NEAR(tenth, draws / 10, 200);
  EXPECT_EQ(number_of_id("0123456789abcdef0123456789abcdef"), number_of_id("01234567-89AB-CDEF-0123-456789abcdef"));
  // What Pickets have agreed on; a change would tear traces apart while some are not yet upgraded.
  EXPECT_DOUBLE_EQ(number_of_id("0123456789abcdef0123456789abcdef"), 0.8917743589730431);
}

TEST(Sampling, TakesATraceWholeAndASmallerRateWithinALarger) {
  int taken = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const auto header = with_trace(id_of(i));
    const auto small = sampled({{"transaction", "0.3"}, {"span", "0.3"}}, header + item("transaction") + item("profile") + item("span"));
    EXPECT_TRUE(small == "ggg" || small == "sss") << small;
    const auto in_payload = sampled({{"transaction", "0.3"}}, "{}\n" + item("transaction", R"({"contexts":{"trace":{"trace_id":")" + id_of(i) + "\"}}}"));
    EXPECT_EQ(in_payload, small.substr(0, 1));
    const auto large = sampled({{"transaction", "0.6"}}, header + item("transaction"));
    EXPECT_TRUE(small == "sss" || large == "g");
    taken += small == "ggg" ? 1 : 0;
  }
  EXPECT_NEAR(taken, 90, 30);
}

TEST(Sampling, LeavesOtherCategoriesAloneAndClosed) {
  bool looked_inside = true;
  EXPECT_EQ(sampled({{"transaction", "0"}}, "{}\n" + item("event") + item("attachment"), &looked_inside), "gg");
  EXPECT_FALSE(looked_inside);
  EXPECT_EQ(sampled({{"transaction", "0"}}, "{}\n" + item("transaction") + item("session")), "sg");
}

TEST(Sampling, GoesByTheEventWhereThereIsNoTrace) {
  int taken = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const std::string text = "{\"event_id\":\"" + id_of(i) + "\"}\n" + item("event") + item("attachment");
    const auto said = sampled({{"error", "0.5"}}, text);
    EXPECT_TRUE(said == "gg" || said == "ss") << said;
    EXPECT_EQ(said, sampled({{"error", "0.5"}}, text));
    taken += said == "gg" ? 1 : 0;
  }
  EXPECT_NEAR(taken, 150, 40);
}

class UnsentReportsTest : public ::testing::Test {
 protected:
  Settled left_out(std::uint64_t quantity, DataCategory category = DataCategory::transaction, relay::ProjectId project = 1) {
    Settled settled;
    settled.fate = Fate::forwarded;
    settled.label.project = project;
    settled.label.key = std::string(16, '\x12');
    settled.label.left_out = {{static_cast<std::uint8_t>(Fate::not_sampled), category, quantity}};
    return settled;
  }
  Time now{1'700'000'000'000ms};
  UnsentReports reports{1min};
};

TEST_F(UnsentReportsTest, GathersForAWhileAndTellsEachProjectOnce) {
  reports.add(left_out(3), now);
  reports.add(left_out(4), now);
  reports.add(left_out(1, DataCategory::transaction, 2), now);
  EXPECT_FALSE(reports.start(now));
  EXPECT_EQ(reports.next_look(), now + 1min);
  now += 1min;
  const auto first = reports.start(now);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->project, 1U);
  EXPECT_NE(first->envelope.find(R"("discarded_events":[{"reason":"sample_rate","category":"transaction","quantity":7}])"), std::string::npos) << first->envelope;
  EXPECT_TRUE(relay::parse_envelope(first->envelope));
  EXPECT_FALSE(reports.start(now));
  reports.add(left_out(5), now);  // while it is under way
  reports.settle(now);
  const auto second = reports.start(now);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->project, 2U);
  reports.settle(now);
  EXPECT_FALSE(reports.start(now));
  now += 1min;
  EXPECT_NE(reports.start(now)->envelope.find("\"quantity\":5"), std::string::npos);
}

TEST_F(UnsentReportsTest, TellsOfWhatExpiredButNotOfWhatWasSent) {
  auto settled = left_out(2);
  settled.label.counts = {{DataCategory::error, 1}, {DataCategory::attachment, 300}};
  reports.add(settled, now);
  settled.fate = Fate::expired;
  reports.add(settled, now);
  now += 1min;
  const auto report = reports.start(now);
  ASSERT_TRUE(report);
  for (const char* const entry : {R"({"reason":"expired","category":"error","quantity":1})", R"({"reason":"expired","category":"attachment","quantity":300})",
                                  R"({"reason":"sample_rate","category":"transaction","quantity":4})"}) {
    EXPECT_NE(report->envelope.find(entry), std::string::npos) << report->envelope;
  }
}

TEST_F(UnsentReportsTest, TellsAgainWhatWasNotTakenAndRemembersItInTheRow) {
  reports.add(left_out(3), now);
  now += 1min;
  ASSERT_TRUE(reports.start(now));
  reports.put_back(now);
  EXPECT_FALSE(reports.start(now));
  schema::Destination row;
  reports.store(row);
  UnsentReports later{1min};
  later.load(row, now);
  now += 1min;
  EXPECT_EQ(later.start(now)->envelope, reports.start(now)->envelope);
  later.settle(now);
  later.store(row);
  EXPECT_EQ(row.unsent_size(), 0);
}

TEST_F(UnsentReportsTest, SaysNothingOfWhatSentryHasNoWordForNorWhenNotAsked) {
  reports.add(left_out(3, DataCategory::client_report), now);
  EXPECT_FALSE(reports.next_look());
  UnsentReports silent{0ms};
  silent.add(left_out(3), now);
  EXPECT_FALSE(silent.next_look());
}

TEST_F(UnsentReportsTest, KeepsABoundedNumberOfSums) {
  for (relay::ProjectId project = 1; project <= 5'000; ++project) reports.add(left_out(1, DataCategory::error, project), now);
  schema::Destination row;
  reports.store(row);
  EXPECT_EQ(row.unsent_size(), static_cast<int>(UnsentReports::most_sums));
}

}  // namespace
}  // namespace picket::upstream

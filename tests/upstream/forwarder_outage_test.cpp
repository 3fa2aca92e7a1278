// Outages of hours and weeks, by a clock that a test moves.
#include "upstream/forwarder_fixture.h"

#include <algorithm>
#include <string>
#include <vector>

namespace picket::upstream {
namespace {

class ForwarderOutageTest : public ForwarderTest, public ::testing::WithParamInterface<Duration> {};

bool says(const Received& received, const std::string& sent_at) {
  return received.envelope.find("\"sent_at\":\"" + sent_at + "\"") != std::string::npos;
}

// The SDK's clock is 90 seconds behind, and an upstream has to see that and no more.
TEST_P(ForwarderOutageTest, EverythingComesOnceWithTheClockErrorThatItHadAndTheTimesThatItSays) {
  constexpr auto behind = 90s;
  const auto sent_at = [&] { return relay::render_timestamp(to_ms(clock.now() - behind)); };
  upstream.answer_with({.status = 503});
  start();
  for (int i = 0; i < 6; ++i) {
    post({.sent_at = sent_at(), .types = {i % 2 == 0 ? "event" : "transaction"}, .described = i < 3});
    clock.advance(1min);
  }
  ASSERT_TRUE(soon([&] { return status().failures > 0; })) << describe();
  clock.advance(GetParam() / 2);
  restart();
  ASSERT_TRUE(soon([&] { return status().failures > 0; })) << describe();
  clock.advance(GetParam() / 2);
  // One request at a time probes an upstream that refuses: none that was written before the clock moved is left to be taken.
  ASSERT_TRUE(soon([&] {
    const auto received = upstream.received();
    return std::any_of(received.begin(), received.end(), [&](const Received& one) { return says(one, sent_at()); });
  })) << describe();
  upstream.answer_with({});
  ASSERT_TRUE(upstream.wait_for_accepted(6)) << describe();
  ASSERT_TRUE(all_written()) << describe();

  auto ids = upstream.accepted_ids();
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(ids, (std::vector{event_id(1), event_id(2), event_id(3), event_id(4), event_id(5), event_id(6)}));
  for (const Received& received : upstream.received()) {
    if (received.status != 200) continue;
    EXPECT_TRUE(says(received, sent_at())) << received.envelope;
    EXPECT_NE(received.envelope.find("\n{\"a\":\"b\\n\"}\n"), std::string::npos) << received.envelope;
  }
  EXPECT_EQ(status().expired, 0U);
}

INSTANTIATE_TEST_SUITE_P(OfThreeHoursAndTwentyDays, ForwarderOutageTest, ::testing::Values(Duration(3h), Duration(24h * 20)));

}  // namespace
}  // namespace picket::upstream

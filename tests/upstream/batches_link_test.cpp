// Batches: what goes by itself, what the link allows, and what is sent once more.
#include "batches_fixture.h"

namespace picket::upstream {
namespace {

TEST_F(BatchesTest, LeaveALargeEnvelopeToARequestOfItsOwn) {
  take_batches();
  post_and_start(1);
  ASSERT_TRUE(all_written());
  auto record = make_record({.id = event_id(2)}, clock.now());
  const std::string payload(300'000, 'a');
  const std::string text = "{\"event_id\":\"" + event_id(2) + "\"}\n{\"type\":\"attachment\",\"length\":" + std::to_string(payload.size()) + "}\n" + payload;
  record.coding = static_cast<std::uint8_t>(relay::Coding::gzip);
  record.body = relay::encode_gzip(text, 6);
  journal.append(record);
  posted = 2;
  post_many(10);
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_TRUE(each_once(12));
  EXPECT_EQ(alone_requests(), 2U);
}

TEST_F(BatchesTest, StayWithinTheBytesOfADay) {
  take_batches();
  auto config = destination(upstream);
  config.link.max_bytes_per_day = 65'536;
  post_and_start(1, config);
  for (std::uint64_t i = 2; i <= 200; ++i) post_noise(i, 2'000);
  const auto used_up = [&] {
    return soon([&] {
      const auto seen = status();
      return seen.in_flight == 0 && (seen.deferred > 0 || seen.link.waits_until || taken().size() == 200);
    });
  };
  ASSERT_TRUE(used_up()) << describe();
  EXPECT_GE(batches, 1U);
  const auto wire = status().link.wire;
  EXPECT_LE(wire.sent + wire.received, 65'536U);
  const auto first_day = taken().size();
  EXPECT_GT(first_day, 10U);
  EXPECT_LT(first_day, 200U);
  for (int day = 0; day < 40 && taken().size() < 200; ++day) {
    clock.advance(24h);
    const auto before = taken().size();
    soon([&] { return taken().size() > before; }, 5s);
    ASSERT_TRUE(used_up()) << describe();
  }
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_TRUE(each_once(200));
  EXPECT_TRUE(quarantine().empty());
}

TEST_F(BatchesTest, KeepToThePaceOfTheLink) {
  take_batches();
  auto config = destination(upstream);
  config.link.max_bytes_per_second = 20'000;
  config.stall_timeout = 30s;
  post_and_start(1, config);
  const auto began = std::chrono::steady_clock::now();
  for (std::uint64_t i = 2; i <= 60; ++i) post_noise(i, 2'000);
  ASSERT_TRUE(all_written()) << describe();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const auto wire = status().link.wire;
  EXPECT_GT(wire.sent, 40'000U);
  EXPECT_GE(took.count(), static_cast<double>(wire.sent) / 20'000 / 2);
  EXPECT_TRUE(each_once(60));
  EXPECT_LE(alone_requests(), 1U);
}

TEST_F(BatchesTest, CarryAResend) {
  take_batches();
  post_and_start(100);
  ASSERT_TRUE(all_written());
  const auto next = journal.use().next;
  change_row([&](schema::Destination& changed) {
    auto& job = *changed.mutable_resend();
    job.set_id(1);
    job.set_first(1);
    job.set_next(1);
    job.set_end(next);
    job.set_to_ms(to_ms(clock.now()) + 1);
    job.set_again(true);
  });
  ASSERT_TRUE(soon([&] { return row().resend().sent() == 100; })) << describe();
  for (std::uint64_t i = 1; i <= 100; ++i) EXPECT_EQ(times(i), 2U) << i;
  EXPECT_EQ(alone_requests(), 1U);
}

}  // namespace
}  // namespace picket::upstream

#include "upstream/link.h"

#include <gtest/gtest.h>

namespace picket::upstream {
namespace {

constexpr std::uint64_t request_bytes = 1'000;
constexpr std::uint64_t head_bytes = 200;

// A link of so many bytes a day, of which some are granted.
class LinkOfADay : public testing::Test {
 protected:
  LinkOfADay() : link(config()) {
    link.load({}, now);
    look(0);
    EXPECT_EQ(link.admit(request_bytes, steady), Link::Admission::soon);
    link.store(row, false);
    link.on_written();
  }

  static LinkConfig config() {
    LinkConfig config;
    config.max_bytes_per_day = 300'000;
    return config;
  }

  void look(std::uint64_t sent) { link.look(now, steady, {.sent = sent, .received = 0}, false); }

  // How many requests go one after the other, each answered at once.
  std::uint64_t requests_that_go() {
    std::uint64_t gone = 0;
    while (gone < 1'000 && link.admit(request_bytes, steady) == Link::Admission::go) {
      link.begin(request_bytes, head_bytes, steady);
      link.end(request_bytes);
      ++gone;
    }
    return gone;
  }

  Time now = Time(std::chrono::sys_days(std::chrono::year(2026) / 5 / 1).time_since_epoch());
  Link::Steady::time_point steady{};
  Link link;
  schema::LinkState row;
};

TEST_F(LinkOfADay, WhatHasEndedIsReservedUntilItIsCounted) {
  const std::uint64_t granted = row.day_bytes();
  ASSERT_GT(granted, 2 * request_bytes);
  const auto gone = requests_that_go();
  EXPECT_EQ(gone, granted / request_bytes) << "a process killed now finds what it sent as spent";

  // They took less than what was reserved for them: the rest may be had again.
  look(gone * request_bytes / 2);
  EXPECT_EQ(requests_that_go(), (granted - gone * request_bytes / 2) / request_bytes);
}

}  // namespace
}  // namespace picket::upstream

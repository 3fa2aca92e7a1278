#include "upstream/flight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <random>
#include <utility>
#include <vector>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;
using Steady = Flight::Steady;
using Micros = Flight::Micros;

// A link that carries one request after the other, each on a connection of its own for as long as it takes.
struct Way {
  double bytes_per_second = 0;
  Micros round_trip{};
  double loss = 0;  // of requests: those come a second later
  Micros server{};  // how long the upstream thinks
};

struct Seen {
  double use = 0;  // of the link, after the first fifth of the time
  Micros slowest{};  // answer, in the same time
  std::size_t most_under_way = 0;
};

Seen send_for(Flight& flight, const Way& way, Micros lasts, double request_bytes = 2'000) {
  struct Sent {
    Steady::time_point answered, began;
    Micros response, connect;
    bool operator>(const Sent& other) const { return answered > other.answered; }
  };
  std::mt19937 random(7);  // NOLINT: the same each time
  std::priority_queue<Sent, std::vector<Sent>, std::greater<>> under_way;
  const Steady::time_point start{1h};
  auto now = start;
  auto free_at = start;
  std::size_t connections = 0;
  double carried = 0;
  Seen seen;
  const auto serialised = Micros(static_cast<Micros::rep>(request_bytes / way.bytes_per_second * 1e6));
  while (now < start + lasts) {
    while (flight.has_room(under_way.size())) {
      const bool is_new = under_way.size() >= connections;
      if (is_new) ++connections;
      const Micros connect = is_new ? way.round_trip : Micros(0);
      const auto leaves = now + connect;
      free_at = std::max(free_at, leaves) + serialised;
      auto answered = free_at + way.round_trip + way.server;
      if (std::uniform_real_distribution<>(0, 1)(random) < way.loss) answered += 1s;
      under_way.push({answered, now, std::chrono::duration_cast<Micros>(answered - leaves), connect});
    }
    seen.most_under_way = std::max(seen.most_under_way, under_way.size());
    flight.note_full();
    const Sent first = under_way.top();
    under_way.pop();
    now = first.answered;
    flight.on_answered(first.began, now, first.response, first.connect);
    if (now < start + lasts / 5) continue;
    carried += request_bytes;
    seen.slowest = std::max(seen.slowest, first.response);
  }
  const std::chrono::duration<double> measured = now - (start + lasts / 5);
  seen.use = carried / measured.count() / way.bytes_per_second;
  return seen;
}

constexpr double kbit = 1'000.0 / 8;

TEST(Flight, KeepsALinkBusyWhateverItsLengthAndLoss) {
  for (const double rate : {9.6 * kbit, 64 * kbit, 1'000 * kbit, 20'000 * kbit}) {
    for (const Micros round_trip : {Micros(1ms), Micros(100ms), Micros(800ms)}) {
      for (const double loss : {0.0, 0.05, 0.2}) {
        Flight flight(0);
        const auto seen = send_for(flight, {rate, round_trip, loss}, 10min, rate > 1e6 ? 4'000 : 2'000);
        // What an upstream near by gets at once is used up where many of them wait a second for nothing.
        const bool few = rate > 1e6 && (round_trip < 50ms ? loss > 0 : round_trip < 500ms && loss > 0.1);
        EXPECT_GE(seen.use, few ? 0.1 : 0.8) << rate << " B/s, " << round_trip.count() << " us, loss " << loss;
      }
    }
  }
}

TEST(Flight, LetsRequestsNotWaitLongForEachOther) {
  for (const double rate : {9.6 * kbit, 64 * kbit, 1'000 * kbit}) {
    for (const Micros round_trip : {Micros(1ms), Micros(100ms), Micros(800ms)}) {
      Flight flight(0);
      const auto seen = send_for(flight, {rate, round_trip}, 30min, 1'200);
      EXPECT_LE(seen.slowest, 12s) << rate << " B/s, " << round_trip.count() << " us";
    }
  }
}

TEST(Flight, GivesAnUpstreamNearbySixtyFourHoweverLongItThinks) {
  Flight flight(0);
  const auto seen = send_for(flight, {1e9, 1ms, 0, 2s}, 10min);
  EXPECT_EQ(seen.most_under_way, 64U);
  EXPECT_EQ(flight.allowance(), 64U);
}

TEST(Flight, GivesNoMoreThanTheOperatorSays) {
  for (const std::uint64_t most : {1U, 2U, 7U}) {
    Flight flight(most);
    const auto seen = send_for(flight, {1e9, 800ms}, 5min);
    EXPECT_EQ(seen.most_under_way, most);
  }
}

TEST(Flight, FindsItsMeasureAnewAfterALinkHasChanged) {
  Flight flight(0);
  EXPECT_GE(send_for(flight, {20'000 * kbit, 800ms}, 2min, 4'000).use, 0.8);
  EXPECT_GT(flight.allowance(), 300U);
  flight.reset();
  EXPECT_LE(flight.allowance(), 4U);
  EXPECT_LE(send_for(flight, {9.6 * kbit, 100ms}, 10min, 1'200).slowest, 12s);
}

}  // namespace
}  // namespace picket::upstream

#include "upstream/flight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <random>
#include <string>
#include <tuple>
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
  double loss = 0;  // of requests
  Micros server{};  // how long the upstream thinks
};

struct Seen {
  double use = 0;        // of the link, after the first fifth of the time
  double overflown = 0;  // part of what was sent for which the modem had no room
  Micros slowest{};      // answer, in the same time
  std::size_t most_under_way = 0;
};

struct Sent {
  Steady::time_point began, left;
  Micros connect;
  int tries = 0;
};

class Simulation {
 public:
  Simulation(Flight& flight, const Way& way, double request_bytes)
      : flight_(flight), way_(way), request_bytes_(request_bytes), room_(std::max(15'000.0, way.bytes_per_second / 2)) {}

  Seen run(Micros lasts) { return run(lasts, lasts * 4 / 5); }
  // `measured`: the part of the time, at its end, of which the use is told.
  Seen run(Micros lasts, Micros measured) {
    const auto start = now_;
    while (now_ < start + lasts) {
      // The back-off lets the first go alone.
      while (flight_.has_room(under_way_) && (answered_ > 0 || under_way_ == 0)) begin();
      seen_.most_under_way = std::max(seen_.most_under_way, under_way_);
      flight_.note_full();
      const auto [at, number, answers] = events_.top();
      events_.pop();
      now_ = at;
      if (!answers) {
        enter(number);
        continue;
      }
      const auto response = std::chrono::duration_cast<Micros>(now_ - sent_[number].left);
      --under_way_;
      ++answered_;
      flight_.on_answered({sent_[number].began, now_, response, sent_[number].connect, static_cast<std::uint64_t>(request_bytes_)});
      if (now_ < start + lasts - measured) continue;
      seen_.use += request_bytes_ / way_.bytes_per_second / std::chrono::duration<double>(measured).count();
      seen_.slowest = std::max(seen_.slowest, response);
    }
    seen_.overflown = static_cast<double>(overflown_) / static_cast<double>(entered_);
    return seen_;
  }

 private:
  static Micros micros(double seconds) { return Micros(static_cast<Micros::rep>(seconds * 1e6)); }

  void begin() {
    const bool is_new = under_way_++ >= connections_;
    connections_ += is_new ? 1 : 0;
    const Micros connect = is_new ? way_.round_trip : Micros(0);
    sent_.push_back({now_, now_ + connect, connect});
    events_.emplace(now_ + connect, sent_.size() - 1, false);
  }

  // What finds no room, or is lost on the way, is sent again as TCP does.
  void enter(std::size_t number) {
    ++entered_;
    const Micros again = std::max<Micros>(300ms, way_.round_trip * 3 / 2) * (1 << std::min(sent_[number].tries++, 4));
    const double before = std::max(0.0, std::chrono::duration<double>(free_at_ - now_).count()) * way_.bytes_per_second;
    if (before + request_bytes_ > room_) {
      ++overflown_;
      events_.emplace(now_ + again, number, false);
      return;
    }
    free_at_ = std::max(free_at_, now_) + micros(request_bytes_ / way_.bytes_per_second);
    const bool lost = std::uniform_real_distribution<>(0, 1)(random_) < way_.loss;
    events_.emplace(free_at_ + (lost ? again : way_.round_trip + way_.server), number, !lost);
  }

  using Event = std::tuple<Steady::time_point, std::size_t, bool>;  // when, which, and whether it is the answer

  Flight& flight_;
  const Way way_;
  const double request_bytes_;
  const double room_;  // in the modem
  std::mt19937 random_{7};  // NOLINT: the same each time
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Sent> sent_;
  Steady::time_point now_{1h};
  Steady::time_point free_at_{1h};
  std::size_t under_way_ = 0;
  std::size_t connections_ = 0;
  std::size_t answered_ = 0;
  std::size_t entered_ = 0;
  std::size_t overflown_ = 0;
  Seen seen_;
};

Seen send_for(Flight& flight, const Way& way, Micros lasts, double request_bytes = 3'400) {
  return Simulation(flight, way, request_bytes).run(lasts);
}

constexpr double kbit = 1'000.0 / 8;

// A link that large bodies share, each on a connection that finds its pace as TCP does: it doubles with each round trip until the link is full.
class SharedLink {
 public:
  SharedLink(Flight& flight, double bytes_per_second, Micros round_trip) : flight_(flight), rate_(bytes_per_second), round_trip_(round_trip) {}

  // Bodies of one size, for so long; what is seen is that of the last four fifths.
  Seen send(double size, Micros lasts) {
    Seen seen;
    const auto start = now_;
    double carried = 0;
    for (; now_ < start + lasts; now_ += step) {
      while (flight_.has_room(busy_) && (answered_ > 0 || busy_ == 0)) begin(size);
      flight_.note_full();
      const double piece = carry();
      if (now_ >= start + lasts / 5) carried += piece;
      for (auto& connection : connections_) {
        if (!connection.busy || connection.left > 0 || now_ < connection.answer_at) continue;
        const auto response = std::chrono::duration_cast<Micros>(now_ - connection.began) - connection.connect;
        if (now_ >= start + lasts / 5) seen.slowest = std::max(seen.slowest, response);
        connection.busy = false;
        --busy_;
        ++answered_;
        flight_.on_answered({connection.began, now_, response, connection.connect, static_cast<std::uint64_t>(connection.bytes)});
      }
    }
    seen.use = carried / rate_ / std::chrono::duration<double>(lasts * 4 / 5).count();
    return seen;
  }

 private:
  static constexpr Micros step = 10ms;
  struct Connection {
    Steady::time_point began, answer_at;
    Micros connect{0};
    double window = 14'600;  // bytes a round trip
    double bytes = 0, left = 0;
    bool busy = false;
  };

  void begin(double bytes) {
    auto free = std::ranges::find(connections_, false, &Connection::busy);
    const bool is_new = free == connections_.end();
    if (is_new) free = connections_.emplace(free);
    free->began = now_;
    free->connect = is_new ? round_trip_ : Micros(0);
    free->bytes = free->left = bytes;
    free->busy = true;
    ++busy_;
  }

  // The link is shared evenly; what a window does not allow is left to those behind it.
  double carry() {
    const auto sends = [&](const Connection& connection) { return connection.busy && connection.left > 0 && now_ >= connection.began + connection.connect; };
    const double round_trips = std::chrono::duration<double>(step) / std::chrono::duration<double>(round_trip_);
    const double room = rate_ * std::chrono::duration<double>(step).count();
    auto others = static_cast<double>(std::ranges::count_if(connections_, sends));
    double carried = 0;
    for (auto& connection : connections_) {
      if (!sends(connection)) continue;
      const double piece = std::min({connection.left, connection.window * round_trips, (room - carried) / others--});
      connection.left -= piece;
      connection.window = std::min(connection.window + piece, 2 * rate_ * std::chrono::duration<double>(round_trip_).count());
      carried += piece;
      if (connection.left <= 0) connection.answer_at = now_ + round_trip_;
    }
    return carried;
  }

  Flight& flight_;
  const double rate_;
  const Micros round_trip_;
  std::vector<Connection> connections_;
  Steady::time_point now_{1h};
  std::size_t busy_ = 0;
  std::size_t answered_ = 0;
};

TEST(Flight, KeepsALinkBusyAndNoFullerThanItsModem) {
  for (const double rate : {64 * kbit, 1'000 * kbit, 20'000 * kbit}) {
    for (const Micros round_trip : {Micros(1ms), Micros(100ms), Micros(800ms)}) {
      for (const double loss : {0.0, 0.05, 0.2}) {
        Flight flight(0);
        const auto seen = send_for(flight, {rate, round_trip, loss}, rate > 1e5 ? 100s : 10min);
        // What is lost took its time on the link, too.
        EXPECT_GE(seen.use, 0.9 * (1 - loss)) << rate << " B/s, " << round_trip.count() << " us, loss " << loss;
        EXPECT_LE(seen.overflown, 0.05) << rate << " B/s, " << round_trip.count() << " us, loss " << loss;
      }
    }
  }
}

TEST(Flight, LetsRequestsNotWaitLongForEachOther) {
  for (const double rate : {9.6 * kbit, 64 * kbit, 1'000 * kbit}) {
    for (const Micros round_trip : {Micros(1ms), Micros(100ms), Micros(800ms)}) {
      Flight flight(0);
      const auto seen = send_for(flight, {rate, round_trip}, rate > 1e5 ? 3min : 30min, 1'200);
      EXPECT_GE(seen.use, 0.9);
      EXPECT_LE(seen.slowest, 6s) << rate << " B/s, " << round_trip.count() << " us";
    }
  }
}

TEST(Flight, LetsLargeBodiesShareALinkUntilItIsFull) {
  for (const double rate : {1'000 * kbit, 20'000 * kbit, 100'000 * kbit}) {
    for (const Micros round_trip : {Micros(100ms), Micros(400ms), Micros(800ms)}) {
      for (const double size : {300'000.0, 1'000'000.0}) {
        Flight flight(0);
        const auto seen = SharedLink(flight, rate, round_trip).send(size, 3min);
        const auto what = std::to_string(rate) + " B/s, " + std::to_string(round_trip.count()) + " us, " + std::to_string(size);
        EXPECT_GE(seen.use, 0.8) << what;
        const std::chrono::duration<double> alone(size / rate + 2 * std::chrono::duration<double>(round_trip).count());
        EXPECT_LE(seen.slowest, 4 * alone + 2s) << what;
      }
    }
  }
}

TEST(Flight, KnowsWhatLargeBodiesTakeAfterSmallOnes) {
  for (const double rate : {5'000 * kbit, 20'000 * kbit}) {
    Flight flight(0);
    SharedLink link(flight, rate, 300ms);
    for (const double size : {1'000'000.0, 20'000.0, 300'000.0, 20'000.0}) link.send(size, 30s);
    EXPECT_GE(link.send(300'000, 30s).use, 0.85) << rate;
  }
}

TEST(Flight, TakesAWayThatBecameLongerForLargeBodiesForWhatItIs) {
  for (const Micros longer : {Micros(3s), Micros(5s)}) {
    Flight flight(0);
    SharedLink(flight, 20'000 * kbit, 100ms).send(1'000'000, 1min);
    EXPECT_GE(SharedLink(flight, 20'000 * kbit, longer).send(1'000'000, 10min).use, 0.8) << longer.count();
  }
}

TEST(Flight, GivesAnUpstreamNearbySixtyFourHoweverLongItThinks) {
  Flight flight(0);
  const auto seen = send_for(flight, {1e9, 1ms, 0, 2s}, 10min);
  EXPECT_EQ(seen.most_under_way, 64U);
  EXPECT_EQ(flight.allowance(), 64U);
}

TEST(Flight, TakesAWayThatBecameLongerForWhatItIs) {
  Flight flight(0);
  send_for(flight, {1e9, 1ms, 0, 5ms}, 10s);
  EXPECT_EQ(flight.allowance(), 64U);
  const auto seen = send_for(flight, {1e9, 1ms, 0, 900ms}, 10min);
  EXPECT_EQ(flight.allowance(), 64U);
  EXPECT_EQ(seen.most_under_way, 64U);
}

TEST(Flight, GivesNoMoreThanTheOperatorSays) {
  for (const std::uint64_t most : {1U, 2U, 7U}) {
    Flight flight(most);
    const auto seen = send_for(flight, {1e9, 800ms}, 5min);
    EXPECT_EQ(seen.most_under_way, most);
  }
}

// The part of the link that the first 25 seconds used.
double use_at_first(Flight& flight, const Way& way) {
  return Simulation(flight, way, 3'400).run(25s, 25s).use;
}

TEST(Flight, IsSoonerBackAtItsMeasureOnAWayThatItKnows) {
  for (const double rate : {1'000 * kbit, 4'000 * kbit, 20'000 * kbit}) {
    const Way way{rate, 800ms};
    Flight flight(0);
    const auto alone = use_at_first(flight, way);
    send_for(flight, way, 2min);
    flight.reset();
    EXPECT_LE(flight.allowance(), 3U);
    const auto again = use_at_first(flight, way);
    EXPECT_GE(again, alone + 0.05) << rate;
    EXPECT_GE(again, 0.75) << rate;
  }
}

TEST(Flight, TakesUpWhatAProcessBeforeKnew) {
  const Way way{20'000 * kbit, 800ms};
  Flight before(0);
  const auto alone = use_at_first(before, way);
  send_for(before, way, 2min);
  Flight flight(0);
  flight.recall(before.known());
  EXPECT_LE(flight.allowance(), 3U);
  EXPECT_GE(use_at_first(flight, way), std::max(alone + 0.05, 0.75));
}

TEST(Flight, LosesNothingThatItKnowsToAnOutageThatEndsAtOnce) {
  const Way way{20'000 * kbit, 800ms};
  Flight flight(0);
  send_for(flight, way, 2min);
  for (int i = 0; i < 5; ++i) {
    flight.reset();
    send_for(flight, way, 3s);
  }
  flight.reset();
  EXPECT_GE(use_at_first(flight, way), 0.75);
}

TEST(Flight, TakesAKnownWayThatCarriesLessNowForASlowOne) {
  for (const double rate : {9.6 * kbit, 64 * kbit, 1'000 * kbit, 4'000 * kbit}) {
    for (const Micros round_trip : {Micros(100ms), Micros(800ms)}) {
      Flight anew(0);
      const auto first = send_for(anew, {rate, round_trip}, rate > 1e5 ? 60s : 10min, 1'200);
      Flight flight(0);
      send_for(flight, {20'000 * kbit, round_trip}, 2min, 1'200);
      flight.reset();
      const auto seen = send_for(flight, {rate, round_trip}, rate > 1e5 ? 60s : 10min, 1'200);
      // At 1 Mbit/s a request alone takes some milliseconds longer, and is taken for as long as ever: a minute's worth.
      EXPECT_LE(seen.overflown, first.overflown + (rate > 1e5 ? 0.2 : 0.01)) << rate << " B/s, " << round_trip.count() << " us";
      EXPECT_GE(seen.use, 0.9) << rate << " B/s, " << round_trip.count() << " us";
    }
  }
}

TEST(Flight, DoesNotTakeAnotherWayForTheOneItKnows) {
  Flight flight(0);
  send_for(flight, {20'000 * kbit, 800ms}, 2min);
  flight.reset();
  Flight anew(0);
  for (const Micros round_trip : {Micros(30ms), Micros(600ms), Micros(1'200ms)}) {
    const Way way{64 * kbit, round_trip};
    EXPECT_EQ(send_for(flight, way, 20s).most_under_way, send_for(anew, way, 20s).most_under_way);
    flight.reset();
    anew.reset();
  }
}

TEST(Flight, FindsItsMeasureAnewAfterALinkHasChanged) {
  Flight flight(0);
  EXPECT_GE(send_for(flight, {20'000 * kbit, 800ms}, 2min).use, 0.8);
  EXPECT_GT(flight.allowance(), 300U);
  flight.reset();
  EXPECT_LE(flight.allowance(), 4U);
  EXPECT_LE(send_for(flight, {9.6 * kbit, 100ms}, 10min, 1'200).slowest, 12s);
}

}  // namespace
}  // namespace picket::upstream

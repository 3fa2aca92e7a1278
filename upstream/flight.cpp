#include "upstream/flight.h"

#include <sys/resource.h>

#include <algorithm>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;

constexpr double first_allowance = 4;
constexpr double least_allowance = 2;
// For so long the fastest answer counts: a way that became longer is taken for a full one until then.
constexpr std::chrono::minutes remembered(5);
// So long may requests wait for each other on the shortest way; on longer ways as long as an answer takes.
constexpr Flight::Micros short_wait = 500ms;
// However slow the fastest was: it may have waited itself.
constexpr Flight::Micros longest_wait = 2s;
// An upstream whose connections take this long is near by.
constexpr Flight::Micros nearby = 50ms;

}  // namespace

std::uint64_t far_in_flight() {
  constexpr std::uint64_t far = 1'024;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return far;
  return std::clamp<std::uint64_t>(files.rlim_cur / 8, near_in_flight, far);
}

Flight::Flight(std::uint64_t configured)
    : near_(configured > 0 ? configured : near_in_flight), far_(configured > 0 ? configured : far_in_flight()) {
  reset();
}

void Flight::reset() {
  allowance_ = std::min(first_allowance, static_cast<double>(near_));
  fastest_ = fastest_before_ = connect_ = connect_before_ = round_fastest_ = Micros::max();
  while_began_ = round_began_ = {};
  full_ = false;
}

double Flight::most() const {
  const auto connect = std::min(connect_, connect_before_);
  const double times = connect == Micros::max() ? 1 : std::max(1.0, static_cast<double>(connect.count()) / static_cast<double>(nearby.count()));
  return std::min(static_cast<double>(near_) * times, static_cast<double>(far_));
}

void Flight::on_answered(Steady::time_point began, Steady::time_point now, Micros response, Micros connect) {
  if (now - while_began_ > remembered) {
    fastest_before_ = fastest_;
    connect_before_ = connect_;
    fastest_ = connect_ = Micros::max();
    while_began_ = now;
  }
  fastest_ = std::min(fastest_, response);
  if (connect.count() > 0) connect_ = std::min(connect_, connect);
  round_fastest_ = std::min(round_fastest_, response);
  if (began >= round_began_) end_round(now);
}

void Flight::end_round(Steady::time_point now) {
  const auto fastest = std::min({fastest_, fastest_before_, longest_wait});
  const auto waits = std::max(round_fastest_ - fastest, Micros(0));
  const auto bearable = std::max(fastest, short_wait);
  if (waits > 2 * bearable) {
    allowance_ = std::max(least_allowance, allowance_ * 0.7);
  } else if (full_ && waits <= bearable) {
    allowance_ *= waits < bearable / 4 ? 2 : 1.25;
  }
  allowance_ = std::min(allowance_, most());
  round_began_ = now;
  round_fastest_ = Micros::max();
  full_ = false;
}

}  // namespace picket::upstream

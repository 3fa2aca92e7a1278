#include "upstream/flight.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstddef>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;

constexpr double first_allowance = 3;
constexpr double least_allowance = 2;
// Answers that a round waits for at most; they stand for all of it.
constexpr std::size_t most_answers = 64;
// Rounds until what more requests have left on the way is gone.
constexpr unsigned patience = 4;
// So long may requests wait for each other on the shortest way; on longer ones a quarter of what an answer takes.
constexpr Flight::Micros short_wait = 100ms;
// A body of this size takes longer on the link than on the way, if either is slow; so long may large ones wait for each other beside
// what one takes at best.
constexpr std::uint64_t large_body = std::uint64_t{128} << 10;
constexpr Flight::Micros large_wait = 1s;
// So much of what a way bore goes at once when it is found again. It is taken for the same one when answers and connections
// take as long as they did, but for a part and a moment: one that carries far less now takes longer for a single request.
constexpr double known_part = 0.25;
constexpr int same_parts = 64;
constexpr Flight::Micros same_moment = 2ms;
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
  allowance_ = round_allowance_ = std::min(first_allowance, static_cast<double>(near_));
  growth_ = 0;
  steep_ = true;
  rounds_with_least_ = 0;
  best_.fill(Micros::max());
  connect_ = Micros::max();
  round_began_ = {};
  round_.clear();
  full_ = false;
}

double Flight::most() const {
  const double times = connect_ == Micros::max() ? 1 : std::max(1.0, static_cast<double>(connect_.count()) / static_cast<double>(nearby.count()));
  return std::min(static_cast<double>(near_) * times, static_cast<double>(far_));
}

// Whether it takes as long as one that was measured before an outage, and what that bore is far from reached.
bool Flight::on_known_way(Micros best) const {
  const auto alike = [](Micros now, Micros before) {
    const auto most = before / same_parts + same_moment;
    return now <= before + most && now >= before - most;
  };
  return steep_ && known_.allowance * known_part > allowance_ && connect_ != Micros::max() && alike(connect_, known_.connect) &&
         alike(best, known_.answer);
}

bool Flight::knows_nothing() const {
  return std::ranges::all_of(best_, [](Micros best) { return best == Micros::max(); });
}

void Flight::on_answered(const Answered& answered) {
  if (answered.connect.count() > 0) connect_ = std::min(connect_, answered.connect);
  if (full_) allowance_ = std::min({allowance_ + growth_, 2 * round_allowance_, most()});
  if (answered.began < round_began_) return;
  round_.push_back({answered.response, answered.bytes >= large_body});
  // The very first was alone.
  const auto enough = knows_nothing() ? 1 : std::min(most_answers, allowance() / 4 + 1);
  if (round_.size() >= enough) end_round(answered.now);
}

void Flight::end_round(Steady::time_point now) {
  const auto quarter = round_.begin() + static_cast<std::ptrdiff_t>(round_.size() / 4);
  std::ranges::nth_element(round_, quarter, {}, &Response::took);
  const auto [typical, large] = *quarter;
  auto& best = best_[large ? 1 : 0];
  best = std::min(best, typical);
  const auto waits = typical - best;
  const auto bearable = large ? best + large_wait : std::max(best / 4, short_wait);
  const auto unbearable = large ? bearable : 2 * bearable;  // two large ones that share a link take twice as long as one
  steep_ = steep_ && waits <= bearable / 4;
  growth_ = waits > bearable / 2 ? 0 : steep_ ? 1 : 0.25;
  rounds_with_least_ = allowance_ > least_allowance ? 0 : rounds_with_least_ + 1;
  if (waits > bearable && allowance_ > least_allowance) {
    allowance_ = std::max(least_allowance, allowance_ * (waits > unbearable ? 0.7 : 0.9));
  } else if (waits > unbearable && rounds_with_least_ >= patience) {
    best = typical;
    connect_ = Micros::max();
  }
  if (growth_ > 0 && on_known_way(best)) {
    allowance_ = std::min(known_.allowance * known_part, most());
  } else if (!steep_ || allowance_ > known_.allowance) {
    known_ = {allowance_, best, connect_ == Micros::max() ? Micros(0) : connect_};
  }
  round_allowance_ = allowance_;
  round_began_ = now;
  round_.clear();
  full_ = false;
}

}  // namespace picket::upstream

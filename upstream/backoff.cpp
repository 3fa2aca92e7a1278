#include "upstream/backoff.h"

#include <algorithm>
#include <random>

namespace picket::upstream {

Duration jittered(Duration least, Duration most, unsigned failures) {
  static thread_local std::minstd_rand random(std::random_device{}());
  const unsigned doublings = std::min(failures > 0 ? failures - 1 : 0U, 30U);
  const auto ceiling = std::min(most.count(), least.count() << std::min(doublings, 20U));
  return Duration(std::uniform_int_distribution<Duration::rep>(0, std::max<Duration::rep>(ceiling, 0))(random));
}

Duration Backoff::left(Steady::time_point now) const {
  if (!waits(now)) return Duration(0);
  return std::chrono::ceil<Duration>(resume_at_ - now);
}

void Backoff::on_failure(std::uint64_t epoch, Duration at_least, Steady::time_point now) {
  if (epoch == epoch_) {
    ++epoch_;
    ++failures_;
    allowance_ = 1;
    resume_at_ = now + jittered(least_, most_, failures_);
  }
  resume_at_ = std::max(resume_at_, now + at_least);
}

void Backoff::stop_for(Duration pause, Steady::time_point now) {
  ++epoch_;
  allowance_ = 1;
  resume_at_ = now + pause;
}

void Backoff::hurry() {
  failures_ = std::min(failures_, 1U);
  resume_at_ = {};
}

void Backoff::on_success() {
  failures_ = 0;
  resume_at_ = {};
  allowance_ = std::min(allowance_ * 2, max_in_flight_);
}

void Backoff::reset() {
  failures_ = 0;
  resume_at_ = {};
  allowance_ = 1;
}

}  // namespace picket::upstream

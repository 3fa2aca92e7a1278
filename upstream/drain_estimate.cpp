#include "upstream/drain_estimate.h"

#include <algorithm>
#include <cmath>

namespace picket::upstream {
namespace {

constexpr double memory_seconds = 60;
constexpr int longest_estimate_days = 366;

// Moves `mean` towards `value`, seen for `seconds`, after `before` seconds of seeing.
void move_mean(double& mean, double value, double seconds, double before) {
  const double weight = seconds / std::min(before + seconds, memory_seconds);
  mean += (value - mean) * std::min(weight, 1.0);
}

}  // namespace

void DrainRate::note(Steady::time_point now, std::uint64_t settled, std::uint64_t arrived, std::uint64_t wire_bytes, bool open) {
  const double seconds = std::chrono::duration<double>(now - at_).count();
  const auto since = [](std::uint64_t total, std::uint64_t before) { return static_cast<double>(total - std::min(total, before)); };
  if (begun_ && seconds <= 0) return;
  if (begun_) {
    move_mean(arrived_, since(arrived, arrived_total_) / seconds, seconds, seconds_);
    seconds_ += seconds;
    if (open) {
      move_mean(settled_, since(settled, settled_total_) / seconds, seconds, open_seconds_);
      move_mean(bytes_, since(wire_bytes, bytes_total_) / seconds, seconds, open_seconds_);
      open_seconds_ += seconds;
    }
  }
  begun_ = true;
  at_ = now;
  settled_total_ = settled;
  arrived_total_ = arrived;
  bytes_total_ = wire_bytes;
}

std::optional<Time> estimate_drained(Time now,
                                     std::uint64_t waiting,
                                     const DrainRate& rate,
                                     const Schedule& schedule,
                                     const ByteBudget& day,
                                     const ByteBudget& month) {
  if (waiting == 0) return now;
  if (!rate.known() || rate.settled_per_second() <= 0) return std::nullopt;
  const double bytes_per_record = std::max(rate.bytes_per_record(), 1.0);
  const auto left_of = [](const ByteBudget& budget) { return static_cast<double>(budget.cap() - std::min(budget.cap(), budget.spent())); };
  double month_left = left_of(month);
  Time month_end = month.next_period(now);
  double left = static_cast<double>(waiting);
  Time from = now;
  for (int days = 0; days < longest_estimate_days; ++days) {
    const Time end = day.next_period(from);
    if (from >= month_end) {
      month_left = static_cast<double>(month.cap());
      month_end = month.next_period(from);
    }
    const auto open = schedule.open_within(from, end - from);
    const double open_seconds = static_cast<double>(open.count()) / 1'000;
    double can_leave = open_seconds * rate.settled_per_second();
    const double day_left = days == 0 ? left_of(day) : static_cast<double>(day.cap());
    if (day.capped()) can_leave = std::min(can_leave, day_left / bytes_per_record);
    if (month.capped()) can_leave = std::min(can_leave, month_left / bytes_per_record);
    const double arrives = static_cast<double>((end - from).count()) / 1'000 * rate.arrived_per_second();
    if (can_leave - arrives >= left) {
      // Within this day: the part of its open time that it takes, in the windows as they lie.
      const double net = rate.settled_per_second() - rate.arrived_per_second();
      const double needed = net > 0 ? left / net : open_seconds;
      Time at = from;
      auto rest = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(needed, open_seconds)));
      while (at < end && rest > Duration(0)) {
        const Time change = std::min(schedule.next_change(at), end);
        if (schedule.open_at(at)) {
          if (change - at >= rest) return at + rest;
          rest -= change - at;
        }
        at = change;
      }
      return std::min(at, end);
    }
    left += arrives - std::min(can_leave, left + arrives);
    month_left -= std::min(month_left, can_leave * bytes_per_record);
    from = end;
  }
  return std::nullopt;
}

}  // namespace picket::upstream

#include "upstream/byte_budget.h"

#include <algorithm>
#include <chrono>

namespace picket::upstream {
namespace {

constexpr std::int64_t budget_day_seconds = 86'400;

std::chrono::sys_days local_day(Time time, const TimeZone& zone) {
  const auto utc = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  const auto local = std::chrono::sys_seconds(std::chrono::seconds(utc + zone.offset_at(utc)));
  return std::chrono::floor<std::chrono::days>(local);
}

}  // namespace

std::int64_t ByteBudget::period_of(Time time) const {
  const auto day = local_day(time, zone_);
  if (kind_ == Period::day) return day.time_since_epoch().count();
  const std::chrono::year_month_day date(day);
  return static_cast<int>(date.year()) * 12 + static_cast<int>(static_cast<unsigned>(date.month())) - 1;
}

Time ByteBudget::next_period(Time now) const {
  using namespace std::chrono;
  auto day = local_day(now, zone_) + days(1);
  if (kind_ == Period::month) {
    const auto next = year_month_day(local_day(now, zone_)) + months(1);
    day = sys_days(next.year() / next.month() / 1);
  }
  // Midnight over there, by the offset that holds then.
  const auto midnight = day.time_since_epoch().count() * budget_day_seconds;
  const auto guess = midnight - zone_.offset_at(midnight);
  return time_from_ms((midnight - zone_.offset_at(guess)) * 1'000);
}

void ByteBudget::load(std::int64_t period, std::uint64_t granted, Time now) {
  period_ = period;
  spent_ = granted_ = granted;
  offered_ = 0;
  roll(now);
}

void ByteBudget::roll(Time now) {
  const auto current = period_of(now);
  if (current == period_) return;
  if (current > period_) spent_ = granted_ = offered_ = 0;
  period_ = current;
}

bool ByteBudget::fits(std::uint64_t bytes, std::uint64_t under_way) const {
  if (!capped() || spent_ + under_way + bytes <= cap_) return true;
  return bytes > cap_ && spent_ == 0 && under_way == 0;
}

bool ByteBudget::granted(std::uint64_t bytes, std::uint64_t under_way) const {
  return !capped() || spent_ + under_way + bytes <= granted_;
}

std::uint64_t ByteBudget::ahead() const {
  return std::clamp<std::uint64_t>(cap_ / 1'000, std::uint64_t{16} << 10, std::uint64_t{1} << 20);
}

bool ByteBudget::wants_grant(std::uint64_t wanted_bytes) const {
  if (!capped() || offered_ != 0) return false;
  const auto needed = spent_ + wanted_bytes;
  return needed > granted_ || (granted_ < cap_ && granted_ - needed < ahead() / 2);
}

std::uint64_t ByteBudget::store(std::uint64_t wanted_bytes, bool last) {
  if (last) return spent_;
  const auto wanted = spent_ + wanted_bytes;
  const auto with_ahead = std::max(wanted, std::min(wanted + ahead(), cap_));
  offered_ = capped() ? std::max(granted_, with_ahead) : spent_;
  return offered_;
}

void ByteBudget::on_written() {
  if (offered_ != 0) granted_ = offered_;
  offered_ = 0;
}

}  // namespace picket::upstream

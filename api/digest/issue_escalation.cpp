#include "api/digest/issue_escalation.h"

#include "api/digest/issue_state.h"

#include <algorithm>
#include <cmath>

namespace picket::digest {
namespace {

constexpr std::int64_t ms_per_hour = 3'600'000;
constexpr std::uint32_t least_limit = 10;
// What is younger has no past to compare with.
constexpr std::int64_t least_age_ms = 24 * ms_per_hour;

}  // namespace

std::uint32_t escalation_limit(const schema::IssueCounters& counters, std::uint64_t last_hour) {
  constexpr std::uint64_t past_hours = 72;
  constexpr std::uint64_t past_days = 14;
  double sum = 0;
  double squares = 0;
  double busiest = 0;
  for (std::uint64_t i = 0; i < past_hours && i <= last_hour; ++i) {
    const double count = count_in_hour(counters, last_hour - i);
    sum += count;
    squares += count * count;
    busiest = std::max(busiest, count);
  }
  const double mean = sum / past_hours;
  const double deviation = std::sqrt(std::max(0.0, squares / past_hours - mean * mean));
  double busiest_day = 0;
  for (std::uint64_t i = 0; i < past_days && i <= last_hour / 24; ++i) {
    const auto day = last_hour / 24 - i;
    const auto index = day - counters.day_start();
    if (day >= counters.day_start() && index < static_cast<std::uint64_t>(counters.days_size()))
      busiest_day = std::max<double>(busiest_day, counters.days(static_cast<int>(index)));
  }
  const double limit =
      std::max({static_cast<double>(least_limit), 2 * busiest, 2 * busiest_day / 24, std::ceil(mean + 5 * deviation)});
  constexpr double most = 4'000'000'000;
  return static_cast<std::uint32_t>(std::min(most, std::ceil(limit)));
}

std::uint32_t count_in_hour(const schema::IssueCounters& counters, std::uint64_t hour) {
  const auto index = hour - counters.hour_start();
  if (hour < counters.hour_start() || index >= static_cast<std::uint64_t>(counters.hours_size()))
    return 0;
  return counters.hours(static_cast<int>(index));
}

std::uint64_t hour_number(std::int64_t ms) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, ms) / ms_per_hour);
}

bool outgrows_its_past(const schema::Issue& issue, schema::IssueCounters& counters, std::int64_t timestamp_ms) {
  const auto hour = hour_number(timestamp_ms);
  const auto count = count_in_hour(counters, hour);
  if (count <= least_limit) return false;
  // What comes late is no news.
  if (hour + 1 != counters.hour_start() + static_cast<std::uint64_t>(counters.hours_size())) return false;
  if (timestamp_ms - issue.first_seen_ms() < least_age_ms) return false;
  if (category_of_type(issue.issue_type()) != "error") return false;
  if (counters.limit_hour() != hour) {
    counters.set_limit_hour(hour);
    counters.set_hour_limit(escalation_limit(counters, hour - 1));
  }
  return count > counters.hour_limit();
}

}  // namespace picket::digest

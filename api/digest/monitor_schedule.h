// When a monitor's next check-in is expected: crontab expressions and intervals, in a time zone.
//
//   minute hour day-of-month month day-of-week      or @yearly @annually @monthly @weekly @daily
//   field := part (',' part)*                          @midnight @hourly
//   part  := ('*' | number | number '-' number) ('/' step)?
//            months and weekdays also by name (JAN, sun); weekday 7 is Sunday
//            day of month 'L': the last; day of week 'nL': the month's last, 'n#k': its k-th
//   When both day fields are restricted (neither begins with '*'), either suffices.
//
// A schedule with a fixed hour and minute runs once on the days when the clock changes: at the first
// moment after a time that is skipped, and the first time of two that are equal. One with '*' in either
// follows the clock as it goes.
// https://docs.sentry.io/product/crons/
#pragma once

#include "buffer/time_zone.h"
#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::digest {

class Crontab {
 public:
  // Nothing for what is no expression, or matches no day that there is.
  static std::optional<Crontab> parse(std::string_view text);
  // The first whole minute after `after` that matches.
  std::optional<Time> next(Time after, const TimeZone& zone) const;

 private:
  struct NthWeekday {
    int weekday = 0;
    int nth = 0;  // 1 … 5, 0: the last
  };

  bool read_days_of_month(std::string_view field);
  bool read_weekdays(std::string_view field);
  bool matches_day(std::int64_t day) const;
  // The first matching minute of the local calendar at or after `minute`, both since the epoch.
  std::optional<std::int64_t> next_minute(std::int64_t minute) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  std::vector<NthWeekday> nth_weekdays_;
  bool last_day_ = false;
  bool any_day_ = false;      // the day-of-month field begins with '*'
  bool any_weekday_ = false;  // likewise
  bool follows_clock_ = false;
};

enum class ScheduleType : std::uint8_t { none = 0, crontab = 1, interval = 2 };

// Interval units by Sentry's words.
bool is_interval_unit(std::string_view word);
bool is_valid(const schema::MonitorConfig& config);

// When the check-in after one at `last` is expected, in whole minutes; nothing for a schedule that is
// none.
std::optional<Time> next_check_in(const schema::MonitorConfig& config, Time last);

// Sentry's defaults for what a configuration leaves open.
Duration margin_of(const schema::MonitorConfig& config);       // 1 minute
Duration max_runtime_of(const schema::MonitorConfig& config);  // 30 minutes

}  // namespace picket::digest

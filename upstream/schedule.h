// When a destination may be sent to: windows of a week's local time.
//
//   window := days | hours | days hours          days  := day | day '-' day, with ',' between several
//   hours  := HH:MM '-' HH:MM                    day   := mon tue wed thu fri sat sun
//
// "22:00-06:00", "mon-fri 18:30-24:00", "sat,sun". Hours that end before they begin end on the next day:
// "fri 22:00-06:00" ends on Saturday morning.
//
// INVARIANT  A schedule without windows is always open.
// THREADS    A value.
#pragma once

#include "buffer/clock.h"
#include "buffer/result.h"
#include "buffer/time_zone.h"

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::upstream {

class Schedule {
 public:
  Schedule() = default;  // always open
  // Fault::malformed with the window that is none and why.
  static Result<Schedule> parse(const std::vector<std::string>& windows, TimeZone zone);

  bool open_at(Time time) const;
  // The first whole minute after `time` at which open_at() differs; Time::max() when none comes within
  // eight days.
  Time next_change(Time time) const;
  // How much of `[from, from + span)` is open.
  Duration open_within(Time from, Duration span) const;

 private:
  static constexpr int minutes_of_week = 7 * 24 * 60;  // from Monday, local
  static std::size_t minute_of_week(std::int64_t local);
  bool always_ = true;
  TimeZone zone_;
  std::bitset<minutes_of_week> open_;
};

}  // namespace picket::upstream

#include "upstream/schedule.h"

#include <algorithm>
#include <array>
#include <optional>

namespace picket::upstream {
namespace {

constexpr int schedule_day_minutes = 24 * 60;
constexpr std::array<std::string_view, 7> schedule_days = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

std::optional<int> parse_day(std::string_view text) {
  const auto found = std::find(schedule_days.begin(), schedule_days.end(), text);
  if (found == schedule_days.end()) return std::nullopt;
  return static_cast<int>(found - schedule_days.begin());
}

std::optional<std::bitset<7>> parse_days(std::string_view text) {
  std::bitset<7> days;
  for (;;) {
    const auto comma = text.find(',');
    const auto part = text.substr(0, comma);
    const auto dash = part.find('-');
    const auto first = parse_day(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_day(part.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    for (int day = *first;; day = (day + 1) % 7) {
      days.set(static_cast<std::size_t>(day));
      if (day == *last) break;
    }
    if (comma == std::string_view::npos) return days;
    text.remove_prefix(comma + 1);
  }
}

// HH:MM up to 24:00, in minutes.
std::optional<int> parse_minute(std::string_view text) {
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : 100; };
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const int hour = digit(0) * 10 + digit(1);
  const int minute = digit(3) * 10 + digit(4);
  if (minute > 59 || hour * 60 + minute > schedule_day_minutes) return std::nullopt;
  return hour * 60 + minute;
}

struct Hours {
  int begin = 0;
  int end = schedule_day_minutes;  // may lie in the next day
};

std::optional<Hours> parse_hours(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto begin = parse_minute(text.substr(0, dash));
  const auto end = parse_minute(text.substr(dash + 1));
  if (!begin || !end || *begin == *end || *begin == schedule_day_minutes) return std::nullopt;
  return Hours{*begin, *end > *begin ? *end : *end + schedule_day_minutes};
}

}  // namespace

Result<Schedule> Schedule::parse(const std::vector<std::string>& windows, TimeZone zone) {
  Schedule schedule;
  schedule.zone_ = std::move(zone);
  schedule.always_ = windows.empty();
  for (const std::string& window : windows) {
    const auto space = window.find(' ');
    const auto first = std::string_view(window).substr(0, space);
    std::optional<std::bitset<7>> days = std::bitset<7>().set();
    std::optional<Hours> hours = Hours();
    if (space != std::string::npos) {
      days = parse_days(first);
      hours = parse_hours(std::string_view(window).substr(space + 1));
    } else if (const auto by_hours = parse_hours(first)) {
      hours = by_hours;
    } else {
      days = parse_days(first);
    }
    if (!days || !hours) {
      return Error{Fault::malformed, "\"" + window + "\" is no window; write \"22:00-06:00\", \"mon-fri 18:30-24:00\" or \"sat,sun\""};
    }
    for (int day = 0; day < 7; ++day) {
      if (!days->test(static_cast<std::size_t>(day))) continue;
      for (int minute = hours->begin; minute < hours->end; ++minute) {
        schedule.open_.set(static_cast<std::size_t>((day * schedule_day_minutes + minute) % minutes_of_week));
      }
    }
  }
  return schedule;
}

// Of seconds of local time since the epoch, which was a Thursday.
std::size_t Schedule::minute_of_week(std::int64_t local) {
  return static_cast<std::size_t>((local / 60 + 3 * schedule_day_minutes) % minutes_of_week);
}

bool Schedule::open_at(Time time) const {
  if (always_) return true;
  const auto utc = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return open_.test(minute_of_week(utc + zone_.offset_at(utc)));
}

Time Schedule::next_change(Time time) const {
  if (always_ || open_.all() || open_.none()) return Time::max();
  const bool open = open_at(time);
  const auto first = std::chrono::floor<std::chrono::minutes>(time.time_since_epoch()).count() * 60 + 60;
  const auto end = first + (minutes_of_week + schedule_day_minutes) * 60LL;
  // The zone is asked once for each of its own changes, not once a minute.
  auto offset = zone_.offset_at(first);
  auto moves = zone_.next_change(first, end);
  for (auto at = first; at <= end; at += 60) {
    if (moves && at >= *moves) {
      offset = zone_.offset_at(at);
      moves = zone_.next_change(at, end);
    }
    if (open_.test(minute_of_week(at + offset)) != open) return time_from_ms(at * 1'000);
  }
  return Time::max();
}

Duration Schedule::open_within(Time from, Duration span) const {
  if (always_) return span;
  Duration open{0};
  const Time end = from + span;
  while (from < end) {
    const Time change = std::min(next_change(from), end);
    if (open_at(from)) open += change - from;
    from = change;
  }
  return open;
}

}  // namespace picket::upstream

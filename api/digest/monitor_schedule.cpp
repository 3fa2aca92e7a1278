#include "api/digest/monitor_schedule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace picket::digest {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t day_minutes = 24 * 60;
constexpr std::array<std::string_view, 12> month_names{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> weekday_names{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

std::int64_t floor_divide(std::int64_t value, std::int64_t unit) {
  return value >= 0 ? value / unit : (value - unit + 1) / unit;
}

std::optional<int> parse_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

struct FieldRange {
  int least = 0;
  int most = 0;
  const std::string_view* names = nullptr;
  int name_count = 0;
  int first_name = 0;
};

std::optional<int> parse_value(std::string_view text, const FieldRange& range) {
  if (const auto number = parse_number(text)) {
    if (*number < range.least || *number > range.most) return std::nullopt;
    return number;
  }
  for (int i = 0; i < range.name_count; ++i) {
    const auto equal = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
    if (std::ranges::equal(text, range.names[i], equal)) return range.first_name + i;
  }
  return std::nullopt;
}

// One part of a field: from, to and step.
struct Part {
  int from = 0;
  int to = 0;
  int step = 1;
};

std::optional<Part> parse_part(std::string_view text, const FieldRange& range) {
  Part part{range.least, range.most, 1};
  const auto slash = text.find('/');
  const bool stepped = slash != std::string_view::npos;
  if (stepped) {
    const auto step = parse_number(text.substr(slash + 1));
    if (!step || *step == 0) return std::nullopt;
    part.step = *step;
    text = text.substr(0, slash);
  }
  if (text == "*") return part;
  const auto dash = text.find('-');
  const auto from = parse_value(text.substr(0, dash), range);
  if (!from) return std::nullopt;
  part.from = *from;
  if (dash == std::string_view::npos) {
    part.to = stepped ? range.most : *from;
    return part;
  }
  const auto to = parse_value(text.substr(dash + 1), range);
  if (!to || *to < *from) return std::nullopt;
  part.to = *to;
  return part;
}

// Calls `take` with each comma-separated part; false when it returns false, or a part is empty.
template <class Take>
bool for_each_part(std::string_view field, Take take) {
  for (;;) {
    const auto comma = field.find(',');
    const auto part = field.substr(0, comma);
    if (part.empty() || !take(part)) return false;
    if (comma == std::string_view::npos) return true;
    field.remove_prefix(comma + 1);
  }
}

template <std::size_t Size>
bool read_field(std::string_view field, const FieldRange& range, std::bitset<Size>& set) {
  return for_each_part(field, [&](std::string_view text) {
    const auto part = parse_part(text, range);
    if (!part) return false;
    for (int value = part->from; value <= part->to; value += part->step)
      set.set(static_cast<std::size_t>(value));
    return true;
  });
}

std::string_view alias_of(std::string_view text) {
  if (text == "@yearly" || text == "@annually") return "0 0 1 1 *";
  if (text == "@monthly") return "0 0 1 * *";
  if (text == "@weekly") return "0 0 * * 0";
  if (text == "@daily" || text == "@midnight") return "0 0 * * *";
  if (text == "@hourly") return "0 * * * *";
  return text;
}

std::vector<std::string_view> split_fields(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  std::vector<std::string_view> fields;
  while (fields.size() < 7) {
    const auto from = text.find_first_not_of(space);
    if (from == std::string_view::npos) break;
    text.remove_prefix(from);
    const auto to = std::min(text.find_first_of(space), text.size());
    fields.push_back(text.substr(0, to));
    text.remove_prefix(to);
  }
  return fields;
}

int weekday_of(std::int64_t day) {  // 0: Sunday
  return static_cast<int>(((day + 4) % 7 + 7) % 7);
}

int days_in_month(const year_month_day& date) {
  return static_cast<int>(static_cast<unsigned>((date.year() / date.month() / std::chrono::last).day()));
}

}  // namespace

bool Crontab::read_days_of_month(std::string_view field) {
  any_day_ = field.starts_with('*');
  return for_each_part(field, [&](std::string_view text) {
    if (text == "L" || text == "l") return last_day_ = true;
    return read_field(text, {.least = 1, .most = 31}, days_);
  });
}

bool Crontab::read_weekdays(std::string_view field) {
  const FieldRange range{0, 7, weekday_names.data(), 7, 0};
  any_weekday_ = field.starts_with('*');
  return for_each_part(field, [&](std::string_view text) {
    const auto hash = text.find('#');
    const bool last = text.size() > 1 && (text.back() == 'L' || text.back() == 'l') && hash == std::string_view::npos &&
                      parse_number(text.substr(0, text.size() - 1));
    if (hash != std::string_view::npos || last) {
      const auto weekday = parse_value(last ? text.substr(0, text.size() - 1) : text.substr(0, hash), range);
      const auto nth = last ? std::optional<int>(0) : parse_number(text.substr(hash + 1));
      if (!weekday || !nth || *nth > 5 || (!last && *nth == 0)) return false;
      nth_weekdays_.push_back({*weekday % 7, *nth});
      return true;
    }
    std::bitset<8> set;
    if (!read_field(text, range, set)) return false;
    for (std::size_t day = 0; day < 8; ++day) {
      if (set[day]) weekdays_.set(day % 7);
    }
    return true;
  });
}

std::optional<Crontab> Crontab::parse(std::string_view text) {
  if (text.size() > 255) return std::nullopt;
  const auto outer = text.find_first_not_of(" \t\r\n");
  if (outer == std::string_view::npos) return std::nullopt;
  text = text.substr(outer, text.find_last_not_of(" \t\r\n") - outer + 1);
  const auto fields = split_fields(alias_of(text));
  if (fields.size() != 5) return std::nullopt;
  Crontab crontab;
  const bool read = read_field(fields[0], {.least = 0, .most = 59}, crontab.minutes_) &&
                    read_field(fields[1], {.least = 0, .most = 23}, crontab.hours_) &&
                    crontab.read_days_of_month(fields[2]) &&
                    read_field(fields[3], {1, 12, month_names.data(), 12, 1}, crontab.months_) &&
                    crontab.read_weekdays(fields[4]);
  if (!read) return std::nullopt;
  crontab.follows_clock_ = fields[0].starts_with('*') || fields[1].starts_with('*');
  if (!crontab.next_minute(0)) return std::nullopt;
  return crontab;
}

bool Crontab::matches_day(std::int64_t day) const {
  const year_month_day date{sys_days(days(day))};
  if (!months_[static_cast<unsigned>(date.month())]) return false;
  const auto of_month = static_cast<int>(static_cast<unsigned>(date.day()));
  const bool by_date = days_[static_cast<std::size_t>(of_month)] || (last_day_ && of_month == days_in_month(date));
  const auto weekday = weekday_of(day);
  bool by_weekday = weekdays_[static_cast<std::size_t>(weekday)];
  for (const auto& nth : nth_weekdays_) {
    if (nth.weekday != weekday) continue;
    by_weekday = by_weekday || (nth.nth == 0 ? of_month + 7 > days_in_month(date) : (of_month - 1) / 7 + 1 == nth.nth);
  }
  return any_day_ || any_weekday_ ? by_date && by_weekday : by_date || by_weekday;
}

std::optional<std::int64_t> Crontab::next_minute(std::int64_t minute) const {
  // 29 February on a given weekday comes round within 40 years.
  constexpr std::int64_t most_days = 41 * 366;
  const auto first = floor_divide(minute, day_minutes);
  for (auto day = first; day < first + most_days; ++day) {
    if (!matches_day(day)) continue;
    const auto from = day == first ? minute - day * day_minutes : 0;
    for (auto at = from; at < day_minutes; ++at) {
      if (!hours_[static_cast<std::size_t>(at / 60)]) {
        at += 59 - at % 60;
        continue;
      }
      if (minutes_[static_cast<std::size_t>(at % 60)]) return day * day_minutes + at;
    }
  }
  return std::nullopt;
}

std::optional<Time> Crontab::next(Time after, const TimeZone& zone) const {
  const auto start = floor_divide(to_ms(after), 60'000) * 60 + 60;  // seconds
  const auto at_second = [](std::int64_t seconds) { return time_from_ms(seconds * 1000); };
  constexpr int most_turns = 200;  // skipped times, and changes of the offset on the way
  auto from = start;
  for (int turn = 0; turn < most_turns; ++turn) {
    const auto offset = zone.offset_at(from);
    // A zone's offset may have seconds; its minutes are counted from where they begin.
    const auto minute = next_minute(floor_divide(from + offset + 59, 60));
    if (!minute) return std::nullopt;
    const auto found = *minute * 60 - offset;
    const auto change = zone.next_change(from, found);
    if (!change) return at_second(found);
    if (follows_clock_) {
      from = *change;
      continue;
    }
    const auto changed = zone.offset_at(*change);
    // The time was skipped when the clock went forward.
    if (changed > offset && *minute * 60 - changed < *change) return at_second(*change);
    // When it went back, all that comes again has had its turn.
    from = *change + std::max<std::int64_t>(0, offset - changed);
  }
  return std::nullopt;
}

bool is_interval_unit(std::string_view word) {
  constexpr std::array<std::string_view, 6> units{"minute", "hour", "day", "week", "month", "year"};
  return std::ranges::find(units, word) != units.end();
}

bool is_valid(const schema::MonitorConfig& config) {
  if (!TimeZone::find(config.timezone())) return false;
  if (config.schedule_type() == static_cast<std::uint32_t>(ScheduleType::crontab))
    return Crontab::parse(config.crontab()).has_value();
  constexpr std::uint32_t most = 100'000;
  return config.schedule_type() == static_cast<std::uint32_t>(ScheduleType::interval) &&
         is_interval_unit(config.interval_unit()) && config.interval_count() >= 1 && config.interval_count() <= most;
}

namespace {

// `months` later in the calendar of the zone; the last day of a month that is shorter.
Time add_months(Time from, std::int64_t months, const TimeZone& zone) {
  const auto seconds = floor_divide(to_ms(from), 1000);
  const auto local = seconds + zone.offset_at(seconds);
  const auto day = floor_divide(local, 86'400);
  const year_month_day date{sys_days(days(day))};
  const auto number = static_cast<std::int64_t>(static_cast<int>(date.year())) * 12 +
                      static_cast<std::int64_t>(static_cast<unsigned>(date.month())) - 1 + months;
  const auto year = std::chrono::year(static_cast<int>(floor_divide(number, 12)));
  const auto month = std::chrono::month(static_cast<unsigned>(number % 12) + 1);
  year_month_day then = year / month / date.day();
  if (!then.ok()) then = year / month / std::chrono::last;
  const auto moved = sys_days(then).time_since_epoch().count() * std::int64_t{86'400} + (local - day * 86'400);
  return time_from_ms((moved - zone.offset_at(moved - zone.offset_at(seconds))) * 1000);
}

}  // namespace

std::optional<Time> next_check_in(const schema::MonitorConfig& config, Time last) {
  if (!is_valid(config)) return std::nullopt;
  const auto zone = *TimeZone::find(config.timezone());
  const auto whole = time_from_ms(floor_divide(to_ms(last), 60'000) * 60'000);
  if (config.schedule_type() == static_cast<std::uint32_t>(ScheduleType::crontab))
    return Crontab::parse(config.crontab())->next(last, zone);
  const auto count = static_cast<std::int64_t>(config.interval_count());
  const auto& unit = config.interval_unit();
  constexpr std::int64_t minute_ms = 60'000;
  if (unit == "minute") return whole + Duration(count * minute_ms);
  if (unit == "hour") return whole + Duration(count * 60 * minute_ms);
  if (unit == "day") return whole + Duration(count * 24 * 60 * minute_ms);
  if (unit == "week") return whole + Duration(count * 7 * 24 * 60 * minute_ms);
  // A year of years is as far as a date can be told.
  return add_months(whole, std::min<std::int64_t>(count, 1'200) * (unit == "year" ? 12 : 1), zone);
}

Duration margin_of(const schema::MonitorConfig& config) {
  return Duration(std::int64_t{60'000} * (config.checkin_margin_min() == 0 ? 1 : config.checkin_margin_min()));
}

Duration max_runtime_of(const schema::MonitorConfig& config) {
  return Duration(std::int64_t{60'000} * (config.max_runtime_min() == 0 ? 30 : config.max_runtime_min()));
}

}  // namespace picket::digest

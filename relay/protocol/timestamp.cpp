#include "relay/protocol/envelope.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace picket::relay {
namespace {

constexpr std::int64_t first_ms = -62'167'219'200'000;  // 0000-01-01T00:00:00.000Z
constexpr std::int64_t last_ms = 253'402'300'799'999;   // 9999-12-31T23:59:59.999Z

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Reads a calendar time from left to right. A failed take leaves the rest as it was.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  std::optional<int> take_number(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    int number = 0;
    for (const char c : rest_.substr(0, digits)) {
      if (!is_digit(c)) return std::nullopt;
      number = number * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return number;
  }
  bool take_one_of(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Milliseconds of a fraction of any number of digits; what is finer is cut off.
  std::optional<std::int64_t> take_fraction_ms() {
    if (rest_.empty() || !is_digit(rest_.front())) return std::nullopt;
    std::int64_t ms = 0;
    std::int64_t unit = 100;
    for (; !rest_.empty() && is_digit(rest_.front()); rest_.remove_prefix(1)) {
      ms += unit * (rest_.front() - '0');
      unit /= 10;
    }
    return ms;
  }
  char front() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> scan_day_ms(Scanner& scanner) {
  const auto year = scanner.take_number(4);
  if (!year || !scanner.take_one_of("-")) return std::nullopt;
  const auto month = scanner.take_number(2);
  if (!month || !scanner.take_one_of("-")) return std::nullopt;
  const auto day = scanner.take_number(2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const std::chrono::milliseconds since_epoch = std::chrono::sys_days(date).time_since_epoch();
  return since_epoch.count();
}

std::optional<std::int64_t> scan_clock_ms(Scanner& scanner) {
  const auto hours = scanner.take_number(2);
  if (!hours || *hours > 23 || !scanner.take_one_of(":")) return std::nullopt;
  const auto minutes = scanner.take_number(2);
  if (!minutes || *minutes > 59) return std::nullopt;
  std::int64_t ms = (*hours * 60 + *minutes) * std::int64_t{60'000};
  if (!scanner.take_one_of(":")) return ms;
  const auto seconds = scanner.take_number(2);
  if (!seconds || *seconds > 60) return std::nullopt;  // 60: a leap second
  ms += *seconds * std::int64_t{1000};
  if (!scanner.take_one_of(".,")) return ms;
  const auto fraction = scanner.take_fraction_ms();
  if (!fraction) return std::nullopt;
  return ms + *fraction;
}

// What has to be added for UTC. No offset at all means UTC: that is what old SDKs mean.
std::optional<std::int64_t> scan_offset_ms(Scanner& scanner) {
  if (scanner.at_end() || scanner.take_one_of("Zz")) return 0;
  const int sign = scanner.front() == '-' ? 1 : -1;
  if (!scanner.take_one_of("+-")) return std::nullopt;
  const auto hours = scanner.take_number(2);
  if (!hours || *hours > 23) return std::nullopt;
  const bool colon = scanner.take_one_of(":");
  if (!colon && scanner.at_end()) return std::int64_t{3'600'000} * sign * *hours;
  const auto minutes = scanner.take_number(2);
  if (!minutes || *minutes > 59) return std::nullopt;
  return std::int64_t{60'000} * sign * (*hours * 60 + *minutes);
}

std::optional<std::int64_t> parse_calendar(std::string_view text) {
  Scanner scanner(text);
  const auto day = scan_day_ms(scanner);
  if (!day) return std::nullopt;
  if (scanner.at_end()) return day;
  if (!scanner.take_one_of("Tt ")) return std::nullopt;
  const auto clock = scan_clock_ms(scanner);
  if (!clock) return std::nullopt;
  const auto offset = scan_offset_ms(scanner);
  if (!offset || !scanner.at_end()) return std::nullopt;
  return *day + *clock + *offset;
}

std::optional<std::int64_t> parse_seconds(std::string_view text) {
  double seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || rest != end || !std::isfinite(seconds)) return std::nullopt;
  if (seconds < static_cast<double>(first_ms) / 1000 ||
      seconds > static_cast<double>(last_ms) / 1000) {
    return std::nullopt;
  }
  return std::llround(seconds * 1000);
}

}  // namespace

std::string render_timestamp(std::int64_t ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{
      std::chrono::milliseconds(std::clamp(ms, first_ms, last_ms))};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[40];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
  const auto ms = parse_calendar(text);
  return ms ? ms : parse_seconds(text);
}

}  // namespace picket::relay

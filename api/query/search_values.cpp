#include "api/query/search_values.h"

#include "api/query/pattern.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace picket::query {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A decimal number at the start of `text`; what follows it in `rest`.
std::optional<double> leading_decimal(std::string_view text, std::string_view& rest) {
  std::size_t end = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  const auto digits_from = end;
  bool point = false;
  for (; end < text.size() && (is_digit(text[end]) || (text[end] == '.' && !point)); ++end) {
    point = point || text[end] == '.';
  }
  if (end == digits_from || end > 30 || text[end - 1] == '.' || text[digits_from] == '.') return std::nullopt;
  double value = 0;
  const auto from = text.starts_with('+') ? 1 : 0;
  const auto read = std::from_chars(text.data() + from, text.data() + end, value);
  if (read.ec != std::errc() || read.ptr != text.data() + end) return std::nullopt;
  rest = text.substr(end);
  return value;
}

std::optional<int> digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Milliseconds that `text` ("Z", "+02:00", "-0700", "") is ahead of UTC.
std::optional<std::int64_t> parse_zone(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return 0;
  const bool behind = text.front() == '-';
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hours = digits(text, 2);
  take(text, ':');
  const auto minutes = digits(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59 || !text.empty()) return std::nullopt;
  const std::int64_t ahead = (*hours * 60LL + *minutes) * 60'000;
  return behind ? -ahead : ahead;
}

std::optional<std::int64_t> parse_time_of_day(std::string_view& text) {
  const auto hour = digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  std::int64_t ms = (*hour * 60LL + *minute) * 60'000;
  if (!take(text, ':')) return ms;
  const auto second = digits(text, 2);
  if (!second || *second > 59) return std::nullopt;
  ms += *second * 1000LL;
  if (!take(text, '.')) return ms;
  std::int64_t scale = 100;
  std::size_t count = 0;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++count, scale /= 10) {
    ms += (text.front() - '0') * scale;
  }
  if (count == 0 || count > 9) return std::nullopt;
  return ms;
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  std::string_view rest;
  const auto value = leading_decimal(text, rest);
  if (!value) return std::nullopt;
  if (rest.empty()) return value;
  if (rest == "k" || rest == "K") return *value * 1e3;
  if (rest == "m" || rest == "M") return *value * 1e6;
  if (rest == "b" || rest == "B") return *value * 1e9;
  return std::nullopt;
}

std::optional<double> parse_duration(std::string_view text) {
  std::string_view rest;
  const auto value = leading_decimal(text, rest);
  if (!value) return std::nullopt;
  if (rest == "ms") return value;
  if (rest == "s") return *value * 1e3;
  if (rest == "m" || rest == "min") return *value * 60e3;
  if (rest == "h" || rest == "hr") return *value * 3'600e3;
  if (rest == "d" || rest == "day") return *value * 86'400e3;
  if (rest == "w" || rest == "wk") return *value * 7 * 86'400e3;
  return std::nullopt;
}

std::optional<bool> parse_boolean(std::string_view text) {
  const auto word = lower_ascii(text.substr(0, 6));
  if (word == "true" || word == "1") return true;
  if (word == "false" || word == "0") return false;
  return std::nullopt;
}

std::optional<DateValue> parse_date(std::string_view text) {
  const auto year = digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const auto midnight =
      std::chrono::duration_cast<Duration>(std::chrono::sys_days(date).time_since_epoch()).count();
  if (text.empty()) return DateValue{midnight, midnight + 86'400'000, true};
  if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
  const auto time = parse_time_of_day(text);
  if (!time) return std::nullopt;
  const auto ahead = parse_zone(text);
  if (!ahead) return std::nullopt;
  const auto point = midnight + *time - *ahead;
  return DateValue{point, point + 1, false};
}

std::optional<RelativeDate> parse_relative_date(std::string_view text, Time now) {
  if (text.size() < 3 || text.size() > 10) return std::nullopt;
  const char sign = text.front();
  if (sign != '+' && sign != '-') return std::nullopt;
  std::int64_t amount = 0;
  const auto read = std::from_chars(text.data() + 1, text.data() + text.size() - 1, amount);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() - 1 || amount < 0) return std::nullopt;
  std::int64_t unit = 0;
  switch (text.back()) {
    case 'm': unit = 60'000; break;
    case 'h': unit = 3'600'000; break;
    case 'd': unit = 86'400'000; break;
    case 'w': unit = 7 * 86'400'000LL; break;
    default: return std::nullopt;
  }
  return RelativeDate{sign == '-', to_ms(now) - amount * unit};
}

}  // namespace picket::query

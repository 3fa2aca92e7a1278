#include "relay/protocol/rate_limits.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace picket::relay {
namespace {

// An upstream that says more is mistaken, and Time must not overflow.
constexpr double longest_seconds = 366.0 * 86'400;

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The part up to `separator`, which is taken off `rest` together with it.
std::string_view take_part(std::string_view& rest, char separator) {
  const auto end = std::min(rest.find(separator), rest.size());
  const auto part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return trim(part);
}

std::optional<Duration> parse_seconds(std::string_view text) {
  double seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || rest != end || std::isnan(seconds) || seconds < 0)
    return std::nullopt;
  return Duration(
      std::chrono::seconds(std::llround(std::ceil(std::min(seconds, longest_seconds)))));
}

std::optional<RateLimit> parse_limit(std::string_view text, Time now) {
  const auto seconds = parse_seconds(take_part(text, ':'));
  if (!seconds) return std::nullopt;
  RateLimit limit;
  limit.until = now + *seconds;
  auto categories = take_part(text, ':');
  limit.all = categories.empty();
  while (!categories.empty()) {
    const auto category = parse_data_category(take_part(categories, ';'));
    if (category) limit.categories.push_back(*category);
  }
  limit.scope = take_part(text, ':');
  limit.reason = take_part(text, ':');
  return limit;
}

// A word of the header: what separates words, or headers, is left out.
std::string cleaned_word(std::string_view word) {
  std::string cleaned;
  for (const char c : word) {
    if (c > ' ' && c < '\x7f' && c != ',' && c != ':' && c != ';') cleaned += c;
  }
  return cleaned;
}

// --- HTTP dates ---

struct DateParts {
  std::optional<int> day;
  std::optional<int> month;
  std::optional<int> year;
  std::optional<std::chrono::seconds> clock;
};

std::optional<int> parse_int(std::string_view text) {
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number < 0) return std::nullopt;
  return number;
}

std::optional<int> parse_month(std::string_view text) {
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto found = std::find(months.begin(), months.end(), text);
  if (found == months.end()) return std::nullopt;
  return static_cast<int>(found - months.begin()) + 1;
}

std::optional<std::chrono::seconds> parse_clock(std::string_view text) {
  if (text.size() != 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto hours = parse_int(text.substr(0, 2));
  const auto minutes = parse_int(text.substr(3, 2));
  const auto seconds = parse_int(text.substr(6, 2));
  if (!hours || !minutes || !seconds || *hours > 23 || *minutes > 59 || *seconds > 60)
    return std::nullopt;
  return std::chrono::hours(*hours) + std::chrono::minutes(*minutes) +
         std::chrono::seconds(*seconds);
}

// Two digits are of the years 1970 to 2069.
int full_year(std::string_view text, int year) {
  if (text.size() != 2) return year;
  return year + (year < 70 ? 2000 : 1900);
}

// All three forms of RFC 9110 consist of the same words in another order:
//   Sun, 06 Nov 1994 08:49:37 GMT    Sunday, 06-Nov-94 08:49:37 GMT    Sun Nov  6 08:49:37 1994
std::optional<Time> parse_http_date(std::string_view text) {
  DateParts parts;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" ,-"), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (const auto number = parse_int(word)) {
      if (!parts.day) {
        parts.day = number;
      } else {
        parts.year = full_year(word, *number);
      }
    } else if (const auto clock = parse_clock(word)) {
      parts.clock = clock;
    } else if (const auto month = parse_month(word)) {
      parts.month = month;
    }
  }
  if (!parts.day || !parts.month || !parts.year || !parts.clock) return std::nullopt;
  if (*parts.year > 9999 || *parts.day > 31) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*parts.year),
                                         std::chrono::month(static_cast<unsigned>(*parts.month)),
                                         std::chrono::day(static_cast<unsigned>(*parts.day))};
  if (!date.ok()) return std::nullopt;
  return Time(std::chrono::sys_days(date)) + *parts.clock;
}

}  // namespace

std::vector<RateLimit> parse_rate_limits(std::string_view header, Time now) {
  std::vector<RateLimit> limits;
  while (!header.empty()) {
    if (auto limit = parse_limit(take_part(header, ','), now)) limits.push_back(*std::move(limit));
  }
  return limits;
}

std::string render_rate_limits(const std::vector<RateLimit>& limits, Time now) {
  std::string header;
  for (const auto& limit : limits) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(limit.until - now).count();
    const bool names_nothing = limit.categories.empty() && !limit.all;
    if (seconds <= 0 || names_nothing) continue;
    if (!header.empty()) header += ", ";
    header += std::to_string(seconds) + ':';
    for (std::size_t i = 0; i < limit.categories.size(); ++i) {
      if (i > 0) header += ';';
      header += wire_name(limit.categories[i]);
    }
    header += ':' + cleaned_word(limit.scope);
    if (const auto reason = cleaned_word(limit.reason); !reason.empty()) header += ':' + reason;
  }
  return header;
}

bool covers(const RateLimit& limit, DataCategory category) {
  if (limit.categories.empty()) return limit.all;
  return std::find(limit.categories.begin(), limit.categories.end(), category) !=
         limit.categories.end();
}

std::optional<Duration> parse_retry_after(std::string_view header, Time now) {
  header = trim(header);
  if (const auto seconds = parse_seconds(header)) return seconds;
  const auto date = parse_http_date(header);
  if (!date) return std::nullopt;
  const auto longest = std::chrono::seconds(static_cast<std::int64_t>(longest_seconds));
  return std::clamp<Duration>(*date - now, Duration(0), longest);
}

}  // namespace picket::relay

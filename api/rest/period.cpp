// start/end, statsPeriod and its relatives as a span of time.
#include "api/rest/router.h"
#include "relay/protocol/envelope.h"

#include <charconv>

namespace picket::rest {
namespace {

using Parsed = std::variant<std::optional<Period>, Reply>;

Reply invalid_period(std::string_view text) {
  return Reply::error(400, "Invalid statsPeriod: '" + std::string(text.substr(0, 100)) + "'");
}

Reply invalid_date(std::string_view text) {
  return Reply::error(400, std::string(text.substr(0, 100)) + " is not a valid ISO8601 date query");
}

Parsed between(std::string_view start, std::string_view end) {
  if (start.empty() || end.empty()) return Reply::error(400, "start and end are both required");
  const auto from = relay::parse_timestamp(start);
  if (!from) return invalid_date(start);
  const auto to = relay::parse_timestamp(end);
  if (!to) return invalid_date(end);
  if (*from >= *to) return Reply::error(400, "start must be before end");
  return Period{time_from_ms(*from), time_from_ms(*to)};
}

Parsed back_from(std::string_view start, std::string_view end, Time now) {
  const auto from = parse_stats_period(start);
  if (!from) return invalid_period(start);
  const auto to = parse_stats_period(end.empty() ? "0s" : end);
  if (!to) return invalid_period(end);
  if (*from <= *to) return Reply::error(400, "start must be before end");
  return Period{now - *from, now - *to};
}

}  // namespace

std::optional<Duration> parse_stats_period(std::string_view text) {
  std::int64_t unit_ms = 1000;
  if (!text.empty() && (text.back() < '0' || text.back() > '9')) {
    switch (text.back()) {
      case 's': break;
      case 'm': unit_ms *= 60; break;
      case 'h': unit_ms *= 3'600; break;
      case 'd': unit_ms *= 86'400; break;
      case 'w': unit_ms *= 604'800; break;
      default: return std::nullopt;
    }
    text.remove_suffix(1);
  }
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  constexpr std::int64_t century_ms = std::int64_t{36'525} * 86'400'000;
  const std::int64_t ms = std::int64_t{count} * unit_ms;
  if (ms > century_ms) return std::nullopt;
  return Duration(ms);
}

Parsed parse_period(const Query& query, Time now) {
  // Grafana and others send some of these empty, meaning absent.
  auto period = query.text("statsPeriod");
  if (period.empty()) period = query.text("timeframe");
  if (!period.empty()) {
    const auto length = parse_stats_period(period);
    if (!length) return invalid_period(period);
    return Period{now - *length, now};
  }
  const auto period_start = query.text("statsPeriodStart");
  const auto period_end = query.text("statsPeriodEnd");
  if (!period_start.empty() || !period_end.empty()) return back_from(period_start, period_end, now);
  const auto start = query.text("start");
  const auto end = query.text("end");
  if (!start.empty() || !end.empty()) return between(start, end);
  return std::optional<Period>();
}

}  // namespace picket::rest

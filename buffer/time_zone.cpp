#include "buffer/time_zone.h"

#include "buffer/keys.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>

namespace picket {
namespace {

constexpr std::size_t longest_file = std::size_t{256} << 10;
constexpr std::int64_t day_seconds = 86'400;

// What follows the magic and version of a header.
struct Counts {
  std::uint32_t is_utc = 0;
  std::uint32_t is_standard = 0;
  std::uint32_t leaps = 0;
  std::uint32_t times = 0;
  std::uint32_t types = 0;
  std::uint32_t characters = 0;

  std::size_t bytes(std::size_t time_bytes) const {
    return std::size_t{times} * (time_bytes + 1) + std::size_t{types} * 6 + characters +
           std::size_t{leaps} * (time_bytes + 4) + is_standard + is_utc;
  }
};

constexpr std::size_t header_bytes = 44;

std::optional<Counts> read_header(std::string_view bytes) {
  if (bytes.size() < header_bytes || !bytes.starts_with("TZif")) return std::nullopt;
  buffer::KeyReader reader(bytes.substr(20));
  Counts counts;
  counts.is_utc = reader.u32();
  counts.is_standard = reader.u32();
  counts.leaps = reader.u32();
  counts.times = reader.u32();
  counts.types = reader.u32();
  counts.characters = reader.u32();
  constexpr std::uint32_t most = 100'000;
  if (counts.times > most || counts.types == 0 || counts.types > 256 || counts.leaps > most ||
      counts.characters > most || counts.is_standard > 256 || counts.is_utc > 256)
    return std::nullopt;
  return counts;
}

// One number of a POSIX TZ text, at most three digits.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::size_t digits = 0;
  std::int64_t number = 0;
  while (digits < text.size() && digits < 3 && text[digits] >= '0' && text[digits] <= '9')
    number = number * 10 + (text[digits++] - '0');
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

// [+-]hh[:mm[:ss]] in seconds.
std::optional<std::int64_t> take_time(std::string_view& text) {
  const bool negative = take(text, '-');
  if (!negative) take(text, '+');
  std::int64_t seconds = 0;
  for (std::int64_t unit = 3600; unit > 0; unit /= 60) {
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    seconds += *number * unit;
    if (!take(text, ':')) break;
  }
  return negative ? -seconds : seconds;
}

bool take_name(std::string_view& text) {
  if (take(text, '<')) {
    const auto end = text.find('>');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
    return true;
  }
  const auto end = std::min(text.find_first_of("0123456789+-,"), text.size());
  text.remove_prefix(end);
  return end >= 3;
}

}  // namespace

std::optional<TimeZone> TimeZone::find(std::string_view name, const std::filesystem::path& folder) {
  if (name.empty() || name == "UTC") return TimeZone();
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
  if (name.size() > 64 || name.front() == '/' || name.find_first_not_of(allowed) != std::string_view::npos)
    return std::nullopt;
  std::error_code error;
  const auto path = folder / name;
  if (!std::filesystem::is_regular_file(path, error) || std::filesystem::file_size(path, error) > longest_file)
    return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  return parse(std::string(std::istreambuf_iterator<char>(in), {}));
}

std::optional<TimeZone> TimeZone::parse(std::string_view bytes) {
  const auto old = read_header(bytes);
  if (!old || bytes[4] < '2') return std::nullopt;  // version 1 ends in 2037: nobody ships it
  const auto skipped = header_bytes + old->bytes(4);
  if (bytes.size() < skipped) return std::nullopt;
  bytes.remove_prefix(skipped);
  const auto counts = read_header(bytes);
  if (!counts || bytes.size() < header_bytes + counts->bytes(8)) return std::nullopt;
  bytes.remove_prefix(header_bytes);
  buffer::KeyReader times(bytes);
  buffer::KeyReader kinds(bytes.substr(std::size_t{counts->times} * 8));
  const auto types = bytes.substr(std::size_t{counts->times} * 9);
  const auto offset_of = [&](std::size_t type) {
    return static_cast<std::int32_t>(buffer::KeyReader(types.substr(type * 6)).u32());
  };
  TimeZone zone;
  zone.first_offset_ = offset_of(0);
  for (std::uint32_t i = 0; i < counts->times; ++i) {
    const auto from = static_cast<std::int64_t>(times.u64());
    const auto kind = kinds.u8();
    if (kind >= counts->types || (!zone.periods_.empty() && zone.periods_.back().from >= from)) return std::nullopt;
    zone.periods_.push_back({from, offset_of(kind)});
  }
  auto footer = bytes.substr(counts->bytes(8));
  if (take(footer, '\n')) zone.rule_ = parse_rule(footer.substr(0, footer.find('\n')));
  return zone;
}

std::optional<TimeZone::Rule> TimeZone::parse_rule(std::string_view text) {
  Rule rule;
  if (!take_name(text)) return std::nullopt;
  const auto standard = take_time(text);
  if (!standard) return std::nullopt;
  rule.standard = -*standard;  // POSIX counts west of Greenwich
  if (text.empty()) return rule;
  if (!take_name(text)) return std::nullopt;
  rule.has_daylight = true;
  rule.daylight = rule.standard + 3600;
  if (!text.starts_with(',')) {
    const auto daylight = take_time(text);
    if (!daylight) return std::nullopt;
    rule.daylight = -*daylight;
  }
  for (auto* change : {&rule.start, &rule.end}) {
    if (!take(text, ',') || !take(text, 'M')) return std::nullopt;
    const auto month = take_number(text);
    const auto week = take(text, '.') ? take_number(text) : std::nullopt;
    const auto weekday = take(text, '.') ? take_number(text) : std::nullopt;
    if (!month || !week || !weekday || *month < 1 || *month > 12 || *week < 1 || *week > 5 || *weekday > 6)
      return std::nullopt;
    const auto seconds = take(text, '/') ? take_time(text) : std::optional<std::int64_t>(2 * 3600);
    if (!seconds) return std::nullopt;
    *change = {static_cast<int>(*month), static_cast<int>(*week), static_cast<int>(*weekday), *seconds};
  }
  return rule;
}

std::int64_t TimeZone::moment(const Change& change, std::int64_t year) {
  using namespace std::chrono;
  const auto month_of_year = std::chrono::year(static_cast<int>(year)) / month(static_cast<unsigned>(change.month));
  const weekday day(static_cast<unsigned>(change.weekday));
  const sys_days on = change.week == 5 ? sys_days(month_of_year / day[last])
                                       : sys_days(month_of_year / day[static_cast<unsigned>(change.week)]);
  return on.time_since_epoch().count() * day_seconds + change.seconds;
}

std::int64_t TimeZone::by_rule(std::int64_t utc_seconds) const {
  using namespace std::chrono;
  if (!rule_->has_daylight) return rule_->standard;
  const auto local = utc_seconds + rule_->standard;
  const auto day = local >= 0 ? local / day_seconds : (local - day_seconds + 1) / day_seconds;
  const auto year = static_cast<int>(year_month_day(sys_days(days(day))).year());
  const auto start = moment(rule_->start, year) - rule_->standard;
  const auto end = moment(rule_->end, year) - rule_->daylight;
  const bool daylight = start < end ? utc_seconds >= start && utc_seconds < end
                                    : utc_seconds >= start || utc_seconds < end;
  return daylight ? rule_->daylight : rule_->standard;
}

std::int64_t TimeZone::offset_at(std::int64_t utc_seconds) const {
  const auto after = std::ranges::upper_bound(periods_, utc_seconds, {}, &Period::from);
  if (after == periods_.end() && rule_) return by_rule(utc_seconds);
  return after == periods_.begin() ? first_offset_ : std::prev(after)->offset;
}

std::optional<std::int64_t> TimeZone::next_change(std::int64_t utc_seconds, std::int64_t until) const {
  // Offsets last longer than a week: look once a week, then close in.
  constexpr std::int64_t step = 7 * day_seconds;
  const auto offset = offset_at(utc_seconds);
  for (auto from = utc_seconds; from < until; from += step) {
    auto to = std::min(from + step, until);
    if (offset_at(to) == offset) continue;
    while (to - from > 1) {
      const auto middle = from + (to - from) / 2;
      (offset_at(middle) == offset ? from : to) = middle;
    }
    return to;
  }
  return std::nullopt;
}

}  // namespace picket

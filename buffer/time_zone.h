// The system's time zones (tzdata), read from their TZif files (RFC 8536), without touching the
// process's own zone. A zone is a value: read it when it is needed, it costs a small file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket {

class TimeZone {
 public:
  TimeZone() = default;  // UTC

  // "Europe/Vienna"; nothing when there is no such zone. `folder` is for tests.
  static std::optional<TimeZone> find(std::string_view name,
                                      const std::filesystem::path& folder = "/usr/share/zoneinfo");
  // The bytes of a TZif file, whatever they are.
  static std::optional<TimeZone> parse(std::string_view bytes);

  // Seconds east of UTC.
  std::int64_t offset_at(std::int64_t utc_seconds) const;
  // The first moment after `utc_seconds`, up to `until`, when the offset changes.
  std::optional<std::int64_t> next_change(std::int64_t utc_seconds, std::int64_t until) const;

 private:
  // When a year's rule changes over, in the form Mm.w.d/time.
  struct Change {
    int month = 0;
    int week = 0;
    int weekday = 0;
    std::int64_t seconds = 0;  // local, after midnight
  };
  struct Rule {
    std::int64_t standard = 0;
    std::int64_t daylight = 0;
    bool has_daylight = false;
    Change start;
    Change end;
  };
  struct Period {
    std::int64_t from = 0;
    std::int64_t offset = 0;
  };
  static std::optional<Rule> parse_rule(std::string_view text);
  static std::int64_t moment(const Change& change, std::int64_t year);  // as if it were UTC

  std::int64_t by_rule(std::int64_t utc_seconds) const;

  std::int64_t first_offset_ = 0;
  std::vector<Period> periods_;  // ascending
  std::optional<Rule> rule_;     // after the last of them
};

}  // namespace picket

// Crontab expressions, and the files of time zones. The first byte tells which.
#include "api/digest/monitor_schedule.h"
#include "fuzz/invariant.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

using picket::digest::Crontab;
using picket::TimeZone;

namespace {

void try_crontab(std::string_view text, const TimeZone& zone) {
  const auto crontab = Crontab::parse(text);
  if (!crontab) return;
  // Around a change of the clock in either hemisphere.
  for (const std::int64_t start_ms : {1'711'843'000'000, 1'729'990'000'000, 1'712'400'000'000}) {
    auto last = picket::time_from_ms(start_ms);
    for (int runs = 0; runs < 4; ++runs) {
      const auto next = crontab->next(last, zone);
      if (!next) break;
      picket::fuzz::check(*next > last, "each run is after the one before");
      picket::fuzz::check(picket::to_ms(*next) % 60'000 == 0, "runs are whole minutes");
      last = *next;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    static const TimeZone vienna = TimeZone::find("Europe/Vienna").value_or(TimeZone());
    try_crontab(rest, vienna);
    return 0;
  }
  const auto zone = TimeZone::parse(rest);
  if (!zone) return 0;
  for (const std::int64_t at : {std::int64_t{-5'000'000'000}, std::int64_t{0}, std::int64_t{1'700'000'000}, std::int64_t{9'000'000'000}}) {
    const auto change = zone->next_change(at, at + 400 * 86'400);
    picket::fuzz::check(!change || (*change > at && *change <= at + 400 * 86'400), "changes are within what was asked for");
  }
  return 0;
}

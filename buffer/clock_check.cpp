#include "buffer/clock_check.h"

#include "buffer/journal.h"
#include "buffer/schema_number.h"
#include "buffer/tables.h"

#include <sys/stat.h>
#include <sys/timex.h>

#include <algorithm>
#include <string>

namespace picket::buffer {
namespace {

// Clocks are set back by this much without anybody noticing; beyond it records get out of order.
constexpr Duration harmless = std::chrono::seconds(5);

std::string in_words(Duration span) {
  const auto seconds = span.count() / 1000;
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172'800) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86'400) + " d";
}

void note_newest_file(const std::filesystem::path& folder, std::optional<Time>& newest) {
  std::error_code failed;
  for (auto entry = std::filesystem::directory_iterator(folder, failed); !failed && entry != std::filesystem::directory_iterator();
       entry.increment(failed)) {
    struct stat status {};
    if (::stat(entry->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const auto changed = time_from_ms(std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000);
    newest = std::max(newest.value_or(changed), changed);
  }
}

bool kernel_is_synchronised() {
  timex asked{};  // no modes: asks and sets nothing
  const int state = ::adjtimex(&asked);
  return state < 0 || (state != TIME_ERROR && (asked.status & STA_UNSYNC) == 0);
}

std::size_t count_damaged_segments(const std::filesystem::path& folder) {
  std::error_code failed;
  std::size_t count = 0;
  for (auto entry = std::filesystem::directory_iterator(folder, failed); !failed && entry != std::filesystem::directory_iterator();
       entry.increment(failed)) {
    count += entry->path().extension() == ".damaged" ? 1U : 0U;
  }
  return count;
}

Finding check_data(const std::filesystem::path& storage) {
  constexpr auto subject = "data";
  std::error_code failed;
  if (!std::filesystem::exists(storage / "tables.mdb", failed)) {
    return {Grade::warn, subject, "there is none yet", "picket init --storage " + storage.string()};
  }
  const auto tables = Tables::open({.path = storage / "tables.mdb", .read_only = true});
  if (!tables) return {Grade::fail, subject, tables.error().detail, "see that the disk is well; else restore a backup"};
  if (const auto readable = check_schema_readable(**tables); !readable) {
    return {Grade::fail, subject, readable.error().detail, "install the version that it names"};
  }
  if (const auto damaged = count_damaged_segments(storage / "journal"); damaged > 0) {
    return {Grade::warn, subject, std::to_string(damaged) + " damaged segments of the journal are set aside",
            "see that the disk is well; picket journal repair says how to get back what can be read"};
  }
  return {Grade::ok, subject, "can be read by this version (schema " + std::to_string(schema_number) + ")"};
}

}  // namespace

Finding judge_clock(const ClockFacts& facts) {
  constexpr auto subject = "clock";
  constexpr auto set_it = "set the clock, and have it kept right: timedatectl set-ntp true";
  constexpr auto earliest = time_from_ms(1'700'000'000'000);  // November 2023: before this program
  if (facts.now < earliest) {
    return {Grade::fail, subject, "it is set before this program was written: events get wrong times, certificates seem not valid yet", set_it};
  }
  const auto behind = [&](const std::optional<Time>& other) { return other && *other - facts.now > harmless; };
  if (behind(facts.newest_record)) {
    return {Grade::fail, subject, "the journal's newest record arrived " + in_words(*facts.newest_record - facts.now) + " from now: the clock was set back", set_it};
  }
  if (behind(facts.newest_file)) {
    return {Grade::fail, subject, "the newest file of the data folder is from " + in_words(*facts.newest_file - facts.now) + " from now: the clock was set back", set_it};
  }
  if (!facts.synchronised) {
    return {Grade::warn, subject, "the kernel has not been told that it is right (no NTP)", "timedatectl set-ntp true, or chrony; without a network: a clock with a battery"};
  }
  return {Grade::ok, subject, "synchronised, and later than all that is stored"};
}

std::vector<Finding> check_clock_and_data(const std::filesystem::path& storage, const Clock& clock) {
  ClockFacts facts{.now = clock.now(), .synchronised = kernel_is_synchronised()};
  note_newest_file(storage, facts.newest_file);
  note_newest_file(storage / "journal", facts.newest_file);
  if (const auto journal = Journal::open({.folder = storage / "journal", .read_only = true}, clock)) {
    const auto segments = (*journal)->segments();
    if (!segments.empty() && to_ms(segments.back().newest) != 0) facts.newest_record = segments.back().newest;
  }
  facts.now = clock.now();  // what arrived while we looked is not from the future
  return {check_data(storage), judge_clock(facts)};
}

}  // namespace picket::buffer

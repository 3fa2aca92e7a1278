// Whether the clock can be believed: against the dates of our own files, the newest record of the
// journal, and what the kernel says of it.
#pragma once

#include "buffer/clock.h"
#include "buffer/finding.h"

#include <filesystem>
#include <optional>
#include <vector>

namespace picket::buffer {

// Also whether the data can be read by this version, and what of it is set aside as damaged.
std::vector<Finding> check_clock_and_data(const std::filesystem::path& storage, const Clock& clock);

// The parts that judge, apart from those that look.

struct ClockFacts {
  Time now{};
  std::optional<Time> newest_file{};    // of the data folder, by its modification time
  std::optional<Time> newest_record{};  // of the journal, by its time of arrival
  bool synchronised = true;             // as far as the kernel has been told
};
Finding judge_clock(const ClockFacts& facts);

}  // namespace picket::buffer

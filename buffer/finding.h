// What a check found out about the surroundings that Picket runs in: one line for `picket doctor`.
//
// Checks never change what they look at, and no finding holds a key, a token or a password.
#pragma once

#include "buffer/command.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket {

enum class Grade : std::uint8_t {
  ok,
  warn,  // works today, and may not tomorrow
  fail,  // something that Picket promises does not hold as long as this is so
};

struct Finding {
  Grade grade = Grade::ok;
  std::string subject;     // "disk space": of what; the same for the same check, always
  std::string words;       // what was found
  std::string to_do = {};  // what to do about it; empty when nothing
};

std::string_view grade_name(Grade grade);  // "ok", "warn", "fail"

// One line each on line.out, or with --json {"checks": [{grade, subject, words, to_do}], warned, failed}.
// ExitCode::no when anything failed.
ExitCode print_findings(CommandLine& line, const std::vector<Finding>& findings);

// "1.5 GiB".
std::string render_size(std::uint64_t bytes);

}  // namespace picket

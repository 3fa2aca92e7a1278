#include "buffer/finding.h"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iomanip>

namespace picket {
namespace {

// Host names, answers and mount options come from outside; a terminal gets one line of them.
std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return line;
}

}  // namespace

std::string_view grade_name(Grade grade) {
  switch (grade) {
    case Grade::ok: return "ok";
    case Grade::warn: return "warn";
    case Grade::fail: return "fail";
  }
  std::abort();
}

std::string render_size(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto amount = static_cast<double>(bytes);
  unsigned unit = 0;
  for (; amount >= 1024 && unit < 5; ++unit) amount /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
  return text;
}

ExitCode print_findings(CommandLine& line, const std::vector<Finding>& findings) {
  const auto count = [&](Grade grade) {
    return std::count_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.grade == grade; });
  };
  const auto failed = count(Grade::fail);
  if (line.json()) {
    boost::json::array checks;
    for (const Finding& finding : findings) {
      checks.push_back(boost::json::object{{"grade", grade_name(finding.grade)},
                                           {"subject", finding.subject},
                                           {"words", on_one_line(finding.words)},
                                           {"to_do", on_one_line(finding.to_do)}});
    }
    line.out << boost::json::serialize(boost::json::object{
                    {"checks", std::move(checks)}, {"warned", count(Grade::warn)}, {"failed", failed}})
             << '\n';
    return failed == 0 ? ExitCode::done : ExitCode::no;
  }
  std::size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.subject.size());
  for (const Finding& finding : findings) {
    line.out << std::left << std::setw(6) << grade_name(finding.grade) << std::setw(static_cast<int>(width) + 2)
             << on_one_line(finding.subject) << on_one_line(finding.words);
    if (!finding.to_do.empty()) line.out << "; next: " << on_one_line(finding.to_do);
    line.out << '\n';
  }
  line.out << failed << " failed, " << count(Grade::warn) << " to look at, " << count(Grade::ok) << " well\n";
  return failed == 0 ? ExitCode::done : ExitCode::no;
}

}  // namespace picket

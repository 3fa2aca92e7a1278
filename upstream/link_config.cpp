#include "upstream/link_config.h"

#include <set>
#include <utility>

namespace picket::upstream {

void bind(Settings& settings, LinkConfig& config) {
  constexpr std::uint64_t most = std::uint64_t{1} << 50;
  settings.bytes("max_bytes_per_second", config.max_bytes_per_second, 0, most);
  settings.bytes("max_bytes_per_day", config.max_bytes_per_day, 0, most);
  settings.bytes("max_bytes_per_month", config.max_bytes_per_month, 0, most);
  settings.text("time_zone", config.time_zone);
  settings.list("windows", config.windows);
  settings.text("metered_file", config.metered_file);
  settings.flag("metered_signal", config.metered_signal);
  settings.list("metered_classes", config.metered_classes);
  settings.list("priority", config.priority);
  settings.number("priority_backlog", config.priority_backlog, 1, 1'000'000);
  settings.list("newest_first", config.newest_first);
  settings.map("time_to_live", config.time_to_live);
  settings.text("age_limits", config.age_limits);
  settings.flag("pass_limits", config.pass_limits);
}

namespace {

std::string class_problem(const std::string& key, const std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!parse_send_class(name)) {
      std::string all;
      for (const SendClass one : send_classes) all += (all.empty() ? "" : ", ") + std::string(class_name(one));
      return key + ": there is no class \"" + name + "\"; there are " + all;
    }
    if (!seen.insert(name).second) return key + " names " + name + " twice";
  }
  return {};
}

}  // namespace

std::string problem_of(const LinkConfig& config) {
  constexpr std::uint64_t least_rate = 100;
  constexpr std::uint64_t least_budget = 64 << 10;
  if (config.max_bytes_per_second != 0 && config.max_bytes_per_second < least_rate) {
    return "max_bytes_per_second must be 0 (no cap) or at least 100";
  }
  for (const auto cap : {config.max_bytes_per_day, config.max_bytes_per_month}) {
    if (cap != 0 && cap < least_budget) return "max_bytes_per_day and max_bytes_per_month must be 0 (no cap) or at least 64KiB";
  }
  const auto zone = TimeZone::find(config.time_zone);
  if (!zone) return "there is no time_zone \"" + config.time_zone + "\"; write one like Europe/Vienna, or UTC";
  if (const auto schedule = Schedule::parse(config.windows, *zone); !schedule) return "windows: " + schedule.error().detail;
  for (const auto& [key, names] : {std::pair("metered_classes", &config.metered_classes), std::pair("priority", &config.priority),
                                   std::pair("newest_first", &config.newest_first)}) {
    if (auto problem = class_problem(key, *names); !problem.empty()) return problem;
  }
  std::vector<std::string> lasting;
  for (const auto& [name, duration] : config.time_to_live) {
    lasting.push_back(name);
    const auto parsed = parse_duration(duration);
    if (!parsed || *parsed <= Duration(0)) return "time_to_live: \"" + duration + "\" of " + name + " is no duration; write one like 12h or 7d";
  }
  if (auto problem = class_problem("time_to_live", lasting); !problem.empty()) return problem;
  if (config.age_limits != "none" && config.age_limits != "sentry") return "age_limits must be none or sentry";
  return {};
}

}  // namespace picket::upstream

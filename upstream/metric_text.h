// What both tables of metrics per destination say the same way: Prometheus' text.
#pragma once

#include "buffer/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::upstream {

// 0 for no time and for one to come.
inline std::uint64_t seconds_since(const std::optional<Time>& time, Time now) {
  if (!time || now <= *time) return 0;
  return static_cast<std::uint64_t>((now - *time).count()) / 1'000;
}

inline void add_head(std::string& out, const std::string& name, std::string_view kind, std::string_view help) {
  out += "# HELP " + name + " " + std::string(help) + "\n# TYPE " + name + " " + std::string(kind) + "\n";
}

}  // namespace picket::upstream

// Frames and exceptions to group.
#pragma once

#include "api/grouping/evidence.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::grouping {

inline Frame made_frame(std::string_view function, std::optional<bool> in_app = {}, std::int64_t line = 0) {
  Frame made;
  made.module = "m";
  made.function = function;
  made.in_app = in_app;
  made.line = line;
  return made;
}

inline ExceptionValue made_exception(std::string_view type, std::string_view value, std::vector<Frame> frames = {}) {
  ExceptionValue made;
  made.type = type;
  made.value = value;
  made.has_stacktrace = !frames.empty();
  made.frames = std::move(frames);
  return made;
}

}  // namespace picket::grouping

// A frame's components: module, file, function, source line; which of them say what the code is, and
// which change with each build, browser or deployment.
#pragma once

#include "api/grouping/component.h"
#include "api/grouping/evidence.h"

#include <string_view>

namespace picket::grouping {

// `function` is the trimmed name (trimmed_function), in the arena or the event.
Component* frame_component(Arena& arena,
                           const Frame& frame,
                           std::string_view event_platform,
                           std::string_view function);

// "http:", "https:", "blob:", "applewebdata:".
bool is_page_url(std::string_view path);

}  // namespace picket::grouping

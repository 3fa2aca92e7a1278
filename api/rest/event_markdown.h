// An event as a text that people (and what reads for them) can read: Markdown, for
// `Accept: text/markdown` and `text/plain` on the event endpoints.
#pragma once

#include "api/rest/event_view.h"

#include <optional>
#include <string>
#include <string_view>

namespace picket::rest {

// The type of text that an Accept header asks for, of the two there are; "" when it takes JSON as
// gladly, or neither. What has the greater quality wins.
std::string_view accepted_text(std::string_view accept);

// `issue` is its short id, "" without one.
std::string render_event_markdown(const EventView& view, std::string_view issue);

}  // namespace picket::rest

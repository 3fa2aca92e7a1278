// From the JSON of an event payload to the fields of an Event.
#pragma once

#include "api/digest/event.h"
#include "api/digest/json_shape.h"

#include <string_view>

namespace picket::digest {

void read_event(JsonObject payload, Event& event);

// Parts with a file of their own: tag_reader.cpp, context_reader.cpp, stack_reader.cpp.
void read_tags(JsonElement json, Event& event);
// One that may stand as it is; the first of a key counts.
void add_clean_tag(Event& event, std::string_view key, std::string_view value);
void read_contexts(JsonElement json, Event& event);
void read_exceptions(JsonElement exceptions, Event& event);
void read_stacktrace(JsonElement stacktrace, Event& event);
void read_threads(JsonElement threads, Event& event);

}  // namespace picket::digest

// From the JSON of an event payload to the fields of an Event.
#pragma once

#include "api/digest/event.h"
#include "api/digest/json_shape.h"

namespace picket::digest {

void read_event(JsonObject payload, Event& event);

// Parts with a file of their own (stack_reader.cpp).
void read_exceptions(JsonElement exceptions, Event& event);
void read_stacktrace(JsonElement stacktrace, Event& event);
void read_threads(JsonElement threads, Event& event);

}  // namespace picket::digest

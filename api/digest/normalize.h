// From an event as the SDK sent it to the event as Sentry would have kept it. Made when an event is
// shown: the journal keeps what came.
//
// The order and the limits are those of Relay (getsentry/relay, relay-event-normalization, April 2026).
// The digest reads payloads in one pass of its own by the same rules (normalize_rules.h): for every
// payload it reads the same from what came and from what this makes of it. That is a test.
//
// Bounded whatever comes: no deeper than 100 levels, each part within Sentry's limit, at most 200 notes.
//
// THREADS  Any.
#pragma once

#include "api/digest/event.h"
#include "api/digest/geo.h"
#include "buffer/result.h"

#include <boost/json.hpp>

#include <string_view>

namespace picket::digest {

struct NormalizedEvent {
  boost::json::object event;  // with `_meta` and `errors` when there is something to say
  bool repaired = false;      // the JSON was not quite JSON
};

// Fault::malformed for what parse_event() does not read either. `geo` may be nullptr.
Result<NormalizedEvent> normalize(std::string_view payload, const EventSource& source, const GeoLookup* geo);

}  // namespace picket::digest

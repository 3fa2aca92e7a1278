// What rrweb's events are made of (https://github.com/rrweb-io/rrweb/blob/master/docs/recipes/dive-into-event.md),
// and those that Sentry's SDKs add to them (https://develop.sentry.dev/sdk/telemetry/replays/), as far
// as scrubbing asks. Every text may be touched but those that say how the page looks: without its style
// sheets and classes a replay shows nothing, and their words (`.auth-form`) are no secrets.
#pragma once

#include "relay/scrub/schema.h"

namespace picket::scrub {

// One event of a recording: `$replay` to selectors.
const Node& recorded_event();

}  // namespace picket::scrub

// When what an envelope tells of was, by what it says itself.
//
// Arrival says little of that: an SDK without a network keeps transactions for days, and the second
// Picket of a chain gets what the first one had for weeks. An upstream judges age by the payload.
//
// THREADS  Pure.
#pragma once

#include "buffer/clock.h"
#include "relay/protocol/envelope.h"

#include <optional>
#include <vector>

namespace picket::upstream {

// As upstreams do, a sender's clock is put right when sent_at is off by this much or more: of what a
// clock is off by and what a request was under way, the latter is mostly less.
// https://develop.sentry.dev/sdk/foundations/envelopes/ (sent_at) and Relay's documentation.
constexpr Duration clock_drift = std::chrono::minutes(55);

// The newest time that the items that go name (`kept` as in a parcel), by the sender's clock: of
// transactions and spans their end, of sessions their start, as upstreams count. Only sessions,
// transactions and spans are read, and of these as far as they parse; nothing when none says a time.
std::optional<Time> find_newest_time(const relay::Envelope& envelope, const std::vector<bool>& kept);

// The same by our clock; never later than `received`.
Time time_by_our_clock(Time by_sender, std::optional<Time> sent_at, Time received);

}  // namespace picket::upstream

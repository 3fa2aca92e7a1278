// Payloads → facts (api/facts): transactions with their spans, span items, span v2, log and trace
// metric containers, error events. What has no usable shape is left out of the fact; an entry of a
// container that is no object is counted as invalid and the others live.
//
// Names of columns are those that Sentry's Explore shows: `sentry.op` of an SDK is `span.op` here.
// Attributes keep their own names. Times are nanoseconds, durations milliseconds (docs.sentry.io,
// "Search: Searchable Properties"; develop.sentry.dev, "Span Protocol", "Logs", "Metrics").
#pragma once

#include "api/digest/event.h"
#include "api/digest/json_shape.h"
#include "api/facts/fact_rows.h"
#include "buffer/clock.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace picket::digest {

struct FactContext {
  std::uint64_t project = 0;
  std::uint64_t sequence = 0;
  std::uint16_t item = 0;
  std::int64_t received_ms = 0;
  std::int64_t sent_at_ms = 0;  // 0 when unknown
  Duration max_age{};
  std::string profile_id{};  // 16 raw bytes: the profile that came with a transaction; "" for none
};

// Of a container: entries that became facts, and those that could not.
struct ContainerRead {
  std::uint32_t accepted = 0;
  std::uint32_t invalid = 0;
};

// The transaction itself and its span (index 0), then its spans (from 1). `event` is its index in the
// batch: a duplicate's facts are not written.
void read_transaction_facts(JsonObject payload,
                            const FactContext& context,
                            const relay::EventId& id,
                            std::uint32_t event,
                            facts::FactRows& rows);

// One span (version 1), or the container of version 2.
ContainerRead read_span_facts(JsonElement payload, const FactContext& context, facts::FactRows& rows);
ContainerRead read_log_facts(JsonElement payload, const FactContext& context, facts::FactRows& rows);
ContainerRead read_metric_facts(JsonElement payload,
                                const FactContext& context,
                                facts::FactRows& rows);

struct ErrorFact {
  relay::EventId id;
  std::int64_t timestamp_ms = 0;  // corrected
  std::uint32_t event = 0;        // index in the batch
  std::string_view title;
  std::string_view culprit;
};
void add_error_fact(const Event& event,
                    std::span<const Tag> tags,
                    const ErrorFact& what,
                    const FactContext& context,
                    facts::FactRows& rows);

}  // namespace picket::digest

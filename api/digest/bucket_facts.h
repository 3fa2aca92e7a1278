// Metrics in their older forms → facts of the metrics dataset.
//
//   statsd           endpoint.time@millisecond:36:49:57|d|#route:index,env:prod|T1615889440
//   metric_buckets   [{"name": "d:custom/endpoint.time@millisecond", "type": "d", "value": [36, 49, 57],
//                      "timestamp": 1615889440, "width": 10, "tags": {"route": "index"}}]
//
// Types: c (m) counter, d (ms, h) distribution, g gauge, s set. A counter is one fact with the sum of its
// values, a distribution one fact a value, a gauge one with its last value and `gauge.min`, `gauge.max`,
// `gauge.sum`, `gauge.count` (of five; of one value just that), a set one fact a member: `metric.member`,
// with the value 1. Tags are texts.
// https://getsentry.github.io/relay/relay_metrics/struct.Bucket.html
#pragma once

#include "api/digest/fact_reader.h"

#include <string_view>

namespace picket::digest {

// Counted are buckets: a line, an element of the array.
ContainerRead read_statsd_facts(std::string_view payload, const FactContext& context, facts::FactRows& rows);
ContainerRead read_bucket_facts(JsonElement payload, const FactContext& context, facts::FactRows& rows);

}  // namespace picket::digest

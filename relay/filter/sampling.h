// Dynamic sampling: which transactions and spans a project keeps, by Sentry's rules.
//
//   {"version": 2, "rules": [{"id": 1000, "type": "trace" | "transaction" | "project",
//      "condition": {…}, "samplingValue": {"type": "sampleRate" | "factor" | "minimumSampleRate" |
//      "reservoir", "value": 0.1, "limit": 100},
//      "timeRange": {"start": …, "end": …}, "decayingFn": {"type": "linear", "decayedValue": 0.01}}]}
//
// Rules are tried in order. Those of the type `factor` multiply and those of `minimumSampleRate`
// raise the rate of the one that ends the search; a reservoir keeps all of its first `limit` matches.
// What no rule ends the search for is kept. The client's own sample rate counts in: a rule of 10 %
// keeps half of what a client sent 20 % of.
//
// Every Picket decides the same for a trace: the number that the rate is compared with comes from
// the trace's `sample_rand`, else from its id.
// https://docs.sentry.io/organization/dynamic-sampling/
//
// THREADS  Immutable; from any thread. Reservoirs are the caller's.
#pragma once

#include "buffer/clock.h"
#include "buffer/result.h"
#include "relay/filter/condition.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::filter {

class Sampling {
 public:
  static constexpr std::size_t most_rules = 100;

  // Fault::malformed says which rule and why.
  static Result<Sampling> parse(std::string_view json);

  bool empty() const { return rules_.empty(); }
  // Whether a rule looks at the payload, not at the trace alone.
  bool reads_payload() const;
  // The other's rules, after these.
  void append(Sampling other);

  // Counts one more match of the rule and says whether it is still within `limit`.
  using Reservoir = std::function<bool(std::uint32_t rule, std::uint64_t limit)>;

  // "Sampled:<ids>" when the item is to be dropped, "" when kept. `space` and `payload` are what
  // transaction rules read (json_fields.h), `trace` the envelope header's `trace`.
  std::string judge(std::string_view space,
                    std::string_view payload,
                    std::string_view trace,
                    Time now,
                    const Reservoir& reservoir) const;

 private:
  enum class Value : std::uint8_t { sample_rate, factor, minimum, reservoir };
  struct Rule {
    std::uint32_t id = 0;
    Value value_type = Value::sample_rate;
    double value = 1;
    std::uint64_t limit = 0;
    std::optional<Time> start;
    std::optional<Time> end;
    std::optional<double> decayed;  // linear decay from start to end
    Condition condition;
  };
  struct Reader;
  static double value_at(const Rule& rule, Time now);

  std::vector<Rule> rules_;
};

// The number in [0, 1) of a trace id (32 hex digits, hyphens allowed), evenly spread; nothing for
// what is no id.
std::optional<double> number_of_trace(std::string_view trace_id);

}  // namespace picket::filter

#include "api/digest/metrics.h"

#include <cstdio>
#include <string_view>

namespace picket::digest {
namespace {

void add(std::string& out,
         std::string_view name,
         std::string_view kind,
         std::string_view help,
         double value) {
  char number[32];
  std::snprintf(number, sizeof number, "%.15g", value);
  out.append("# HELP ")
      .append(name)
      .append(" ")
      .append(help)
      .append("\n# TYPE ")
      .append(name)
      .append(" ")
      .append(kind);
  out.append("\n").append(name).append(" ").append(number).append("\n");
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void add_metrics(const DigestCounters& counters, std::string& out) {
  const auto count = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    add(out, name, "counter", help, static_cast<double>(value));
  };
  count("picket_digest_records_total", "Journal records digested", counters.records);
  count("picket_digest_events_total", "Events digested", counters.events);
  count("picket_digest_duplicates_total", "Events, and envelopes of other Pickets, that were there already", counters.duplicates);
  count("picket_digest_invalid_total", "Items that could not be digested, duplicates included",
        counters.invalid);
  count("picket_digest_issues_total", "Issues created", counters.issues);
  count("picket_digest_regressions_total", "Resolved issues that came back", counters.regressions);
  count("picket_digest_failed_writes_total", "Batches that the tables refused",
        counters.failed_writes);
  add(out, "picket_digest_lag_seconds", "gauge",
      "Age of the oldest record that waits for the digest", seconds(counters.lag));
  add(out, "picket_digest_batch_seconds", "gauge", "What the last batch took",
      seconds(counters.last_batch_took));
  add(out, "picket_digest_next_sequence", "gauge", "The first record not yet digested",
      static_cast<double>(counters.next));
}

}  // namespace picket::digest

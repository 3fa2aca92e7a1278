// Items with rows of their own, as the digest reads them: whatever they hold is counted or kept.
#include "api/digest/parsed_batch.h"
#include "fuzz/invariant.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array<std::string_view, 6> types{"session", "sessions", "check_in", "user_report", "attachment", "feedback"};
  if (size == 0) return 0;
  const std::string payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  picket::buffer::StoredRecord record;
  const std::string body = "{\"event_id\":\"00000000000000000000000000000001\"}\n{\"type\":\"" + std::string(types[data[0] % types.size()]) +
                           "\",\"length\":" + std::to_string(payload.size()) + "}\n" + payload + "\n";
  record.sequence = 1;
  record.project = 1;
  record.received = picket::time_from_ms(1'700'000'000'000);
  record.body = body;
  picket::digest::ParsedBatch batch;
  picket::digest::read_record(record, {}, batch);
  const auto kept = batch.events.size() + batch.raw_items.size() + batch.sessions.size() + batch.session_aggregates.size() + batch.check_ins.size();
  picket::fuzz::check(kept > 0 || !batch.outcomes.empty(), "an item is kept or counted");
  for (const auto& session : batch.sessions) {
    picket::fuzz::check(session.id.size() == 16, "a session has an id");
    picket::fuzz::check(!session.update.release.empty() && session.update.release.size() <= 800, "and a release that fits");
  }
  for (const auto& check_in : batch.check_ins) picket::fuzz::check(!check_in.slug.empty() && check_in.slug.size() <= 50, "a monitor's slug fits");
  return 0;
}

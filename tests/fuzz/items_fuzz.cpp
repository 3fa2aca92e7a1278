// Items as the digest reads them: whatever they hold is counted or kept, and what is kept is bounded.
//
//   input := letter payload             the letter names the type (types below)
//          | letter '\t' json '\n' payload   … and `json` more members of the item's header

#include "api/digest/client_report.h"
#include "api/digest/parsed_batch.h"
#include "fuzz/invariant.h"
#include "relay/protocol/json_object.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace picket::digest {
namespace {

using fuzz::check;

struct Type {
  char letter;
  std::string_view name;
  std::string_view container;  // the content type of many in one
};
constexpr std::array types{
    Type{'s', "session", ""},
    Type{'S', "sessions", ""},
    Type{'c', "check_in", ""},
    Type{'u', "user_report", ""},
    Type{'a', "attachment", ""},
    Type{'f', "feedback", ""},
    Type{'r', "client_report", ""},
    Type{'e', "replay_event", ""},
    Type{'o', "replay_recording", ""},
    Type{'v', "replay_video", ""},
    Type{'p', "profile", ""},
    Type{'P', "profile_chunk", ""},
    Type{'x', "raw_security", ""},
    Type{'d', "statsd", ""},
    Type{'b', "metric_buckets", ""},
    Type{'l', "log", "application/vnd.sentry.items.log+json"},
    Type{'n', "span", "application/vnd.sentry.items.span.v2+json"},
    Type{'m', "trace_metric", "application/vnd.sentry.items.trace-metric+json"},
    Type{'?', "of a later SDK", ""},
};

bool is_object(std::string_view json) {
  relay::JsonObjectReader reader(json);
  while (reader.next()) {
  }
  return !reader.failure();
}

// The envelope that the item came in.
std::string envelope_of(std::string_view input) {
  const auto* type = std::ranges::find(types, input.front(), &Type::letter);
  if (type == types.end()) type = &types[static_cast<unsigned char>(input.front()) % types.size()];
  input.remove_prefix(1);
  std::string more;
  if (input.starts_with('\t')) {
    const auto line = input.substr(1, input.find('\n') - 1);
    input.remove_prefix(std::min(line.size() + 2, input.size()));
    if (is_object(line) && line.find(':') != std::string_view::npos) {
      const auto first = line.find('{') + 1;
      more = "," + std::string(line.substr(first, line.rfind('}') - first));
    }
  }
  if (!type->container.empty()) more += ",\"content_type\":\"" + std::string(type->container) + '"';
  return "{\"event_id\":\"00000000000000000000000000000001\"}\n{\"type\":\"" + std::string(type->name) + '"' + more +
         ",\"length\":" + std::to_string(input.size()) + "}\n" + std::string(input) + "\n";
}

void check_kept(const ParsedBatch& batch) {
  for (const auto& session : batch.sessions) {
    check(session.id.size() == 16, "a session has an id");
    check(!session.update.release.empty() && session.update.release.size() <= 800, "and a release that fits");
  }
  for (const auto& check_in : batch.check_ins) check(!check_in.slug.empty() && check_in.slug.size() <= 50, "a monitor's slug fits");
  for (const auto& update : batch.replays.updates) {
    const auto& row = update.row;
    check(row.replay_id().size() == 16, "a replay has an id");
    check(row.urls_size() <= 100 && row.error_ids_size() <= 100 && row.trace_ids_size() <= 100 && row.tags_size() <= 100, "lists are limited");
    check(row.started_ms() <= row.finished_ms(), "a replay begins before it ends");
    check(!row.SerializeAsString().empty(), "a replay's row can be written");
    auto known = row;
    merge_replay(known, row);
    check(known.urls_size() == row.urls_size() && known.segments() == row.segments(), "the same segment twice changes nothing");
  }
  for (const auto& segment : batch.replays.segments) check(segment.replay_id.size() == 16, "a segment belongs to a replay");
  for (const auto& profile : batch.replays.profiles) check(!profile.row.SerializeAsString().empty(), "a profile's row can be written");
  for (const auto& attachment : batch.attachments) {
    check(attachment.sha1.size() == 20, "an attachment has a checksum");
    check(attachment.trace_item.empty() || attachment.trace_item.size() == 16, "one of a trace has an id of its own");
  }
}

void check_report(std::string_view json) {
  const auto drops = read_client_report(json);
  check(drops.size() <= 100, "what an SDK reports is limited");
  for (const auto& drop : drops) {
    check(drop.quantity > 0 && drop.quantity <= 1'000'000'000, "a lie does not spoil the sums");
    check(drop.reason.size() <= 200, "a reason is short");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto body = envelope_of(fuzz::as_text(data, size));
  buffer::StoredRecord record;
  record.sequence = 1;
  record.project = 1;
  record.received = time_from_ms(1'700'000'000'000);
  record.body = body;
  ParsedBatch batch;
  read_record(record, {}, batch);
  const auto& replays = batch.replays;
  const auto kept = batch.events.size() + batch.raw_items.size() + batch.sessions.size() + batch.session_aggregates.size() +
                    batch.check_ins.size() + batch.user_reports.size() + batch.attachments.size() + batch.facts.size() +
                    replays.updates.size() + replays.segments.size() + replays.profiles.size() + replays.chunks.size();
  check(kept > 0 || !batch.outcomes.empty(), "an item is kept or counted");
  check_kept(batch);
  check_report(fuzz::as_text(data, size).substr(1));
  return 0;
}

}  // namespace picket::digest

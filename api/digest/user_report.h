// What users said about an event (the older form: one per event, the latest counts). A report may come
// before its event; the event's issue is entered when both are there.
#pragma once

#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"
#include "relay/protocol/envelope.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace picket::digest {

struct NewUserReport {
  std::uint64_t project = 0;
  relay::EventId event_id;
  std::string_view name;
  std::string_view email;
  std::string_view comments;
  std::int64_t at_ms = 0;
};

// Replaces what was said before about the same event. Its row, with its id.
schema::UserReport put_user_report(buffer::Batch& batch, const NewUserReport& report);
std::optional<schema::UserReport> find_user_report(const buffer::Reader& reader,
                                                   std::uint64_t project,
                                                   std::string_view raw_event_id);
// The event has come: its report, if there is one, is of this issue.
void link_user_report(buffer::Batch& batch,
                      std::uint64_t project,
                      std::string_view raw_event_id,
                      std::uint64_t issue);
// Removes what was said about an event, or the report of this number, everywhere; nothing when there is none.
void remove_user_report(buffer::Batch& batch, std::uint64_t project, std::string_view raw_event_id);
void remove_user_report(buffer::Batch& batch, std::uint64_t project, std::uint64_t id);
std::uint64_t count_user_reports(const buffer::Reader& reader, std::uint64_t issue);

}  // namespace picket::digest

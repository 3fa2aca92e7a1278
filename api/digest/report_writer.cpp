// User reports and attachments into the tables, and the events of a batch to the reports that waited.
#include "api/digest/batch_writer.h"
#include "api/digest/user_report.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <set>
#include <string>
#include <utility>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

void write_attachment(WriteContext& context, const ParsedAttachment& attachment) {
  const auto& place = attachment.place;
  schema::Attachment row;
  row.set_id(context.batch.next_number("attachment"));
  row.set_name(std::string(attachment.name));
  row.set_type(std::string(attachment.type));
  row.set_content_type(std::string(attachment.content_type));
  row.set_bytes(attachment.bytes);
  row.set_sha1(std::string(attachment.sha1));
  row.set_received_ms(place.received_ms);
  row.set_trace_item(std::string(attachment.trace_item));
  row.set_span_id(std::string(attachment.span_id));
  const auto key = Key().u64(place.project).raw(relay::raw_bytes(attachment.event_id)).u64(place.sequence).u16(place.item);
  buffer::put_row(context.batch, Table::attachments, key, row);
}

// Of an event that nobody wants to see, which came with it. What comes later is shown nowhere, and goes
// with the journal.
class OfDiscarded {
 public:
  explicit OfDiscarded(const WriteContext& context) {
    for (const auto index : context.discarded) {
      const auto& event = context.event(index);
      events_.emplace(event.place.project, event.id.bytes);
    }
  }
  bool contains(std::uint64_t project, const relay::EventId& id) const { return events_.contains({project, id.bytes}); }

 private:
  std::set<std::pair<std::uint64_t, decltype(relay::EventId::bytes)>> events_;
};

}  // namespace

void write_reports(WriteContext& context) {
  if (context.batch.entries(Table::user_reports_by_event) > 0) {
    for (const auto index : context.kept) {
      const auto& event = context.event(index);
      if (!event.has_issue) continue;
      link_user_report(context.batch, event.place.project, relay::raw_bytes(event.id), context.issue_of[index]);
    }
  }
  const OfDiscarded discarded(context);
  for (const auto& report : context.parsed.user_reports) {
    if (!context.projects.contains(report.place.project)) continue;
    if (discarded.contains(report.place.project, report.event_id)) continue;
    put_user_report(context.batch, {.project = report.place.project,
                                    .event_id = report.event_id,
                                    .name = report.name,
                                    .email = report.email,
                                    .comments = report.comments,
                                    .at_ms = report.place.received_ms});
  }
  for (const auto& attachment : context.parsed.attachments) {
    if (!context.projects.contains(attachment.place.project)) continue;
    const bool of_event = attachment.trace_item.empty();
    if (!of_event || !discarded.contains(attachment.place.project, attachment.event_id)) write_attachment(context, attachment);
  }
}

}  // namespace picket::digest

// The attachments of an event or a trace: rows that say where in the journal their bytes are.
#pragma once

#include "api/rest/router.h"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace picket::rest {

struct AttachmentPlace {
  schema::Attachment row;
  std::uint64_t sequence = 0;
  std::uint16_t item = 0;
};

// In the order in which they came, without the deleted ones; at most 1,000.
std::vector<AttachmentPlace> attachments_of(const buffer::Reader& reader, std::uint64_t project, std::string_view raw_event_id);
// The same of a trace, by its raw id; with one's own raw id only that.
std::vector<AttachmentPlace> trace_attachments_of(const buffer::Reader& reader,
                                                  std::uint64_t project,
                                                  std::string_view raw_trace_id,
                                                  std::string_view raw_id = {});
boost::json::object render_attachment(const AttachmentPlace& attachment, std::string_view event_id);
// Its bytes, as a file to be saved.
Reply download_attachment(Api& api, const AttachmentPlace& attachment);
// Its row stays, so that the journal's copy is not shown again when it is read anew.
void delete_attachment_row(buffer::Batch& batch, std::uint64_t project, std::string_view raw_event_id, AttachmentPlace attachment);

// One of a trace as a trace item (`trace-items/{id}/?item_type=attachments&trace_id=…`).
Reply show_trace_attachment(Api& api, const Call& call);

}  // namespace picket::rest

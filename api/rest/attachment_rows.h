// The attachments of an event: rows that say where in the journal their bytes are.
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
boost::json::object render_attachment(const AttachmentPlace& attachment, std::string_view event_id);

}  // namespace picket::rest

// One event as the answers show it: its row, and its payload, normalised (api/digest/normalize.h).
//
// Payloads come in every shape. What is not of the shape an answer needs is shown in the nearest one
// or left out; nothing throws for what a payload holds.
#pragma once

#include "api/digest/event.h"
#include "api/query/issue_names.h"
#include "api/rest/router.h"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::rest {

struct EventView {
  query::EventPlace place;
  schema::EventRow row;
  std::string event_id;         // 32 hex digits
  std::size_t size = 0;         // of the payload, bytes
  boost::json::object payload;  // normalised; empty when it cannot be had
  digest::Event event;          // likewise
  std::string trouble;          // why the payload is not (quite) there; "" when it is
};

// Nothing when there is no such row.
std::optional<EventView> load_event(const Api& api, const buffer::Reader& reader, const query::EventPlace& place);

struct EventTag {
  std::string key;
  std::string value;
};
std::vector<EventTag> tags_of_view(const EventView& view);  // by key

// As in lists; in full; in full with its neighbours, release and what else only a single event has.
boost::json::object render_event_summary(const EventView& view);
boost::json::object render_event(const Api& api, const Call& call, const buffer::Reader& reader, const EventView& view);
boost::json::object render_event_details(const Api& api, const Call& call, const buffer::Reader& reader, const EventView& view);
// null when there is no such event. `raw_id` is 16 bytes.
boost::json::value render_event_by_id(const Api& api, const Call& call, const buffer::Reader& reader,
                                      std::uint64_t project, std::string_view raw_id, bool full);

}  // namespace picket::rest

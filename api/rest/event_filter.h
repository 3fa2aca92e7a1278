// Which events of a list a query asks for, by their payload: tags, level, message, ids.
#pragma once

#include "api/query/search.h"
#include "api/rest/event_view.h"
#include "buffer/clock.h"

#include <string>
#include <string_view>
#include <vector>

namespace picket::rest {

struct EventFilter {
  std::vector<query::SearchTerm> terms;
  std::vector<std::string> environments;  // any of them; none: all
  Time now{};

  bool empty() const { return terms.empty() && environments.empty(); }
};

bool passes(const EventFilter& filter, const EventView& view);

}  // namespace picket::rest

// Which events of a list a query asks for, by their payload: tags, level, message, ids.
#pragma once

#include "api/query/condition.h"
#include "api/rest/event_view.h"
#include "buffer/clock.h"

#include <string>
#include <string_view>
#include <vector>

namespace picket::rest {

struct EventFilter {
  query::Condition condition;
  std::vector<std::string> environments;  // any of them; none: all
  Time now{};

  bool empty() const { return condition.empty() && environments.empty(); }
};

bool passes(const EventFilter& filter, const EventView& view);

}  // namespace picket::rest

#include "api/grouping/default_rules.h"

namespace picket::grouping {

std::string_view default_category_rules() {
  static constexpr std::string_view rules = R"rules(
category:threadbase -group v-group
category:internals -group
category:indirection -group
category:telemetry -group
category:throw ^-group
category:handler ^-group
)rules";
  return rules;
}

}  // namespace picket::grouping

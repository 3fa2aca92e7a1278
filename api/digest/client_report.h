// Client reports: what SDKs say they dropped, {"discarded_events": [{"reason", "category",
// "quantity"}]}.
#pragma once

#include "relay/protocol/data_category.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::digest {

struct ReportedDrop {
  relay::DataCategory category = relay::DataCategory::unknown;
  relay::Outcome outcome = relay::Outcome::client_discard;
  std::string reason;  // cleaned
  std::uint64_t quantity = 0;
};

// What can be read of it, at most 100 entries; nothing of what is no report at all.
std::vector<ReportedDrop> read_client_report(std::string_view json);

}  // namespace picket::digest

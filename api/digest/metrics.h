// The digest's lines for /metrics.
#pragma once

#include "api/digest/digest.h"

#include <string>

namespace picket::digest {

void add_metrics(const DigestCounters& counters, std::string& out);

}  // namespace picket::digest

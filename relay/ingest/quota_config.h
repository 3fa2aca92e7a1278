// The [[quota]] sections as quotas.
#pragma once

#include "relay/ingest/config.h"
#include "relay/ingest/project_directory.h"

#include <vector>

namespace picket::ingest {

// Fault::malformed says which quota and why.
Result<std::vector<ProjectDirectory::ConfiguredQuota>> parse_configured_quotas(
    const std::vector<QuotaConfig>& configs);

}  // namespace picket::ingest

// What one project has decided about what is taken in for it, compiled once per change.
//
// THREADS  Immutable: shared by all requests of the project.
#pragma once

#include "buffer/schema/rows.pb.h"
#include "relay/filter/filters.h"
#include "relay/filter/quota.h"
#include "relay/filter/sampling.h"
#include "relay/protocol/dsn.h"
#include "relay/scrub/scrubber.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace picket::ingest {

struct ProjectSettings {
  relay::ProjectId project = 0;
  std::uint64_t organization = 0;
  std::vector<std::string> allowed_domains;  // empty: from everywhere
  std::vector<filter::Quota> quotas;         // the project's, the configured ones, spike protection
  filter::Filters filters;
  filter::Sampling sampling;
  std::vector<scrub::Scrubber> scrubbers;  // one after another
  bool spike_protected = false;
  bool keeps_addresses = true;  // false: not even the sender's own is noted

  // What it was made from: nothing is compiled twice.
  std::string project_json;
  std::string organization_json;
  std::uint64_t spike_limit = 0;
};

// Never fails: a setting that is wrong is left out and named in the log.
// `configured` apply to every project; `spike_limit` is used when the project asks for protection.
std::shared_ptr<const ProjectSettings> make_project_settings(
    const schema::Project& project,
    const std::string& organization_json,
    const std::vector<filter::Quota>& configured,
    std::uint64_t spike_limit);

// Whether the stored options ask for spike protection.
bool wants_spike_protection(const std::string& project_json);

}  // namespace picket::ingest

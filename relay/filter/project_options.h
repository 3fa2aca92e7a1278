// A project's settings as the API keeps them (options_json of Project and Organization), read for
// intake and for the API alike.
//
//   allowedDomains, dataScrubber, dataScrubberDefaults, sensitiveFields, safeFields,
//   scrubIPAddresses, relayPiiConfig                     of the project, and of its organization
//   options: filters:blacklisted_ips, filters:releases, filters:error_messages,
//            sentry:csp_ignored_sources                  one entry a line
//            filters:browser-extensions, filters:localhost, filters:web-crawlers,
//            filters:filtered-transaction, filters:react-hydration-errors,
//            filters:chunk-load-error                    on or off
//            filters:legacy-browsers                     list of sub-filters
//            filters:generic                             [{"id", "isEnabled", "condition"}]
//            quotas:spike-protection-disabled            "true" is the default
//            picket:quotas, picket:sampling              quota.h, sampling.h
//   targetSampleRate, samplingMode, dynamicSamplingBiases                   target_rate.h
#pragma once

#include "relay/filter/filters.h"
#include "relay/filter/quota.h"
#include "relay/filter/target_rate.h"

#include <string>
#include <string_view>
#include <vector>

namespace picket::filter {

struct ScrubOptions {
  bool scrub_data = true;
  bool scrub_defaults = true;
  bool scrub_ip_addresses = false;
  std::vector<std::string> sensitive_fields;
  std::vector<std::string> safe_fields;
  std::string pii_config;               // the project's, "" for none
  std::string organization_pii_config;  // applied before it
};

struct ProjectOptions {
  std::vector<std::string> allowed_domains{"*"};
  FilterOptions filters;
  ScrubOptions scrubbing;
  std::vector<Quota> quotas;
  std::string sampling;  // JSON, "" for none
  TargetRate target;     // what the rules leave undecided
  bool spike_protection = false;
};

// Never fails: what is wrong keeps its default and is named in `problems`.
ProjectOptions read_project_options(std::string_view project_json,
                                    std::string_view organization_json,
                                    std::vector<std::string>& problems);

// Lines without surrounding space, empty ones left out.
std::vector<std::string> split_lines(std::string_view text);

// Each of the filters:* and sentry:* values above by itself: what is wrong with it, "" when nothing.
std::string check_option(std::string_view name, std::string_view value_json);

}  // namespace picket::filter

#include "relay/ingest/quota_config.h"

#include <chrono>
#include <set>
#include <string>

namespace picket::ingest {
namespace {

std::string default_reason(filter::Scope scope) {
  return scope == filter::Scope::organization ? "org_quota"
                                              : std::string(filter::wire_name(scope)) + "_quota";
}

Result<ProjectDirectory::ConfiguredQuota> parse(const QuotaConfig& config, std::string id) {
  const auto scope = filter::parse_scope(config.scope);
  if (!scope) return scope.error();
  auto categories = filter::parse_categories(config.categories);
  if (!categories) return categories.error();
  ProjectDirectory::ConfiguredQuota configured;
  configured.project = config.project;
  configured.quota.id = "config/" + id;
  configured.quota.scope = *scope;
  configured.quota.categories = *std::move(categories);
  configured.quota.limit = config.limit;
  configured.quota.window = std::chrono::ceil<std::chrono::seconds>(config.window);
  configured.quota.reason = config.reason.empty() ? default_reason(*scope) : config.reason;
  return configured;
}

}  // namespace

Result<std::vector<ProjectDirectory::ConfiguredQuota>> parse_configured_quotas(
    const std::vector<QuotaConfig>& configs) {
  std::vector<ProjectDirectory::ConfiguredQuota> quotas;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const auto place = std::to_string(i + 1);
    const auto id = configs[i].id.empty() ? place : configs[i].id;
    if (!ids.insert(id).second)
      return Error{Fault::malformed, "quota " + place + ": the id \"" + id + "\" is given twice"};
    auto quota = parse(configs[i], id);
    if (!quota) return Error{Fault::malformed, "quota " + place + ": " + quota.error().detail};
    quotas.push_back(*std::move(quota));
  }
  return quotas;
}

}  // namespace picket::ingest

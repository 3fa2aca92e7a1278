#include "relay/ingest/project_settings.h"

#include "buffer/logger.h"
#include "relay/filter/project_options.h"

#include <algorithm>
#include <utility>

namespace picket::ingest {
namespace {

void complain(relay::ProjectId project, std::string_view what) {
  log(Level::warning, "ingest", "a project's setting is wrong and left out",
      {{"project", std::to_string(project)}, {"reason", std::string(what)}});
}

void add_scrubber(ProjectSettings& settings, const scrub::Settings& wanted) {
  auto scrubber = scrub::Scrubber::make(wanted);
  if (!scrubber) {
    complain(settings.project, scrubber.error().detail);
    // The default rules must not fall with one that is mistyped.
    auto plain = wanted;
    plain.pii_config_json.clear();
    scrubber = scrub::Scrubber::make(plain);
    if (!scrubber) {
      plain.sensitive_fields.clear();
      plain.safe_fields.clear();
      scrubber = scrub::Scrubber::make(plain);
    }
  }
  if (scrubber && scrubber->does_anything()) settings.scrubbers.push_back(*std::move(scrubber));
}

void add_scrubbers(ProjectSettings& settings, const filter::ScrubOptions& options) {
  if (!options.organization_pii_config.empty()) {
    scrub::Settings organization;
    organization.scrub_data = false;
    organization.scrub_defaults = false;
    organization.pii_config_json = options.organization_pii_config;
    add_scrubber(settings, organization);
  }
  scrub::Settings project;
  project.scrub_data = options.scrub_data;
  project.scrub_defaults = options.scrub_defaults;
  project.scrub_ip_addresses = options.scrub_ip_addresses;
  settings.keeps_addresses = !options.scrub_ip_addresses;
  project.sensitive_fields = options.sensitive_fields;
  project.safe_fields = options.safe_fields;
  project.pii_config_json = options.pii_config;
  add_scrubber(settings, project);
}

filter::Quota spike_quota(std::uint64_t limit) {
  using enum relay::DataCategory;
  filter::Quota quota;
  quota.id = "spike";
  quota.categories = {default_, error, transaction};
  quota.limit = limit;
  quota.window = std::chrono::hours(1);
  quota.reason = "smart_rate_limit";
  return quota;
}

}  // namespace

std::shared_ptr<const ProjectSettings> make_project_settings(
    const schema::Project& project,
    const std::string& organization_json,
    const std::vector<filter::Quota>& configured,
    std::uint64_t spike_limit) {
  auto settings = std::make_shared<ProjectSettings>();
  settings->project = project.id();
  settings->organization = project.organization();
  settings->project_json = project.options_json();
  settings->organization_json = organization_json;
  settings->spike_limit = spike_limit;

  std::vector<std::string> problems;
  auto options =
      filter::read_project_options(project.options_json(), organization_json, problems);
  for (const auto& problem : problems)
    complain(project.id(), problem);
  const auto& domains = options.allowed_domains;
  if (std::find(domains.begin(), domains.end(), "*") == domains.end())
    settings->allowed_domains = domains;

  settings->quotas = configured;
  for (auto& quota : options.quotas) {
    quota.id = "own/" + quota.id;
    settings->quotas.push_back(std::move(quota));
  }
  settings->spike_protected = options.spike_protection;
  if (options.spike_protection && spike_limit > 0)
    settings->quotas.push_back(spike_quota(spike_limit));

  auto filters = filter::Filters::make(options.filters);
  if (filters) {
    settings->filters = *std::move(filters);
  } else {
    complain(project.id(), filters.error().detail);
  }
  if (!options.sampling.empty()) {
    if (auto sampling = filter::Sampling::parse(options.sampling))
      settings->sampling = *std::move(sampling);
  }
  settings->sampling.append(filter::make_sampling(options.target));
  add_scrubbers(*settings, options.scrubbing);
  return settings;
}

bool wants_spike_protection(const std::string& project_json) {
  if (project_json.find("quotas:spike-protection-disabled") == std::string::npos) return false;
  std::vector<std::string> problems;
  return filter::read_project_options(project_json, {}, problems).spike_protection;
}

}  // namespace picket::ingest

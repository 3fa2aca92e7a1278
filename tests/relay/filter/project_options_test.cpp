#include "relay/filter/project_options.h"

#include <gtest/gtest.h>

namespace picket::filter {
namespace {

ProjectOptions read(std::string_view project, std::string_view organization = {}) {
  std::vector<std::string> problems;
  auto options = read_project_options(project, organization, problems);
  EXPECT_TRUE(problems.empty()) << problems.front();
  return options;
}

using Texts = std::vector<std::string>;

TEST(ProjectOptions, ScrubByDefaultAndFilterNothing) {
  const auto options = read("");
  EXPECT_TRUE(options.scrubbing.scrub_data);
  EXPECT_TRUE(options.scrubbing.scrub_defaults);
  EXPECT_FALSE(options.scrubbing.scrub_ip_addresses);
  EXPECT_EQ(options.allowed_domains, Texts{"*"});
  EXPECT_TRUE(Filters::make(options.filters)->empty());
  EXPECT_TRUE(options.quotas.empty());
  EXPECT_FALSE(options.spike_protection);
}

TEST(ProjectOptions, ReadWhatTheApiKeeps) {
  const auto options = read(R"({
    "allowedDomains": ["shop.example", "*.shop.example"], "dataScrubber": false,
    "sensitiveFields": ["pin"], "safeFields": ["ok"], "scrubIPAddresses": true, "relayPiiConfig": "{}",
    "options": {"filters:releases": "1.*\n\n 2.* \r\n", "filters:error_messages": ["*gone*"],
      "filters:blacklisted_ips": "10.0.0.0/8", "filters:localhost": "1", "filters:web-crawlers": true,
      "filters:browser-extensions": false, "filters:legacy-browsers": ["ie9", "unheard-of"],
      "quotas:spike-protection-disabled": false, "unknown": {"a": 1},
      "picket:quotas": [{"id":"e","limit":1,"window":60}],
      "picket:sampling": {"rules": []},
      "filters:generic": [{"id":"a","isEnabled":true,"condition":{"op":"and","inner":[]}},
                          {"id":"b","isEnabled":false,"condition":{"op":"and","inner":[]}}]}})");
  EXPECT_EQ(options.allowed_domains, (Texts{"shop.example", "*.shop.example"}));
  EXPECT_FALSE(options.scrubbing.scrub_data);
  EXPECT_TRUE(options.scrubbing.scrub_ip_addresses);
  EXPECT_EQ(options.scrubbing.sensitive_fields, Texts{"pin"});
  EXPECT_EQ(options.scrubbing.pii_config, "{}");
  EXPECT_EQ(options.filters.releases, (Texts{"1.*", "2.*"}));
  EXPECT_EQ(options.filters.error_messages, Texts{"*gone*"});
  EXPECT_EQ(options.filters.addresses, Texts{"10.0.0.0/8"});
  EXPECT_TRUE(options.filters.localhost);
  EXPECT_TRUE(options.filters.web_crawlers);
  EXPECT_FALSE(options.filters.browser_extensions);
  EXPECT_EQ(options.filters.legacy_browsers, Texts{"ie9"});
  EXPECT_EQ(options.filters.generic.size(), 1U);
  EXPECT_TRUE(options.spike_protection);
  EXPECT_EQ(options.quotas.size(), 1U);
  EXPECT_FALSE(options.sampling.empty());
}

TEST(ProjectOptions, AnOrganizationAddsAndNeverTakesAway) {
  const auto options =
      read(R"({"dataScrubber":false,"sensitiveFields":["pin"]})",
           R"({"dataScrubber":true,"scrubIPAddresses":true,"sensitiveFields":["vat"],"relayPiiConfig":"{}"})");
  EXPECT_TRUE(options.scrubbing.scrub_data);
  EXPECT_TRUE(options.scrubbing.scrub_ip_addresses);
  EXPECT_EQ(options.scrubbing.sensitive_fields, (Texts{"pin", "vat"}));
  EXPECT_EQ(options.scrubbing.organization_pii_config, "{}");
  EXPECT_EQ(options.scrubbing.pii_config, "");
}

TEST(ProjectOptions, WhatIsWrongTurnsOffItselfOnly) {
  std::vector<std::string> problems;
  const auto options = read_project_options(
      R"({"options":{"filters:releases":"[bad","filters:error_messages":"*x*","picket:quotas":[{}]}})",
      {}, problems);
  EXPECT_EQ(problems.size(), 2U);
  EXPECT_TRUE(options.filters.releases.empty());
  EXPECT_EQ(options.filters.error_messages, Texts{"*x*"});
  EXPECT_TRUE(options.quotas.empty());
  EXPECT_TRUE(read_project_options("not json", "[]", problems).scrubbing.scrub_data);
}

TEST(ProjectOptions, CheckOneOptionByItself) {
  EXPECT_EQ(check_option("filters:releases", R"("1.*")"), "");
  EXPECT_NE(check_option("filters:releases", R"("[1")"), "");
  EXPECT_NE(check_option("filters:blacklisted_ips", R"("10.0.0.0/8\nhost")"), "");
  EXPECT_EQ(check_option("unheard:of", "1"), "");
  EXPECT_NE(check_option("picket:sampling", R"({"rules":[{}]})"), "");
}

}  // namespace
}  // namespace picket::filter

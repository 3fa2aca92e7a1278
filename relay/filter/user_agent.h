// What the filters need to know of a User-Agent header: which of the browsers that they name it is,
// and whether a program reads the web on its own.
#pragma once

#include "buffer/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::filter {

enum class Family : std::uint8_t { android, chrome, edge, firefox, ie, opera, opera_mini, safari };

struct Browser {
  Family family = Family::chrome;
  unsigned version = 0;  // major
};
// Nothing for other browsers, and for versions that cannot be read.
std::optional<Browser> find_browser(std::string_view user_agent);

// Crawlers, previews, uptime probes. Not those that show what people asked to see.
bool is_web_crawler(std::string_view user_agent);

// Sentry's sub-filters by name: "ie9", "safari_pre_6", "chrome", …, "default" for the oldest of all.
class LegacyBrowsers {
 public:
  static Result<LegacyBrowsers> parse(const std::vector<std::string>& names);
  static bool known(std::string_view name);
  bool empty() const { return rules_.empty(); }
  bool contain(const Browser& browser) const;

 private:
  struct Rule {
    Family family = Family::ie;
    unsigned least = 0;
    unsigned below = 0;
  };
  std::vector<Rule> rules_;
};

}  // namespace picket::filter

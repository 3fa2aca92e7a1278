#include "relay/filter/user_agent.h"

#include "relay/protocol/glob.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace picket::filter {
namespace {

constexpr std::size_t longest_looked_at = 1024;

// The number that follows `mark`.
std::optional<unsigned> version_after(std::string_view text, std::string_view mark) {
  const auto at = text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const auto* const from = text.data() + at + mark.size();
  unsigned version = 0;
  const auto [end, error] = std::from_chars(from, text.data() + text.size(), version);
  if (error != std::errc() || end == from) return std::nullopt;
  return version;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool ends_word(std::string_view text, std::size_t at) {
  return at >= text.size() || std::string_view("/ \t);,+").find(text[at]) != std::string_view::npos;
}

// "…bot", "…bots" or "…spider" as the end of a word: "PetalBot/1.0", "crawler bot)".
bool has_robot_word(std::string_view folded) {
  for (const std::string_view word : {"bot", "spider"}) {
    for (auto at = folded.find(word); at != std::string_view::npos; at = folded.find(word, at + 1)) {
      auto end = at + word.size();
      if (word == "bot" && end < folded.size() && folded[end] == 's') ++end;
      if (ends_word(folded, end)) return true;
    }
  }
  return false;
}

// Search engines, advertisers, previews of messengers, model trainers, uptime probes, scanners.
constexpr std::array<std::string_view, 42> crawlers{
    // search
    "googlebot", "storebot-google", "feedfetcher-google", "bingbot", "bingpreview", "baiduspider",
    "duckduckbot", "applebot", "sogou", "slurp", "naver.me/spd", "ia_archiver", "brightedge crawler",
    "brightedgeoncrawl", "bytespider",
    // advertising
    "adsbot-google", "mediapartners-google", "hubspot crawler", "lyticsbot",
    // previews
    "facebookexternalhit", "facebookcatalog", "facebot", "meta-external", "meta-webindexer",
    "slack-imgproxy", "slackbot-linkexpanding", "slackbot",
    // models
    "gptbot", "oai-searchbot", "claudebot", "ccbot", "perplexitybot", "calypso appcrawler",
    // probes
    "pingdom", "better uptime", "elb-healthchecker", "cloudflare-healthchecks", "gtmetrix",
    "aws security scanner", "uptimerobot", "statuscake", "site24x7"};

// Shown to people at once, or our own kind.
constexpr std::array<std::string_view, 3> welcome{"slackbot 1.", "sentryuptimebot", "chatgpt-user"};

struct Option {
  std::string_view name;
  Family family;
  unsigned least;
  unsigned below;
};
constexpr std::array options{
    // Everything that the whole filter means without sub-filters.
    Option{"default", Family::ie, 0, 10},
    Option{"default", Family::safari, 0, 6},
    Option{"default", Family::opera, 0, 15},
    Option{"default", Family::opera_mini, 0, 8},
    Option{"default", Family::android, 0, 4},
    Option{"ie", Family::ie, 0, 12},
    Option{"edge", Family::edge, 0, 111},
    Option{"safari", Family::safari, 0, 16},
    Option{"firefox", Family::firefox, 0, 111},
    Option{"chrome", Family::chrome, 0, 111},
    Option{"opera", Family::opera, 0, 100},
    Option{"android", Family::android, 0, 4},
    Option{"opera_mini", Family::opera_mini, 0, 35},
    Option{"ie_pre_9", Family::ie, 0, 9},
    Option{"ie9", Family::ie, 9, 10},
    Option{"ie10", Family::ie, 10, 11},
    Option{"ie11", Family::ie, 11, 12},
    Option{"opera_pre_15", Family::opera, 0, 15},
    Option{"android_pre_4", Family::android, 0, 4},
    Option{"safari_pre_6", Family::safari, 0, 6},
    Option{"opera_mini_pre_8", Family::opera_mini, 0, 8},
    Option{"edge_pre_79", Family::edge, 0, 79},
};

std::optional<Browser> browser(Family family, std::optional<unsigned> version) {
  if (!version) return std::nullopt;
  return Browser{family, *version};
}

}  // namespace

std::optional<Browser> find_browser(std::string_view text) {
  text = text.substr(0, longest_looked_at);
  // Each names those that it wants to be taken for, so the rarest is asked for first.
  if (has(text, "Opera Mini/")) return browser(Family::opera_mini, version_after(text, "Opera Mini/"));
  if (has(text, "OPR/")) return browser(Family::opera, version_after(text, "OPR/"));
  if (has(text, "Opera")) {
    if (has(text, "Version/")) return browser(Family::opera, version_after(text, "Version/"));
    auto version = version_after(text, "Opera/");
    return browser(Family::opera, version ? version : version_after(text, "Opera "));
  }
  for (const std::string_view mark : {"Edg/", "Edge/", "EdgA/", "EdgiOS/"}) {
    if (has(text, mark)) return browser(Family::edge, version_after(text, mark));
  }
  if (has(text, "MSIE ")) return browser(Family::ie, version_after(text, "MSIE "));
  if (has(text, "Trident/")) return browser(Family::ie, version_after(text, "rv:"));
  for (const std::string_view other : {"Seamonkey/", "SamsungBrowser/", "CriOS/", "FxiOS/",
                                       "HeadlessChrome/", "Chromium/", "YaBrowser/", "Vivaldi/"}) {
    if (has(text, other)) return std::nullopt;
  }
  if (has(text, "Firefox/")) return browser(Family::firefox, version_after(text, "Firefox/"));
  if (has(text, "Chrome/")) return browser(Family::chrome, version_after(text, "Chrome/"));
  if (has(text, "Android ")) return browser(Family::android, version_after(text, "Android "));
  if (has(text, "Safari/")) return browser(Family::safari, version_after(text, "Version/"));
  return std::nullopt;
}

bool is_web_crawler(std::string_view user_agent) {
  const auto folded = relay::lower_case(user_agent.substr(0, longest_looked_at));
  const auto named = [&folded](std::string_view name) { return has(folded, name); };
  if (std::any_of(welcome.begin(), welcome.end(), named)) return false;
  return has_robot_word(folded) || std::any_of(crawlers.begin(), crawlers.end(), named);
}

bool LegacyBrowsers::known(std::string_view name) {
  return std::any_of(options.begin(), options.end(),
                     [name](const Option& option) { return option.name == name; });
}

Result<LegacyBrowsers> LegacyBrowsers::parse(const std::vector<std::string>& names) {
  LegacyBrowsers browsers;
  for (const auto& name : names) {
    if (!known(name))
      return Error{Fault::malformed, "unknown legacy browser \"" + name.substr(0, 50) + "\""};
    for (const auto& option : options) {
      if (option.name == name)
        browsers.rules_.push_back({option.family, option.least, option.below});
    }
  }
  return browsers;
}

bool LegacyBrowsers::contain(const Browser& browser) const {
  return std::any_of(rules_.begin(), rules_.end(), [&browser](const Rule& rule) {
    return rule.family == browser.family && browser.version >= rule.least &&
           browser.version < rule.below;
  });
}

}  // namespace picket::filter

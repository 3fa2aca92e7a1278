#include "relay/filter/known_errors.h"

#include "relay/protocol/glob.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

namespace picket::filter {
namespace {

template <std::size_t n>
bool has_any(std::string_view folded, const std::array<std::string_view, n>& parts) {
  return std::any_of(parts.begin(), parts.end(), [folded](std::string_view part) {
    return folded.find(part) != std::string_view::npos;
  });
}

// In lower case. Names that only one extension or injecting proxy uses.
constexpr std::array<std::string_view, 26> messages{
    "top.globals",
    "originalcreatenotification",
    "canvas.contentdocument",
    "myapp_removeallhighlights",
    "tt.epicplay.com",
    "can't find variable: zitereader",
    "jigsaw is not defined",
    "combosearch is not defined",
    "loading.retry.widdit.com",
    "atomicfindclose",
    "fb_xd_fragment",
    "bmi_safeaddonload",
    "ebcallbackmessagereceived",
    "gcrweb",
    "conduitpage",
    "elt.parentnode",
    "webkit-masked-url:",
    "can't access dead object",
    "cannot redefine property: ethereum",
    "cannot assign to read only property 'ethereum'",
    "cannot redefine property: googletag",
    "extension context invalidated",
    "could not establish connection. receiving end does not exist",
    "the message port closed before a response was received",
    "solana is not defined",
    "_avast_submit"};

constexpr std::array<std::string_view, 17> sources{
    "chrome-extension://",
    "chrome://",
    "moz-extension://",
    "safari-extension://",
    "safari-web-extension://",
    "ms-browser-extension://",
    "webkit-masked-url://",
    "resource://",
    "graph.facebook.com",
    "connect.facebook.net",
    "eatdifferent.com.woopra-ns.com",
    "static.woopra.com/js/woopra.js",
    "webappstoolbarba.texthelp.com",
    "metrics.itunes.apple.com.edgesuite.net",
    "kaspersky-labs.com",
    "127.0.0.1:4001/isrunning",
    "extensions/"};

// Where a production build of React sends people, with the number of the error; then what a
// development build says.
constexpr std::array<std::string_view, 2> react_pages{"reactjs.org/docs/error-decoder.html?invariant=",
                                                      "react.dev/errors/"};
constexpr std::array<std::string_view, 5> hydration_numbers{"418", "419", "422", "423", "425"};
constexpr std::array<std::string_view, 5> hydration_words{
    "hydration failed because", "there was an error while hydrating",
    "text content does not match server-rendered html",
    "this suspense boundary received an update before it finished hydrating",
    "the server could not finish this suspense boundary"};

// Whole last parts of a route, and words that are telling wherever they stand.
constexpr std::array<std::string_view, 14> health_endings{
    "health", "healthy", "healthz", "health_check", "health-check", "_health", "live", "livez",
    "ready",  "readyz",  "readiness", "liveness",   "ping",         "up"};
constexpr std::array<std::string_view, 3> health_words{"healthcheck", "heartbeat", "/api/_health"};

// Of a text as long as one may be that is looked at.
std::string fold(std::string_view text) {
  return relay::lower_case(text.substr(0, relay::longest_matched));
}

}  // namespace

bool is_extension_message(std::string_view message) {
  return has_any(fold(message), messages);
}

bool is_extension_source(std::string_view source) {
  const auto folded = fold(source.substr(0, 512));
  // "extensions/" is Firefox's own folder, a path of an application elsewhere.
  if (folded.starts_with("http")) {
    return std::any_of(sources.begin(), sources.end(), [&folded](std::string_view part) {
      const bool scheme_or_folder = part.ends_with("://") || part == "extensions/";
      return !scheme_or_folder && folded.find(part) != std::string::npos;
    });
  }
  return has_any(folded, sources);
}

bool is_hydration_error(std::string_view message) {
  const auto folded = fold(message);
  if (has_any(folded, hydration_words)) return true;
  for (const auto page : react_pages) {
    const auto at = folded.find(page);
    if (at == std::string::npos) continue;
    const auto number = std::string_view(folded).substr(at + page.size(), 3);
    const auto after = folded.size() > at + page.size() + 3 ? folded[at + page.size() + 3] : ' ';
    if (after >= '0' && after <= '9') continue;
    if (std::find(hydration_numbers.begin(), hydration_numbers.end(), number) !=
        hydration_numbers.end())
      return true;
  }
  return false;
}

bool is_chunk_load_error(std::string_view type, std::string_view message) {
  const auto folded = fold(message);
  const std::string_view text = folded;
  const auto chunk = text.find("loading chunk ");
  const bool css = text.find("loading css chunk ") != std::string_view::npos;
  if (fold(type) == "chunkloaderror") return chunk != std::string_view::npos || css;
  if (chunk == std::string_view::npos) return false;
  return text.find("chunkloaderror:") != std::string_view::npos ||
         text.find(" failed", chunk) != std::string_view::npos;
}

bool is_health_check(std::string_view transaction) {
  const auto folded = fold(transaction);
  std::string_view name = folded;
  if (has_any(name, health_words)) return true;
  if (name.ends_with('/')) name.remove_suffix(1);
  const auto slash = name.rfind('/');
  if (slash == std::string_view::npos) return false;
  const auto last = name.substr(slash + 1);
  return std::find(health_endings.begin(), health_endings.end(), last) != health_endings.end();
}

std::vector<std::string> health_check_globs() {
  std::vector<std::string> globs;
  for (const auto ending : health_endings) {
    globs.push_back("*/" + std::string(ending));
    globs.push_back("*/" + std::string(ending) + "/");
  }
  for (const auto word : health_words)
    globs.push_back("*" + std::string(word) + "*");
  return globs;
}

}  // namespace picket::filter

#include "api/digest/user_agent.h"

#include <array>

namespace picket::digest {
namespace {

struct Family {
  std::string_view mark;  // what stands before the version
  std::string_view name;
};

// The first mark found decides: those that others also claim to be come last.
constexpr std::array<Family, 14> browsers = {{
    {"HeadlessChrome/", "HeadlessChrome"},
    {"EdgA/", "Edge Mobile"},
    {"Edg/", "Edge"},
    {"Edge/", "Edge"},
    {"OPR/", "Opera"},
    {"SamsungBrowser/", "Samsung Internet"},
    {"YaBrowser/", "Yandex Browser"},
    {"FxiOS/", "Firefox iOS"},
    {"CriOS/", "Chrome Mobile iOS"},
    {"Firefox/", "Firefox"},
    {"Chrome/", "Chrome"},
    {"MSIE ", "IE"},
    {"Trident/7.0; rv:", "IE"},
    {"Version/", "Safari"},
}};

std::string_view version_at(std::string_view text) {
  std::size_t end = 0;
  int dots = 0;
  while (end < text.size()) {
    const char c = text[end];
    const bool part = c >= '0' && c <= '9';
    if (c == '.' || c == '_') {
      if (++dots == 3) break;
    } else if (!part) {
      break;
    }
    ++end;
  }
  return text.substr(0, end);
}

std::string_view after(std::string_view text, std::string_view mark) {
  const auto at = text.find(mark);
  return at == std::string_view::npos ? std::string_view() : text.substr(at + mark.size());
}

// Microsoft's kernel numbers as their product names; browsers say 10 for 11, too.
std::string_view windows_version(std::string_view kernel) {
  if (kernel == "10.0") return "10";
  if (kernel == "6.3") return "8.1";
  if (kernel == "6.2") return "8";
  if (kernel == "6.1") return "7";
  return kernel;
}

void read_os(std::string_view header, UserAgent& agent) {
  const auto has = [&](std::string_view mark) {
    return header.find(mark) != std::string_view::npos;
  };
  if (has("Windows NT ")) {
    agent.os = "Windows";
    agent.os_version = windows_version(version_at(after(header, "Windows NT ")));
  } else if (has("iPhone OS ") || has("CPU OS ")) {
    agent.os = "iOS";
    const auto rest = after(header, has("iPhone OS ") ? "iPhone OS " : "CPU OS ");
    agent.os_version = version_at(rest).substr(0, rest.find('_'));
  } else if (has("Android")) {
    agent.os = "Android";
    agent.os_version = version_at(after(header, "Android "));
  } else if (has("Mac OS X")) {
    agent.os = "Mac OS X";
    const auto version = version_at(after(header, "Mac OS X "));
    if (version.find('_') == std::string_view::npos) agent.os_version = version;
  } else if (has("CrOS ")) {
    agent.os = "Chrome OS";
  } else if (has("Linux")) {
    agent.os = "Linux";
  }
}

}  // namespace

UserAgent read_user_agent(std::string_view header) {
  UserAgent agent;
  for (const auto& family : browsers) {
    const auto rest = after(header, family.mark);
    if (rest.empty()) continue;
    if (family.name == "Safari" && header.find("Safari/") == std::string_view::npos) continue;
    agent.browser = family.name;
    agent.browser_version = version_at(rest);
    break;
  }
  read_os(header, agent);
  return agent;
}

}  // namespace picket::digest

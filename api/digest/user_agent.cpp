#include "api/digest/user_agent.h"

#include "api/digest/text.h"

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

// "… (Linux; Android 10; SM-G973F Build/QP1A) …": what stands behind the version names the model.
std::string_view android_model(std::string_view header) {
  auto rest = after(header, "Android");
  const auto semicolon = rest.find(';');
  const auto close = rest.find(')');
  if (semicolon == std::string_view::npos || semicolon > close) return {};
  rest = rest.substr(semicolon + 1, close - semicolon - 1);
  rest = without_outer_space(rest.substr(0, rest.find(" Build/")));
  rest = without_outer_space(rest.substr(0, rest.find(';')));
  // "K" is what browsers say that hide the model; "Mobile" and "wv" are none; a locale is none.
  const bool none = rest == "K" || rest == "Mobile" || rest == "Tablet" || rest == "wv" || rest.starts_with("rv:") ||
                    (rest.size() == 5 && (rest[2] == '-' || rest[2] == '_')) || rest.size() > 100;
  return none ? std::string_view() : rest;
}

void read_device(std::string_view header, UserAgent& agent) {
  const auto has = [&](std::string_view mark) { return header.find(mark) != std::string_view::npos; };
  for (const std::string_view apple : {"iPhone", "iPad", "iPod"}) {
    if (!has(apple)) continue;
    agent.device_family = agent.device_model = apple;
    agent.device_brand = "Apple";
    return;
  }
  if (agent.os == "Android") {
    agent.device_model = android_model(header);
    agent.device_family = agent.device_model.empty() ? std::string_view("Generic Smartphone") : agent.device_model;
    if (agent.device_model.starts_with("SM-")) agent.device_brand = "Samsung";
    if (agent.device_model.starts_with("Pixel")) agent.device_brand = "Google";
  } else if (agent.os == "Mac OS X") {
    agent.device_family = agent.device_model = "Mac";
    agent.device_brand = "Apple";
  }
}

std::string_view unquoted(std::string_view text) {
  text = without_outer_space(text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return text;
}

// `"Chromium";v="120", "Google Chrome";v="120", "Not A;Brand";v="99"`: the first brand that is
// neither the filler nor the engine, else the engine.
void read_brands(std::string_view brands, UserAgent& agent) {
  std::string_view engine_version;
  bool engine = false;
  for (int i = 0; i < 8 && !brands.empty(); ++i) {
    const auto open = brands.find('"');
    const auto close = open == std::string_view::npos ? open : brands.find('"', open + 1);
    if (close == std::string_view::npos) break;
    const auto name = brands.substr(open + 1, close - open - 1);
    brands.remove_prefix(close + 1);
    std::string_view version;
    if (const auto rest = without_outer_space(brands); rest.starts_with(";v=\"")) version = rest.substr(4, rest.find('"', 4) - 4);
    const auto comma = brands.find(',');
    brands = comma == std::string_view::npos ? std::string_view() : brands.substr(comma + 1);
    const bool filler = name.find("Not") != std::string_view::npos && name.find("Brand") != std::string_view::npos;
    if (filler || name.empty()) continue;
    if (name == "Chromium") {
      engine = true;
      engine_version = version;
      continue;
    }
    agent.browser = name;
    agent.browser_version = version;
    return;
  }
  if (!engine) return;
  agent.browser = "Chromium";
  agent.browser_version = engine_version;
}

}  // namespace

std::string_view* hint_named(ClientHints& hints, std::string_view header) {
  constexpr std::string_view start = "sec-ch-ua";
  if (!header.starts_with(start)) return nullptr;
  const auto rest = header.substr(start.size());
  if (rest.empty()) return &hints.brands;
  if (rest == "-platform") return &hints.platform;
  if (rest == "-platform-version") return &hints.platform_version;
  return rest == "-model" ? &hints.model : nullptr;
}

UserAgent read_user_agent(std::string_view header, const ClientHints& hints) {
  auto agent = read_user_agent(header);
  read_brands(hints.brands, agent);
  if (const auto platform = unquoted(hints.platform); !platform.empty()) {
    const auto version = unquoted(hints.platform_version);
    if (platform != agent.os || !version.empty()) agent.os_version = version;
    agent.os = platform;
  }
  if (const auto model = unquoted(hints.model); !model.empty()) {
    agent.device_family = agent.device_model = model;
    agent.device_brand = {};
  }
  return agent;
}

UserAgent read_user_agent(std::string_view header) {
  UserAgent agent;
  if (header.empty()) return agent;
  for (const auto& family : browsers) {
    const auto rest = after(header, family.mark);
    if (rest.empty()) continue;
    if (family.name == "Safari" && header.find("Safari/") == std::string_view::npos) continue;
    agent.browser = family.name;
    agent.browser_version = version_at(rest);
    break;
  }
  read_os(header, agent);
  read_device(header, agent);
  return agent;
}

}  // namespace picket::digest

#include "api/digest/context_names.h"

#include "api/digest/text.h"

#include <array>
#include <charconv>

namespace picket::digest {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Digits and dots at the start; a trailing dot is none of it.
std::string_view numbers(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) ++end;
  text = text.substr(0, end);
  while (text.ends_with('.')) text.remove_suffix(1);
  return text;
}

std::string_view word(std::string_view text) {
  return text.substr(0, text.find_first_of(" \t\r\n"));
}

bool take(std::string_view& text, std::string_view start) {
  if (!text.starts_with(start)) return false;
  text = without_outer_space(text.substr(start.size()));
  return true;
}

OsDescription describe_windows(std::string_view rest) {
  OsDescription os{.name = "Windows", .version = {}, .build = {}, .kernel_version = {}};
  // "10  (10.0.19042) 64bit": the number in brackets is the kernel's.
  const auto open = rest.find('(');
  const auto exact = open == std::string_view::npos ? std::string_view() : numbers(rest.substr(open + 1));
  os.version = exact.empty() ? numbers(rest) : exact;
  return os;
}

}  // namespace

OsDescription describe_os(std::string_view text) {
  text = without_outer_space(text);
  OsDescription os;
  if (take(text, "Microsoft Windows") || take(text, "Windows")) return describe_windows(text);
  if (take(text, "Android OS") || take(text, "Android")) {
    os.name = "Android";
    os.version = numbers(text);
  } else if (take(text, "Darwin Kernel Version") || take(text, "Darwin")) {
    os.name = "Darwin";
    os.kernel_version = numbers(text);
    os.version = os.kernel_version;
  } else if (take(text, "Mac OS X") || take(text, "macOS")) {
    os.name = "macOS";
    os.version = numbers(text);
    const auto rest = without_outer_space(text.substr(os.version.size()));
    if (rest.starts_with('(')) os.build = rest.substr(1, rest.find(')') - 1);
  } else if (take(text, "Linux")) {
    os.name = "Linux";
    os.kernel_version = word(text);
    os.version = numbers(text);
  } else {
    for (const std::string_view apple : {"iOS", "iPadOS", "tvOS", "watchOS", "visionOS"}) {
      if (!take(text, apple)) continue;
      os.name = apple;
      os.version = numbers(text);
      break;
    }
  }
  return os;
}

RuntimeDescription describe_runtime(std::string_view text) {
  text = without_outer_space(text);
  for (const std::string_view name : {".NET Framework", ".NET Core", ".NET Native", ".NET", "Mono"}) {
    std::string_view rest = text;
    if (!take(rest, name)) continue;
    return {name, word(rest)};
  }
  // "Name 1.2.3": whatever stands before a version.
  const auto space = text.rfind(' ');
  if (space == std::string_view::npos || space + 1 >= text.size() || !is_digit(text[space + 1])) return {};
  return {without_outer_space(text.substr(0, space)), text.substr(space + 1)};
}

std::string_view net_framework_version(std::string_view build) {
  struct Release {
    int number;
    std::string_view version;
  };
  // Microsoft's published release numbers: the version that first had a number as large.
  static constexpr std::array<Release, 12> releases = {{{533320, "4.8.1"}, {528040, "4.8"}, {461808, "4.7.2"}, {461308, "4.7.1"},
                                                        {460798, "4.7"}, {394802, "4.6.2"}, {394254, "4.6.1"}, {393295, "4.6"},
                                                        {379893, "4.5.2"}, {378675, "4.5.1"}, {378389, "4.5"}, {0, ""}}};
  int number = 0;
  const auto read = std::from_chars(build.data(), build.data() + build.size(), number);
  if (build.empty() || read.ec != std::errc() || read.ptr != build.data() + build.size()) return {};
  for (const auto& release : releases) {
    if (number >= release.number) return release.version;
  }
  return {};
}

NamedContext named_os(std::string_view description) {
  const auto os = describe_os(description);
  return {os.name, os.version};
}

NamedContext named_runtime(std::string_view description) {
  const auto runtime = describe_runtime(description);
  return {runtime.name, runtime.version};
}

}  // namespace picket::digest

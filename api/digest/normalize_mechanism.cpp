// How an exception came about: the mechanism, with names for the numbers of operating systems.
#include "api/digest/normalize_steps.h"

#include <signal.h>
#include <string.h>

#include <array>
#include <utility>

namespace picket::digest {
namespace {

using enum FieldKind;

constexpr std::array mechanism_fields = {
    Field{"type", text, {128, 0}},   Field{"description", text, {1024, 100}}, Field{"help_link", text, {1024, 0}}, Field{"handled", flag},
    Field{"synthetic", flag},        Field{"exception_id", whole},            Field{"parent_id", whole},           Field{"is_exception_group", flag},
    Field{"source", text, {256, 0}}, Field{"data", object},                   Field{"meta", object},
};

struct NamedNumber {
  std::int64_t number;
  std::string_view name;
};
// Darwin's signals where they differ from Linux'.
constexpr std::array darwin_signals = {
    NamedNumber{7, "SIGEMT"},   NamedNumber{10, "SIGBUS"},  NamedNumber{12, "SIGSYS"},    NamedNumber{16, "SIGURG"},   NamedNumber{17, "SIGSTOP"},
    NamedNumber{18, "SIGTSTP"}, NamedNumber{19, "SIGCONT"}, NamedNumber{20, "SIGCHLD"},   NamedNumber{23, "SIGIO"},    NamedNumber{29, "SIGINFO"},
    NamedNumber{30, "SIGUSR1"}, NamedNumber{31, "SIGUSR2"},
};
constexpr std::array mach_exceptions = {
    NamedNumber{1, "EXC_BAD_ACCESS"},  NamedNumber{2, "EXC_BAD_INSTRUCTION"}, NamedNumber{3, "EXC_ARITHMETIC"}, NamedNumber{4, "EXC_EMULATION"},
    NamedNumber{5, "EXC_SOFTWARE"},    NamedNumber{6, "EXC_BREAKPOINT"},      NamedNumber{7, "EXC_SYSCALL"},    NamedNumber{8, "EXC_MACH_SYSCALL"},
    NamedNumber{9, "EXC_RPC_ALERT"},   NamedNumber{10, "EXC_CRASH"},          NamedNumber{11, "EXC_RESOURCE"},  NamedNumber{12, "EXC_GUARD"},
    NamedNumber{13, "EXC_CORPSE_NOTIFY"},
};

template <std::size_t Size>
std::string_view name_in(const std::array<NamedNumber, Size>& names, std::int64_t number) {
  for (const auto& known : names) {
    if (known.number == number) return known.name;
  }
  return {};
}

bool is_darwin(std::string_view platform) {
  return platform == "cocoa" || platform == "objc" || platform == "swift";
}

std::string signal_name(std::int64_t number, bool darwin) {
  if (darwin) {
    if (const auto name = name_in(darwin_signals, number); !name.empty()) return std::string(name);
  }
  if (number <= 0 || number > 31) return {};
  const auto* name = ::sigabbrev_np(static_cast<int>(number));
  return name ? "SIG" + std::string(name) : std::string();
}

// Numbers up to 34 are the same everywhere; beyond, Darwin counts differently.
std::string errno_name(std::int64_t number, bool darwin) {
  if (number <= 0 || number > (darwin ? 10 : 133)) return {};
  const auto* name = ::strerrorname_np(static_cast<int>(number));
  return name ? std::string(name) : std::string();
}

std::optional<std::int64_t> whole_in(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_int64() ? std::optional(value->get_int64()) : std::nullopt;
}

void name_number(json::object& part, std::string_view field, const std::string& name) {
  if (!name.empty() && text_or(part, field).empty()) part[field] = name;
}

void name_numbers(json::object& meta, std::string_view platform) {
  const bool darwin = is_darwin(platform);
  // A number in place of the object is its number.
  for (const std::string_view name : {"errno", "signal"}) {
    if (auto* value = meta.if_contains(name); value && value->is_int64()) *value = json::object{{"number", value->get_int64()}};
  }
  if (auto* part = find_object(meta, "errno")) {
    if (const auto number = whole_in(*part, "number")) name_number(*part, "name", errno_name(*number, darwin));
  }
  if (auto* part = find_object(meta, "signal")) {
    if (const auto number = whole_in(*part, "number")) name_number(*part, "name", signal_name(*number, darwin));
  }
  if (auto* part = find_object(meta, "mach_exception")) {
    const auto number = whole_in(*part, "exception");
    if (number) name_number(*part, "name", std::string(name_in(mach_exceptions, *number)));
  }
}

}  // namespace

void normalize_mechanism(json::object& exception, std::string_view platform, const Place& place, Notes& notes) {
  auto* value = exception.if_contains("mechanism");
  if (!value) return;
  const Place here(place, "mechanism");
  if (auto* list = value->if_array()) {
    for (auto& each : *list) {
      if (!each.is_object()) continue;
      *value = json::value(std::move(each));
      break;
    }
  }
  if (auto said = scalar_text(*value)) *value = json::object{{"type", *said}};
  if (value->is_null()) {
    exception.stable_erase("mechanism");
    return;
  }
  if (!value->is_object()) return reject(exception, "mechanism", "expected a mechanism", here, notes);
  auto& mechanism = value->get_object();
  check_fields(mechanism, mechanism_fields, here, notes);
  // Before 2017 its parts stood side by side.
  for (const auto& [old_name, name] : {std::pair{"posix_signal", "signal"}, std::pair{"mach_exception", "mach_exception"}}) {
    auto* part = find_object(mechanism, old_name);
    if (!part) continue;
    auto moved = std::move(*part);
    mechanism.stable_erase(old_name);
    auto& meta = make_object(mechanism, "meta");
    if (!meta.contains(name)) meta[name] = std::move(moved);
  }
  if (auto* address = mechanism.if_contains("relevant_address")) {
    auto moved = std::move(*address);
    mechanism.stable_erase("relevant_address");
    make_object(mechanism, "data")["relevant_address"] = std::move(moved);
  }
  if (auto* meta = find_object(mechanism, "meta")) name_numbers(*meta, platform);
}

}  // namespace picket::digest

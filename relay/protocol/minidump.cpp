#include "relay/protocol/minidump.h"

#include <array>
#include <cstdio>

namespace picket::relay {
namespace {

constexpr std::uint32_t exception_stream = 6;
constexpr std::uint32_t system_info_stream = 7;
constexpr std::uint32_t most_streams = 256;

enum class System : std::uint32_t {
  windows = 2,
  mac = 0x8101,
  ios = 0x8102,
  linux_os = 0x8201,
  android = 0x8203,
};

// Numbers of either byte order; what lies outside reads as nothing.
class View {
 public:
  explicit View(std::string_view bytes) : bytes_(bytes), big_(bytes.starts_with("PMDM")) {}

  std::optional<std::uint32_t> number(std::uint64_t at, unsigned size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return std::nullopt;
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size; ++i) {
      const auto byte = static_cast<unsigned char>(bytes_[at + (big_ ? i : size - 1 - i)]);
      value = value << 8 | byte;
    }
    return value;
  }
  std::uint32_t u32(std::uint64_t at) const { return number(at, 4).value_or(0); }
  std::uint32_t u16(std::uint64_t at) const { return number(at, 2).value_or(0); }

 private:
  std::string_view bytes_;
  bool big_;
};

std::string hexadecimal(std::uint32_t number) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", number);
  return text.data();
}

std::string signal_name(std::uint32_t number) {
  switch (number) {
    case 4: return "SIGILL";
    case 5: return "SIGTRAP";
    case 6: return "SIGABRT";
    case 7: return "SIGBUS";
    case 8: return "SIGFPE";
    case 11: return "SIGSEGV";
    case 31: return "SIGSYS";
    case 0xffffffff: return "DUMP_REQUESTED";
    default: return "signal " + std::to_string(number);
  }
}

std::string windows_code(std::uint32_t code) {
  switch (code) {
    case 0x80000003: return "EXCEPTION_BREAKPOINT";
    case 0xc0000005: return "EXCEPTION_ACCESS_VIOLATION";
    case 0xc0000006: return "EXCEPTION_IN_PAGE_ERROR";
    case 0xc000001d: return "EXCEPTION_ILLEGAL_INSTRUCTION";
    case 0xc0000094: return "EXCEPTION_INT_DIVIDE_BY_ZERO";
    case 0xc00000fd: return "EXCEPTION_STACK_OVERFLOW";
    case 0xc0000374: return "STATUS_HEAP_CORRUPTION";
    case 0xc0000409: return "STATUS_STACK_BUFFER_OVERRUN";
    case 0xe06d7363: return "C++ exception";
    default: return hexadecimal(code);
  }
}

std::string mach_code(std::uint32_t code) {
  switch (code) {
    case 1: return "EXC_BAD_ACCESS";
    case 2: return "EXC_BAD_INSTRUCTION";
    case 3: return "EXC_ARITHMETIC";
    case 5: return "EXC_SOFTWARE";
    case 6: return "EXC_BREAKPOINT";
    case 10: return "EXC_CRASH";
    case 12: return "EXC_GUARD";
    default: return hexadecimal(code);
  }
}

std::string reason_of(System system, std::uint32_t code) {
  switch (system) {
    case System::linux_os:
    case System::android: return signal_name(code);
    case System::mac:
    case System::ios: return mach_code(code);
    case System::windows: return windows_code(code);
  }
  return hexadecimal(code);
}

std::string system_name(System system) {
  switch (system) {
    case System::linux_os: return "Linux";
    case System::android: return "Android";
    case System::mac: return "macOS";
    case System::ios: return "iOS";
    case System::windows: return "Windows";
  }
  return {};
}

std::string cpu_name(std::uint32_t architecture) {
  switch (architecture) {
    case 0: return "x86";
    case 5: return "arm";
    case 9: return "x86_64";
    case 12:
    case 0x8003: return "arm64";
    default: return {};
  }
}

}  // namespace

bool is_minidump(std::string_view bytes) {
  return bytes.starts_with("MDMP") || bytes.starts_with("PMDM");
}

MinidumpFacts read_minidump_facts(std::string_view bytes) {
  const View view(bytes);
  MinidumpFacts facts;
  if (const auto time = view.u32(20); time != 0) facts.crashed_at = time;
  const auto streams = std::min(view.u32(8), most_streams);
  std::uint64_t exception = 0;
  std::uint64_t system_info = 0;
  for (std::uint32_t i = 0; i < streams; ++i) {
    const auto entry = std::uint64_t{view.u32(12)} + std::uint64_t{i} * 12;
    if (view.u32(entry) == exception_stream) exception = view.u32(entry + 8);
    if (view.u32(entry) == system_info_stream) system_info = view.u32(entry + 8);
  }
  auto system = System{};
  if (system_info != 0) {
    system = static_cast<System>(view.u32(system_info + 20));
    facts.system = system_name(system);
    facts.cpu = cpu_name(view.u16(system_info));
    if (const auto major = view.u32(system_info + 8); major != 0) {
      facts.system_version = std::to_string(major) + "." + std::to_string(view.u32(system_info + 12)) + "." +
                             std::to_string(view.u32(system_info + 16));
    }
  }
  if (exception != 0) facts.reason = reason_of(system, view.u32(exception + 8));
  return facts;
}

}  // namespace picket::relay

// The head of a minidump: enough to tell that it is one, and what to call the crash until somebody
// symbolicates it. https://learn.microsoft.com/windows/win32/api/minidumpapiset/
//
// THREADS  Every function from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::relay {

// MDMP, or PMDM when it was written on a big-endian machine.
bool is_minidump(std::string_view bytes);

// What could be read; the rest is "" or nothing. Never fails: dumps of crashing programs are often
// cut short.
struct MinidumpFacts {
  std::optional<std::int64_t> crashed_at;  // Unix seconds
  std::string reason;                      // "SIGSEGV", "EXCEPTION_ACCESS_VIOLATION", "0x…"
  std::string system;                      // "Linux", "Windows", "macOS" …
  std::string system_version;
  std::string cpu;  // "x86_64", "arm64" …
};
// REQUIRES: is_minidump(bytes).
MinidumpFacts read_minidump_facts(std::string_view bytes);

}  // namespace picket::relay

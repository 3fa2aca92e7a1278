// What SDKs say about an operating system or a runtime in one line, taken apart.
//
// THREADS  Any. Views into the description or constants.
#pragma once

#include "api/digest/event.h"

#include <string_view>

namespace picket::digest {

struct OsDescription {
  std::string_view name;
  std::string_view version;
  std::string_view build;
  std::string_view kernel_version;
};
// "Microsoft Windows 10.0.19042", "Linux 5.10.0 #1 SMP …", "Darwin 23.1.0 Darwin Kernel Version …",
// "Mac OS X 10.15.7 [Darwin …]", "Windows 10  (10.0.0) 64bit", "Android OS 11 / API-30 (…)", "iOS 17.1".
OsDescription describe_os(std::string_view text);
// ".NET Core 3.1.4", ".NET Framework 4.8.4250.0", ".NET 6.0.1", "Mono 6.12.0.122 (…)", "CPython 3.11".
struct RuntimeDescription {
  std::string_view name;
  std::string_view version;
};
RuntimeDescription describe_runtime(std::string_view text);
// The version of .NET Framework behind its release number in the registry; "" for unknown ones.
std::string_view net_framework_version(std::string_view build);

NamedContext named_os(std::string_view description);
NamedContext named_runtime(std::string_view description);

}  // namespace picket::digest

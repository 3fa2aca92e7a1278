// The parts of an event and the names under which payloads have them: the present one first, then the
// older ones that SDKs before 2016 use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace picket::digest {

enum class Part : std::uint8_t {
  exception,
  contexts,
  tags,
  request,
  user,
  logentry,
  stacktrace,
  fingerprint,
  sdk,
  csp,
  threads,
  transaction_info,
  hpkp,
  expect_ct,
  expect_staple,
  error_template,
};
inline constexpr std::array<std::array<std::string_view, 3>, 16> part_names = {{
    {"exception", "sentry.interfaces.Exception", ""},
    {"contexts", "sentry.interfaces.Contexts", ""},
    {"tags", "", ""},
    {"request", "sentry.interfaces.Http", ""},
    {"user", "sentry.interfaces.User", ""},
    {"logentry", "message", "sentry.interfaces.Message"},
    {"stacktrace", "sentry.interfaces.Stacktrace", ""},
    {"fingerprint", "", ""},
    {"sdk", "", ""},
    {"csp", "sentry.interfaces.Csp", "csp-report"},
    {"threads", "", ""},
    {"transaction_info", "", ""},
    {"hpkp", "sentry.interfaces.Hpkp", ""},
    {"expectct", "sentry.interfaces.ExpectCT", "expect-ct-report"},
    {"expectstaple", "sentry.interfaces.ExpectStaple", "expect-staple-report"},
    {"template", "sentry.interfaces.Template", ""},
}};

}  // namespace picket::digest

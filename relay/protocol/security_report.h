// Reports that browsers send by themselves when a policy of the page was violated. This tells which
// kind one is; what it says is read by whoever makes an event of it.
//
//   {"csp-report": {…}}                                report-uri of CSP
//   {"type": "csp-violation", "url": …, "body": {…}}   the Reporting API's, also in arrays
//   {"expect-ct-report": {…}}  {"expect-staple-report": {…}}
//   {"known-pins": […], …}                             HPKP
// https://www.w3.org/TR/CSP3/#reporting, RFC 7469 §3, RFC 9163
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace picket::relay {

enum class SecurityReport : std::uint8_t { csp, csp_reporting_api, expect_ct, expect_staple, hpkp };

// Nothing for JSON that is no object, and for objects that are none of these.
std::optional<SecurityReport> find_security_report(std::string_view json);

}  // namespace picket::relay

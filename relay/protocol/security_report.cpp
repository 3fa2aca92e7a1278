#include "relay/protocol/security_report.h"

#include "relay/protocol/json_object.h"

namespace picket::relay {

std::optional<SecurityReport> find_security_report(std::string_view json) {
  std::optional<SecurityReport> found;
  JsonObjectReader reader(json);
  while (const auto member = reader.next()) {
    if (member->named("csp-report")) found = SecurityReport::csp;
    if (member->named("expect-ct-report")) found = SecurityReport::expect_ct;
    if (member->named("expect-staple-report")) found = SecurityReport::expect_staple;
    if (member->named("known-pins")) found = SecurityReport::hpkp;
    if (member->named("type") && member->value == "\"csp-violation\"")
      found = SecurityReport::csp_reporting_api;
  }
  return reader.failure() ? std::nullopt : found;
}

}  // namespace picket::relay

// From settings to rules: Sentry's advanced configuration and the older switches and lists.
//
//   {"rules": {"<id>": {"type": "<type>", …, "redaction": {"method": "<method>", "text": "…"}}},
//    "vars": {"hashKey": "…"},
//    "applications": {"<selector>": ["<rule id>", …]}}
//
// Types: anything, pattern (pattern, replaceGroups), imei, mac, uuid, email, ip, creditcard, iban,
// userpath, pemkey, url_auth, us_ssn, bearer, password, redact_pair (keyPattern), multiple (rules,
// hideInner), alias (rule, hideInner). Methods: default, remove, replace, mask, hash. Rules, types
// and methods of later versions are passed over. `@type`, `@type:method` and `@common` are built
// in. https://docs.sentry.io/product/relay/modes/pii-and-data-scrubbing
#pragma once

#include "buffer/result.h"
#include "relay/scrub/rule.h"
#include "relay/scrub/scrubber.h"

#include <string_view>
#include <vector>

namespace picket::scrub {

// The applications of an advanced configuration in the order in which it names them.
Result<std::vector<Application>> parse_pii_config(std::string_view json);

// The rules of these built-in names: empty for an unknown one.
std::vector<Rule> built_in_rules(std::string_view id, std::string_view hash_key);

// All of the settings: what the advanced configuration asks for comes first.
Result<RuleSet> make_rule_set(const Settings& settings);

}  // namespace picket::scrub

// Fingerprint rules: which events a project wants in one issue, whatever their stacks say.
//
//   error.type:DatabaseUnavailable -> database-down, {{ transaction }} title="Database ({{ level }})"
//   logger:"my.app.*" level:error !tags.server:staging -> app-log
//
// The first rule whose matchers all hold decides. Matchers on frames hold for one and the same frame,
// matchers on exceptions for one and the same exception.
//
// THREADS  Immutable: any.
#pragma once

#include "api/grouping/evidence.h"
#include "buffer/result.h"
#include "relay/protocol/glob.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::grouping {

using relay::Glob;
using relay::GlobKind;

enum class Trait : std::uint8_t {
  error_type, error_value, module, function, path, package, app, message, logger, level, tag, sdk, release, family,
};

struct TraitMatcher {
  Trait trait = Trait::message;
  bool negated = false;
  std::string key;      // as written: "error.type", "tags.server"
  std::string pattern;  // as written
  std::optional<Glob> glob;
  std::optional<bool> wanted;  // of `app`
};

struct FingerprintRule {
  std::vector<TraitMatcher> matchers;
  std::vector<std::string> fingerprint;  // texts and "{{ variables }}"
  std::optional<std::string> title;
  std::string text;  // the rule as it is shown
};

class FingerprintRules {
 public:
  // Fault::malformed names line and column.
  static Result<std::shared_ptr<const FingerprintRules>> make(std::string_view text);

  // The first one that holds; none when none does.
  const FingerprintRule* find(const Evidence& evidence) const;
  bool empty() const { return rules_.empty(); }

 private:
  std::vector<FingerprintRule> rules_;
};

// ---- values ---------------------------------------------------------------------------------------

// The name within "{{ name }}"; empty when `part` is no variable.
std::string_view variable_name(std::string_view part);
// What a variable stands for in an event: "<no-…>" where the event says nothing; none for "default" and
// unknown names.
std::optional<std::string> variable_value(const Evidence& evidence, std::string_view name);
// The parts with their variables resolved; {{ default }} and unknown ones stay.
std::vector<std::string> resolved_fingerprint(const Evidence& evidence, const std::vector<std::string>& parts);
// `text` with the variables in it resolved.
std::string resolved_text(const Evidence& evidence, std::string_view text);
// Literals and variables of "log-{{ logger }}", one after the other.
std::vector<std::string> split_variables(std::string_view text);

}  // namespace picket::grouping

#include "relay/scrub/pii_config.h"

#include <array>
#include <optional>
#include <utility>

namespace picket::scrub {
namespace {

using Method = Redaction::Method;

struct BuiltIn {
  std::string_view name;
  Rule::Kind kind;
  Detector detector;
  std::string_view replacement;
  Method plain;  // of `@name`
};

constexpr auto built_ins = std::to_array<BuiltIn>({
    {"anything", Rule::Kind::anything, Detector::email, "[Filtered]", Method::replace},
    {"ip", Rule::Kind::detector, Detector::ip, "[ip]", Method::replace},
    {"imei", Rule::Kind::detector, Detector::imei, "[imei]", Method::replace},
    {"mac", Rule::Kind::detector, Detector::mac, "[mac]", Method::mask},
    {"uuid", Rule::Kind::detector, Detector::uuid, "[uuid]", Method::mask},
    {"email", Rule::Kind::detector, Detector::email, "[email]", Method::replace},
    {"iban", Rule::Kind::detector, Detector::iban, "[iban]", Method::replace},
    {"creditcard", Rule::Kind::detector, Detector::creditcard, "[creditcard]", Method::replace},
    {"pemkey", Rule::Kind::detector, Detector::pemkey, "[pemkey]", Method::replace},
    {"urlauth", Rule::Kind::detector, Detector::url_auth, "[auth]", Method::replace},
    {"usssn", Rule::Kind::detector, Detector::us_ssn, "[us-ssn]", Method::mask},
    {"userpath", Rule::Kind::detector, Detector::userpath, "[user]", Method::replace},
    {"bearer", Rule::Kind::detector, Detector::bearer, "[token]", Method::replace},
    {"password", Rule::Kind::password, Detector::bearer, "[password]", Method::remove},
});

const BuiltIn* find_built_in(std::string_view name) {
  for (const auto& known : built_ins) {
    if (known.name == name) return &known;
  }
  return nullptr;
}

std::optional<Rule> built_in_rule(std::string_view id, std::string_view hash_key) {
  if (!id.starts_with('@')) return std::nullopt;
  const auto colon = id.find(':');
  const auto* known =
      find_built_in(id.substr(1, colon == std::string_view::npos ? colon : colon - 1));
  if (known == nullptr) return std::nullopt;

  Rule rule;
  rule.id = rule.origin = id;
  rule.kind = known->kind;
  rule.detector = known->detector;
  rule.redaction.text = known->replacement;
  rule.redaction.hash_key = hash_key;
  const auto method = colon == std::string_view::npos ? std::string_view() : id.substr(colon + 1);
  if (method.empty() && colon == std::string_view::npos) {
    rule.redaction.method = known->plain;
  } else if (method == "replace") {
    rule.redaction.method = Method::replace;
  } else if (method == "remove") {
    rule.redaction.method = Method::remove;
  } else if (method == "mask") {
    rule.redaction.method = Method::mask;
  } else if (method == "hash") {
    rule.redaction.method = Method::hash;
  } else if (method == "filter" || (method == "legacy" && known->name == "urlauth")) {
    rule.redaction.method = Method::replace;
    rule.redaction.text = "[Filtered]";
    if (method == "legacy") rule.detector = Detector::url_password;
  } else {
    return std::nullopt;
  }
  return rule;
}

}  // namespace

std::vector<Rule> built_in_rules(std::string_view id, std::string_view hash_key) {
  std::vector<std::string_view> ids = {id};
  if (id == "@common") {
    ids = {"@bearer",   "@creditcard", "@email",   "@iban",     "@ip",
           "@password", "@pemkey",     "@urlauth", "@userpath", "@usssn"};
  } else if (id == "@common:filter") {
    // User paths are none of them: Sentry names them here and does not redact them.
    ids = {"@bearer:filter", "@creditcard:filter", "@iban:filter", "@password:filter",
           "@pemkey:filter", "@urlauth:legacy",    "@usssn:filter"};
  }
  std::vector<Rule> rules;
  for (const auto part : ids) {
    if (auto rule = built_in_rule(part, hash_key)) rules.push_back(*std::move(rule));
  }
  return rules;
}

}  // namespace picket::scrub

// The older settings as rules: the default rules with what they leave alone, sensitive and safe
// fields, IP addresses.

#include "relay/scrub/pii_config.h"

#include <array>
#include <utility>

namespace picket::scrub {
namespace {

// What no default rule takes out: an event would lose what it is about.
constexpr std::string_view untouched =
    "debug_meta.** | $frame.filename | $frame.abs_path | $logentry.formatted | $error.value"
    " | $request.headers.user-agent";

// Where an IP address is taken out whatever it looks like.
constexpr std::string_view ip_fields =
    "$request.env.REMOTE_ADDR | $user.ip_address | $sdk.client_ip | $span.sentry_tags.'user.ip'"
    " | attributes.'client.address' | $log.attributes.'client.address' | attrs.ip_address";

// Cookies that hold sessions and tokens against forged requests.
constexpr auto cookies = std::to_array<std::string_view>(
    {"sentrysid",  "sudo",          "su",          "session",    "__session",
     "sessionid",  "user_session",  "symfony",     "phpsessid",  "fasthttpsessionid",
     "mysession",  "irissessionid", "_vercel_jwt", "csrf",       "xsrf",
     "_xsrf",      "_csrf",         "csrf-token",  "csrf_token", "xsrf-token",
     "xsrf_token", "fastcsrf",      "_iris_csrf"});

// What must stay readable: only what looks sensitive is replaced in it.
constexpr auto readable_fields = std::to_array<std::string_view>(
    {"gen_ai.input.messages", "gen_ai.prompt", "gen_ai.request.messages",
     "gen_ai.tool.call.arguments", "gen_ai.tool.input", "gen_ai.tool.call.result",
     "gen_ai.tool.output", "gen_ai.output.messages", "gen_ai.response.tool_calls",
     "gen_ai.response.text", "gen_ai.response.object", "gen_ai.tool.definitions",
     "gen_ai.request.available_tools", "gen_ai.tool.name", "mcp.prompt.result",
     "mcp.tool.result.content"});

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// REQUIRES: `text` is a selector.
Selector known_selector(std::string_view text) {
  return *Selector::parse(text);
}

Selector cookie_selector() {
  std::vector<Selector> parts = {known_selector("*.'http.request.header.cookie'")};
  for (const auto cookie : cookies) {
    const std::string name(cookie);
    parts.push_back(known_selector("*.cookies.'" + name + "'"));
    parts.push_back(known_selector("*.'http.request.header.cookie." + name + "'"));
  }
  return Selector::any_of(std::move(parts));
}

Selector readable_selector() {
  std::vector<Selector> parts = {known_selector("$logentry.formatted"),
                                 known_selector("$log.body")};
  for (const auto field : readable_fields) {
    const std::string name(field);
    parts.push_back(known_selector("$span.data.'" + name + "'"));
    parts.push_back(known_selector("attributes.'" + name + "'"));
  }
  return Selector::any_of(std::move(parts));
}

void add_rules(std::vector<Rule>& rules, std::string_view id) {
  for (auto& rule : built_in_rules(id, {}))
    rules.push_back(std::move(rule));
}

std::shared_ptr<const WordSet> sensitive_words(const Settings& settings) {
  std::vector<WordSet::Word> words;
  if (settings.scrub_data) {
    for (const auto& field : settings.sensitive_fields) {
      if (const auto name = trimmed(field); !name.empty()) words.push_back({std::string(name), 1});
    }
  }
  return words.empty() ? nullptr : std::make_shared<const WordSet>(std::move(words));
}

// Everything but what is left alone: by default, and by the settings.
Selector general_selector(const Settings& settings) {
  std::vector<Selector> parts = {known_selector("$string || $number || $array || $object"),
                                 Selector::none_of(known_selector(untouched))};
  for (const auto& field : settings.safe_fields) {
    const auto name = trimmed(field);
    if (name.empty()) continue;
    auto selector = Selector::parse(name);
    parts.push_back(Selector::none_of(selector ? *std::move(selector) : Selector::of_key(name)));
  }
  return Selector::all_of(std::move(parts));
}

std::size_t size_of(const std::vector<std::string>& fields) {
  std::size_t bytes = 0;
  for (const auto& field : fields)
    bytes += field.size() + 1;
  return bytes;
}

}  // namespace

Result<RuleSet> make_rule_set(const Settings& settings) {
  if (settings.pii_config_json.size() > max_settings_bytes ||
      size_of(settings.safe_fields) > max_settings_bytes ||
      size_of(settings.sensitive_fields) > max_settings_bytes)
    return Error{Fault::too_large, "the settings are too large"};
  auto applications = parse_pii_config(settings.pii_config_json);
  if (!applications) return applications.error();

  std::vector<Rule> general;
  if (settings.scrub_data && settings.scrub_defaults) {
    add_rules(general, "@common:filter");
    std::vector<Rule> whole;
    add_rules(whole, "@anything:filter");
    applications->push_back({cookie_selector(), std::move(whole), 0, false, false});
    std::vector<Rule> gentle;
    for (const auto id : {"@bearer:replace", "@creditcard:replace", "@email:replace",
                          "@iban:replace", "@usssn:replace"})
      add_rules(gentle, id);
    applications->push_back({readable_selector(), std::move(gentle), 0, false, false});
  }
  if (settings.scrub_ip_addresses) {
    std::vector<Rule> whole;
    add_rules(whole, "@anything:remove");
    applications->push_back({known_selector(ip_fields), std::move(whole), 0, false, false});
    add_rules(general, "@ip:replace");
  }
  const auto sensitive = sensitive_words(settings);
  if (sensitive) {
    Rule rule;
    rule.id = rule.origin = "strip-fields";
    rule.kind = Rule::Kind::key_words;
    rule.words = sensitive;
    rule.redaction = {Redaction::Method::replace, "[Filtered]", {}};
    general.push_back(std::move(rule));
  }
  if (!general.empty())
    applications->push_back({general_selector(settings), std::move(general), 0, false, false});
  return RuleSet(*std::move(applications), sensitive);
}

}  // namespace picket::scrub

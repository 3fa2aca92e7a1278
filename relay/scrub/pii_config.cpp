#include "relay/scrub/pii_config.h"

#include <simdjson.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace picket::scrub {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t max_rules = 1000;  // of one application
constexpr std::size_t max_applications = 1000;
constexpr int max_alias_depth = 16;

Error malformed(const std::string& what) {
  return Error{Fault::malformed, what};
}

std::string_view text_of(dom::element object, const char* key) {
  std::string_view text;
  if (object[key].get(text) != simdjson::SUCCESS) return {};
  return text;
}

bool flag_of(dom::element object, const char* key) {
  bool flag = false;
  return object[key].get(flag) == simdjson::SUCCESS && flag;
}

// A rule as it is configured: itself one, or a list of others.
struct Spec {
  std::optional<Rule> rule;
  std::vector<std::string> others;
  bool hides_inner = false;
  Redaction redaction;
};

// Nothing for a method of a later version.
Result<std::optional<Redaction>> parse_redaction(dom::element spec, const std::string& hash_key) {
  Redaction redaction;
  redaction.hash_key = hash_key;
  redaction.text = "[Filtered]";
  dom::element value;
  if (spec["redaction"].get(value) != simdjson::SUCCESS || value.is_null())
    return std::optional(redaction);
  std::string_view method;
  if (!value.is_object() || value["method"].get(method) != simdjson::SUCCESS)
    return malformed("its redaction has no method");
  if (method == "default") {
    redaction.method = Redaction::Method::standard;
  } else if (method == "remove") {
    redaction.method = Redaction::Method::remove;
  } else if (method == "mask") {
    redaction.method = Redaction::Method::mask;
  } else if (method == "hash") {
    redaction.method = Redaction::Method::hash;
  } else if (method == "replace") {
    redaction.method = Redaction::Method::replace;
    dom::element text;
    if (value["text"].get(text) == simdjson::SUCCESS) {
      std::string_view given;
      if (text.get(given) != simdjson::SUCCESS)
        return malformed("the text of its redaction is not a string");
      redaction.text = given;
    }
  } else {
    return std::optional<Redaction>();
  }
  return std::optional(redaction);
}

Result<void> add_patterns(Rule& rule, std::string_view expression, bool ignore_case) {
  auto pattern = Pattern::compile(expression, ignore_case, Pattern::Text::utf8);
  if (!pattern) return pattern.error();
  rule.pattern = std::make_shared<const Pattern>(*std::move(pattern));
  auto bytes = Pattern::compile(expression, ignore_case, Pattern::Text::bytes);
  if (!bytes) return bytes.error();
  rule.bytes_pattern = std::make_shared<const Pattern>(*std::move(bytes));
  return {};
}

Result<void> parse_pattern(Rule& rule, dom::element spec) {
  std::string_view expression;
  if (spec["pattern"].get(expression) != simdjson::SUCCESS) return malformed("it has no pattern");
  dom::element groups;
  if (spec["replaceGroups"].get(groups) == simdjson::SUCCESS && !groups.is_null()) {
    dom::array numbers;
    if (groups.get(numbers) != simdjson::SUCCESS) return malformed("replaceGroups is not a list");
    rule.groups.clear();
    for (const auto element : numbers) {
      std::uint64_t number = 0;
      if (element.get(number) != simdjson::SUCCESS || number > 255)
        return malformed("replaceGroups holds something else than group numbers");
      rule.groups.push_back(static_cast<int>(number));
    }
  }
  rule.kind = Rule::Kind::pattern;
  return add_patterns(rule, expression, false);
}

Result<std::vector<std::string>> parse_names(dom::element list) {
  std::vector<std::string> names;
  dom::array elements;
  if (list.get(elements) != simdjson::SUCCESS) return malformed("its rules are not a list");
  for (const auto element : elements) {
    std::string_view name;
    if (element.get(name) != simdjson::SUCCESS) return malformed("its rules are not all names");
    names.emplace_back(name);
  }
  return names;
}

// False for a type of a later version.
Result<bool> parse_type(Spec& spec, dom::element element) {
  std::string_view type;
  if (element["type"].get(type) != simdjson::SUCCESS) return malformed("it has no type");
  Rule rule;
  if (type == "multiple") {
    dom::element list;
    if (element["rules"].get(list) != simdjson::SUCCESS) return malformed("it has no rules");
    auto names = parse_names(list);
    if (!names) return names.error();
    spec.others = *std::move(names);
    spec.hides_inner = flag_of(element, "hideInner");
    return true;
  }
  if (type == "alias") {
    const auto name = text_of(element, "rule");
    if (name.empty()) return malformed("it has no rule");
    spec.others.emplace_back(name);
    spec.hides_inner = flag_of(element, "hideInner");
    return true;
  }
  if (type == "pattern") {
    if (auto parsed = parse_pattern(rule, element); !parsed) return parsed.error();
  } else if (type == "redact_pair" || type == "redactPair") {
    std::string_view expression;
    if (element["keyPattern"].get(expression) != simdjson::SUCCESS)
      return malformed("it has no keyPattern");
    rule.kind = Rule::Kind::key_pattern;
    if (auto added = add_patterns(rule, expression, false); !added) return added.error();
  } else {
    // The types without parameters are the built-in ones, most under the same name.
    std::string name = "@";
    name += type == "url_auth" ? "urlauth" : type == "us_ssn" ? "usssn" : type;
    auto built_in = built_in_rules(name, {});
    if (built_in.size() != 1 || name.find(':') != std::string::npos) return false;
    rule = std::move(built_in.front());
  }
  spec.rule = std::move(rule);
  return true;
}

using Specs = std::map<std::string, Spec, std::less<>>;

Result<Specs> parse_rules(dom::element root, const std::string& hash_key) {
  Specs specs;
  dom::element rules;
  if (root["rules"].get(rules) != simdjson::SUCCESS || rules.is_null()) return specs;
  dom::object members;
  if (rules.get(members) != simdjson::SUCCESS) return malformed("rules is not an object");
  for (const auto [id, element] : members) {
    const auto wrong = [&id = id](const std::string& why) {
      return malformed("rule \"" + std::string(id) + "\": " + why);
    };
    if (!element.is_object()) return wrong("it is not an object");
    Spec spec;
    const auto known = parse_type(spec, element);
    if (!known) return wrong(known.error().detail);
    auto redaction = parse_redaction(element, hash_key);
    if (!redaction) return wrong(redaction.error().detail);
    if (!*known || !*redaction) continue;
    spec.redaction = **redaction;
    specs.insert_or_assign(std::string(id), std::move(spec));
  }
  return specs;
}

// Collects the rules behind a name: those of the configuration before the built-in ones.
class Collector {
 public:
  Collector(const Specs& specs, const std::string& hash_key) : specs_(specs), hash_key_(hash_key) {}

  struct Outer {
    std::string origin;
    Redaction redaction;
  };

  void collect(const std::string& id, const std::optional<Outer>& outer, int depth) {
    if (depth > max_alias_depth || rules_.size() > max_rules || !seen_.insert(id).second) return;
    const auto found = specs_.find(id);
    if (found == specs_.end()) {
      for (auto& rule : built_in_rules(id, hash_key_))
        add(std::move(rule), outer);
      return;
    }
    const auto& spec = found->second;
    if (spec.rule) {
      auto rule = *spec.rule;
      rule.id = rule.origin = id;
      rule.redaction = spec.redaction;
      add(std::move(rule), outer);
      return;
    }
    std::optional<Outer> inner;
    if (spec.hides_inner) {
      inner = Outer{id, spec.redaction};
      if (outer) inner->origin = outer->origin;
      if (outer && outer->redaction.method != Redaction::Method::standard)
        inner->redaction = outer->redaction;
    }
    for (const auto& other : spec.others)
      collect(other, inner, depth + 1);
  }

  std::vector<Rule> take() && {
    std::vector<Rule> rules;
    for (auto& [id, rule] : rules_)
      rules.push_back(std::move(rule));
    return rules;
  }

 private:
  void add(Rule rule, const std::optional<Outer>& outer) {
    if (outer) {
      rule.origin = outer->origin;
      if (outer->redaction.method != Redaction::Method::standard) rule.redaction = outer->redaction;
    }
    auto id = rule.id;
    rules_.try_emplace(std::move(id), std::move(rule));
  }

  const Specs& specs_;
  const std::string& hash_key_;
  std::set<std::string> seen_;
  std::map<std::string, Rule> rules_;  // rules apply in the order of their ids
};

Result<Selector> parse_selector(std::string_view text) {
  // Names from before there were selectors.
  for (const std::string_view old : {"freeform", "email", "sensitive", "text"}) {
    if (text == old) return Selector::parse("$string");
  }
  if (text == "databag" || text == "container") return Selector::parse("$object");
  return Selector::parse(text);
}

}  // namespace

Result<std::vector<Application>> parse_pii_config(std::string_view json) {
  std::vector<Application> applications;
  if (json.empty()) return applications;
  dom::parser parser;
  dom::element root;
  if (const auto error = parser.parse(json.data(), json.size()).get(root);
      error != simdjson::SUCCESS)
    return malformed(std::string("not JSON: ") + simdjson::error_message(error));
  if (root.is_null()) return applications;
  if (!root.is_object()) return malformed("not a JSON object");

  std::string hash_key;
  if (dom::element vars; root["vars"].get(vars) == simdjson::SUCCESS && vars.is_object())
    hash_key = text_of(vars, "hashKey");
  const auto specs = parse_rules(root, hash_key);
  if (!specs) return specs.error();

  dom::element element;
  if (root["applications"].get(element) != simdjson::SUCCESS || element.is_null())
    return applications;
  dom::object members;
  if (element.get(members) != simdjson::SUCCESS) return malformed("applications is not an object");
  for (const auto [text, list] : members) {
    if (applications.size() == max_applications) return malformed("too many applications");
    auto selector = parse_selector(text);
    if (!selector) return selector.error();
    auto names = parse_names(list);
    if (!names)
      return malformed("applications of \"" + std::string(text) + "\": " + names.error().detail);
    Collector collector(*specs, hash_key);
    for (const auto& name : *names)
      collector.collect(name, std::nullopt, 0);
    auto rules = std::move(collector).take();
    if (!rules.empty())
      applications.push_back({*std::move(selector), std::move(rules), 0, false, true});
  }
  return applications;
}

}  // namespace picket::scrub

#include "api/grouping/fingerprint_rules.h"

#include "api/grouping/rule_text.h"

#include <algorithm>
#include <array>

namespace picket::grouping {
namespace {

constexpr std::size_t most_bytes = 256 * 1024;
constexpr std::size_t most_rules = 4096;
constexpr std::size_t most_parts = 50;

struct TraitName {
  std::string_view name;
  Trait trait;
};
constexpr std::array<TraitName, 21> trait_names = {{
    {"type", Trait::error_type},
    {"error.type", Trait::error_type},
    {"value", Trait::error_value},
    {"error.value", Trait::error_value},
    {"module", Trait::module},
    {"stack.module", Trait::module},
    {"function", Trait::function},
    {"stack.function", Trait::function},
    {"path", Trait::path},
    {"stack.abs_path", Trait::path},
    {"package", Trait::package},
    {"stack.package", Trait::package},
    {"app", Trait::app},
    {"in-app", Trait::app},
    {"message", Trait::message},
    {"logger", Trait::logger},
    {"level", Trait::level},
    {"sdk", Trait::sdk},
    {"sdk.name", Trait::sdk},
    {"release", Trait::release},
    {"family", Trait::family},
}};

GlobKind kind_of(Trait trait) {
  if (trait == Trait::path || trait == Trait::package) return GlobKind::path;
  const bool caseless = trait == Trait::message || trait == Trait::error_value || trait == Trait::level;
  return caseless ? GlobKind::caseless_text : GlobKind::text;
}

class RuleReader {
 public:
  RuleReader(std::string_view line, std::size_t number) : text_(line, number) {}

  Result<FingerprintRule> read() {
    for (;;) {
      text_.skip_space();
      if (text_.take("->")) break;
      if (text_.at_end()) return text_.wrong("'->' is missing before the fingerprint");
      auto matcher = read_matcher();
      if (!matcher) return matcher.error();
      rule_.matchers.push_back(std::move(*matcher));
    }
    if (rule_.matchers.empty()) return text_.wrong("a rule begins with a matcher, like error.type:Timeout");
    if (auto read = read_fingerprint(); !read) return read.error();
    describe();
    return std::move(rule_);
  }

 private:
  Result<TraitMatcher> read_matcher() {
    TraitMatcher matcher;
    matcher.negated = text_.take('!');
    const auto begin = text_.position();
    // A tag with a name that is no word may be quoted: "tags.my tag":value
    if (text_.peek() == '"') {
      auto quoted = text_.argument();
      if (!quoted) return quoted.error();
      matcher.key = *std::move(quoted);
    } else {
      matcher.key = text_.word();
    }
    const bool tag = matcher.key.starts_with("tags.") && matcher.key.size() > 5;
    const auto known = std::ranges::find(trait_names, matcher.key, &TraitName::name);
    if (!tag && known == trait_names.end()) {
      text_.go_to(begin);
      return text_.wrong(matcher.key.empty() ? "a matcher is expected, like error.type:Timeout"
                                             : "there is no matcher of this name");
    }
    matcher.trait = tag ? Trait::tag : known->trait;
    if (!text_.take(':')) return text_.wrong("':' is missing after the matcher's name");
    const auto value = text_.position();
    auto argument = text_.argument();
    if (!argument) return argument.error();
    matcher.pattern = *std::move(argument);
    if (matcher.trait == Trait::app) {
      const auto& said = matcher.pattern;
      const bool yes = said == "1" || said == "yes" || said == "true";
      if (!yes && said != "0" && said != "no" && said != "false") {
        text_.go_to(value);
        return text_.wrong("app is yes or no");
      }
      matcher.wanted = yes;
    } else {
      matcher.glob = Glob::lenient(matcher.pattern, kind_of(matcher.trait));
    }
    return matcher;
  }

  // Values with commas in between, each a text with variables, and then attributes.
  Result<void> read_fingerprint() {
    for (;;) {
      text_.skip_space();
      if (text_.at_end() || text_.peek() == '#') break;
      if (is_attribute()) {
        if (auto read = read_title(); !read) return read;
        continue;
      }
      auto value = read_value();
      if (!value) return value.error();
      for (auto& part : split_variables(*value))
        rule_.fingerprint.push_back(std::move(part));
      if (rule_.fingerprint.size() > most_parts) return text_.wrong("the fingerprint has too many parts");
      text_.take(',');
    }
    if (rule_.fingerprint.empty()) return text_.wrong("a fingerprint is missing after '->'");
    return {};
  }

  bool is_attribute() {
    const auto begin = text_.position();
    const bool named = !text_.word().empty() && text_.take('=') && text_.peek() == '"';
    text_.go_to(begin);
    return named;
  }

  Result<void> read_title() {
    const auto begin = text_.position();
    if (text_.word() != "title") {
      text_.go_to(begin);
      return text_.wrong("there is no attribute of this name");
    }
    text_.take('=');
    auto title = text_.argument();
    if (!title) return title.error();
    rule_.title = *std::move(title);
    return {};
  }

  // Up to a comma or a space; what is between "{{" and "}}" belongs together.
  Result<std::string> read_value() {
    if (text_.peek() == '"') return text_.argument();
    const auto begin = text_.position();
    while (!text_.at_end() && text_.peek() != ',' && text_.peek() != ' ' && text_.peek() != '\t') {
      if (!text_.take("{{")) {
        text_.go_to(text_.position() + 1);
        continue;
      }
      const auto open = text_.position();
      while (!text_.at_end() && !text_.take("}}")) text_.go_to(text_.position() + 1);
      if (text_.since(open).ends_with("}}")) continue;
      text_.go_to(open - 2);
      return text_.wrong("'}}' is missing");
    }
    if (text_.position() == begin) return text_.wrong("a value is missing");
    return std::string(text_.since(begin));
  }

  void describe() {
    auto& out = rule_.text;
    for (const auto& matcher : rule_.matchers) {
      if (!out.empty()) out += ' ';
      if (matcher.negated) out += '!';
      out += matcher.key + ":\"" + matcher.pattern + '"';
    }
    out += " -> \"";
    for (const auto& part : rule_.fingerprint)
      out += part;
    out += '"';
    if (rule_.title) out += " title=\"" + *rule_.title + '"';
  }

  RuleText text_;
  FingerprintRule rule_;
};

}  // namespace

Result<std::shared_ptr<const FingerprintRules>> FingerprintRules::make(std::string_view text) {
  auto rules = std::make_shared<FingerprintRules>();
  const auto read = for_each_rule(text, most_bytes, [&](std::string_view line, std::size_t number) -> Result<void> {
    auto rule = RuleReader(line, number).read();
    if (!rule) return rule.error();
    if (rules->rules_.size() == most_rules)
      return Error{Fault::too_large, "line " + std::to_string(number) + ", column 1: too many rules"};
    rules->rules_.push_back(std::move(*rule));
    return {};
  });
  if (!read) return read.error();
  return std::shared_ptr<const FingerprintRules>(std::move(rules));
}

}  // namespace picket::grouping

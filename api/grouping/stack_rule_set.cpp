// A set of compiled rules: the default ones and a project's.
#include "api/grouping/default_rules.h"
#include "api/grouping/frame_facts.h"
#include "api/grouping/hash_memory.h"
#include "api/grouping/stack_rules.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace picket::grouping {
namespace {

const std::vector<StackRule>& default_stack_rules(std::vector<std::string>& categories) {
  struct Parsed {
    std::vector<std::string> categories = {""};
    std::vector<StackRule> rules;
    Parsed() {
      for (const auto text : {default_app_rules(), default_native_rules(), default_category_rules()}) {
        auto read = parse_stack_rules(text, categories);
        if (!read) throw std::logic_error("default stack rules: " + read.error().detail);
        std::ranges::move(*read, std::back_inserter(rules));
      }
    }
  };
  static const Parsed parsed;
  categories = parsed.categories;
  return parsed.rules;
}

}  // namespace

StackRules::StackRules(std::vector<StackRule> rules)
    : rules_(std::move(rules)), cache_(std::make_unique<FactCache>()), memory_(std::make_unique<HashMemory>()) {
  const auto of_value = [](const Matcher& matcher) { return matcher.subject == Subject::error_value; };
  for (std::size_t index = 0; index < rules_.size(); ++index) {
    const auto& rule = rules_[index];
    if (!rule.fixed) unfixed_.push_back(static_cast<std::uint16_t>(index));
    look_at_values_ = look_at_values_ || std::ranges::any_of(rule.matchers, of_value) ||
                      (rule.caller && of_value(*rule.caller)) || (rule.callee && of_value(*rule.callee));
  }
}

StackRules::~StackRules() = default;

Result<std::shared_ptr<const StackRules>> StackRules::make(std::string_view project_rules) {
  std::vector<std::string> categories;
  auto rules = default_stack_rules(categories);
  auto own = parse_stack_rules(project_rules, categories);
  if (!own) return own.error();
  std::ranges::move(*own, std::back_inserter(rules));
  return std::shared_ptr<const StackRules>(new StackRules(std::move(rules)));
}

std::shared_ptr<const StackRules> StackRules::defaults() {
  static const std::shared_ptr<const StackRules> rules = *make({});
  return rules;
}

Result<std::shared_ptr<const StackRules>> StackRules::make_alone(std::string_view rules) {
  std::vector<std::string> categories = {""};
  auto own = parse_stack_rules(rules, categories);
  if (!own) return own.error();
  return std::shared_ptr<const StackRules>(new StackRules(std::move(*own)));
}

SeenFrames StackRules::facts_of(std::span<const Frame> frames, std::string_view event_platform) const {
  return cache_->facts_of(rules_, frames, event_platform);
}

}  // namespace picket::grouping

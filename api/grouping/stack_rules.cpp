#include "api/grouping/stack_rules.h"

#include "api/grouping/rule_text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace picket::grouping {
namespace {

constexpr std::size_t most_bytes = 256 * 1024;
constexpr std::size_t most_rules = 4096;

struct SubjectName {
  std::string_view name;
  Subject subject;
};
constexpr std::array<SubjectName, 17> subject_names = {{
    {"family", Subject::family},
    {"function", Subject::function},
    {"stack.function", Subject::function},
    {"module", Subject::module},
    {"stack.module", Subject::module},
    {"package", Subject::package},
    {"stack.package", Subject::package},
    {"path", Subject::path},
    {"stack.abs_path", Subject::path},
    {"app", Subject::app},
    {"category", Subject::category},
    {"type", Subject::error_type},
    {"error.type", Subject::error_type},
    {"value", Subject::error_value},
    {"error.value", Subject::error_value},
    {"mechanism", Subject::error_mechanism},
    {"error.mechanism", Subject::error_mechanism},
}};

std::optional<bool> truth_of(std::string_view text) {
  if (text == "1" || text == "yes" || text == "true") return true;
  if (text == "0" || text == "no" || text == "false") return false;
  return std::nullopt;
}

std::uint8_t families_of(std::string_view list) {
  std::uint8_t families = 0;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto name = list.substr(0, comma);
    if (name == "all") families |= 7;
    if (name == "native") families |= static_cast<std::uint8_t>(Family::native);
    if (name == "javascript") families |= static_cast<std::uint8_t>(Family::javascript);
    if (name == "other") families |= static_cast<std::uint8_t>(Family::other);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return families;
}

std::uint16_t number_of(std::vector<std::string>& categories, std::string_view name) {
  const auto known = std::ranges::find(categories, name);
  if (known != categories.end()) return static_cast<std::uint16_t>(known - categories.begin());
  categories.emplace_back(name);
  return static_cast<std::uint16_t>(categories.size() - 1);
}

class RuleReader {
 public:
  RuleReader(std::string_view line, std::size_t number, std::vector<std::string>& categories)
      : text_(line, number), categories_(categories) {}

  Result<StackRule> read() {
    if (auto read = read_matchers(); !read) return read.error();
    if (rule_.matchers.empty()) return text_.wrong("a rule begins with a matcher, like function:main");
    while (text_.skip_space(), !text_.at_end() && text_.peek() != '#') {
      auto action = read_action();
      if (!action) return action.error();
      rule_.actions.push_back(*action);
    }
    if (rule_.actions.empty()) return text_.wrong("an action is missing, like -group or +app");
    settle();
    return std::move(rule_);
  }

 private:
  // "[ caller ] | matchers | [ callee ]"
  Result<void> read_matchers() {
    text_.skip_space();
    if (text_.take('[')) {
      auto caller = read_enclosed();
      if (!caller) return caller.error();
      rule_.caller = std::move(*caller);
      text_.skip_space();
      if (!text_.take('|')) return text_.wrong("'|' is missing after the caller");
    }
    for (;;) {
      text_.skip_space();
      if (text_.take('|')) break;
      if (text_.at_end() || is_action()) return {};
      auto matcher = read_matcher({});
      if (!matcher) return matcher.error();
      rule_.matchers.push_back(std::move(*matcher));
    }
    text_.skip_space();
    if (!text_.take('[')) return text_.wrong("'[' is missing before the callee");
    auto callee = read_enclosed();
    if (!callee) return callee.error();
    rule_.callee = std::move(*callee);
    return {};
  }

  Result<Matcher> read_enclosed() {
    text_.skip_space();
    auto matcher = read_matcher("]");
    if (!matcher) return matcher;
    text_.skip_space();
    if (!text_.take(']')) return text_.wrong("']' is missing");
    return matcher;
  }

  bool is_action() {
    const auto begin = text_.position();
    const bool range = text_.take('^') || (text_.take('v'));
    const bool sign = text_.peek() == '+' || text_.peek() == '-';
    text_.go_to(begin);
    if (sign) return true;
    const auto name = text_.word();
    const bool variable = !range && !name.empty() && text_.peek() == '=';
    text_.go_to(begin);
    return variable || text_.peek() == '^';
  }

  Result<Matcher> read_matcher(std::string_view ends) {
    Matcher matcher;
    matcher.negated = text_.take('!');
    const auto begin = text_.position();
    const auto name = text_.word();
    const auto known = std::ranges::find(subject_names, name, &SubjectName::name);
    if (known == subject_names.end()) {
      text_.go_to(begin);
      return text_.wrong(name.empty() ? "a matcher is expected, like function:main"
                                      : "there is no matcher of this name");
    }
    matcher.subject = known->subject;
    if (!text_.take(':')) return text_.wrong("':' is missing after the matcher's name");
    const auto value = text_.position();
    auto argument = text_.argument(ends);
    if (!argument) return argument.error();
    if (auto compiled = compile(matcher, *argument); !compiled) {
      text_.go_to(value);
      return text_.wrong(compiled.error().detail);
    }
    return matcher;
  }

  Result<void> compile(Matcher& matcher, const std::string& argument) {
    switch (matcher.subject) {
      case Subject::family:
        matcher.families = families_of(argument);
        if (matcher.families == 0) return Error{Fault::malformed, "a family is native, javascript, other or all"};
        return {};
      case Subject::app:
        matcher.wanted = truth_of(argument);
        if (!matcher.wanted) return Error{Fault::malformed, "app is yes or no"};
        return {};
      case Subject::category:
        matcher.category = number_of(categories_, argument);
        return {};
      case Subject::package:
      case Subject::path:
        matcher.glob = Glob::lenient(argument, GlobKind::path);
        return {};
      case Subject::function:
      case Subject::module:
      case Subject::error_type:
      case Subject::error_value:
      case Subject::error_mechanism:
        matcher.glob = Glob::lenient(argument, GlobKind::text);
        return {};
    }
    return {};
  }

  Result<Action> read_action() {
    Action action;
    const auto begin = text_.position();
    if (text_.take('^')) {
      action.range = Range::newer;
    } else if (text_.peek() == 'v') {
      text_.take('v');
      const bool sign = text_.peek() == '+' || text_.peek() == '-';
      if (sign) action.range = Range::older;
      if (!sign) text_.go_to(begin);
    }
    if (text_.peek() == '+' || text_.peek() == '-') return read_flag(action);
    if (action.range != Range::itself) return text_.wrong("'+' or '-' is missing after the range");
    return read_variable(action);
  }

  Result<Action> read_flag(Action action) {
    action.on = text_.take('+');
    if (!action.on) text_.take('-');
    const auto begin = text_.position();
    const auto name = text_.word();
    if (name == "app") {
      action.kind = ActionKind::app;
    } else if (name == "group") {
      action.kind = ActionKind::group;
    } else {
      text_.go_to(begin);
      return text_.wrong("what can be switched is app or group");
    }
    return action;
  }

  Result<Action> read_variable(Action action) {
    const auto begin = text_.position();
    const auto name = text_.word();
    if (!text_.take('=')) {
      text_.go_to(begin);
      return text_.wrong("an action is expected, like -group or max-frames=3");
    }
    const auto value = text_.position();
    auto argument = text_.argument();
    if (!argument) return argument.error();
    if (name == "category") {
      action.kind = ActionKind::category;
      action.number = number_of(categories_, *argument);
      return action;
    }
    if (name == "invert-stacktrace") {
      const auto on = truth_of(*argument);
      action.kind = ActionKind::invert;
      action.on = on.value_or(false);
      if (on) return action;
    } else if (name == "max-frames" || name == "min-frames") {
      action.kind = name == "max-frames" ? ActionKind::most_frames : ActionKind::fewest_frames;
      const char* end = argument->data() + argument->size();
      const auto read = std::from_chars(argument->data(), end, action.number);
      if (read.ec == std::errc() && read.ptr == end) return action;
    } else {
      text_.go_to(begin);
      return text_.wrong("there is no setting of this name");
    }
    text_.go_to(value);
    return text_.wrong(name == "invert-stacktrace" ? "the value is 1 or 0" : "a number is expected");
  }

  void settle() {
    for (const auto& action : rule_.actions) {
      const bool sets = action.kind == ActionKind::app || action.kind == ActionKind::category;
      (sets ? rule_.sets : rule_.groups) = true;
    }
    rule_.fixed = std::ranges::any_of(rule_.matchers, [](const Matcher& matcher) {
      return matcher.subject <= Subject::path;
    });
    bool gap = false;
    text_.go_to(0);
    text_.skip_space();
    const auto begin = text_.position();
    while (!text_.at_end()) text_.go_to(text_.position() + 1);
    for (const char c : text_.since(begin)) {
      const bool space = c == ' ' || c == '\t';
      if (!space && gap) rule_.text += ' ';
      if (!space) rule_.text += c;
      gap = space;
    }
  }

  RuleText text_;
  std::vector<std::string>& categories_;
  StackRule rule_;
};

}  // namespace

Result<std::vector<StackRule>> parse_stack_rules(std::string_view text, std::vector<std::string>& categories) {
  std::vector<StackRule> rules;
  const auto read = for_each_rule(text, most_bytes, [&](std::string_view line, std::size_t number) -> Result<void> {
    auto rule = RuleReader(line, number, categories).read();
    if (!rule) return rule.error();
    if (rules.size() == most_rules)
      return Error{Fault::too_large, "line " + std::to_string(number) + ", column 1: too many rules"};
    rules.push_back(std::move(*rule));
    return {};
  });
  if (!read) return read.error();
  return rules;
}

}  // namespace picket::grouping

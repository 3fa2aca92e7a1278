// Which fingerprint rule holds for an event.
#include "api/grouping/family.h"
#include "api/grouping/fingerprint_rules.h"
#include "api/grouping/function_name.h"

#include <algorithm>
#include <string>
#include <vector>

namespace picket::grouping {
namespace {

// Matchers that look at the same kind of thing hold for one thing together.
enum class Sort : std::uint8_t { event, exception, frame, message };

Sort sort_of(Trait trait) {
  switch (trait) {
    case Trait::error_type:
    case Trait::error_value: return Sort::exception;
    case Trait::module:
    case Trait::function:
    case Trait::path:
    case Trait::package:
    case Trait::app: return Sort::frame;
    case Trait::message: return Sort::message;
    case Trait::logger:
    case Trait::level:
    case Trait::tag:
    case Trait::sdk:
    case Trait::release:
    case Trait::family: return Sort::event;
  }
  return Sort::event;
}

bool matches_path(const Glob& glob, std::string_view text) {
  if (text.empty()) return false;
  const auto path = relay::path_key(text);
  return glob.matches_folded(path) || (path.front() != '/' && glob.matches_folded('/' + path));
}

std::string_view family_name(std::string_view platform) {
  switch (family_of(platform)) {
    case Family::native: return "native";
    case Family::javascript: return "javascript";
    case Family::other: return "other";
  }
  return "other";
}

class Matching {
 public:
  explicit Matching(const Evidence& evidence) : evidence_(evidence) {}

  bool holds(const FingerprintRule& rule) const {
    for (const auto sort : {Sort::event, Sort::message, Sort::exception, Sort::frame}) {
      const bool asked = std::ranges::any_of(rule.matchers, [&](const auto& each) { return sort_of(each.trait) == sort; });
      if (asked && !holds(rule, sort)) return false;
    }
    return true;
  }

 private:
  template <class Is>
  static bool all(const FingerprintRule& rule, Sort sort, const Is& is) {
    return std::ranges::all_of(rule.matchers, [&](const TraitMatcher& matcher) {
      return sort_of(matcher.trait) != sort || is(matcher) != matcher.negated;
    });
  }

  bool holds(const FingerprintRule& rule, Sort sort) const {
    switch (sort) {
      case Sort::event: return all(rule, sort, [&](const TraitMatcher& matcher) { return of_event(matcher); });
      case Sort::message: return all(rule, sort, [&](const TraitMatcher& matcher) { return of_message(matcher); });
      case Sort::exception:
        return std::ranges::any_of(evidence_.exceptions, [&](const ExceptionValue& exception) {
          return all(rule, sort, [&](const TraitMatcher& matcher) { return of_exception(matcher, exception); });
        });
      case Sort::frame: return any_frame([&](const Frame& frame) {
        return all(rule, sort, [&](const TraitMatcher& matcher) { return of_frame(matcher, frame); });
      });
    }
    return false;
  }

  template <class Is>
  bool any_frame(const Is& is) const {
    for (const auto& exception : evidence_.exceptions) {
      if (std::ranges::any_of(exception.frames, is)) return true;
    }
    return std::ranges::any_of(evidence_.stacktrace, is) || std::ranges::any_of(evidence_.threads.frames, is);
  }

  bool of_event(const TraitMatcher& matcher) const {
    switch (matcher.trait) {
      case Trait::logger: return matcher.glob->matches_folded(evidence_.logger);
      case Trait::level: return matcher.glob->matches_folded(evidence_.level);
      case Trait::sdk: return matcher.glob->matches_folded(evidence_.sdk);
      case Trait::release: return matcher.glob->matches_folded(evidence_.release);
      case Trait::family: return matcher.glob->matches_folded(family_name(evidence_.platform));
      case Trait::tag: return of_tag(matcher);
      default: return false;
    }
  }

  bool of_tag(const TraitMatcher& matcher) const {
    const auto key = std::string_view(matcher.key).substr(5);
    return std::ranges::any_of(evidence_.tags, [&](const Tag& tag) {
      return tag.key == key && matcher.glob->matches_folded(tag.value);
    });
  }

  // What exceptions say is a message, too.
  bool of_message(const TraitMatcher& matcher) const {
    const auto is = [&](std::string_view text) { return !text.empty() && matcher.glob->matches_folded(relay::lower_case(text)); };
    return is(evidence_.formatted) || is(evidence_.message) ||
           std::ranges::any_of(evidence_.exceptions, [&](const ExceptionValue& each) { return is(each.value); });
  }

  static bool of_exception(const TraitMatcher& matcher, const ExceptionValue& exception) {
    if (matcher.trait == Trait::error_type)
      return !exception.type.empty() && matcher.glob->matches_folded(exception.type);
    return !exception.value.empty() && matcher.glob->matches_folded(relay::lower_case(exception.value));
  }

  bool of_frame(const TraitMatcher& matcher, const Frame& frame) const {
    switch (matcher.trait) {
      case Trait::module: return !frame.module.empty() && matcher.glob->matches_folded(frame.module);
      case Trait::function:
        return !frame.function.empty() &&
               matcher.glob->matches_folded(frame.raw_function.empty()
                                         ? trimmed_function(frame.function, platform_of(frame.platform, evidence_.platform))
                                         : std::string(frame.function));
      case Trait::path: return matches_path(*matcher.glob, frame.abs_path.empty() ? frame.filename : frame.abs_path);
      case Trait::package: return matches_path(*matcher.glob, frame.package);
      case Trait::app: return frame.in_app.value_or(false) == *matcher.wanted;
      default: return false;
    }
  }

  const Evidence& evidence_;
};

}  // namespace

const FingerprintRule* FingerprintRules::find(const Evidence& evidence) const {
  const Matching matching(evidence);
  const auto found = std::ranges::find_if(rules_, [&](const FingerprintRule& rule) { return matching.holds(rule); });
  return found == rules_.end() ? nullptr : &*found;
}

}  // namespace picket::grouping

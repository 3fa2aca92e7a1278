#include "api/grouping/stack_verdict.h"

#include "api/grouping/frame_facts.h"

#include <algorithm>
#include <utility>

namespace picket::grouping {
namespace {

struct Span {
  std::size_t begin;
  std::size_t end;
};

// Frames are in the order of calls: the newer ones come after.
Span frames_of(Range range, std::size_t frame, std::size_t count) {
  switch (range) {
    case Range::itself: return {frame, frame + 1};
    case Range::newer: return {frame + 1, count};
    case Range::older: return {0, frame};
  }
  return {0, 0};
}

// What the rules of a stack say about it as a whole: the last one that says so counts.
struct Limits {
  std::uint32_t most = 0;
  std::uint32_t fewest = 0;
  bool inverted = false;
  const StackRule* most_by = nullptr;
  const StackRule* fewest_by = nullptr;

  void note(const Action& action, const StackRule& rule) {
    if (action.kind == ActionKind::most_frames) most = action.number, most_by = &rule;
    if (action.kind == ActionKind::fewest_frames) fewest = action.number, fewest_by = &rule;
    if (action.kind == ActionKind::invert) inverted = action.on;
  }
};

void switch_groups(const Action& action, const StackRule& rule, std::size_t frame, std::span<Component* const> components) {
  const auto range = frames_of(action.range, frame, components.size());
  for (auto index = range.begin; index < range.end; ++index) {
    auto& component = *components[index];
    if (component.contributes == action.on) continue;
    component.contributes = action.on;
    component.hint = {action.on ? Reason::rule_unignored : Reason::rule_ignored, 0, rule.text};
  }
}

void keep_newest(const Limits& limits, std::span<Component* const> components) {
  std::uint32_t kept = 0;
  for (auto index = components.size(); index-- > 0;) {
    auto& component = *components[index];
    if (!component.contributes || ++kept <= limits.most) continue;
    component.exclude({Reason::rule_most_frames, limits.most, limits.most_by->text});
  }
}

}  // namespace

StackVerdict::StackVerdict(const StackRules& rules,
                           std::span<const Frame> frames,
                           std::shared_ptr<const SeenFrames> seen,
                           const RuledException* exception)
    : rules_(rules), frames_(std::move(seen)), exception_(exception), states_(frames.size()) {
  for (std::size_t index = 0; index < frames.size(); ++index)
    states_[index].in_app = frames[index].in_app.value_or(false);
  find_candidates();
  const auto& all = rules_.rules();
  const auto set = [&](std::uint16_t rule, std::size_t frame) { set_states({rule, static_cast<std::uint32_t>(frame)}); };
  if (!all.empty()) for_each_match(&StackRule::sets, set);
}

void StackVerdict::find_candidates() {
  std::size_t count = 0;
  for (const auto& frame : *frames_)
    count += frame->facts->candidates.size();
  candidates_.reserve(count);
  for (std::size_t frame = 0; frame < frames_->size(); ++frame) {
    for (const auto rule : seen(frame).facts->candidates)
      candidates_.push_back({rule, static_cast<std::uint32_t>(frame)});
  }
  std::ranges::sort(candidates_, [](const Match& a, const Match& b) {
    return a.rule != b.rule ? a.rule < b.rule : a.frame < b.frame;
  });
}

// In the order of the rules: those that only some frames can match, and in between the others. Which
// frames a rule matches is settled before it changes any.
template <class Each>
void StackVerdict::for_each_match(bool StackRule::*kind, const Each& each) const {
  const auto& all = rules_.rules();
  std::vector<std::uint32_t> matching;
  const auto act = [&](std::uint16_t rule) {
    for (const auto frame : matching)
      each(rule, frame);
    matching.clear();
  };
  auto unfixed = rules_.unfixed().begin();
  const auto try_unfixed = [&](std::size_t before) {
    for (; unfixed != rules_.unfixed().end() && *unfixed < before; ++unfixed) {
      if (!(all[*unfixed].*kind)) continue;
      for (std::uint32_t frame = 0; frame < states_.size(); ++frame) {
        if (matches(all[*unfixed], frame)) matching.push_back(frame);
      }
      act(*unfixed);
    }
  };
  for (std::size_t at = 0; at < candidates_.size();) {
    const auto index = candidates_[at].rule;
    try_unfixed(index);
    const auto& rule = all[index];
    for (; at < candidates_.size() && candidates_[at].rule == index; ++at) {
      if (rule.*kind && matches(rule, candidates_[at].frame)) matching.push_back(candidates_[at].frame);
    }
    act(index);
  }
  try_unfixed(all.size());
}

void StackVerdict::set_states(const Match& match) {
  const auto& rule = rules_.rules()[match.rule];
  for (const auto& action : rule.actions) {
    const auto range = frames_of(action.range, match.frame, states_.size());
    for (auto index = range.begin; index < range.end; ++index) {
      auto& state = states_[index];
      if (action.kind == ActionKind::category) state.category = static_cast<std::uint16_t>(action.number);
      if (action.kind != ActionKind::app || state.in_app == action.on) continue;
      state.in_app = action.on;
      state.changed_app = &rule;
    }
  }
}

bool StackVerdict::fulfils(const Matcher& matcher, std::size_t frame) const {
  const auto text = [&](std::string_view RuledException::*field) {
    const auto said = exception_ == nullptr ? std::string_view() : exception_->*field;
    return matcher.glob->matches_folded(said.empty() ? "<unknown>" : said) != matcher.negated;
  };
  switch (matcher.subject) {
    case Subject::app: return (states_[frame].in_app == *matcher.wanted) != matcher.negated;
    case Subject::category: return (states_[frame].category == matcher.category) != matcher.negated;
    case Subject::error_type: return text(&RuledException::type);
    case Subject::error_value: return text(&RuledException::value);
    case Subject::error_mechanism: return text(&RuledException::mechanism);
    case Subject::family:
    case Subject::function:
    case Subject::module:
    case Subject::package:
    case Subject::path: return seen(frame).facts->fulfils(matcher);
  }
  return false;
}

// Of a candidate the fixed matchers have been looked at.
bool StackVerdict::matches(const StackRule& rule, std::size_t frame) const {
  for (const auto& matcher : rule.matchers) {
    if (matcher.subject > Subject::path && !fulfils(matcher, frame)) return false;
  }
  if (rule.caller && (frame == 0 || !fulfils(*rule.caller, frame - 1))) return false;
  return !rule.callee || (frame + 1 < states_.size() && fulfils(*rule.callee, frame + 1));
}

Hint StackVerdict::app_hint(std::size_t frame) const {
  const auto* rule = states_[frame].changed_app;
  if (rule == nullptr) return {};
  return {states_[frame].in_app ? Reason::rule_in_app : Reason::rule_out_of_app, 0, rule->text};
}

bool StackVerdict::apply(std::span<Component* const> components, Component& stack) const {
  Limits limits;
  for_each_match(&StackRule::groups, [&](std::uint16_t index, std::size_t frame) {
    const auto& rule = rules_.rules()[index];
    for (const auto& action : rule.actions) {
      if (action.kind == ActionKind::group) switch_groups(action, rule, frame, components);
      limits.note(action, rule);
    }
  });
  if (limits.most > 0) keep_newest(limits, components);
  const auto counting = static_cast<std::uint32_t>(
      std::ranges::count_if(components, [](const Component* each) { return each->contributes; }));
  stack.contributes = counting > 0;
  if (counting > 0 && counting < limits.fewest)
    stack.exclude({Reason::rule_fewest_frames, counting, limits.fewest_by->text});
  return limits.inverted;
}

}  // namespace picket::grouping

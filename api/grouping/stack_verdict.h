// A stack as rules see it: which frames are the application's own, and the components of one variant
// with what rules say of them.
#pragma once

#include "api/grouping/component.h"
#include "api/grouping/stack_rules.h"

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace picket::grouping {

// What `error.type` and its like look at; none for a stack that is not of an exception.
struct RuledException {
  std::string_view type;
  std::string_view value;
  std::string_view mechanism;
};

class StackVerdict {
 public:
  // `seen` is what the rules know of `frames`.
  StackVerdict(const StackRules& rules,
               std::span<const Frame> frames,
               std::shared_ptr<const SeenFrames> seen,
               const RuledException* exception);

  const SeenFrame& seen(std::size_t frame) const { return *(*frames_)[frame]; }
  bool in_app(std::size_t frame) const { return states_[frame].in_app; }
  // What a rule did to in_app; {} when the SDK's word stands.
  Hint app_hint(std::size_t frame) const;
  // Lets rules speak on the frames of a variant, `components[i]` being frames[i]'s. Sets what is to be
  // said of the whole stack; true when the newest call is to come first.
  bool apply(std::span<Component* const> components, Component& stack) const;

 private:
  struct State {
    bool in_app = false;
    std::uint16_t category = 0;
    const StackRule* changed_app = nullptr;
  };
  struct Match {
    std::uint16_t rule;
    std::uint32_t frame;
  };
  void find_candidates();
  void set_states(const Match& match);
  bool fulfils(const Matcher& matcher, std::size_t frame) const;
  bool matches(const StackRule& rule, std::size_t frame) const;
  template <class Each>
  void for_each_match(bool StackRule::*kind, const Each& each) const;

  const StackRules& rules_;
  std::shared_ptr<const SeenFrames> frames_;
  const RuledException* exception_;
  std::vector<State> states_;
  std::vector<Match> candidates_;  // by rule, then by frame
};

}  // namespace picket::grouping

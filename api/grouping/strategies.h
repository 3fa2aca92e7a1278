// One function per part of an event that it can be grouped by. Each gives the components of the
// variants it has something for, whether or not they count.
#pragma once

#include "api/grouping/component.h"
#include "api/grouping/evidence.h"
#include "api/grouping/frame_facts.h"
#include "api/grouping/stack_rules.h"

#include <span>

namespace picket::grouping {

// Of the variants: the application's own frames, all frames, and what is not made of frames.
struct Variants {
  Component* app = nullptr;
  Component* system = nullptr;
  Component* default_ = nullptr;
};

struct Workshop {
  Arena& arena;
  const StackRules& rules;
  SeenStacks& stacks;
  const Evidence& evidence;
  bool explains = true;  // what does not count is wanted, too
};

struct RuledException;
Variants stack_variants(Workshop& shop, std::span<const Frame> frames, const RuledException* exception);
Variants exception_variants(Workshop& shop);
Variants thread_variants(Workshop& shop);
Variants own_stack_variants(Workshop& shop);
Variants template_variants(Workshop& shop);
Variants report_variants(Workshop& shop);
Variants message_variants(Workshop& shop);

// When only one of two variants has a stack that counts, the other does not count.
void prefer_stacks(Variants& variants);

// The first two lines that are not empty, event-specific parts replaced.
std::string_view message_text(Arena& arena, std::string_view message, Hint& hint);

}  // namespace picket::grouping

// Exceptions: one, a chain of causes, or a group whose members tell what happened.
#include "api/grouping/stack_verdict.h"
#include "api/grouping/strategies.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace picket::grouping {
namespace {

Component* exception_variant(Workshop& shop, const ExceptionValue& exception, Component* stack) {
  auto* component = shop.arena.component(Part::exception);
  component->add(stack);
  auto* type = exception.type.empty() ? shop.arena.component(Part::type) : shop.arena.leaf(Part::type, exception.type);
  if (exception.synthetic) type->exclude({Reason::synthetic, 0, {}});
  component->add(type);
  if (exception.ns_error) {
    auto* error = shop.arena.leaf(Part::ns_error, exception.ns_error->domain);
    error->texts[1] = exception.ns_error->code;
    component->add(error);
  }
  auto* value = shop.arena.component(Part::value);
  if (!exception.value.empty()) {
    const bool needed = shop.explains || !stack->contributes;
    value->texts[0] = needed ? message_text(shop.arena, exception.value, value->hint) : exception.value;
    value->has_texts = value->contributes = true;
    if (stack->contributes) {
      value->exclude({Reason::stack_first, 0, {}});
    } else if (exception.ns_error) {
      value->exclude({Reason::ns_error_first, 0, {}});
    }
  }
  component->add(value);
  return component;
}

Variants variants_of(Workshop& shop, const ExceptionValue& exception) {
  const RuledException ruled{exception.type, exception.value, exception.mechanism};
  Variants stacks;
  if (exception.has_stacktrace) {
    stacks = stack_variants(shop, exception.frames, &ruled);
  } else {
    stacks.app = shop.arena.component(Part::stacktrace);
  }
  Variants variants;
  variants.app = exception_variant(shop, exception, stacks.app);
  if (stacks.system != nullptr) variants.system = exception_variant(shop, exception, stacks.system);
  return variants;
}

// The exceptions of an event as a tree, by the numbers that the SDK gave them.
class Kinship {
 public:
  struct Member {
    std::size_t index;  // in the event's list
    std::vector<std::int64_t> children;  // by number
  };

  explicit Kinship(std::span<const ExceptionValue> exceptions) : exceptions_(exceptions) {
    // The outermost comes last on the wire and is number 0.
    for (std::size_t index = exceptions.size(); index-- > 0;) {
      const auto& exception = exceptions[index];
      if (!exception.id || !members_.try_emplace(*exception.id, Member{index, {}}).second) return;
    }
    for (std::size_t index = exceptions.size(); index-- > 0;) {
      const auto& exception = exceptions[index];
      const auto parent = exception.parent ? members_.find(*exception.parent) : members_.end();
      if (parent != members_.end()) parent->second.children.push_back(*exception.id);
    }
    sound_ = members_.contains(0);
  }

  // Every exception has a number of its own, and there is one to begin at.
  bool is_sound() const { return sound_; }
  std::size_t root() const { return members_.at(0).index; }

  // Below groups, the first ones that are none themselves.
  std::vector<std::size_t> members_of_groups() const {
    std::vector<std::size_t> found;
    std::set<std::int64_t> seen;
    collect(0, seen, found);
    return found;
  }

  // From an exception to its first cause, that one's first cause, and so on.
  std::vector<std::size_t> first_path(std::size_t from) const {
    std::vector<std::size_t> path;
    std::set<std::int64_t> seen;
    for (auto number = *exceptions_[from].id; seen.insert(number).second;) {
      const auto& member = members_.at(number);
      path.push_back(member.index);
      if (member.children.empty()) break;
      number = member.children.front();
    }
    return path;
  }

 private:
  void collect(std::int64_t number, std::set<std::int64_t>& seen, std::vector<std::size_t>& found) const {
    if (!seen.insert(number).second) return;
    const auto& member = members_.at(number);
    if (!exceptions_[member.index].is_group) {
      found.push_back(member.index);
      return;
    }
    for (const auto child : member.children)
      collect(child, seen, found);
  }

  std::span<const ExceptionValue> exceptions_;
  std::map<std::int64_t, Member> members_;
  bool sound_ = false;
};

std::string identity(const Variants& variants) {
  std::string text;
  if (variants.app != nullptr) text += render_hash(hash_of(*variants.app).value_or(Hash{}));
  if (variants.system != nullptr) text += render_hash(hash_of(*variants.system).value_or(Hash{}));
  return text;
}

// Which exceptions count, in this order. Groups are there for their members: members that are the same
// count once, and if all are, the group is what the one member is.
std::vector<std::size_t> counting(std::span<const ExceptionValue> exceptions, const std::vector<Variants>& variants) {
  std::vector<std::size_t> all(exceptions.size());
  for (std::size_t index = 0; index < all.size(); ++index)
    all[index] = index;
  if (exceptions.size() < 2) return all;
  if (std::ranges::none_of(exceptions, &ExceptionValue::is_group)) return all;
  const Kinship tree(exceptions);
  if (!tree.is_sound()) return all;
  auto members = tree.members_of_groups();
  std::ranges::stable_sort(members, [&](std::size_t a, std::size_t b) { return exceptions[a].type > exceptions[b].type; });
  std::vector<std::size_t> distinct;
  std::string last;
  for (const auto member : members) {
    auto name = identity(variants[member]);
    if (!distinct.empty() && name == last) continue;
    distinct.push_back(member);
    last = std::move(name);
  }
  if (distinct.size() == 1) return tree.first_path(distinct.front());
  distinct.push_back(tree.root());
  return distinct;
}

}  // namespace

Variants exception_variants(Workshop& shop) {
  const auto exceptions = shop.evidence.exceptions;
  if (exceptions.empty()) return {};
  std::vector<Variants> each;
  each.reserve(exceptions.size());
  for (const auto& exception : exceptions)
    each.push_back(variants_of(shop, exception));
  const auto order = counting(exceptions, each);
  Variants variants;
  if (order.size() == 1) {
    variants = each[order.front()];
  } else {
    for (const auto index : order) {
      for (const auto member : {&Variants::app, &Variants::system}) {
        auto* component = each[index].*member;
        if (component == nullptr) continue;
        if (variants.*member == nullptr) variants.*member = shop.arena.component(Part::chained_exception);
        (variants.*member)->add(component);
      }
    }
  }
  prefer_stacks(variants);
  return variants;
}

}  // namespace picket::grouping

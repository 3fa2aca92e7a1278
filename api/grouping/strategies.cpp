#include "api/grouping/strategies.h"

#include "api/grouping/family.h"
#include "api/grouping/frame_parts.h"
#include "api/grouping/parametrise.h"
#include "api/grouping/stack_verdict.h"

#include <string>
#include <vector>

namespace picket::grouping {
namespace {

// A page's only frame that has no function: the address says nothing.
bool is_lone_script_frame(std::span<const Frame> frames, std::string_view event_platform) {
  if (frames.size() != 1 || !frames[0].function.empty()) return false;
  const auto path = frames[0].abs_path;
  return family_of(platform_of(frames[0].platform, event_platform)) == Family::javascript &&
         (is_page_url(path) || path.starts_with("file:"));
}

// With its parts where somebody wants to read about them, else with the text that they come to.
Component* made_frame(Workshop& shop, const Frame& frame, const SeenFrame& seen) {
  const auto platform = shop.evidence.platform;
  if (shop.explains) {
    const auto name = shop.arena.keep(component_name(frame, *seen.facts, platform));
    return frame_component(shop.arena, frame, platform, name);
  }
  auto* component = shop.arena.leaf(Part::frame, shop.arena.keep(seen.text));
  component->contributes = seen.contributes;
  return component;
}

Component* stack_variant(Workshop& shop,
                         std::span<const Frame> frames,
                         const StackVerdict& verdict,
                         std::span<Component* const> made,
                         bool only_in_app) {
  std::vector<Component*> components(frames.size());
  for (std::size_t index = 0; index < frames.size(); ++index) {
    auto* component = shop.arena.component(Part::frame);
    *component = *made[index];
    components[index] = component;
    if (const auto hint = verdict.app_hint(index); hint.reason != Reason::none) component->hint = hint;
    if (only_in_app && !verdict.in_app(index)) {
      const auto hint = verdict.app_hint(index);
      component->exclude(hint.reason == Reason::rule_out_of_app ? hint : Hint{Reason::not_in_app, 0, {}});
    }
    if (index > 0 && is_recursion(frames[index], frames[index - 1])) component->exclude({Reason::recursion, 0, {}});
  }
  if (is_lone_script_frame(frames, shop.evidence.platform) && components[0]->contributes)
    components[0]->exclude({Reason::lone_script_frame, 0, {}});
  auto* stack = shop.arena.component(Part::stacktrace);
  const bool inverted = verdict.apply(components, *stack);
  const auto contributes = stack->contributes;
  for (std::size_t index = 0; index < components.size(); ++index)
    stack->add(components[inverted ? components.size() - 1 - index : index]);
  stack->contributes = contributes;
  return stack;
}

Component* around(Arena& arena, Part part, Component* inner) {
  if (inner == nullptr) return nullptr;
  auto* outer = arena.component(part);
  outer->add(inner);
  return outer;
}

std::string two_lines(std::string_view message) {
  std::string out;
  std::size_t lines = 0;
  for (auto rest = message; !rest.empty() && lines < 2;) {
    const auto end = rest.find_first_of("\r\n");
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.find_first_not_of(" \t\v\f") == std::string_view::npos) continue;
    if (lines++ > 0) out += '\n';
    out += line;
  }
  if (out != message) out += "...";
  return out;
}

}  // namespace

std::string_view message_text(Arena& arena, std::string_view message, Hint& hint) {
  const bool one_line = message.find_first_of("\r\n") == std::string_view::npos;
  const auto kept = one_line ? std::string() : two_lines(message);
  const auto made = parametrised(one_line ? message : std::string_view(kept));
  if (made == message) return message;
  hint = {Reason::stripped, 0, {}};
  return arena.keep(made);
}

void prefer_stacks(Variants& variants) {
  if (variants.app == nullptr || variants.system == nullptr) return;
  const bool app = has_contributing_stack(*variants.app);
  const bool system = has_contributing_stack(*variants.system);
  if (app && !system) variants.system->exclude({Reason::other_has_stack, 0, "app"});
  if (system && !app) variants.app->exclude({Reason::other_has_stack, 0, "system"});
}

Variants stack_variants(Workshop& shop, std::span<const Frame> frames, const RuledException* exception) {
  const StackVerdict verdict(shop.rules, frames, shop.stacks.of(frames), exception);
  std::vector<Component*> made(frames.size());
  for (std::size_t index = 0; index < frames.size(); ++index)
    made[index] = made_frame(shop, frames[index], verdict.seen(index));
  Variants variants;
  variants.app = stack_variant(shop, frames, verdict, made, true);
  variants.system = stack_variant(shop, frames, verdict, made, false);
  return variants;
}

Variants thread_variants(Workshop& shop) {
  const auto& threads = shop.evidence.threads;
  Variants variants;
  if (threads.count == 0) return variants;
  if (!threads.chosen || !threads.has_stacktrace) {
    variants.app = shop.arena.component(Part::threads);
    variants.app->hint = threads.chosen ? Hint{Reason::thread_without_stack, 0, {}}
                                        : Hint{Reason::no_chosen_thread, static_cast<std::uint32_t>(threads.count), {}};
    return variants;
  }
  variants = stack_variants(shop, threads.frames, nullptr);
  variants.app = around(shop.arena, Part::threads, variants.app);
  variants.system = around(shop.arena, Part::threads, variants.system);
  prefer_stacks(variants);
  return variants;
}

Variants own_stack_variants(Workshop& shop) {
  if (!shop.evidence.has_stacktrace) return {};
  return stack_variants(shop, shop.evidence.stacktrace, nullptr);
}

Variants template_variants(Workshop& shop) {
  const auto& of = shop.evidence.error_template;
  Variants variants;
  if (!of) return variants;
  variants.default_ = shop.arena.component(Part::template_);
  if (!of->filename.empty()) variants.default_->add(shop.arena.leaf(Part::filename, of->filename));
  if (!of->context_line.empty()) variants.default_->add(shop.arena.leaf(Part::context_line, of->context_line));
  return variants;
}

Variants message_variants(Workshop& shop) {
  const auto& evidence = shop.evidence;
  const auto text = evidence.message.empty() ? evidence.formatted : evidence.message;
  Variants variants;
  if (text.empty()) return variants;
  Hint hint;
  const auto shown = message_text(shop.arena, text, hint);
  variants.default_ = shop.arena.leaf(Part::message, shown);
  variants.default_->hint = hint;
  return variants;
}

}  // namespace picket::grouping

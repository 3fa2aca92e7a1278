#include "api/grouping/grouping.h"

#include "api/grouping/hash_memory.h"
#include "api/grouping/strategies.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace picket::grouping {
namespace {

struct Strategy {
  std::string_view name;
  Variants (*variants)(Workshop&);
};
// In order of precedence.
constexpr std::array<Strategy, 6> strategies = {{
    {"exception", exception_variants},
    {"threads", thread_variants},
    {"stacktrace", own_stack_variants},
    {"template", template_variants},
    {"report", report_variants},
    {"message", message_variants},
}};
constexpr std::array<Component* Variants::*, 3> members = {&Variants::app, &Variants::system, &Variants::default_};
constexpr std::array<Part, 3> root_parts = {Part::app, Part::system, Part::default_};

// All frames count for something; the application's own only where they make a difference.
void drop_same(Variants& variants) {
  if (variants.app == nullptr || variants.system == nullptr) return;
  if (!variants.app->contributes || !variants.system->contributes) return;
  std::string app;
  std::string system;
  append_contributing(*variants.app, app);
  append_contributing(*variants.system, system);
  if (app == system) variants.app->exclude({Reason::same_as, 0, "system"});
}

// "exception of app/system"
std::string winner_of(const Strategy& strategy, const Variants& variants) {
  std::string text(strategy.name);
  if (variants.default_ != nullptr) return text;
  text += " of ";
  if (variants.app != nullptr && variants.app->contributes) text += "app";
  if (text.ends_with("app") && variants.system != nullptr && variants.system->contributes) text += '/';
  if (variants.system != nullptr && variants.system->contributes) text += "system";
  return text;
}

bool any_contributes(const Variants& variants) {
  return std::ranges::any_of(members, [&](Component* Variants::*member) {
    return variants.*member != nullptr && (variants.*member)->contributes;
  });
}

// Exceptions decide, and no value of theirs had a say in it.
bool by_stacks(const Strategy& strategy, const Variants& variants) {
  if (strategy.variants != exception_variants || !any_contributes(variants)) return false;
  return std::ranges::none_of(members, [&](Component* Variants::*member) {
    return variants.*member != nullptr && has_contributing_value(*(variants.*member));
  });
}

struct Roots {
  Variants variants;
  bool by_stacks = false;
};

// The first strategy with something that counts decides. What the others have is only worth making
// when somebody wants to read about it.
Roots roots_of(Workshop& shop, Detail detail) {
  Roots roots;
  auto& all = roots.variants;
  std::string_view winner;
  for (const auto& strategy : strategies) {
    if (!winner.empty() && detail == Detail::hashes) break;
    auto variants = strategy.variants(shop);
    if (winner.empty()) roots.by_stacks = by_stacks(strategy, variants);
    drop_same(variants);
    if (winner.empty() && any_contributes(variants)) {
      winner = shop.arena.keep(winner_of(strategy, variants));
    } else if (!winner.empty()) {
      for (const auto member : members) {
        auto* component = variants.*member;
        if (component != nullptr && component->contributes) component->exclude({Reason::goes_first, 0, winner});
      }
    }
    for (std::size_t index = 0; index < members.size(); ++index) {
      auto* component = variants.*members[index];
      if (component == nullptr) continue;
      auto*& root = all.*members[index];
      if (root == nullptr) root = shop.arena.component(root_parts[index]);
      root->add(component);
    }
  }
  for (const auto member : members) {
    auto* root = all.*member;
    if (root != nullptr && !root->contributes && !winner.empty()) root->hint = {Reason::goes_first, 0, winner};
  }
  return roots;
}

bool is_default(std::string_view part) {
  return variable_name(part) == "default";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts)
    text += part;
  return text;
}

// A rule's fingerprint, else the client's. Empty where it says no more than {{ default }}.
void settle_fingerprint(const Evidence& evidence, Grouping& grouping) {
  const auto* rule = grouping.config.fingerprint->find(evidence);
  std::vector<std::string> client;
  for (const auto part : evidence.fingerprint)
    client.emplace_back(part);
  if (rule != nullptr) {
    grouping.matched_rule = rule->text;
    grouping.client_fingerprint = std::move(client);
    if (rule->title) grouping.title = resolved_text(evidence, *rule->title);
  }
  auto parts = resolved_fingerprint(evidence, rule != nullptr ? rule->fingerprint : client);
  if (parts.empty() || (parts.size() == 1 && is_default(parts[0]))) return;
  grouping.fingerprint = std::move(parts);
}

// The fingerprint with the component's texts for {{ default }}.
Hash salted(const std::vector<std::string>& parts, const Component& component) {
  std::string text;
  for (const auto& part : parts) {
    if (is_default(part)) {
      append_contributing(component, text);
    } else {
      text += part;
    }
  }
  return relay::md5_of(text);
}

void add_components(const Variants& all, Grouping& grouping) {
  const auto& parts = grouping.fingerprint;
  const bool custom = !parts.empty() && std::ranges::none_of(parts, is_default);
  for (const auto member : members) {
    auto* root = all.*member;
    if (root == nullptr) continue;
    Variant variant{wire_name(root->part), VariantKind::component, root, std::nullopt};
    if (custom) root->exclude({Reason::fingerprint_first, 0, {}});
    if (!parts.empty() && !custom) variant.kind = VariantKind::salted_component;
    if (root->contributes) {
      variant.hash = variant.kind == VariantKind::component ? hash_of(*root) : salted(parts, *root);
    }
    grouping.variants.push_back(variant);
  }
  if (custom) grouping.variants.push_back({"custom-fingerprint", VariantKind::fingerprint, nullptr, relay::md5_of(joined(parts))});
}

}  // namespace

std::string_view wire_name(VariantKind kind) {
  switch (kind) {
    case VariantKind::component: return "component";
    case VariantKind::salted_component: return "salted-component";
    case VariantKind::fingerprint: return "custom-fingerprint";
    case VariantKind::fallback: return "fallback";
  }
  std::abort();
}

Config Config::defaults() {
  static const auto none = *FingerprintRules::make({});
  return {StackRules::defaults(), none};
}

Result<Config> Config::make(std::string_view stack_rules, std::string_view fingerprint_rules) {
  auto config = defaults();
  if (!stack_rules.empty()) {
    auto made = StackRules::make(stack_rules);
    if (!made) return made.error();
    config.stack = *std::move(made);
  }
  auto made = FingerprintRules::make(fingerprint_rules);
  if (!made) return made.error();
  config.fingerprint = *std::move(made);
  return config;
}

Grouping group(const Evidence& evidence, const Config& config, Detail detail) {
  Grouping grouping;
  grouping.config = config;
  settle_fingerprint(evidence, grouping);
  SeenStacks stacks(*config.stack, evidence.platform);
  std::string key;
  if (detail == Detail::hashes && grouping.fingerprint.empty() && !config.stack->look_at_values()) {
    key = key_of_stacks(evidence, stacks);
    auto known = key.empty() ? std::nullopt : config.stack->memory().find(key);
    if (known) {
      grouping.hashes = *std::move(known);
      return grouping;
    }
  }
  Workshop shop{grouping.arena, *config.stack, stacks, evidence, detail == Detail::explanation};
  const auto roots = roots_of(shop, detail);
  add_components(roots.variants, grouping);
  const bool found = std::ranges::any_of(grouping.variants, [](const Variant& each) { return each.hash.has_value(); });
  if (!found) grouping.variants.push_back({"fallback", VariantKind::fallback, nullptr, relay::md5_of({})});
  std::ranges::stable_partition(grouping.variants, [](const Variant& each) { return each.hash.has_value(); });
  for (const auto& variant : grouping.variants) {
    if (variant.hash) grouping.hashes.push_back(*variant.hash);
  }
  if (roots.by_stacks && !key.empty()) config.stack->memory().keep(key, grouping.hashes);
  return grouping;
}

}  // namespace picket::grouping

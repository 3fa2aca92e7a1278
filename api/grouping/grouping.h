// How an event is grouped: the hashes that find its issue, and the tree that explains them.
//
//   evidence + rules ─► fingerprint (a rule's, else the client's)
//                    └► components: exceptions, else threads, else stack … else message
//                                     app: the application's own frames    system: all frames
//                    ─► variants, each with a hash when it counts ─► hashes, the first one leading
//
// THREADS  group() from any; a Grouping may be read from anywhere while its evidence lives.
#pragma once

#include "api/grouping/component.h"
#include "api/grouping/evidence.h"
#include "api/grouping/fingerprint_rules.h"
#include "api/grouping/stack_rules.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::grouping {

// A project's rules, compiled.
struct Config {
  std::shared_ptr<const StackRules> stack;
  std::shared_ptr<const FingerprintRules> fingerprint;

  static Config defaults();
  static Result<Config> make(std::string_view stack_rules, std::string_view fingerprint_rules);
};

enum class VariantKind : std::uint8_t {
  component,         // what the tree says
  salted_component,  // that and a fingerprint with {{ default }}
  fingerprint,       // a fingerprint alone
  fallback,          // there is nothing to group by
};
std::string_view wire_name(VariantKind kind);

struct Variant {
  std::string_view name;  // "app", "system", "default", "custom-fingerprint", "fallback"
  VariantKind kind = VariantKind::component;
  const Component* root = nullptr;  // of components
  std::optional<Hash> hash;         // none: does not count
};

struct Grouping {
  std::vector<Variant> variants;  // those that count lead, app before system; of Detail::hashes perhaps none
  std::vector<Hash> hashes;       // never empty; the first one leads, any of them finds the issue
  std::vector<std::string> fingerprint;         // resolved; empty: none but the default
  std::vector<std::string> client_fingerprint;  // the client's, where a rule went over it
  std::string matched_rule;                     // of fingerprints
  std::optional<std::string> title;             // a rule's

  Arena arena;  // what the variants' trees are in
  Config config;  // what their hints point into
};

// `hashes` leaves out the variants that cannot have one because something goes before them, and gives what it
// remembers of the same stacks without any variant.
enum class Detail : std::uint8_t { hashes, explanation };
Grouping group(const Evidence& evidence, const Config& config, Detail detail);

}  // namespace picket::grouping

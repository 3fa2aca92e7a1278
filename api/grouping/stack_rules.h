// Stack trace rules: what of a stack is the application's own, and which frames tell issues apart.
//
//   family:native package:**/libfoo.so -app          frames of a library are not the application's
//   category:internals -group                        frames of a category do not count
//   [ function:main ] | module:a.b.* ^-group         … with their caller, and all newer ones
//   error.type:Timeout max-frames=3                  … of an exception: only the newest three count
//
// Rules apply in order; what a later one says of a frame goes over what an earlier one said.
//
// THREADS  Immutable but for caches of its own, behind locks: any.
#pragma once

#include "api/grouping/evidence.h"
#include "api/grouping/family.h"
#include "buffer/result.h"
#include "relay/protocol/glob.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::grouping {

using relay::Glob;
using relay::GlobKind;

enum class Subject : std::uint8_t {
  family, function, module, package, path, app, category, error_type, error_value, error_mechanism,
};

struct Matcher {
  Subject subject = Subject::function;
  bool negated = false;
  std::uint8_t families = 0;      // of `family`: a sum of Family
  std::optional<bool> wanted;     // of `app`
  std::uint16_t category = 0;     // of `category`: its number
  std::optional<Glob> glob;       // of the others
};

enum class Range : std::uint8_t { itself, newer, older };
enum class ActionKind : std::uint8_t { app, group, category, most_frames, fewest_frames, invert };
struct Action {
  ActionKind kind = ActionKind::group;
  Range range = Range::itself;
  bool on = false;           // of app, group and invert
  std::uint32_t number = 0;  // of the frame counts; of a category
};

struct StackRule {
  std::string text;  // as written, its spaces as one each
  std::vector<Matcher> matchers;
  std::optional<Matcher> caller;  // of the next older frame
  std::optional<Matcher> callee;  // of the next newer frame
  std::vector<Action> actions;
  bool sets = false;    // -app, +app, category=
  bool groups = false;  // everything else
  bool fixed = false;   // some matcher looks at what a frame is, not at what rules made of it
};

// The rules of `text`. Fault::malformed names line and column. Categories are numbered by `categories`,
// whose first entry stands for none.
Result<std::vector<StackRule>> parse_stack_rules(std::string_view text, std::vector<std::string>& categories);

struct SeenFrame;
using SeenFrames = std::vector<std::shared_ptr<const SeenFrame>>;
class FactCache;
class HashMemory;

class StackRules {
 public:
  // The default rules and then a project's; Fault::malformed says what is wrong with those.
  static Result<std::shared_ptr<const StackRules>> make(std::string_view project_rules);
  static std::shared_ptr<const StackRules> defaults();
  // Without the default rules: to check a project's, to try single ones.
  static Result<std::shared_ptr<const StackRules>> make_alone(std::string_view rules);
  ~StackRules();

  const std::vector<StackRule>& rules() const { return rules_; }
  // What a frame is, and which rules that look at this alone may match it; remembered.
  SeenFrames facts_of(std::span<const Frame> frames, std::string_view event_platform) const;
  // Rules that look at nothing fixed: any frame may match.
  const std::vector<std::uint16_t>& unfixed() const { return unfixed_; }
  // Some rule goes by an exception's value.
  bool look_at_values() const { return look_at_values_; }
  // The hashes that stacks came to under these rules.
  HashMemory& memory() const { return *memory_; }

 private:
  explicit StackRules(std::vector<StackRule> rules);

  std::vector<StackRule> rules_;
  std::vector<std::uint16_t> unfixed_;
  bool look_at_values_ = false;
  std::unique_ptr<FactCache> cache_;
  std::unique_ptr<HashMemory> memory_;
};

}  // namespace picket::grouping

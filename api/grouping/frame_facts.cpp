#include "api/grouping/frame_facts.h"

#include "api/grouping/frame_parts.h"
#include "api/grouping/function_name.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace picket::grouping {
namespace {

// A path is also looked at as if it began with a slash, so that "**/x/**" finds "x/y".
bool matches_path(const Glob& glob, const std::string& path) {
  if (path.empty()) return false;
  if (glob.matches_folded(path)) return true;
  return path.front() != '/' && glob.matches_folded('/' + path);
}

std::vector<std::uint16_t> candidates_of(const std::vector<StackRule>& rules, const FrameFacts& facts) {
  std::vector<std::uint16_t> candidates;
  for (std::size_t index = 0; index < rules.size(); ++index) {
    const auto& rule = rules[index];
    if (!rule.fixed) continue;
    const bool fulfilled = std::ranges::all_of(rule.matchers, [&](const Matcher& matcher) {
      return matcher.subject > Subject::path || facts.fulfils(matcher);
    });
    if (fulfilled) candidates.push_back(static_cast<std::uint16_t>(index));
  }
  return candidates;
}

// Fields one after the other, each behind its length: a text may hold any character.
void join(buffer::ByteWriter& key, std::initializer_list<std::string_view> fields) {
  key.clear();
  for (const auto field : fields) key.text(field);
}

std::shared_ptr<const SeenFrame> seen_frame(std::uint64_t number,
                                            std::shared_ptr<const FrameFacts> facts,
                                            const Frame& frame,
                                            std::string_view event_platform) {
  Arena arena;
  auto seen = std::make_shared<SeenFrame>();
  seen->number = number;
  auto* component = frame_component(arena, frame, event_platform, component_name(frame, *facts, event_platform));
  seen->contributes = component->contributes;
  // A rule can bring back what does not count by itself.
  component->contributes = true;
  append_contributing(*component, seen->text);
  seen->facts = std::move(facts);
  return seen;
}

}  // namespace

FrameFacts::FrameFacts(const Frame& frame, std::string_view platform)
    : module(frame.module), package(relay::path_key(frame.package)),
      path(relay::path_key(frame.abs_path.empty() ? frame.filename : frame.abs_path)), family(family_of(platform)) {
  // What a processor shortened is not shortened again.
  function = frame.raw_function.empty() ? trimmed_function(frame.function, platform) : std::string(frame.function);
}

bool FrameFacts::fulfils(const Matcher& matcher) const {
  bool met = false;
  switch (matcher.subject) {
    case Subject::family: met = (matcher.families & static_cast<std::uint8_t>(family)) != 0; break;
    case Subject::function: met = matcher.glob->matches_folded(function.empty() ? "<unknown>" : std::string_view(function)); break;
    case Subject::module: met = !module.empty() && matcher.glob->matches_folded(module); break;
    case Subject::package: met = matches_path(*matcher.glob, package); break;
    case Subject::path: met = matches_path(*matcher.glob, path); break;
    case Subject::app:
    case Subject::category:
    case Subject::error_type:
    case Subject::error_value:
    case Subject::error_mechanism: return false;
  }
  return met != matcher.negated;
}

std::string_view component_name(const Frame& frame, const FrameFacts& facts, std::string_view event_platform) {
  const auto raw = frame.raw_function.empty() ? frame.function : frame.raw_function;
  // The name of managed code is taken as it came, for it was trimmed only from some day on.
  const bool managed = platform_of(frame.platform, event_platform) == "csharp";
  return managed || facts.function.empty() ? raw : std::string_view(facts.function);
}

template <class Value>
template <class Make>
const std::shared_ptr<const Value>& FactCache::Known<Value>::of(std::string_view key, const Make& make) {
  if (const auto number = keys.find(key)) return values[*number];
  auto made = make();
  if (keys.memory_bytes() + value_bytes > most_bytes) *this = Known();
  value_bytes += 2 * key.size() + 200;
  keys.intern(key);
  return values.emplace_back(std::move(made));
}

SeenFrames FactCache::facts_of(const std::vector<StackRule>& rules,
                               std::span<const Frame> frames,
                               std::string_view event_platform) {
  SeenFrames all;
  all.reserve(frames.size());
  const std::lock_guard lock(mutex_);
  for (const auto& frame : frames) {
    const auto platform = platform_of(frame.platform, event_platform);
    join(key_, {platform, frame.function, frame.raw_function, frame.module, frame.package, frame.abs_path,
                frame.filename, frame.context_line, frame.sourcemap ? "1" : ""});
    all.push_back(seen_.of(key_.bytes(), [&] {
      buffer::ByteWriter key;
      join(key, {platform, frame.function, frame.raw_function, frame.module, frame.package,
                 frame.abs_path.empty() ? frame.filename : frame.abs_path});
      auto facts = facts_.of(key.bytes(), [&] {
        auto made = std::make_shared<FrameFacts>(frame, platform);
        made->candidates = candidates_of(rules, *made);
        return made;
      });
      return seen_frame(++last_number_, std::move(facts), frame, event_platform);
    }));
  }
  return all;
}

std::shared_ptr<const SeenFrames> SeenStacks::of(std::span<const Frame> frames) {
  for (const auto& stack : stacks_) {
    if (stack.begin == frames.data() && stack.count == frames.size()) return stack.seen;
  }
  auto seen = std::make_shared<const SeenFrames>(rules_.facts_of(frames, platform_));
  return stacks_.emplace_back(frames.data(), frames.size(), std::move(seen)).seen;
}

}  // namespace picket::grouping

#include "api/grouping/frame_facts.h"

#include "api/grouping/function_name.h"

#include <algorithm>

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

// The fields that FrameFacts is made of, told apart by a character that texts do not hold.
void append_key(std::string& key, const Frame& frame, std::string_view platform) {
  for (const auto part : {platform, frame.function, frame.raw_function, frame.module, frame.package,
                          frame.abs_path.empty() ? frame.filename : frame.abs_path}) {
    key += part;
    key += '\0';
  }
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

std::vector<std::shared_ptr<const FrameFacts>> FactCache::facts_of(const std::vector<StackRule>& rules,
                                                                   std::span<const Frame> frames,
                                                                   std::string_view event_platform) {
  std::vector<std::shared_ptr<const FrameFacts>> all;
  all.reserve(frames.size());
  std::string key;
  const std::lock_guard lock(mutex_);
  for (const auto& frame : frames) {
    const auto platform = platform_of(frame.platform, event_platform);
    key.clear();
    append_key(key, frame, platform);
    if (const auto known = known_.find(key); known != known_.end()) {
      all.push_back(known->second);
      continue;
    }
    auto facts = std::make_shared<FrameFacts>(frame, platform);
    facts->candidates = candidates_of(rules, *facts);
    const auto price = 3 * key.size() + 256;
    if (bytes_ + price > most_bytes) {
      known_.clear();
      bytes_ = 0;
    }
    bytes_ += price;
    all.push_back(facts);
    known_.emplace(key, std::move(facts));
  }
  return all;
}

}  // namespace picket::grouping

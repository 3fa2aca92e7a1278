// What rules look at in a frame, worked out once for each kind of frame and remembered: stacks repeat
// the same frames again and again.
//
// THREADS  FactCache: any, behind its lock.
#pragma once

#include "api/grouping/stack_rules.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace picket::grouping {

class FrameFacts {
 public:
  FrameFacts(const Frame& frame, std::string_view platform);

  std::string function;  // trimmed; may be empty
  std::string module;
  std::string package;  // as relay::path_key()
  std::string path;     // likewise
  Family family;
  std::vector<std::uint16_t> candidates;  // rules whose fixed matchers it fulfils

  // REQUIRES matcher.subject <= Subject::path
  bool fulfils(const Matcher& matcher) const;
};

class FactCache {
 public:
  // `frames` with the rules that each may be matched by.
  std::vector<std::shared_ptr<const FrameFacts>> facts_of(const std::vector<StackRule>& rules,
                                                          std::span<const Frame> frames,
                                                          std::string_view event_platform);

 private:
  static constexpr std::size_t most_bytes = std::size_t{4} << 20;

  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const FrameFacts>> known_;  // guarded by mutex_
  std::size_t bytes_ = 0;                                                     // guarded by mutex_
};

}  // namespace picket::grouping

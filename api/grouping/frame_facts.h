// What rules look at in a frame, and what of it counts, worked out once and remembered: stacks repeat the
// same frames again and again.
//
// THREADS  FactCache: any, behind its lock.
#pragma once

#include "api/grouping/stack_rules.h"
#include "buffer/byte_stream.h"
#include "buffer/text_table.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
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

// A frame as it stands in stacks.
struct SeenFrame {
  std::uint64_t number = 0;  // its own among all that a set of rules has ever seen
  std::shared_ptr<const FrameFacts> facts;
  std::string text;  // of frame_component(): what counts of its parts
  bool contributes = false;
};

// The name that a frame goes by in a component; a view into either.
std::string_view component_name(const Frame& frame, const FrameFacts& facts, std::string_view event_platform);

class FactCache {
 public:
  // `frames` with the rules that each may be matched by.
  SeenFrames facts_of(const std::vector<StackRule>& rules, std::span<const Frame> frames, std::string_view event_platform);

 private:
  static constexpr std::size_t most_bytes = std::size_t{4} << 20;

  // Values by the text of what they are made of; forgotten all together when they take too much.
  template <class Value>
  struct Known {
    buffer::TextTable keys;
    std::vector<std::shared_ptr<const Value>> values;
    std::size_t value_bytes = 0;

    template <class Make>
    const std::shared_ptr<const Value>& of(std::string_view key, const Make& make);
  };

  std::mutex mutex_;
  Known<FrameFacts> facts_;  // guarded by mutex_, as what follows
  Known<SeenFrame> seen_;
  std::uint64_t last_number_ = 0;
  buffer::ByteWriter key_;
};

// What is known of the frames of an event's stacks, looked up once for all who ask.
class SeenStacks {
 public:
  SeenStacks(const StackRules& rules, std::string_view event_platform) : rules_(rules), platform_(event_platform) {}

  // `frames` are the event's own: a stack is known by where it lies.
  std::shared_ptr<const SeenFrames> of(std::span<const Frame> frames);

 private:
  struct Stack {
    const Frame* begin;
    std::size_t count;
    std::shared_ptr<const SeenFrames> seen;
  };
  const StackRules& rules_;
  std::string_view platform_;
  std::vector<Stack> stacks_;
};

}  // namespace picket::grouping

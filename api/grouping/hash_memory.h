// The hashes of exceptions whose stacks decide, remembered: what happens once as a rule happens again.
//
// The key is exact, not a hash: frames by their numbers, with what a stack adds to them, and of the
// exceptions everything that a hash can depend on while their stacks count. What a value says is left out, which is
// why rules that look at values, values that stand for a stack and groups, whose members are compared, are
// not remembered.
//
// THREADS  HashMemory: any, behind its lock.
#pragma once

#include "api/grouping/component.h"
#include "api/grouping/evidence.h"
#include "api/grouping/frame_facts.h"
#include "buffer/text_table.h"

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::grouping {

// "" where something else may decide.
std::string key_of_stacks(const Evidence& evidence, SeenStacks& stacks);

class HashMemory {
 public:
  std::optional<std::vector<Hash>> find(std::string_view key);
  void keep(std::string_view key, std::span<const Hash> hashes);

 private:
  static constexpr std::size_t most_bytes = std::size_t{2} << 20;
  static constexpr std::size_t most_hashes = 2;  // of app and system

  struct Known {
    std::array<Hash, most_hashes> hashes;
    std::uint8_t count = 0;
  };
  std::mutex mutex_;
  buffer::TextTable keys_;  // guarded by mutex_, as what follows; forgotten all together when they take too much
  std::vector<Known> known_;
};

}  // namespace picket::grouping

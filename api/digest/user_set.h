// How many different users: exact while they are few, then a HyperLogLog of 4,096 registers (standard
// error 1.6 %). Sets are only added to and joined, never taken from; the order does not matter.
//
// INVARIANT  At most 4 KiB, in memory and stored.
#pragma once

#include "buffer/schema/rows.pb.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::digest {

class UserSet {
 public:
  UserSet() = default;
  explicit UserSet(const schema::UserSet& row);

  // `user` is a good 64-bit hash. True when the set has changed.
  bool add(std::uint64_t user);
  void join(const UserSet& other);
  std::uint64_t count() const;  // estimated when they are many
  schema::UserSet row() const;

 private:
  bool add_to_registers(std::uint64_t user);
  void spill();

  std::vector<std::uint64_t> exact_;  // ascending; empty once there are registers
  std::string registers_;             // empty while exact
};

// The hash of an SDK's distinct id; never 0.
std::uint64_t user_hash(std::string_view distinct_id);

}  // namespace picket::digest

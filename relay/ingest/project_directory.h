// The project directory: which project a public key belongs to, and whether both are enabled.
//
// A copy of the keys and projects of the tables, exchanged whole when they change. Only keys that
// exist are in it, so hostile keys cannot make it grow. A key that the copy refuses is looked up in
// the tables before the refusal counts: a key just created works at once, and one just disabled is
// noticed within a refresh.
//
// THREADS  All members from any thread. No lock is held across a read of the tables.
#pragma once

#include "buffer/tables.h"
#include "relay/protocol/dsn.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace picket::ingest {

struct KeyEntry {
  relay::ProjectId project = 0;
  bool key_enabled = true;
  bool project_enabled = true;
  bool usable() const { return key_enabled && project_enabled; }
};

class ProjectDirectory {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds reread_after{5'000};

  // Reads the tables once before it returns.
  explicit ProjectDirectory(const buffer::Tables& tables);

  // `known` is false when no such key (or no project of it) exists.
  struct Answer {
    bool known = false;
    KeyEntry entry;
  };
  Answer find(const relay::ProjectKey& key) const;

  // Reads everything again when meta's projects_generation has changed, or the last reading is
  // older than `reread_after` and anything at all was written since. Cheap otherwise: meant to be
  // called a few times a second.
  void refresh(Instant now);

  std::size_t size() const { return copy()->size(); }

 private:
  using Keys = std::unordered_map<std::string, KeyEntry>;  // by the 32 hex digits
  std::shared_ptr<const Keys> copy() const;
  void reread(const buffer::Snapshot& snapshot, Instant now);  // with refreshing_ held

  const buffer::Tables& tables_;
  std::mutex refreshing_;  // one refresh at a time; guards the three below
  std::uint64_t generation_ = 0;
  std::uint64_t transaction_ = 0;
  Instant read_at_{};
  mutable std::mutex mutex_;          // held for the copy of a pointer only
  std::shared_ptr<const Keys> keys_;  // guarded by mutex_
};

}  // namespace picket::ingest

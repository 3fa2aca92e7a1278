// The project directory: which project a public key belongs to, and whether both are enabled.
//
// With it, what the project has decided about its data (project_settings.h).
//
// A copy of the keys and projects of the tables, exchanged whole when they change. Only keys that
// exist are in it, so hostile keys cannot make it grow. A key that the copy refuses is looked up in
// the tables before the refusal counts: a key just created works at once, and one just disabled is
// noticed within a refresh.
//
// THREADS  All members from any thread. No lock is held across a read of the tables.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"
#include "relay/filter/quota.h"
#include "relay/ingest/project_settings.h"
#include "relay/protocol/dsn.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace picket::ingest {

struct KeyEntry {
  relay::ProjectId project = 0;
  bool key_enabled = true;
  bool project_enabled = true;
  std::shared_ptr<const ProjectSettings> settings;
  std::shared_ptr<const filter::Quota> key_quota;  // the key's own rate limit, none when it has none
  bool usable() const { return key_enabled && project_enabled; }
};

class ProjectDirectory {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds reread_after{5'000};

  // Reads the tables once before it returns.
  // `configured` quotas hold for every project, or for the one they are given for.
  struct ConfiguredQuota {
    relay::ProjectId project = 0;  // 0: all
    filter::Quota quota;
  };
  ProjectDirectory(const buffer::Tables& tables,
                   const Clock& clock,
                   std::vector<ConfiguredQuota> configured = {});

  // `known` is false when no such key (or no project of it) exists.
  struct Answer {
    bool known = false;
    KeyEntry entry;
  };
  Answer find(const relay::ProjectKey& key) const;

  // Reads everything again when meta's projects_generation has changed, or the last reading is
  // older than `reread_after` and anything at all was written since, or an hour began that spike
  // protection must measure anew. Cheap otherwise: meant to be called a few times a second.
  void refresh(Instant now);

  std::size_t size() const { return copy()->keys.size(); }

 private:
  using Settings = std::unordered_map<relay::ProjectId, std::shared_ptr<const ProjectSettings>>;
  struct Copy {
    std::unordered_map<std::string, KeyEntry> keys;  // by the 32 hex digits
    Settings settings;
  };
  std::shared_ptr<const Copy> copy() const;
  void reread(const buffer::Snapshot& snapshot, Instant now);  // with refreshing_ held
  std::optional<KeyEntry> find_entry(const buffer::Reader& reader,
                                     const schema::ProjectKey& row,
                                     const Settings& before,
                                     Settings& made) const;
  std::shared_ptr<const ProjectSettings> settings_of(const buffer::Reader& reader,
                                                     const schema::Project& project,
                                                     const Settings& before) const;

  const buffer::Tables& tables_;
  const Clock& clock_;
  const std::vector<ConfiguredQuota> configured_;
  std::mutex refreshing_;  // one refresh at a time; guards those up to the next mutex
  std::uint64_t generation_ = 0;
  std::uint64_t transaction_ = 0;
  Instant read_at_{};
  std::int64_t hour_ = 0;        // since the epoch, of the last reading
  bool spike_protected_ = false;  // any project is
  mutable std::mutex mutex_;          // held for the copy of a pointer only
  std::shared_ptr<const Copy> copy_;  // guarded by mutex_
};

}  // namespace picket::ingest

// Which binary ran when, and whether it may be exchanged: two small files in the data folder, which
// etc/upgrade.sh reads and writes as well.
//
//   versions      a line for each: time, what, version, schema, checksum of the binary, words; by tabs
//   version.lock  there: the binary is not to be exchanged; the same fields
//
// `what` is one of started, upgrading, upgraded, rolled-back, rollback-failed, locked, unlocked.
//
// THREADS  Any; a line is written at once.
#pragma once

#include "buffer/clock.h"
#include "buffer/command.h"
#include "buffer/result.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {

struct VersionEntry {
  std::string at;      // RFC 3339, UTC
  std::string what;
  std::string version;
  std::string schema;  // digits
  std::string binary;  // CRC-32C of the executable, 8 hex digits: two builds may have one version
  std::string words;   // a reason, for people
};

// Oldest first; lines that are none (cut short by a power cut) are passed over.
std::vector<VersionEntry> read_version_history(const std::filesystem::path& storage);
std::optional<VersionEntry> read_version_lock(const std::filesystem::path& storage);

// This binary, as of now. Control characters in `words` become spaces.
VersionEntry this_version(std::string_view what, std::string_view words, Time now);

// Appends durably; keeps the last thousand entries or so.
Result<void> note_version(const std::filesystem::path& storage, const VersionEntry& entry);

// Made and taken away durably, and noted in the history.
Result<void> lock_version(const std::filesystem::path& storage, const VersionEntry& entry);
Result<void> unlock_version(const std::filesystem::path& storage, const VersionEntry& entry);

// For `serve`: notes "started" when another binary started last, and warns in the log when the folder is
// locked to another binary. What cannot be noted is a warning and no reason not to serve.
void note_start(const std::filesystem::path& storage, Time now);

// `picket version`, `version history`, `version lock`, `version unlock`.
std::vector<Command> version_commands();

}  // namespace picket::buffer

// Copies of a data folder: made while Picket serves, checked when they are put back.
//
//   TARGET/tables.mdb   TARGET/journal/…   TARGET/backup: what there is, written last
//
// INVARIANT  The copy's journal holds every record that the copy's cursors have yet to read and that the
//            journal held when the copying began: segments are held open before the tables are copied.
// INVARIANT  A copy without its list, or with files that differ from it, is not restored.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {

using Progress = std::function<void(const std::string& words)>;

struct JournalCheck {
  std::uint64_t records = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t damaged = 0;
  std::vector<Sequence> first_damaged{};  // at most a hundred
  Sequence first = 0;                   // as JournalUse
  Sequence next = 0;
};
// Reads every record and checks its checksum.
Result<JournalCheck> check_journal(const Journal& journal, const Progress& progress);

struct BackupCounts {
  std::uint64_t table_bytes = 0;
  std::uint64_t segments = 0;
  std::uint64_t journal_bytes = 0;
};
// `target` must not exist or be empty. Nothing is left of a copy that failed.
Result<BackupCounts> back_up(const std::filesystem::path& storage,
                             const std::filesystem::path& target,
                             const Progress& progress);

struct RestoreCounts {
  std::uint64_t tables = 0;
  std::uint64_t rows = 0;
  std::uint64_t segments = 0;
  JournalCheck journal;
};
// `storage` must not exist or be empty. Damaged records are restored and counted; a copy that is not
// complete, or whose tables are damaged or too new, is refused and nothing is left of it.
Result<RestoreCounts> restore(const std::filesystem::path& source,
                              const std::filesystem::path& storage,
                              const Clock& clock,
                              const Progress& progress);

}  // namespace picket::buffer

// Repairs a journal that nobody serves: what would stop a reader is set aside whole, and said.
#pragma once

#include "buffer/backup.h"
#include "buffer/segment_scan.h"

#include <filesystem>
#include <string>
#include <vector>

namespace picket::buffer {

struct SetAside {
  std::filesystem::path file;  // as it is named now: *.damaged
  std::string reason;
  ScanRange range;             // what it held at most; `end` of the newest segment is not known
  ScanCounts readable;         // what an export of the file can still give
};

struct RepairReport {
  std::vector<SetAside> set_aside;     // by this repair
  std::vector<SetAside> before;        // by earlier ones, or while serving
  std::vector<std::string> went_back;  // files that are again as they were before their last commit
  JournalCheck check;                  // of what stays; its damaged records stay where they are and are passed over
};

// REQUIRES: nobody serves the folder; the caller holds its StorageLock.
Result<RepairReport> repair_journal(const std::filesystem::path& storage, const Clock& clock, const Progress& progress);

// What a segment's file, set aside or not, can hold: from its name and those of its neighbours. All
// sequences when it has no segment's name.
Result<ScanRange> range_of_segment(const std::filesystem::path& file);

}  // namespace picket::buffer

// The [storage] section of the configuration.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/settings.h"
#include "buffer/spool.h"
#include "buffer/tables.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace picket::buffer {

struct StorageConfig {
  // The folder of everything that lasts: tables.mdb, journal/, token.
  std::string path = "/var/lib/picket";
  // Of the journal: it takes no more than this from the disk, in segments that are recycled whole.
  // Events can be read and sent again while they are in it.
  std::uint64_t journal_max_bytes = std::uint64_t{10} << 30;
  // The unit in which the journal grows and is recycled; at most a quarter of the above is used.
  // Larger: fewer files; smaller: finer steps.
  std::uint64_t segment_bytes = std::uint64_t{256} << 20;
  // How long a record is kept at most, read or unread.
  Duration retention = std::chrono::hours(24 * 90);
  // What to do when the journal is full of records that a consumer has not read yet:
  // "refuse" new ones, or "drop_oldest".
  std::string when_full = "refuse";
  // Memory for records that wait for the disk; beyond it intake answers 503.
  std::uint64_t queue_bytes = std::uint64_t{64} << 20;
  // Disk for large bodies while they are received, worked on and sent, beside the journal. Price of
  // less: 503 for large bodies when several come at once.
  std::uint64_t spool_max_bytes = std::uint64_t{4} << 30;
  // Intake refuses when the file system has less than this left, so that the tables can still be written.
  std::uint64_t disk_reserve_bytes = std::uint64_t{256} << 20;
  // With less room than this, in the journal's budget or on the disk above its reserve, what is worth
  // least is refused ([ingest] low_value). At most a quarter of journal_max_bytes. 0: never.
  std::uint64_t low_room_bytes = std::uint64_t{1} << 30;
  // Idle time makes segments that are no longer written half as large. Price: up to 0.3 ms of an idle processor for
  // each event; versions older than this one refuse the data from then on. Off until it has run for long.
  bool recompress = false;
  // When the youngest record of a segment is as old as this; and the first time not before Picket has run as long,
  // so that a version can be taken back that turns out to be bad.
  Duration recompress_after = std::chrono::hours(1);
};

void bind(Settings& settings, StorageConfig& config);

enum class WhenFull { refuse, drop_oldest };
Result<WhenFull> parse_when_full(std::string_view text);

// What bounds alone cannot say: the words of when_full.
Result<void> check(const StorageConfig& config);

SpoolOptions spool_options(const StorageConfig& config);
JournalOptions journal_options(const StorageConfig& config);
TablesOptions tables_options(const StorageConfig& config);

}  // namespace picket::buffer

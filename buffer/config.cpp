#include "buffer/config.h"

namespace picket::buffer {

void bind(Settings& settings, StorageConfig& config) {
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
  constexpr std::uint64_t most = std::uint64_t{1} << 50;
  settings.text("path", config.path);
  settings.bytes("journal_max_bytes", config.journal_max_bytes, 4 * mebibyte, most);
  settings.bytes("segment_bytes", config.segment_bytes, mebibyte, 16384 * mebibyte);
  settings.duration("retention", config.retention, std::chrono::minutes(1),
                    std::chrono::hours(24 * 3650));
  settings.text("when_full", config.when_full);
  settings.bytes("queue_bytes", config.queue_bytes, mebibyte, 65536 * mebibyte);
  settings.bytes("spool_max_bytes", config.spool_max_bytes, 16 * mebibyte, most);
  settings.bytes("disk_reserve_bytes", config.disk_reserve_bytes, 0, most);
  settings.bytes("low_room_bytes", config.low_room_bytes, 0, most);
  settings.flag("recompress", config.recompress);
  settings.duration("recompress_after", config.recompress_after, Duration(0), std::chrono::hours(24 * 3650));
}

Result<WhenFull> parse_when_full(std::string_view text) {
  if (text == "refuse") return WhenFull::refuse;
  if (text == "drop_oldest") return WhenFull::drop_oldest;
  return Error{Fault::malformed,
               "storage.when_full is \"" + std::string(text) + "\"; it can be \"refuse\" or \"drop_oldest\""};
}

Result<void> check(const StorageConfig& config) {
  const auto words = parse_when_full(config.when_full);
  return words ? Result<void>() : Result<void>(words.error());
}

SpoolOptions spool_options(const StorageConfig& config) {
  SpoolOptions options;
  options.folder = std::filesystem::path(config.path) / "spool";
  options.max_bytes = config.spool_max_bytes;
  options.disk_reserve_bytes = config.disk_reserve_bytes;
  return options;
}

JournalOptions journal_options(const StorageConfig& config) {
  JournalOptions options;
  options.folder = std::filesystem::path(config.path) / "journal";
  options.segment_bytes = config.segment_bytes;
  options.max_bytes = config.journal_max_bytes;
  options.queue_bytes = config.queue_bytes;
  options.disk_reserve_bytes = config.disk_reserve_bytes;
  options.low_room_bytes = config.low_room_bytes;
  return options;
}

TablesOptions tables_options(const StorageConfig& config) {
  TablesOptions options;
  constexpr std::uint64_t for_deletes_and_cursors = std::uint64_t{4} << 20;
  options.path = std::filesystem::path(config.path) / "tables.mdb";
  options.reserve_bytes = config.disk_reserve_bytes == 0 ? 0 : for_deletes_and_cursors;
  options.least_free_bytes = config.disk_reserve_bytes / 4;
  return options;
}

}  // namespace picket::buffer

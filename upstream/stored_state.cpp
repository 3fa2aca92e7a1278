#include "upstream/stored_state.h"

#include "buffer/rows.h"
#include "buffer/schema_number.h"

#include <filesystem>

namespace picket::upstream {

std::optional<StoredState> open_stored(CommandLine& line) {
  const auto path = line.storage / "tables.mdb";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    line.err << "picket: there is no Picket data in " << line.storage.string()
             << "; name its folder with --storage DIR, or make one with `picket init`\n";
    return std::nullopt;
  }
  StoredState stored;
  auto tables = buffer::Tables::open({.path = path});
  if (!tables) {
    line.err << "picket: " << tables.error().detail << "\n";
    return std::nullopt;
  }
  if (const auto readable = buffer::check_schema_readable(**tables); !readable) {
    line.err << "picket: " << readable.error().detail << "\n";
    return std::nullopt;
  }
  stored.tables = *std::move(tables);
  static const SystemClock clock;
  buffer::JournalOptions options;
  options.folder = line.storage / "journal";
  options.read_only = true;
  if (auto journal = buffer::Journal::open(options, clock)) stored.journal = *std::move(journal);
  return stored;
}

bool require_destination(CommandLine& line, const StoredState& stored, const std::string& name) {
  const auto snapshot = stored.tables->snapshot();
  if (snapshot.get(buffer::Table::destinations, name)) return true;
  line.err << "picket: there is no destination called " << name << "; there are:";
  auto cursor = snapshot.cursor(buffer::Table::destinations);
  bool any = false;
  for (bool there = cursor.first(); there; there = cursor.next()) {
    line.err << ' ' << cursor.key();
    any = true;
  }
  line.err << (any ? "\n" : " none (add an [[upstream]] section and start Picket)\n");
  return false;
}

bool change_destination(CommandLine& line,
                        const StoredState& stored,
                        const std::string& name,
                        const std::function<void(schema::Destination&)>& change) {
  const auto written = stored.tables->write([&](buffer::Batch& batch) {
    auto row = buffer::find_row<schema::Destination>(batch, buffer::Table::destinations, name)
                   .value_or(schema::Destination());
    row.set_name(name);
    change(row);
    buffer::put_row(batch, buffer::Table::destinations, name, row);
  });
  if (!written) line.err << "picket: " << written.error().detail << "\n";
  return static_cast<bool>(written);
}

std::string render_age(const std::optional<Time>& time, Time now) {
  if (!time) return "-";
  const auto seconds = (now > *time ? now - *time : Duration(0)).count() / 1'000;
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 7'200) return std::to_string(seconds / 60) + "m";
  if (seconds < 172'800) return std::to_string(seconds / 3'600) + "h";
  return std::to_string(seconds / 86'400) + "d";
}

}  // namespace picket::upstream

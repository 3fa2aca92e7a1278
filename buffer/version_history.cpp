#include "buffer/version_history.h"

#include "buffer/crc32c.h"
#include "buffer/descriptor.h"
#include "buffer/logger.h"
#include "buffer/schema_number.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <sstream>

namespace picket::buffer {
namespace {

constexpr std::string_view history_name = "versions";
constexpr std::string_view lock_name = "version.lock";
constexpr std::uintmax_t most_history_bytes = 256 * 1024;
constexpr std::size_t kept_entries = 1000;

std::string render_utc(Time time) {
  const std::time_t seconds = static_cast<std::time_t>(to_ms(time) / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string checksum_of_this_binary() {
  const auto file = Descriptor::open("/proc/self/exe", O_RDONLY);
  if (!file) return "-";
  const auto bytes = file->size();
  if (!bytes) return "-";
  std::uint32_t checksum = 0;
  constexpr std::uint64_t step = std::uint64_t{1} << 20;
  for (std::uint64_t at = 0; at < *bytes; at += step) {
    const auto piece = file->read_at(at, std::min(step, *bytes - at));
    if (!piece) return "-";
    checksum = crc32c(*piece, checksum);
  }
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%08x", checksum);
  return text.data();
}

std::string render_entry(const VersionEntry& entry) {
  std::string line;
  for (const auto* const field : {&entry.at, &entry.what, &entry.version, &entry.schema, &entry.binary}) line.append(*field).append("\t");
  return line.append(entry.words).append("\n");
}

std::optional<VersionEntry> parse_entry(const std::string& line) {
  VersionEntry entry;
  std::istringstream fields(line);
  for (auto* const field : {&entry.at, &entry.what, &entry.version, &entry.schema, &entry.binary}) {
    if (!std::getline(fields, *field, '\t') || field->empty()) return std::nullopt;
  }
  std::getline(fields, entry.words);
  return entry;
}

Result<void> append_line(const std::filesystem::path& path, std::string line) {
  const auto file = Descriptor::open(path, O_RDWR | O_CREAT | O_APPEND, 0640);
  if (!file) return file.error();
  const auto bytes = file->size();
  if (!bytes) return bytes.error();
  if (*bytes > 0) {
    const auto last = file->read_at(*bytes - 1, 1);
    if (last && *last != "\n") line.insert(0, "\n");  // an entry that was cut short stays one of its own
  }
  if (::write(file->number(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) return file_error("write", path);
  return file->sync();
}

Result<void> write_whole(const std::filesystem::path& path, const std::string& text) {
  auto fresh = path;
  fresh += ".new";
  {
    const auto file = Descriptor::open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    if (!file) return file.error();
    if (auto written = file->write_at(text, 0); !written) return written;
    if (auto synced = file->sync(); !synced) return synced;
  }
  return rename_durably(fresh, path);
}

}  // namespace

std::vector<VersionEntry> read_version_history(const std::filesystem::path& storage) {
  std::vector<VersionEntry> entries;
  std::ifstream file(storage / history_name);
  for (std::string line; std::getline(file, line);) {
    if (auto entry = parse_entry(line)) entries.push_back(*std::move(entry));
  }
  return entries;
}

std::optional<VersionEntry> read_version_lock(const std::filesystem::path& storage) {
  std::error_code failed;
  const auto path = storage / lock_name;
  if (!std::filesystem::exists(path, failed)) return std::nullopt;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  // Whoever has made the file by hand means it, whatever it says.
  return parse_entry(line).value_or(VersionEntry{.at = "-", .what = "locked", .version = "-", .schema = "-", .binary = "-", .words = line});
}

VersionEntry this_version(std::string_view what, std::string_view words, Time now) {
  std::string plain;
  for (const char c : words) plain += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return {.at = render_utc(now), .what = std::string(what), .version = PICKET_VERSION, .schema = std::to_string(schema_number), .binary = checksum_of_this_binary(), .words = plain};
}

Result<void> note_version(const std::filesystem::path& storage, const VersionEntry& entry) {
  const auto path = storage / history_name;
  std::error_code failed;
  if (std::filesystem::file_size(path, failed) > most_history_bytes && !failed) {
    const auto entries = read_version_history(storage);
    std::string text;
    for (auto kept = entries.end() - static_cast<std::ptrdiff_t>(std::min(kept_entries, entries.size())); kept != entries.end(); ++kept) text += render_entry(*kept);
    if (auto written = write_whole(path, text); !written) return written;
  }
  return append_line(path, render_entry(entry));
}

void note_start(const std::filesystem::path& storage, Time now) {
  const auto ours = this_version("started", "", now);
  if (const auto lock = read_version_lock(storage); lock && (lock->version != ours.version || lock->binary != ours.binary)) {
    log(Level::warning, "picket", "the version is locked to another binary", {{"locked", lock->version + " " + lock->binary}, {"ours", ours.version + " " + ours.binary}, {"reason", lock->words}});
  }
  const auto entries = read_version_history(storage);
  const auto last = std::find_if(entries.rbegin(), entries.rend(), [](const VersionEntry& entry) { return entry.what == "started"; });
  if (last != entries.rend() && last->version == ours.version && last->binary == ours.binary) return;
  if (const auto noted = note_version(storage, ours); !noted) {
    log(Level::warning, "picket", "the start is not in the version history", {{"reason", noted.error().detail}});
  }
}

Result<void> lock_version(const std::filesystem::path& storage, const VersionEntry& entry) {
  if (auto written = write_whole(storage / lock_name, render_entry(entry)); !written) return written;
  return note_version(storage, entry);
}

Result<void> unlock_version(const std::filesystem::path& storage, const VersionEntry& entry) {
  std::error_code failed;
  std::filesystem::remove(storage / lock_name, failed);
  if (failed) return Error{Fault::unavailable, "remove " + (storage / lock_name).string() + ": " + failed.message()};
  if (auto synced = sync_folder(storage); !synced) return synced;
  return note_version(storage, entry);
}

}  // namespace picket::buffer

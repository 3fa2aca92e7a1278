#include "buffer/backup.h"

#include "buffer/descriptor.h"
#include "buffer/env.h"
#include "buffer/file_check.h"
#include "buffer/schema_number.h"
#include "buffer/segment_folder.h"
#include "buffer/tables.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <sstream>

namespace picket::buffer {
namespace {

constexpr std::string_view list_name = "backup";
constexpr std::string_view list_title = "picket backup 1";
constexpr std::size_t copy_step = std::size_t{1} << 20;
constexpr std::uint64_t tables_map_bytes = std::uint64_t{256} << 30;

bool holds_nothing(const std::filesystem::path& folder) {
  std::error_code failed;
  return !std::filesystem::exists(folder) || std::filesystem::is_empty(folder, failed);
}

Result<void> make_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return Error{Fault::unavailable, "make folder " + folder.string() + ": " + failed.message()};
  ::chmod(folder.c_str(), 0700);
  return {};
}

// Copies the first `bytes`, then syncs.
Result<void> copy_bytes(const Descriptor& from, const std::filesystem::path& to, std::uint64_t bytes) {
  const auto out = Descriptor::open(to, O_WRONLY | O_CREAT | O_EXCL, 0640);
  if (!out) return out.error();
  for (std::uint64_t at = 0; at < bytes;) {
    const auto step = std::min<std::uint64_t>(copy_step, bytes - at);
    const auto piece = from.read_at(at, step);
    if (!piece) return piece.error();
    if (auto written = out->write_at(*piece, at); !written) return written;
    at += step;
  }
  return out->sync();
}

Result<std::uint64_t> sync_file(const std::filesystem::path& path) {
  const auto file = Descriptor::open(path, O_RDONLY);
  if (!file) return file.error();
  if (auto synced = file->sync(); !synced) return synced.error();
  return file->size();
}

// LMDB's own copying: consistent while another process writes.
Result<std::uint64_t> copy_living(const std::filesystem::path& from,
                                  const std::filesystem::path& to,
                                  std::uint64_t map_bytes) {
  auto lock = from;
  lock += "-lock";
  const auto env = Env::open({.path = from,
                              .map_bytes = map_bytes,
                              .tables = 1,
                              .read_only = true,
                              .no_lock = !std::filesystem::exists(lock)});
  if (!env) return env.error();
  if (auto copied = env->copy_to(to); !copied) return copied.error();
  return sync_file(to);
}

bool same_file(const Descriptor& file, const std::filesystem::path& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(file.number(), &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

class JournalCopy {
 public:
  explicit JournalCopy(std::unique_ptr<SegmentFolder> folder) : folder_(std::move(folder)) {}

  // Holds all segments that are there now, so that recycling cannot take them away.
  Result<void> pin() {
    const auto names = folder_->segments();
    if (!names) return names.error();
    for (const auto name : *names) {
      if (held_.contains(name)) continue;
      auto file = Descriptor::open(folder_->path_of(name), O_RDONLY);
      if (file) {
        held_.emplace(name, *std::move(file));
      } else if (file.error().fault != Fault::not_found) {
        return file.error();
      }
    }
    return {};
  }

  Result<void> copy_to(const std::filesystem::path& target, const Progress& progress) {
    for (const auto& [name, file] : held_) {
      const auto to = target / render_segment_name(name);
      const auto bytes = name == held_.rbegin()->first ? copy_newest(name, file, to) : copy_sealed(file, to);
      if (!bytes) return bytes.error();
      sizes_[render_segment_name(name)] = *bytes;
      progress("copied segment " + std::to_string(sizes_.size()) + " of " + std::to_string(held_.size()));
    }
    return sync_folder(target);
  }
  const std::map<std::string, std::uint64_t>& sizes() const { return sizes_; }

 private:
  Result<std::uint64_t> copy_newest(BlockKey name,
                                    const Descriptor& file,
                                    const std::filesystem::path& to) const {
    const auto size = file.size();
    if (!size) return size.error();
    // Another file in its place means that it was sealed and rewritten since the tables were copied.
    if (!same_file(file, folder_->path_of(name))) return copy_sealed(file, to);
    auto living = copy_living(folder_->path_of(name), to, *size);
    // Gone means that it is sealed by now, and recycled even; what is held does not change any more.
    if (!living && !std::filesystem::exists(folder_->path_of(name))) return copy_sealed(file, to);
    return living;
  }

  static Result<std::uint64_t> copy_sealed(const Descriptor& file, const std::filesystem::path& to) {
    const auto use = inspect_file("/proc/self/fd/" + std::to_string(file.number()));
    if (!use) return use.error();
    if (auto copied = copy_bytes(file, to, use->used_bytes); !copied) return copied.error();
    return use->used_bytes;
  }

  std::unique_ptr<SegmentFolder> folder_;
  std::map<BlockKey, Descriptor> held_;
  std::map<std::string, std::uint64_t> sizes_;  // of the copies
};

Result<BackupCounts> copy_all(const std::filesystem::path& storage,
                              const std::filesystem::path& target,
                              const Progress& progress) {
  auto folder = SegmentFolder::open({.path = storage / "journal", .read_only = true});
  if (!folder) return folder.error();
  if (auto made = make_folder(target / "journal"); !made) return made.error();
  JournalCopy journal(*std::move(folder));
  if (auto pinned = journal.pin(); !pinned) return pinned.error();
  progress("copying tables");
  const auto tables = copy_living(storage / "tables.mdb", target / "tables.mdb", tables_map_bytes);
  if (!tables) return tables.error();
  if (auto pinned = journal.pin(); !pinned) return pinned.error();
  if (auto copied = journal.copy_to(target / "journal", progress); !copied) return copied.error();
  BackupCounts counts{.table_bytes = *tables, .segments = journal.sizes().size()};
  std::string list = std::string(list_title) + "\nversion " PICKET_VERSION "\nfile tables.mdb " +
                     std::to_string(*tables) + "\n";
  for (const auto& [name, bytes] : journal.sizes()) {
    list += "file journal/" + name + " " + std::to_string(bytes) + "\n";
    counts.journal_bytes += bytes;
  }
  list += "complete\n";
  const auto file = Descriptor::open(target / list_name, O_WRONLY | O_CREAT | O_EXCL, 0640);
  if (!file) return file.error();
  if (auto written = file->write_at(list, 0); !written) return written.error();
  if (auto synced = file->sync(); !synced) return synced.error();
  if (auto synced = sync_folder(target); !synced) return synced.error();
  return counts;
}

// Removes what a failed copy has put into a folder that was empty before.
void clear(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const auto* const name : {"tables.mdb", "tables.mdb-lock", "journal", "backup"}) {
    std::filesystem::remove_all(folder / name, ignored);
  }
}

// The files of a complete copy, with their sizes; the list itself is not among them.
Result<std::map<std::string, std::uint64_t>> read_list(const std::filesystem::path& source) {
  const auto no_backup = [&](std::string_view why) {
    return Error{Fault::malformed, source.string() + " is not a complete backup: " + std::string(why)};
  };
  std::ifstream in(source / list_name);
  std::string line;
  if (!std::getline(in, line) || line != list_title) return no_backup("it has no file `backup`");
  std::map<std::string, std::uint64_t> files;
  bool complete = false;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string kind;
    std::string name;
    std::uint64_t bytes = 0;
    words >> kind;
    complete = kind == "complete";
    if (kind != "file") continue;
    if (!(words >> name >> bytes)) return no_backup("its list is broken");
    const bool segment = name.starts_with("journal/") && parse_segment_name(name.substr(8));
    if (!segment && name != "tables.mdb") return no_backup("its list names " + name);
    std::error_code missing;
    if (std::filesystem::file_size(source / name, missing) != bytes || missing) {
      return no_backup(name + " is missing or of another size");
    }
    files[name] = bytes;
  }
  if (!complete || !files.contains("tables.mdb")) return no_backup("its list is cut short");
  return files;
}

Result<void> count_rows(const std::filesystem::path& path, RestoreCounts& counts) {
  if (auto checked = check_file(path); !checked) return checked.error();
  auto env = Env::open({.path = path,
                        .map_bytes = tables_map_bytes,
                        .tables = 256,
                        .read_only = true,
                        .no_lock = true});
  if (!env) return env.error();
  const auto root = env->open_table("");
  if (!root) return root.error();
  std::vector<std::string> names;
  {
    const auto txn = ReadTxn::begin(*env);
    if (!txn) return txn.error();
    auto cursor = txn->cursor(*root);
    for (bool there = cursor.first(); there; there = cursor.next()) names.emplace_back(cursor.key());
  }
  for (const auto& name : names) {
    const auto table = env->open_table(name);
    if (!table) return table.error();
    const auto txn = ReadTxn::begin(*env);
    if (!txn) return txn.error();
    counts.rows += txn->entries(*table);
  }
  counts.tables = names.size();
  return {};
}

Result<RestoreCounts> restore_all(const std::filesystem::path& source,
                                  const std::filesystem::path& storage,
                                  const Clock& clock,
                                  const Progress& progress) {
  const auto files = read_list(source);
  if (!files) return files.error();
  if (auto made = make_folder(storage / "journal"); !made) return made.error();
  RestoreCounts counts;
  for (const auto& [name, bytes] : *files) {
    const auto from = Descriptor::open(source / name, O_RDONLY);
    if (!from) return from.error();
    if (auto copied = copy_bytes(*from, storage / name, bytes); !copied) return copied.error();
    progress("copied " + name);
  }
  counts.segments = files->size() - 1;
  if (auto synced = sync_folder(storage / "journal"); !synced) return synced.error();
  if (auto synced = sync_folder(storage); !synced) return synced.error();
  progress("checking tables");
  if (auto counted = count_rows(storage / "tables.mdb", counts); !counted) return counted.error();
  {
    const auto tables = Tables::open({.path = storage / "tables.mdb"});
    if (!tables) return tables.error();
    if (auto readable = check_schema_readable(**tables); !readable) return readable.error();
  }
  std::error_code ignored;
  std::filesystem::remove(storage / "tables.mdb-lock", ignored);
  const auto journal = Journal::open({.folder = storage / "journal", .read_only = true}, clock);
  if (!journal) return journal.error();
  auto checked = check_journal(**journal, progress);
  if (!checked) return checked.error();
  counts.journal = *std::move(checked);
  return counts;
}

}  // namespace

Result<JournalCheck> check_journal(const Journal& journal, const Progress& progress) {
  const auto use = journal.use();
  JournalCheck check{.first = use.first, .next = use.next};
  auto said = std::chrono::steady_clock::now();
  for (Sequence from = use.first; from < use.next;) {
    const auto batch = journal.read(from, std::size_t{8} << 20, 100'000);
    if (!batch) return batch.error();
    check.records += batch->records.size();
    check.damaged += batch->damaged.size();
    for (const auto& record : batch->records) check.body_bytes += record.body.size();
    for (const auto sequence : batch->damaged) {
      if (check.first_damaged.size() < 100) check.first_damaged.push_back(sequence);
    }
    if (batch->next <= from) break;
    from = batch->next;
    const auto now = std::chrono::steady_clock::now();
    if (now - said >= std::chrono::seconds(1)) {
      progress("checked up to record " + std::to_string(from - 1) + " of " + std::to_string(use.next - 1));
      said = now;
    }
  }
  return check;
}

Result<BackupCounts> back_up(const std::filesystem::path& storage,
                             const std::filesystem::path& target,
                             const Progress& progress) {
  if (!std::filesystem::exists(storage / "tables.mdb")) {
    return Error{Fault::not_found, "no data of Picket in " + storage.string() + "; name its folder with --storage"};
  }
  if (!holds_nothing(target)) {
    return Error{Fault::malformed, target.string() + " is not an empty folder; name a new one"};
  }
  auto counts = copy_all(storage, target, progress);
  if (!counts) clear(target);
  return counts;
}

Result<RestoreCounts> restore(const std::filesystem::path& source,
                              const std::filesystem::path& storage,
                              const Clock& clock,
                              const Progress& progress) {
  if (!holds_nothing(storage)) {
    return Error{Fault::malformed, storage.string() + " is not an empty folder; restore into a new one"};
  }
  auto counts = restore_all(source, storage, clock, progress);
  if (!counts) clear(storage);
  return counts;
}

}  // namespace picket::buffer

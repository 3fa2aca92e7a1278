#include "buffer/segment_folder.h"

#include "buffer/env.h"
#include "buffer/logger.h"
#include "buffer/segment_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace picket::buffer {
namespace {

constexpr std::size_t most_free_files = 2;
constexpr std::uint64_t first_segment_bytes = std::uint64_t{8} << 20;
constexpr std::string_view suffix = ".mdb";

bool is_free(const std::string& name) {
  return name.starts_with("free-") && name.ends_with(suffix);
}

bool is_orphaned_lock(const std::filesystem::path& path) {
  auto name = path.string();
  if (!name.ends_with(".mdb-lock")) return false;
  name.resize(name.size() - std::string_view("-lock").size());
  return !std::filesystem::exists(name);
}

}  // namespace

Result<std::vector<std::filesystem::path>> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code failed;
  auto entry = std::filesystem::directory_iterator(folder, failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    files.push_back(entry->path());
  }
  if (failed) return Error{Fault::unavailable, "list " + folder.string() + ": " + failed.message()};
  return files;
}

std::string render_segment_name(BlockKey first) {
  std::array<char, 40> name{};
  const int bytes = std::snprintf(name.data(), name.size(), "%020llu.%05u.mdb",
                                  static_cast<unsigned long long>(first.first), first.part);
  return {name.data(), static_cast<std::size_t>(bytes)};
}

std::optional<BlockKey> parse_segment_name(std::string_view file_name) {
  BlockKey key;
  const char* const end = file_name.data() + file_name.size();
  const auto first = std::from_chars(file_name.data(), end, key.first);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return std::nullopt;
  const auto part = std::from_chars(first.ptr + 1, end, key.part);
  if (part.ec != std::errc() || render_segment_name(key) != file_name) return std::nullopt;
  return key;
}

SegmentFolder::SegmentFolder(SegmentFolderOptions options, Descriptor writer, Descriptor readers)
    : options_(std::move(options)),
      writer_(std::move(writer)),
      readers_(std::move(readers)),
      disk_(options_.path, options_.disk_free) {}

SegmentFolder::~SegmentFolder() = default;

Result<std::unique_ptr<SegmentFolder>> SegmentFolder::open(const SegmentFolderOptions& options) {
  const auto readers_path = options.path / "readers.lock";
  if (options.read_only) {
    if (!std::filesystem::is_directory(options.path)) {
      return Error{Fault::not_found, "no journal in " + options.path.string()};
    }
    // Without the file no writer has ever been here.
    auto readers = Descriptor::open(readers_path, O_RDONLY);
    if (readers) readers->lock(Descriptor::Lock::shared, true);
    std::unique_ptr<SegmentFolder> folder(
        new SegmentFolder(options, Descriptor(), readers ? *std::move(readers) : Descriptor()));
    if (auto counted = folder->count_bytes(); !counted) return counted.error();
    return folder;
  }
  std::error_code failed;
  std::filesystem::create_directories(options.path, failed);
  if (failed) {
    return Error{Fault::unavailable, "make folder " + options.path.string() + ": " + failed.message()};
  }
  auto writer = Descriptor::open(options.path / "writer.lock", O_RDWR | O_CREAT);
  if (!writer) return writer.error();
  if (!writer->lock(Descriptor::Lock::exclusive, false)) {
    return Error{Fault::unavailable, "another Picket is writing to " + options.path.string()};
  }
  auto readers = Descriptor::open(readers_path, O_RDWR | O_CREAT);
  if (!readers) return readers.error();
  std::unique_ptr<SegmentFolder> folder(
      new SegmentFolder(options, *std::move(writer), *std::move(readers)));
  if (auto counted = folder->count_bytes(); !counted) return counted.error();
  if (auto cleaned = folder->clean_up(); !cleaned) return cleaned.error();
  auto* const raw = folder.get();
  folder->preparer_ = std::jthread([raw](const std::stop_token& stop) { raw->prepare(stop); });
  return folder;
}

Result<void> SegmentFolder::count_bytes() {
  const auto files = files_in(options_.path);
  if (!files) return files.error();
  for (const auto& path : *files) bytes_ += size_of(path);
  return {};
}

Result<void> SegmentFolder::clean_up() {
  const auto files = files_in(options_.path);
  if (!files) return files.error();
  for (const auto& path : *files) {
    const auto name = path.filename().string();
    if (is_free(name)) {
      if (size_of(path) == options_.segment_bytes && free_.size() < most_free_files &&
          bytes_ <= options_.max_bytes) {
        free_.push_back(path);
      } else {
        remove(path);
      }
      std::uint64_t number = 0;
      std::from_chars(name.data() + 5, name.data() + name.size(), number);
      if (number < (std::uint64_t{1} << 60)) next_number_ = std::max(next_number_.load(), number + 1);
    } else if (name.ends_with(".tmp") || name.ends_with(".tmp-lock") || is_orphaned_lock(path)) {
      remove(path);
    }
  }
  return make_template();
}

// LMDB itself makes the two pages that every empty segment starts with.
Result<void> SegmentFolder::make_template() {
  const auto path = options_.path / "new-0.tmp";
  std::uint64_t page_bytes = 0;
  {
    auto env = Env::open({.path = path, .map_bytes = std::size_t{1} << 20});
    if (!env) return env.error();
    page_bytes = env->use().page_bytes;
  }
  const auto file = Descriptor::open(path, O_RDONLY);
  if (!file) return file.error();
  auto pages = file->read_at(0, 2 * page_bytes);
  if (!pages) return pages.error();
  meta_pages_ = *std::move(pages);
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  std::filesystem::remove(lock_of(path), ignored);
  return {};
}

Result<std::vector<BlockKey>> SegmentFolder::segments() const {
  const auto files = files_in(options_.path);
  if (!files) return files.error();
  std::vector<BlockKey> names;
  for (const auto& path : *files) {
    if (const auto name = parse_segment_name(path.filename().string())) names.push_back(*name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::filesystem::path SegmentFolder::path_of(BlockKey name) const {
  return options_.path / render_segment_name(name);
}

Result<void> SegmentFolder::take(BlockKey name) {
  remove_undeleted();
  if (const auto free = take_from_list(); !free.empty()) {
    auto taken = take_free(free, name);
    if (taken) return taken;
    log(Level::info, "buffer", "free segment not usable", {{"reason", taken.error().detail}});
    discard(free, true);
  }
  // The first is small, so that a start in an empty folder is quick though its pages are written.
  const auto others = segments();
  const bool first = others && others->empty();
  const auto bytes = first ? std::min(options_.segment_bytes, first_segment_bytes) : options_.segment_bytes;
  const auto made = make_file(bytes, first);
  if (!made) return made.error();
  auto taken = rename_to(*made, name);
  std::error_code ignored;
  if (!taken && std::filesystem::exists(*made, ignored)) discard(*made, true);
  return taken;
}

// In one step also over a file of that name, so that the newest segment's name, which tells the next
// sequence, is there at any moment.
Result<void> SegmentFolder::rename_to(const std::filesystem::path& file, BlockKey name) {
  const auto path = path_of(name);
  const auto replaced = size_of(path);
  auto renamed = rename_durably(file, path);
  // It may have been renamed though that is not known to last.
  std::error_code ignored;
  if (renamed || !std::filesystem::exists(file, ignored)) bytes_ -= replaced;
  return renamed;
}

// Waits for one that is being prepared only when there is no room beside it.
std::filesystem::path SegmentFolder::take_from_list() {
  std::unique_lock lock(mutex_);
  if (free_.empty() && preparing_ && !room_for(options_.segment_bytes)) {
    wake_.wait(lock, [this] { return !preparing_; });
  }
  if (free_.empty()) return {};
  auto free = std::move(free_.back());
  free_.pop_back();
  return free;
}

// Fault::unavailable while another process reads: what it reads may be this very file.
Result<void> SegmentFolder::take_free(const std::filesystem::path& free, BlockKey name) {
  if (!readers_.lock(Descriptor::Lock::exclusive, false)) {
    return Error{Fault::unavailable, "another process is reading the journal"};
  }
  const auto unlock = [this](Result<void> result) {
    readers_.unlock();
    return result;
  };
  const auto file = Descriptor::open(free, O_RDWR);
  if (!file) return unlock(file.error());
  if (auto written = file->write_at(meta_pages_, 0); !written) return unlock(written);
  if (auto synced = file->sync(); !synced) return unlock(synced);
  return unlock(rename_to(free, name));
}

Result<void> SegmentFolder::withdraw(BlockKey name) {
  const auto path = path_of(name);
  std::error_code ignored;
  std::filesystem::remove(lock_of(path), ignored);
  if (!remove(path)) return Error{Fault::unavailable, path.string() + " cannot be removed"};
  return sync();
}

Result<void> SegmentFolder::sync() const { return sync_folder(options_.path); }

Result<void> SegmentFolder::retire(BlockKey name) {
  const auto path = path_of(name);
  std::error_code ignored;
  std::filesystem::remove(lock_of(path), ignored);
  const std::lock_guard lock(mutex_);
  if (free_.size() >= most_free_files || size_of(path) != options_.segment_bytes ||
      bytes_ > options_.max_bytes || disk_low()) {
    if (!remove(path)) return Error{Fault::unavailable, path.string() + " cannot be removed"};
    sync_retired();
    return {};
  }
  const auto free = make_free_name();
  if (std::rename(path.c_str(), free.c_str()) != 0) return file_error("rename", path);
  free_.push_back(free);
  sync_retired();
  return {};
}

// Of what was retired. Without it a power cut makes it a segment again, which the floor of the journal
// lets go once more.
void SegmentFolder::sync_retired() const {
  if (const auto synced = sync(); !synced) {
    log(Level::info, "buffer", "the folder of the journal cannot be synced", {{"reason", synced.error().detail}});
  }
}

std::filesystem::path SegmentFolder::make_temporary_name() {
  return options_.path / ("new-" + std::to_string(next_number_++) + ".tmp");
}

std::filesystem::path SegmentFolder::make_free_name() {
  return options_.path / ("free-" + std::to_string(next_number_++) + std::string(suffix));
}

Result<void> SegmentFolder::replace(BlockKey name, const std::filesystem::path& file, std::uint64_t held) {
  bytes_ += size_of(file) - held;
  auto replaced = rename_to(file, name);
  std::error_code ignored;
  if (!replaced && std::filesystem::exists(file, ignored)) discard(file, true);
  held_ -= held;
  disk_.forget();
  return replaced;
}

bool SegmentFolder::remove(const std::filesystem::path& path) {
  const auto bytes = size_of(path);
  std::error_code failed;
  if (std::filesystem::remove(path, failed)) {
    bytes_ -= bytes;
    disk_.forget();
  }
  return !failed;
}

}  // namespace picket::buffer

// Of the journal's folder: segments that were set aside as damaged.
#include "buffer/bundle.h"
#include "buffer/logger.h"
#include "buffer/segment_file.h"
#include "buffer/segment_folder.h"

#include <fcntl.h>

#include <algorithm>

namespace picket::buffer {
namespace {

// Behind the last record of a damaged segment of that name: as its blocks tell, which are found by their
// heads; with a head that is damaged too, or with none, the most that there can have been.
Result<Sequence> look_for_blocks(const std::filesystem::path& path, BlockKey name) {
  constexpr std::size_t step = std::size_t{4} << 20;
  constexpr std::size_t longest_head = block_head_bytes + max_block_records * block_entry_bytes;
  const auto file = Descriptor::open(path, O_RDONLY);
  if (!file) return file.error();
  const auto size = size_of(path);
  Sequence after = name.first;
  bool found = false;
  std::uint64_t doubtful = 0;
  for (std::uint64_t at = 0; at < size; at += step) {
    const auto bytes = file->read_at(at, static_cast<std::size_t>(std::min<std::uint64_t>(step + longest_head, size - at)));
    if (!bytes) return bytes.error();
    const std::string_view text = *bytes;
    for (auto hit = text.find(bundle_magic); hit < std::min(step, text.size()); hit = text.find(bundle_magic, hit + 1)) {
      const auto bundle = parse_bundle_head(text.substr(hit));
      doubtful += bundle ? 0U : 1U;
      if (!bundle || bundle->head.key.first < name.first) continue;
      found = true;
      after = std::max(after, bundle->head.key.first + bundle->head.count);
    }
    for (auto hit = text.find(block_magic); hit < std::min(step, text.size()); hit = text.find(block_magic, hit + 1)) {
      const auto head = parse_block_head(text.substr(hit));
      if (!head) {
        ++doubtful;
      } else if (head->key.first >= name.first) {  // else left over from the file's life before
        found = true;
        after = std::max(after, head->key.first + (head->parts > 1 ? 1 : head->count));
      }
    }
  }
  if (!found && doubtful == 0) return name.first + size / record_head_bytes;
  return after + doubtful * max_block_records;
}

}  // namespace

void SegmentFolder::set_aside(BlockKey name, std::string_view reason) {
  const auto path = path_of(name);
  auto damaged = path;
  damaged += damaged_suffix;
  std::error_code ignored;
  std::filesystem::remove(lock_of(path), ignored);
  const auto renamed = rename_durably(path, damaged);
  log(Level::error, "buffer", "segment is damaged and set aside",
      {{"file", damaged.string()}, {"reason", reason}, {"renamed", renamed ? "yes" : renamed.error().detail}});
}

std::vector<std::string> SegmentFolder::set_aside_names() const {
  std::vector<std::string> names;
  const auto files = files_in(options_.path);
  if (!files) return names;
  for (const auto& path : *files) {
    if (path.extension() == damaged_suffix) names.push_back(path.filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<Sequence> SegmentFolder::after_damaged(BlockKey newest) const {
  const auto files = files_in(options_.path);
  if (!files) return files.error();
  Sequence after = 1;
  for (const auto& path : *files) {
    const auto name = path.filename().string();
    if (!name.ends_with(damaged_suffix)) continue;
    const auto key = parse_segment_name(name.substr(0, name.size() - damaged_suffix.size()));
    if (!key || *key < newest || *key == newest) continue;
    const auto held = look_for_blocks(path, *key);
    if (!held) return held.error();
    after = std::max(after, *held);
  }
  return after;
}

}  // namespace picket::buffer

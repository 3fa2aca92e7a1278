#include "buffer/journal_repair.h"

#include "buffer/descriptor.h"
#include "buffer/file_check.h"
#include "buffer/segment.h"
#include "buffer/segment_folder.h"

#include <fcntl.h>

#include <algorithm>

namespace picket::buffer {
namespace {

constexpr std::string_view set_aside_suffix = ".damaged";

// Of the segments, those set aside included: where each ends is where the next begins.
Sequence end_of(BlockKey name, const std::vector<BlockKey>& names) {
  const auto next = std::upper_bound(names.begin(), names.end(), name);
  if (next == names.end()) return ~Sequence{0};
  // A record may reach from one segment into the next.
  return next->part > 0 ? next->first + 1 : next->first;
}

SetAside describe_damaged(std::filesystem::path file, BlockKey name, const std::vector<BlockKey>& names, std::string reason) {
  SetAside aside{.file = std::move(file), .reason = std::move(reason), .range = {name.first, end_of(name, names)}, .readable = {}};
  if (const auto scanned = scan_segment(aside.file, aside.range, [](const StoredRecord&) { return true; })) aside.readable = *scanned;
  return aside;
}

Result<std::vector<BlockKey>> find_set_aside(const std::filesystem::path& folder) {
  std::vector<BlockKey> names;
  std::error_code failed;
  auto entry = std::filesystem::directory_iterator(folder, failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    auto name = entry->path().filename().string();
    if (!name.ends_with(set_aside_suffix)) continue;
    name.resize(name.size() - set_aside_suffix.size());
    if (const auto key = parse_segment_name(name)) names.push_back(*key);
  }
  if (failed) return Error{Fault::unavailable, "list " + folder.string() + ": " + failed.message()};
  return names;
}

// A file that cannot be read just now is no damaged one: nothing is set aside for it.
Result<void> check_segments(SegmentFolder& folder, const std::vector<BlockKey>& names, std::vector<BlockKey>& all, RepairReport& report, const Progress& progress) {
  std::size_t done = 0;
  for (const auto name : names) {
    const auto path = folder.path_of(name);
    auto checked = check_file(path);
    if (checked) {
      // Its trees are well; a dictionary that its bundles need may not be.
      Segment segment(path, name, Segment::Mode::sealed);
      if (auto opened = segment.open(); !opened) checked = opened.error();
    }
    if (!checked && checked.error().fault == Fault::corrupt) {
      const auto reason = checked.error().detail;
      checked = check_file(path) ? checked : repair_file(path);
      if (checked) {
        report.went_back.push_back(path.filename().string());
      } else if (checked.error().fault == Fault::corrupt) {
        folder.set_aside(name, reason);
        auto file = path;
        file += set_aside_suffix;
        report.set_aside.push_back(describe_damaged(std::move(file), name, all, reason));
        continue;
      }
    }
    if (!checked) return checked.error();
    progress("checked segment " + std::to_string(++done) + " of " + std::to_string(names.size()));
  }
  return {};
}

}  // namespace

Result<RepairReport> repair_journal(const std::filesystem::path& storage, const Clock& clock, const Progress& progress) {
  const auto journal_folder = storage / "journal";
  if (!std::filesystem::is_directory(journal_folder)) return Error{Fault::not_found, "no journal in " + journal_folder.string()};
  RepairReport report;
  const auto before = find_set_aside(journal_folder);
  if (!before) return before.error();
  {
    const auto folder = SegmentFolder::open({.path = journal_folder, .read_only = true});
    if (!folder) return folder.error();
    const auto names = (*folder)->segments();
    if (!names) return names.error();
    auto all = *names;
    all.insert(all.end(), before->begin(), before->end());
    std::sort(all.begin(), all.end());
    for (const auto name : *before) {
      auto file = (*folder)->path_of(name);
      file += set_aside_suffix;
      report.before.push_back(describe_damaged(std::move(file), name, all, "set aside before"));
    }
    if (auto checked = check_segments(**folder, *names, all, report, progress); !checked) return checked.error();
  }
  const auto journal = Journal::open({.folder = journal_folder, .read_only = true}, clock);
  if (!journal) return journal.error();
  auto check = check_journal(**journal, progress);
  if (!check) return check.error();
  report.check = *std::move(check);
  return report;
}

Result<ScanRange> range_of_segment(const std::filesystem::path& file) {
  auto name = file.filename().string();
  if (name.ends_with(set_aside_suffix)) name.resize(name.size() - set_aside_suffix.size());
  const auto key = parse_segment_name(name);
  if (!key) return ScanRange{};
  const auto parent = std::filesystem::absolute(file).parent_path();
  auto names = find_set_aside(parent);
  if (!names) return names.error();
  const auto folder = SegmentFolder::open({.path = parent, .read_only = true});
  if (!folder) return folder.error();
  const auto others = (*folder)->segments();
  if (!others) return others.error();
  names->insert(names->end(), others->begin(), others->end());
  std::sort(names->begin(), names->end());
  return ScanRange{key->first, end_of(*key, *names)};
}

}  // namespace picket::buffer

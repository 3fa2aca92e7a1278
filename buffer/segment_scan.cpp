#include "buffer/segment_scan.h"

#include "buffer/block.h"
#include "buffer/bundle.h"
#include "buffer/dictionary.h"
#include "buffer/descriptor.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace picket::buffer {
namespace {

constexpr std::string_view all_magics = "PK";  // block's, bundle's, dictionary's
constexpr std::size_t least_dictionary_read = std::size_t{1} << 20;
constexpr std::uint64_t scan_step = std::uint64_t{1} << 20;
constexpr std::uint64_t page_step = 4096;
// Above what any block is packed to.
constexpr std::uint64_t longest_block_bytes = std::uint64_t{64} << 20;

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 4; i > 0; --i) number = number << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  return number;
}

class SegmentScan {
 public:
  SegmentScan(Descriptor file, std::uint64_t bytes, ScanRange range) : file_(std::move(file)), bytes_(bytes), range_(range) {}

  void find_blocks() {
    for (std::uint64_t at = 0; at < bytes_;) {
      const auto window = std::min(scan_step + block_head_bytes, bytes_ - at);
      if (const auto text = file_.read_at(at, window)) {
        at = look_through(*text, at);
      } else {
        look_through_pages(at);
        at += scan_step;
      }
    }
  }

  Result<ScanCounts> give_out(const std::function<bool(const StoredRecord&)>& visit) {
    for (std::uint32_t i = 0; i < bundles_.size(); ++i) take_bundle(i);
    for (auto& [sequence, parts] : splits_) assemble_later(sequence, parts);
    // What is left of a page that was used again does not count where a whole copy is.
    for (const auto sequence : wrong_) counts_.broken += places_.contains(sequence) ? 0U : 1U;
    for (const auto& [sequence, place] : places_) {
      if (place.ambiguous) {
        ++counts_.ambiguous;
        continue;
      }
      const auto bytes = read(place, sequence);
      const auto record = bytes ? parse_record(*bytes, sequence) : Result<StoredRecord>(Error{Fault::corrupt, {}});
      if (!record) {
        ++counts_.broken;
        continue;
      }
      ++counts_.records;
      if (counts_.first == 0) counts_.first = sequence;
      counts_.last = sequence;
      if (!visit(*record)) break;
    }
    return counts_;
  }

 private:
  // Where a record's bytes lie; of one in parts, `parts` of them.
  struct Place {
    std::uint64_t at = 0;
    std::uint32_t bytes = 0;
    std::uint32_t checksum = 0;
    std::uint32_t parts = 1;
    bool ambiguous = false;
    // In a group of a bundle: `at` counts from the first record of its block.
    std::optional<std::uint32_t> bundle = {};
    std::uint32_t group = 0;
  };
  struct FoundBundle {
    std::uint64_t at = 0;
    std::size_t bytes = 0;
  };
  using Parts = std::map<std::uint32_t, Place>;

  // A disk that fails gives the pages around the one it has lost.
  void look_through_pages(std::uint64_t begin) {
    const auto end = std::min(begin + scan_step, bytes_);
    for (std::uint64_t at = begin; at < end;) {
      const auto text = file_.read_at(at, std::min(page_step + block_head_bytes, bytes_ - at));
      at = text ? std::max(look_through(*text, at), at + page_step) : at + page_step;
    }
  }

  // Returns where to go on: behind the window, or behind a block that reaches out of it.
  std::uint64_t look_through(std::string_view text, std::uint64_t begin) {
    std::size_t from = 0;
    for (;;) {
      const auto found = text.find(all_magics, from);
      if (found == std::string_view::npos || text.size() - found < block_head_bytes) {
        // A head may begin in the last bytes; what was taken already is not looked at again.
        const bool end = begin + text.size() >= bytes_ || text.size() <= block_head_bytes;
        return begin + std::max(from, end ? text.size() : text.size() - block_head_bytes);
      }
      const auto taken = take_found(text.substr(found, block_head_bytes), begin + found);
      from = found + std::max(taken, all_magics.size());
      if (from >= text.size()) return begin + from;
    }
  }

  // The bytes of what is at `at`, 0 when there is nothing that can be believed.
  std::size_t take_found(std::string_view head, std::uint64_t at) {
    if (head.starts_with(block_magic)) return take_block(head, at);
    if (is_bundle(head)) return note_bundle(head, at);
    return head.starts_with(dictionary_magic) ? take_dictionary(at) : 0;
  }

  std::size_t take_dictionary(std::uint64_t at) {
    const auto text = file_.read_at(at, std::min<std::uint64_t>(least_dictionary_read, bytes_ - at));
    const auto dictionary = text ? parse_dictionary(*text) : std::nullopt;
    if (!dictionary) return 0;
    dictionaries_.emplace(dictionary_id(*dictionary), std::string(*dictionary));
    return dictionary_head_bytes + dictionary->size();
  }

  // Its records are taken when all dictionaries are known.
  std::size_t note_bundle(std::string_view head, std::uint64_t at) {
    const std::uint64_t bytes = number_at(head, 24);
    if (bytes > longest_block_bytes || bytes > bytes_ - at) return 0;
    const auto text = file_.read_at(at, bytes);
    if (!text || !Bundle::parse(*text)) return 0;
    bundles_.push_back({at, static_cast<std::size_t>(bytes)});
    return bytes;
  }

  void take_bundle(std::uint32_t number) {
    const auto text = file_.read_at(bundles_[number].at, bundles_[number].bytes);
    const auto bundle = text ? Bundle::parse(*text) : Result<Bundle>(Error{Fault::corrupt, {}});
    if (!bundle) return;
    const auto first = bundle->head().head.key.first;
    for (std::uint32_t group = 0; group < bundle->groups(); ++group) {
      const auto begin = bundle->group(group).first;
      const auto end = group + 1 < bundle->groups() ? bundle->group(group + 1).first : first + bundle->head().head.count;
      const auto bytes = inflate(*bundle, group);
      const auto block = bytes ? Block::parse(*bytes) : Result<Block>(Error{Fault::corrupt, {}});
      const bool whole = block && block->head().key == BlockKey{begin, 0} && block->head().count == end - begin;
      for (auto sequence = begin; sequence < end; ++sequence) {
        if (sequence < range_.first || sequence >= range_.end) continue;
        const auto i = static_cast<std::size_t>(sequence - begin);
        if (!whole || !checksum_holds(block->records(i, i + 1), {sequence, 0}, block->checksum(i))) {
          wrong_.insert(sequence);
          continue;
        }
        note(places_, sequence, {.at = block->begin(i),
                                 .bytes = static_cast<std::uint32_t>(block->end(i) - block->begin(i)),
                                 .checksum = block->checksum(i),
                                 .bundle = number,
                                 .group = group});
      }
    }
  }

  std::optional<std::string> inflate(const Bundle& bundle, std::size_t group) const {
    const auto wanted = bundle.head().dictionary;
    const auto there = dictionaries_.find(wanted);
    if (wanted != 0 && there == dictionaries_.end()) return std::nullopt;
    std::optional<InflateDictionary> dictionary;
    if (wanted != 0) dictionary.emplace(there->second);
    Inflater inflater(dictionary ? &*dictionary : nullptr);
    const auto found = bundle.group(group);
    std::string block;
    return inflater.inflate(found.frame, found.block_bytes, block) ? std::optional(std::move(block)) : std::nullopt;
  }

  // The block of the group that was read last is kept: records are given out in their order.
  Result<std::string> read_bundled(const Place& place) {
    if (!kept_ || kept_->bundle != place.bundle || kept_->group != place.group) {
      const auto& found = bundles_[*place.bundle];
      const auto text = file_.read_at(found.at, found.bytes);
      const auto bundle = text ? Bundle::parse(*text) : Result<Bundle>(Error{Fault::corrupt, {}});
      auto bytes = bundle ? inflate(*bundle, place.group) : std::nullopt;
      if (!bytes) return Error{Fault::corrupt, {}};
      kept_ = Place{.bundle = place.bundle, .group = place.group};
      kept_block_ = *std::move(bytes);
    }
    const auto block = Block::parse(kept_block_);
    if (!block) return block.error();
    return std::string(block->records(0, block->head().count).substr(place.at, place.bytes));
  }

  // As take_found(), of a block.
  std::size_t take_block(std::string_view head, std::uint64_t at) {
    const std::uint64_t count = number_at(head, 24);
    const std::uint64_t bytes = number_at(head, 28);
    if (count == 0 || count > max_block_records || bytes > longest_block_bytes || bytes > bytes_ - at) return 0;
    if (bytes < block_head_bytes + count * block_entry_bytes) return 0;
    const auto text = file_.read_at(at, bytes);
    if (!text) return 0;
    const auto block = Block::parse(*text);
    if (!block) return 0;
    const auto key = block->head().key;
    if (key.first < range_.first || key.first >= range_.end) return bytes;
    const auto records_at = at + block_head_bytes + count * block_entry_bytes;
    for (std::size_t i = 0; i < block->head().count; ++i) {
      const Place place{.at = records_at + block->begin(i),
                        .bytes = static_cast<std::uint32_t>(block->end(i) - block->begin(i)),
                        .checksum = block->checksum(i),
                        .parts = block->head().parts};
      if (!checksum_holds(block->records(i, i + 1), {key.first + i, key.part}, place.checksum)) {
        wrong_.insert(key.first + i);
      } else if (place.parts > 1) {
        note(splits_[key.first], key.part, place);
      } else {
        note(places_, key.first + i, place);
      }
    }
    return bytes;
  }

  // LMDB copies pages that it changes: the same block may be there several times.
  template <class Map>
  static void note(Map& map, typename Map::key_type key, const Place& place) {
    const auto [there, added] = map.try_emplace(key, place);
    if (added) return;
    const auto& other = there->second;
    there->second.ambiguous |= other.checksum != place.checksum || other.bytes != place.bytes || other.parts != place.parts;
  }

  void assemble_later(Sequence sequence, const Parts& parts) {
    const auto count = parts.begin()->second.parts;
    const bool whole = parts.size() == count && parts.rbegin()->first + 1 == count &&
                       std::all_of(parts.begin(), parts.end(), [&](const auto& part) { return part.second.parts == count && !part.second.ambiguous; });
    if (whole) {
      note(places_, sequence, {.parts = count});
    } else {
      wrong_.insert(sequence);
    }
  }

  Result<std::string> read(const Place& place, Sequence sequence) {
    if (place.bundle) return read_bundled(place);
    if (place.parts == 1) return file_.read_at(place.at, place.bytes);
    std::string bytes;
    for (const auto& [number, part] : splits_.at(sequence)) {
      const auto piece = file_.read_at(part.at, part.bytes);
      if (!piece) return piece.error();
      bytes += *piece;
    }
    return bytes;
  }

  const Descriptor file_;
  const std::uint64_t bytes_;
  const ScanRange range_;
  std::map<Sequence, Place> places_;
  std::map<Sequence, Parts> splits_;
  std::set<Sequence> wrong_;
  std::vector<FoundBundle> bundles_;
  std::map<std::uint32_t, std::string> dictionaries_;
  std::optional<Place> kept_;
  std::string kept_block_;
  ScanCounts counts_;
};

}  // namespace

Result<ScanCounts> scan_segment(const std::filesystem::path& file,
                                const ScanRange& range,
                                const std::function<bool(const StoredRecord&)>& visit) {
  auto opened = Descriptor::open(file, O_RDONLY);
  if (!opened) return opened.error();
  const auto bytes = opened->size();
  if (!bytes) return bytes.error();
  SegmentScan scan(*std::move(opened), *bytes, range);
  scan.find_blocks();
  return scan.give_out(visit);
}

}  // namespace picket::buffer

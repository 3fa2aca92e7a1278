#include "buffer/bundle.h"

#include "buffer/crc32c.h"
#include "buffer/dictionary.h"
#include "buffer/little_endian.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::buffer {
namespace {

constexpr unsigned char bundle_format_version = 1;
constexpr std::string_view summary_magic = "PKS1";
constexpr std::size_t summary_bytes = 32;

Error wrong_bundle(std::string_view what) {
  return {Fault::corrupt, "bundle: " + std::string(what)};
}

}  // namespace

Result<BundleHead> parse_bundle_head(std::string_view bytes) {
  if (bytes.size() < bundle_head_bytes || !is_bundle(bytes)) return wrong_bundle("no bundle's head");
  const char* const in = bytes.data();
  if (static_cast<unsigned char>(in[4]) != bundle_format_version) return wrong_bundle("unknown format version");
  BundleHead bundle;
  bundle.head.key.first = load<std::uint64_t>(in + 8);
  bundle.groups = load<std::uint32_t>(in + 16);
  bundle.head.count = load<std::uint32_t>(in + 20);
  bundle.bytes = load<std::uint32_t>(in + 24);
  bundle.dictionary = load<std::uint32_t>(in + 28);
  bundle.head.oldest = time_from_ms(load<std::int64_t>(in + 32));
  bundle.head.newest = time_from_ms(load<std::int64_t>(in + 40));
  if (load<std::uint16_t>(in + 6) != bundle_head_bytes || bundle.groups == 0 || bundle.groups > most_bundle_groups ||
      bundle.head.count < bundle.groups || bundle.head.count > max_block_records) {
    return wrong_bundle("head is out of bounds");
  }
  const auto table_bytes = bundle.groups * bundle_entry_bytes;
  if (bytes.size() - bundle_head_bytes < table_bytes) return wrong_bundle("table is cut short");
  const auto table = bytes.substr(bundle_head_bytes, table_bytes);
  if (load<std::uint32_t>(in + 60) != crc32c(table, crc32c(bytes.substr(0, 60)))) {
    return wrong_bundle("checksum of the head does not hold");
  }
  return bundle;
}

Result<Bundle> Bundle::parse(std::string_view bytes) {
  const auto head = parse_bundle_head(bytes);
  if (!head) return head.error();
  if (head->bytes != bytes.size()) return wrong_bundle("cut short");
  Bundle bundle;
  bundle.head_ = *head;
  const auto table_bytes = bundle.head_.groups * bundle_entry_bytes;
  bundle.table_ = bytes.substr(bundle_head_bytes, table_bytes);
  bundle.frames_ = bytes.substr(bundle_head_bytes + table_bytes);
  std::uint32_t end = 0;
  std::uint32_t behind = 0;
  for (std::size_t i = 0; i < bundle.head_.groups; ++i) {
    const char* const entry = bundle.table_.data() + i * bundle_entry_bytes;
    const auto first = load<std::uint32_t>(entry);
    const auto frame_end = load<std::uint32_t>(entry + 4);
    const auto block_bytes = load<std::uint32_t>(entry + 8);
    const bool ascends = i == 0 ? first == 0 : first >= behind;
    if (!ascends || first >= bundle.head_.head.count || frame_end < end || block_bytes > most_group_bytes) {
      return wrong_bundle("table does not ascend");
    }
    end = frame_end;
    behind = first + 1;
  }
  if (end != bundle.frames_.size()) return wrong_bundle("frames are cut short");
  return bundle;
}

Bundle::Group Bundle::group(std::size_t index) const {
  const char* const entry = table_.data() + index * bundle_entry_bytes;
  const std::size_t begin = index == 0 ? 0 : load<std::uint32_t>(entry - bundle_entry_bytes + 4);
  const std::size_t end = load<std::uint32_t>(entry + 4);
  return {.first = head_.head.key.first + load<std::uint32_t>(entry),
          .block_bytes = load<std::uint32_t>(entry + 8),
          .frame = frames_.substr(begin, end - begin)};
}

std::size_t Bundle::group_at(Sequence sequence) const {
  std::size_t low = 0;
  std::size_t high = head_.groups;
  while (high - low > 1) {
    const auto middle = (low + high) / 2;
    (group(middle).first <= sequence ? low : high) = middle;
  }
  return low;
}

bool BundleBuilder::takes(Sequence first, std::uint32_t records) const {
  if (groups_.empty()) return true;
  return first == head_.key.first + head_.count && head_.count + records <= max_block_records && groups_.size() < most_bundle_groups;
}

void BundleBuilder::add(const BlockHead& head, std::size_t block_bytes, std::string_view frame) {
  if (groups_.empty()) {
    head_ = head;
    head_.count = 0;
  }
  frames_ += frame;
  groups_.push_back({head_.count, static_cast<std::uint32_t>(frames_.size()), static_cast<std::uint32_t>(block_bytes)});
  head_.count += head.count;
  head_.oldest = std::min(head_.oldest, head.oldest);
  head_.newest = std::max(head_.newest, head.newest);
}

std::string BundleBuilder::render(std::uint32_t dictionary) {
  std::string out(bundle_head_bytes + groups_.size() * bundle_entry_bytes, '\0');
  std::copy(bundle_magic.begin(), bundle_magic.end(), out.begin());
  out[4] = static_cast<char>(bundle_format_version);
  store(out.data() + 6, static_cast<std::uint16_t>(bundle_head_bytes));
  store(out.data() + 8, head_.key.first);
  store(out.data() + 16, static_cast<std::uint32_t>(groups_.size()));
  store(out.data() + 20, head_.count);
  store(out.data() + 24, static_cast<std::uint32_t>(out.size() + frames_.size()));
  store(out.data() + 28, dictionary);
  store(out.data() + 32, to_ms(head_.oldest));
  store(out.data() + 40, to_ms(head_.newest));
  char* entry = out.data() + bundle_head_bytes;
  for (const auto& group : groups_) {
    store(entry, group.first);
    store(entry + 4, group.end);
    store(entry + 8, group.block_bytes);
    entry += bundle_entry_bytes;
  }
  const auto table = std::string_view(out).substr(bundle_head_bytes);
  store(out.data() + 60, crc32c(table, crc32c(std::string_view(out).substr(0, 60))));
  out += frames_;
  groups_.clear();
  frames_.clear();
  return out;
}

Result<BlockHead> parse_any_head(std::string_view bytes) {
  if (is_bundle(bytes)) {
    const auto bundle = Bundle::parse(bytes);
    return bundle ? Result<BlockHead>(bundle->head().head) : bundle.error();
  }
  const auto block = Block::parse(bytes);
  return block ? Result<BlockHead>(block->head()) : block.error();
}

std::string render_dictionary(std::string_view dictionary) {
  std::string entry(dictionary_head_bytes, '\0');
  std::copy(dictionary_magic.begin(), dictionary_magic.end(), entry.begin());
  store(entry.data() + 4, static_cast<std::uint32_t>(dictionary.size()));
  store(entry.data() + 8, dictionary_id(dictionary));
  store(entry.data() + 12, crc32c(std::string_view(entry).substr(0, 12)));
  return entry.append(dictionary);
}

std::optional<std::string_view> parse_dictionary(std::string_view entry) {
  if (entry.size() < dictionary_head_bytes || !entry.starts_with(dictionary_magic)) return std::nullopt;
  if (load<std::uint32_t>(entry.data() + 12) != crc32c(entry.substr(0, 12))) return std::nullopt;
  const std::size_t bytes = load<std::uint32_t>(entry.data() + 4);
  if (bytes == 0 || bytes > entry.size() - dictionary_head_bytes) return std::nullopt;
  const auto dictionary = entry.substr(dictionary_head_bytes, bytes);
  if (load<std::uint32_t>(entry.data() + 8) != dictionary_id(dictionary)) return std::nullopt;
  return dictionary;
}

std::string render_summary(const SegmentSummary& summary) {
  std::string entry(summary_bytes, '\0');
  std::copy(summary_magic.begin(), summary_magic.end(), entry.begin());
  store(entry.data() + 8, summary.records);
  store(entry.data() + 16, summary.bytes_before);
  store(entry.data() + 24, to_ms(summary.rewritten));
  store(entry.data() + 4, crc32c(std::string_view(entry).substr(8)));
  return entry;
}

std::optional<SegmentSummary> parse_summary(std::string_view entry) {
  if (entry.size() < summary_bytes || !entry.starts_with(summary_magic)) return std::nullopt;
  if (load<std::uint32_t>(entry.data() + 4) != crc32c(entry.substr(8))) return std::nullopt;
  return SegmentSummary{.records = load<std::uint64_t>(entry.data() + 8),
                        .bytes_before = load<std::uint64_t>(entry.data() + 16),
                        .rewritten = time_from_ms(load<std::int64_t>(entry.data() + 24))};
}

}  // namespace picket::buffer

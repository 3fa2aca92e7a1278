#include "buffer/segment_rewrite.h"

#include "buffer/segment_writer.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace picket::buffer {
namespace {

// A block's records without the bodies that go; nothing when any of it is damaged, or it is part of a record.
struct Thinned {
  std::vector<Record> records;
  std::uint64_t dropped = 0;
};
std::optional<Thinned> without_bodies(BlockKey key, std::string_view bytes, const PickRecord& goes) {
  const auto block = Block::parse(bytes);
  if (!block || block->head().key != key || block->head().parts != 1) return std::nullopt;
  Thinned thinned;
  for (std::size_t i = 0; i < block->head().count; ++i) {
    const Sequence sequence = key.first + i;
    const auto stored_bytes = block->records(i, i + 1);
    if (!checksum_holds(stored_bytes, {sequence, 0}, block->checksum(i))) return std::nullopt;
    const auto stored = parse_record(stored_bytes, sequence);
    if (!stored) return std::nullopt;
    const bool drops = !stored->dropped() && goes(*stored);
    thinned.dropped += drops ? 1U : 0U;
    thinned.records.push_back(copy_of(*stored));
    if (!drops) continue;
    thinned.records.back().flags |= record_dropped;
    thinned.records.back().body = {};
  }
  return thinned;
}

Result<void> add_all(SegmentWriter& writer, std::vector<Record> records, Sequence first) {
  for (auto& record : records) {
    if (auto added = writer.add(std::move(record), first++); !added) return added;
  }
  return {};
}

Result<void> add_packed(SegmentWriter& writer, const std::vector<Record>& records, Sequence first) {
  std::string packed(block_bytes(records), '\0');
  pack_block(records, first, packed.data());
  return writer.add_block({first, 0}, packed);
}

}  // namespace

Record copy_of(const StoredRecord& stored) {
  Record record;
  record.kind = stored.kind;
  record.coding = stored.coding;
  record.flags = stored.flags;
  record.received = stored.received;
  record.project = stored.project;
  record.key = stored.key;
  record.meta = stored.meta;
  record.body = std::string(stored.body);
  return record;
}

Result<Rewritten> rewrite_without(Segment& segment, BlockKey limit, const std::filesystem::path& to, const PickRecord& goes,
                                  const std::function<bool(std::uint64_t)>& room) {
  const auto use = segment.use();
  if (!use) return use.error();
  const auto summary = segment.summary();
  if (!summary) return summary.error();
  const bool bundles = summary->has_value();
  auto dictionary = segment.dictionary();
  if (!dictionary) return dictionary.error();
  auto writer = SegmentWriter::open({.to = to,
                                     .most_bytes = use->file_bytes * 2,
                                     .bundles = bundles,
                                     .dictionary = *std::move(dictionary),
                                     .room = room});
  if (!writer) return writer.error();
  Rewritten done;
  Result<void> written;
  const auto visited = segment.visit({segment.name().first, 0}, [&](BlockKey key, std::string_view bytes) {
    if (key >= limit) return false;
    auto thinned = without_bodies(key, bytes, goes);
    if (!thinned && bytes.empty()) {
      written = Error{Fault::corrupt, "a bundle is damaged"};
    } else if (thinned && bundles) {
      done.dropped += thinned->dropped;
      written = add_all(*writer, std::move(thinned->records), key.first);
    } else if (thinned && thinned->dropped > 0) {
      done.dropped += thinned->dropped;
      written = add_packed(*writer, thinned->records, key.first);
    } else {
      written = writer->add_block(key, bytes);
    }
    return static_cast<bool>(written);
  });
  if (!visited) return visited.error();
  if (!written) return written.error();
  const auto bytes = writer->finish(summary->value_or(SegmentSummary()));
  if (!bytes) return bytes.error();
  done.file_bytes = *bytes;
  return done;
}

}  // namespace picket::buffer

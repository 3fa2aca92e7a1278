#include "buffer/block.h"

#include "buffer/crc32c.h"
#include "buffer/keys.h"
#include "buffer/little_endian.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace picket::buffer {
namespace {

constexpr unsigned char format_version = 1;

Error wrong_block(std::string_view what) {
  return {Fault::corrupt, "block: " + std::string(what)};
}

std::uint32_t record_checksum(std::string_view record, BlockKey key) {
  std::array<char, 12> place{};
  store(place.data(), key.first);
  store(place.data() + 8, key.part);
  return crc32c(record, crc32c({place.data(), place.size()}));
}

std::array<char, record_head_bytes> render_record_head(const Record& record) {
  std::array<char, record_head_bytes> head{};
  head[0] = static_cast<char>(record.kind);
  head[1] = static_cast<char>(record.coding);
  head[2] = static_cast<char>(record.flags);
  head[3] = static_cast<char>(record.key.size());
  store(&head[4], static_cast<std::uint32_t>(record.meta.size()));
  store(&head[8], to_ms(record.received));
  store(&head[16], record.project);
  store(&head[24], static_cast<std::uint32_t>(record.body.size()));
  return head;
}

// Copies the record's bytes [offset, offset + bytes) as if it were packed in one piece.
void copy_record(const Record& record, std::size_t offset, std::size_t bytes, char* out) {
  const auto head = render_record_head(record);
  const std::array<std::string_view, 4> pieces = {std::string_view(head.data(), head.size()),
                                                  record.key, record.meta, record.body};
  for (auto piece : pieces) {
    const auto skipped = std::min(offset, piece.size());
    offset -= skipped;
    piece = piece.substr(skipped, bytes);
    if (!piece.empty()) std::memcpy(out, piece.data(), piece.size());
    out += piece.size();
    bytes -= piece.size();
  }
}

// Writes the head, whose checksum covers the table behind it.
void store_head(const BlockHead& head, std::size_t bytes, char* out) {
  std::memset(out, 0, block_head_bytes);
  std::memcpy(out, block_magic.data(), block_magic.size());
  out[4] = format_version;
  store(out + 6, static_cast<std::uint16_t>(block_head_bytes));
  store(out + 8, head.key.first);
  store(out + 16, head.key.part);
  store(out + 20, head.parts);
  store(out + 24, head.count);
  store(out + 28, static_cast<std::uint32_t>(bytes));
  store(out + 32, to_ms(head.oldest));
  store(out + 40, to_ms(head.newest));
  const auto table = std::string_view(out + block_head_bytes, head.count * block_entry_bytes);
  store(out + 60, crc32c(table, crc32c({out, 60})));
}

}  // namespace

std::string render_block_key(BlockKey key) {
  return std::string(Key().u64(key.first).u32(key.part).view());
}

std::optional<BlockKey> parse_block_key(std::string_view bytes) {
  if (bytes.size() != 12) return std::nullopt;
  KeyReader reader(bytes);
  BlockKey key;
  key.first = reader.u64();
  key.part = reader.u32();
  return key;
}

std::size_t record_bytes(const Record& record) {
  return record_head_bytes + record.key.size() + record.meta.size() + record.body.size();
}

std::size_t block_bytes(std::span<const Record> records) {
  std::size_t bytes = block_head_bytes + records.size() * block_entry_bytes;
  for (const auto& record : records) bytes += record_bytes(record);
  return bytes;
}

void pack_block(std::span<const Record> records, Sequence first, char* out) {
  BlockHead head{.key = {first, 0}, .count = static_cast<std::uint32_t>(records.size())};
  if (!records.empty()) head.oldest = head.newest = records.front().received;
  char* entry = out + block_head_bytes;
  char* const area = entry + records.size() * block_entry_bytes;
  char* next = area;
  for (const auto& record : records) {
    const auto bytes = record_bytes(record);
    copy_record(record, 0, bytes, next);
    store(entry + 4, record_checksum({next, bytes}, {first++, 0}));
    next += bytes;
    store(entry, static_cast<std::uint32_t>(next - area));
    entry += block_entry_bytes;
    head.oldest = std::min(head.oldest, record.received);
    head.newest = std::max(head.newest, record.received);
  }
  store_head(head, static_cast<std::size_t>(next - out), out);
}

void pack_part(const Record& record, const RecordPart& part, char* out) {
  char* const entry = out + block_head_bytes;
  char* const area = entry + block_entry_bytes;
  copy_record(record, part.offset, part.bytes, area);
  store(entry, static_cast<std::uint32_t>(part.bytes));
  store(entry + 4, record_checksum({area, part.bytes}, part.key));
  const BlockHead head{.key = part.key,
                       .parts = part.parts,
                       .count = 1,
                       .oldest = record.received,
                       .newest = record.received};
  store_head(head, block_head_bytes + block_entry_bytes + part.bytes, out);
}

Result<BlockHead> parse_block_head(std::string_view bytes) {
  if (bytes.size() < block_head_bytes || !bytes.starts_with(block_magic)) return wrong_block("no block head");
  const char* const in = bytes.data();
  if (static_cast<unsigned char>(in[4]) != format_version) return wrong_block("unknown format version");
  BlockHead head;
  head.key.first = load<std::uint64_t>(in + 8);
  head.key.part = load<std::uint32_t>(in + 16);
  head.parts = load<std::uint32_t>(in + 20);
  head.count = load<std::uint32_t>(in + 24);
  head.oldest = time_from_ms(load<std::int64_t>(in + 32));
  head.newest = time_from_ms(load<std::int64_t>(in + 40));
  if (load<std::uint16_t>(in + 6) != block_head_bytes || head.count == 0 || head.count > max_block_records) {
    return wrong_block("head is out of bounds");
  }
  const auto table_bytes = head.count * block_entry_bytes;
  if (bytes.size() - block_head_bytes < table_bytes) return wrong_block("table is cut short");
  const auto table = bytes.substr(block_head_bytes, table_bytes);
  if (load<std::uint32_t>(in + 60) != crc32c(table, crc32c(bytes.substr(0, 60)))) {
    return wrong_block("checksum of the head does not hold");
  }
  return head;
}

Result<Block> Block::parse(std::string_view bytes) {
  const auto head = parse_block_head(bytes);
  if (!head) return head.error();
  if (load<std::uint32_t>(bytes.data() + 28) != bytes.size()) return wrong_block("head is out of bounds");
  Block block;
  block.head_ = *head;
  const auto table_bytes = block.head_.count * block_entry_bytes;
  block.table_ = bytes.substr(block_head_bytes, table_bytes);
  block.records_ = bytes.substr(block_head_bytes + table_bytes);
  for (std::size_t i = 0; i < block.head_.count; ++i) {
    if (block.end(i) < block.begin(i)) return wrong_block("table does not ascend");
  }
  if (block.end(block.head_.count - 1) != block.records_.size()) return wrong_block("records are cut short");
  return block;
}

std::size_t Block::end(std::size_t index) const {
  return load<std::uint32_t>(table_.data() + index * block_entry_bytes);
}

std::uint32_t Block::checksum(std::size_t index) const {
  return load<std::uint32_t>(table_.data() + index * block_entry_bytes + 4);
}

std::string_view Block::records(std::size_t first, std::size_t last) const {
  return first >= last ? std::string_view() : records_.substr(begin(first), end(last - 1) - begin(first));
}

bool checksum_holds(std::string_view record, BlockKey key, std::uint32_t checksum) {
  return record_checksum(record, key) == checksum;
}

Result<StoredRecord> parse_record(std::string_view bytes, Sequence sequence) {
  const auto wrong = [sequence] {
    return Error{Fault::corrupt, "record " + std::to_string(sequence) + " has wrong lengths"};
  };
  if (bytes.size() < record_head_bytes) return wrong();
  const char* const in = bytes.data();
  const std::size_t key_bytes = static_cast<unsigned char>(in[3]);
  const std::size_t meta_bytes = load<std::uint32_t>(in + 4);
  const std::size_t body_bytes = load<std::uint32_t>(in + 24);
  if (bytes.size() - record_head_bytes != key_bytes + meta_bytes + body_bytes) return wrong();
  StoredRecord record;
  record.sequence = sequence;
  record.kind = static_cast<RecordKind>(in[0]);
  record.coding = static_cast<std::uint8_t>(in[1]);
  record.flags = static_cast<std::uint8_t>(in[2]);
  record.received = time_from_ms(load<std::int64_t>(in + 8));
  record.project = load<std::uint64_t>(in + 16);
  bytes.remove_prefix(record_head_bytes);
  record.key = bytes.substr(0, key_bytes);
  record.meta = bytes.substr(key_bytes, meta_bytes);
  record.body = bytes.substr(key_bytes + meta_bytes);
  return record;
}

}  // namespace picket::buffer

#include "buffer/segment_rewrite.h"

#include "buffer/descriptor.h"
#include "buffer/env.h"

#include <fcntl.h>

#include <optional>
#include <string>
#include <vector>

namespace picket::buffer {
namespace {

// Of one transaction: what LMDB keeps in memory until it commits.
constexpr std::size_t bytes_at_once = std::size_t{8} << 20;

Record copy_of(const StoredRecord& stored, bool without_body) {
  Record record;
  record.kind = stored.kind;
  record.coding = stored.coding;
  record.flags = static_cast<std::uint8_t>(stored.flags | (without_body ? record_dropped : 0U));
  record.received = stored.received;
  record.project = stored.project;
  record.key = stored.key;
  record.meta = stored.meta;
  if (!without_body) record.body = std::string(stored.body);
  return record;
}

class Rewriting {
 public:
  Rewriting(Env& env, TableHandle blocks, const PickRecord& goes) : env_(env), blocks_(blocks), goes_(goes) {}

  Result<void> take(BlockKey key, std::string_view bytes) {
    auto packed = without_bodies(key, bytes);
    const auto size = packed ? packed->size() : bytes.size();
    if (!txn_) {
      auto begun = WriteTxn::begin(env_);
      if (!begun) return begun.error();
      txn_.emplace(*std::move(begun));
    }
    const auto room = txn_->append_reserved(blocks_, render_block_key(key), size);
    if (!room) return room.error();
    (packed ? std::string_view(*packed) : bytes).copy(*room, size);
    waiting_ += size;
    return waiting_ < bytes_at_once ? Result<void>() : commit();
  }

  Result<void> commit() {
    if (!txn_) return {};
    auto committed = (*std::move(txn_)).commit();
    txn_.reset();
    waiting_ = 0;
    return committed;
  }

  std::uint64_t dropped() const { return dropped_; }

 private:
  // Nothing when the block stays as it is.
  std::optional<std::string> without_bodies(BlockKey key, std::string_view bytes) {
    const auto block = Block::parse(bytes);
    if (!block || block->head().key != key || block->head().parts != 1) return std::nullopt;
    std::vector<Record> records;
    std::uint64_t dropped = 0;
    for (std::size_t i = 0; i < block->head().count; ++i) {
      const Sequence sequence = key.first + i;
      const auto stored_bytes = block->records(i, i + 1);
      if (!checksum_holds(stored_bytes, {sequence, 0}, block->checksum(i))) return std::nullopt;
      const auto stored = parse_record(stored_bytes, sequence);
      if (!stored) return std::nullopt;
      const bool drops = !stored->dropped() && goes_(*stored);
      dropped += drops ? 1U : 0U;
      records.push_back(copy_of(*stored, drops));
    }
    if (dropped == 0) return std::nullopt;
    dropped_ += dropped;
    std::string packed(block_bytes(records), '\0');
    pack_block(records, key.first, packed.data());
    return packed;
  }

  Env& env_;
  const TableHandle blocks_;
  const PickRecord& goes_;
  std::optional<WriteTxn> txn_;
  std::size_t waiting_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace

Result<Rewritten> rewrite_without(Segment& segment, BlockKey limit, const std::filesystem::path& to, const PickRecord& goes) {
  const auto use = segment.use();
  if (!use) return use.error();
  Rewritten done;
  {
    // Trees take more pages while they grow than they had.
    auto env = Env::open({.path = to, .map_bytes = use->file_bytes * 2 + (std::size_t{1} << 20)});
    if (!env) return env.error();
    const auto blocks = env->open_table("");
    if (!blocks) return blocks.error();
    Rewriting rewriting(*env, *blocks, goes);
    Result<void> written;
    const auto visited = segment.visit({segment.name().first, 0}, [&](BlockKey key, std::string_view bytes) {
      if (key >= limit) return false;
      written = rewriting.take(key, bytes);
      return static_cast<bool>(written);
    });
    if (!visited) return visited.error();
    if (written) written = rewriting.commit();
    if (!written) return written.error();
    done.dropped = rewriting.dropped();
  }
  std::error_code ignored;
  std::filesystem::remove(std::filesystem::path(to) += "-lock", ignored);
  const auto file = Descriptor::open(to, O_RDWR);
  if (!file) return file.error();
  if (auto synced = file->sync(); !synced) return synced.error();
  const auto bytes = file->size();
  if (!bytes) return bytes.error();
  done.file_bytes = *bytes;
  return done;
}

}  // namespace picket::buffer

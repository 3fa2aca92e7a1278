#include "buffer/segment_writer.h"

#include "buffer/descriptor.h"

#include <fcntl.h>

#include <utility>

namespace picket::buffer {
namespace {

// What a reader of one record inflates: 6 µs. Of twice the size it is 20, which saves a hundredth (docs/benchmarks.md).
constexpr std::size_t group_bytes = std::size_t{16} << 10;
constexpr std::size_t most_group_records = 1024;
// LMDB gives a value whole pages: half of one is lost on each.
constexpr std::size_t bundle_bytes = std::size_t{256} << 10;
// What is larger gets a block of its own: it is compressed already, as a rule, and takes memory several times.
constexpr std::size_t large_record_bytes = std::size_t{1} << 20;
// Of one transaction: what LMDB keeps in memory until it commits.
constexpr std::size_t bytes_at_once = std::size_t{1} << 20;
constexpr std::uint64_t page_bytes = 4096;

}  // namespace

struct SegmentWriter::Parts {
  SegmentWriting options;
  Env env;
  TableHandle blocks = 0;
  std::optional<WriteTxn> txn;
  std::size_t waiting = 0;   // bytes of the transaction
  std::uint64_t bytes = 0;   // of all values, in pages
  std::uint32_t dictionary_id = 0;
  std::optional<Deflater> deflater;
  std::optional<InflateDictionary> inflate;
  std::optional<Inflater> inflater;
  BundleBuilder bundle;
  std::vector<Record> group;
  Sequence group_first = 0;
  std::size_t group_size = 0;
  std::string packed;
  std::string frame;
  std::string back;
  bool finished = false;

  Parts(SegmentWriting writing, Env opened) : options(std::move(writing)), env(std::move(opened)) {}
};

SegmentWriter::SegmentWriter(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
SegmentWriter::SegmentWriter(SegmentWriter&&) noexcept = default;

SegmentWriter::~SegmentWriter() {
  if (!parts_) return;
  const auto path = parts_->options.to;
  const bool finished = parts_->finished;
  parts_.reset();
  std::error_code ignored;
  std::filesystem::remove(std::filesystem::path(path) += "-lock", ignored);
  if (!finished) std::filesystem::remove(path, ignored);
}

Result<SegmentWriter> SegmentWriter::open(SegmentWriting options) {
  // Trees take more pages while they grow than they have in the end.
  auto env = Env::open({.path = options.to, .map_bytes = options.most_bytes * 2 + (std::size_t{1} << 20)});
  if (!env) return env.error();
  SegmentWriter writer(std::make_unique<Parts>(std::move(options), *std::move(env)));
  auto& parts = *writer.parts_;
  const auto blocks = parts.env.open_table("");
  if (!blocks) return blocks.error();
  parts.blocks = *blocks;
  if (!parts.options.bundles) return writer;
  const std::string_view dictionary = parts.options.dictionary;
  parts.dictionary_id = dictionary_id(dictionary);
  parts.deflater.emplace(dictionary, group_bytes);
  if (dictionary.empty()) {
    parts.inflater.emplace(nullptr);
    return writer;
  }
  parts.inflate.emplace(dictionary);
  parts.inflater.emplace(&*parts.inflate);
  const auto txn = writer.transaction();
  if (!txn) return txn.error();
  if (auto put = (*txn)->put(parts.blocks, dictionary_key, render_dictionary(dictionary)); !put) return put.error();
  return writer;
}

std::uint64_t SegmentWriter::written_bytes() const {
  return parts_->bytes;
}

Result<void> SegmentWriter::add_block(BlockKey key, std::string_view bytes) {
  if (auto flushed = flush_bundle(); !flushed) return flushed;
  return put(key, bytes);
}

Result<void> SegmentWriter::add(Record record, Sequence sequence) {
  auto& parts = *parts_;
  const auto bytes = record_bytes(record);
  if (bytes > large_record_bytes) {
    std::string packed(block_bytes({&record, 1}), '\0');
    pack_block({&record, 1}, sequence, packed.data());
    return add_block({sequence, 0}, packed);
  }
  const bool goes_on = sequence == parts.group_first + parts.group.size() && parts.group_size + bytes <= group_bytes &&
                       parts.group.size() < most_group_records;
  if (!parts.group.empty() && !goes_on) {
    if (auto flushed = flush_group(); !flushed) return flushed;
  }
  if (parts.group.empty()) parts.group_first = sequence;
  parts.group_size += bytes;
  parts.group.push_back(std::move(record));
  return {};
}

Result<void> SegmentWriter::flush_group() {
  auto& parts = *parts_;
  if (parts.group.empty()) return {};
  parts.packed.resize(block_bytes(parts.group));
  pack_block(parts.group, parts.group_first, parts.packed.data());
  parts.deflater->deflate(parts.packed, parts.frame);
  if (!parts.inflater->inflate(parts.frame, parts.packed.size(), parts.back) || parts.back != parts.packed) {
    return Error{Fault::corrupt, "a group does not inflate to what it was"};
  }
  const auto records = static_cast<std::uint32_t>(parts.group.size());
  if (parts.bundle.frame_bytes() >= bundle_bytes || !parts.bundle.takes(parts.group_first, records)) {
    const auto written = put({parts.bundle.first(), 0}, parts.bundle.render(parts.dictionary_id));
    if (!written) return written;
  }
  parts.bundle.add(Block::parse(parts.packed)->head(), parts.packed.size(), parts.frame);
  parts.group.clear();
  parts.group_size = 0;
  return {};
}

Result<void> SegmentWriter::flush_bundle() {
  if (auto flushed = flush_group(); !flushed) return flushed;
  auto& bundle = parts_->bundle;
  if (bundle.empty()) return {};
  return put({bundle.first(), 0}, bundle.render(parts_->dictionary_id));
}

Result<void> SegmentWriter::put(BlockKey key, std::string_view bytes) {
  auto& parts = *parts_;
  const auto pages = (bytes.size() / page_bytes + 1) * page_bytes;
  parts.bytes += pages;
  if (parts.bytes > parts.options.most_bytes) return Error{Fault::too_large, "it would not be smaller"};
  if (parts.options.room && !parts.options.room(pages)) return Error{Fault::unavailable, "no room for a smaller copy"};
  const auto txn = transaction();
  if (!txn) return txn.error();
  const auto room = (*txn)->append_reserved(parts.blocks, render_block_key(key), bytes.size());
  if (!room) return room.error();
  bytes.copy(*room, bytes.size());
  parts.waiting += bytes.size();
  return parts.waiting < bytes_at_once ? Result<void>() : commit();
}

Result<WriteTxn*> SegmentWriter::transaction() {
  auto& parts = *parts_;
  if (!parts.txn) {
    auto begun = WriteTxn::begin(parts.env);
    if (!begun) return begun.error();
    parts.txn.emplace(*std::move(begun));
  }
  return &*parts.txn;
}

Result<void> SegmentWriter::commit() {
  auto& parts = *parts_;
  if (!parts.txn) return {};
  auto committed = (*std::move(parts.txn)).commit();
  parts.txn.reset();
  parts.waiting = 0;
  return committed;
}

Result<std::uint64_t> SegmentWriter::finish(const SegmentSummary& summary) {
  if (parts_->options.bundles) {
    if (auto flushed = flush_bundle(); !flushed) return flushed.error();
  }
  if (auto committed = commit(); !committed) return committed.error();
  if (parts_->options.bundles) {
    const auto txn = transaction();
    if (!txn) return txn.error();
    const auto& dictionary = parts_->options.dictionary;
    if (!dictionary.empty()) {
      if (auto put = (*txn)->put(parts_->blocks, dictionary_copy_key, render_dictionary(dictionary)); !put) return put.error();
    }
    if (auto put = (*txn)->put(parts_->blocks, summary_key, render_summary(summary)); !put) return put.error();
    if (auto committed = commit(); !committed) return committed.error();
  }
  const auto path = parts_->options.to;
  parts_->finished = true;
  parts_.reset();
  std::error_code ignored;
  std::filesystem::remove(std::filesystem::path(path) += "-lock", ignored);
  const auto remove = [&](const Error& why) {
    std::filesystem::remove(path, ignored);
    return why;
  };
  const auto file = Descriptor::open(path, O_RDWR);
  if (!file) return remove(file.error());
  if (auto synced = file->sync(); !synced) return remove(synced.error());
  // What is read from now on comes from the disk.
  ::posix_fadvise(file->number(), 0, 0, POSIX_FADV_DONTNEED);
  const auto bytes = file->size();
  return bytes ? *bytes : Result<std::uint64_t>(remove(bytes.error()));
}

}  // namespace picket::buffer

#include "buffer/segment_recompress.h"

#include "buffer/crc32c.h"
#include "buffer/descriptor.h"
#include "buffer/segment_rewrite.h"
#include "buffer/segment_writer.h"

#include <fcntl.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace picket::buffer {
namespace {

// Of stored records, read at once.
constexpr std::size_t piece_bytes = std::size_t{128} << 10;
constexpr std::size_t file_step = std::size_t{1} << 20;
constexpr std::size_t most_sample_bytes = std::size_t{4} << 20;
constexpr std::uint64_t sample_places = 64;
// Twice in each segment: at most a 64th of it together.
constexpr std::size_t most_dictionary_bytes = std::size_t{112} << 10;
constexpr std::uint64_t dictionary_share = 128;
constexpr std::size_t least_dictionary_bytes = 1024;
// From which on it can be told what it will come to.
constexpr std::uint64_t telling_bytes = std::uint64_t{8} << 20;

// Either records or a block that is part of one.
struct Piece {
  BlockKey key;
  std::string bytes;
  std::vector<StoredRecord> records;
};

// Reads a segment in pieces, so that it is held open for moments only.
class PieceReader {
 public:
  PieceReader(Segment& segment, BlockKey from, BlockKey limit) : segment_(segment), at_(from), limit_(limit) {}

  // Nothing at the end; Fault::corrupt at the first checksum that does not hold.
  Result<std::optional<Piece>> next(std::size_t most_bytes) {
    std::optional<Piece> piece;
    Result<void> read;
    const auto visited = segment_.visit(at_, [&](BlockKey key, std::string_view bytes) {
      if (key >= limit_) return false;
      const auto block = Block::parse(bytes);
      if (!block || block->head().key != key) {
        read = Error{Fault::corrupt, "block " + std::to_string(key.first) + " is damaged"};
        return false;
      }
      if (block->head().parts > 1) {
        if (key < at_) return true;
        if (!checksum_holds(block->records(0, 1), key, block->checksum(0))) {
          read = Error{Fault::corrupt, "a part of record " + std::to_string(key.first) + " is damaged"};
          return false;
        }
        piece = Piece{key, std::string(bytes), {}};
        at_ = {key.first, key.part + 1};
        return false;
      }
      if (key.first + block->head().count <= at_.first) return true;
      piece = take(*block, key.first, most_bytes, read);
      return false;
    });
    if (!visited) return visited.error();
    if (!read) return read.error();
    return piece;
  }

 private:
  std::optional<Piece> take(const Block& block, Sequence first, std::size_t most_bytes, Result<void>& read) {
    const auto begin = static_cast<std::size_t>(std::max(at_.first, first) - first);
    auto end = begin + 1;
    while (end < block.head().count && block.end(end) - block.begin(begin) <= most_bytes) ++end;
    Piece piece{{first + begin, 0}, std::string(block.records(begin, end)), {}};
    const std::string_view copy = piece.bytes;
    for (auto i = begin; i < end; ++i) {
      const auto bytes = copy.substr(block.begin(i) - block.begin(begin), block.end(i) - block.begin(i));
      const auto record = checksum_holds(bytes, {first + i, 0}, block.checksum(i)) ? parse_record(bytes, first + i)
                                                                                 : Error{Fault::corrupt, {}};
      if (!record) {
        read = Error{Fault::corrupt, "record " + std::to_string(first + i) + " is damaged"};
        return std::nullopt;
      }
      piece.records.push_back(*record);
    }
    at_ = {first + end, 0};
    return piece;
  }

  Segment& segment_;
  BlockKey at_;
  const BlockKey limit_;
};

// Of all that readers are given, in its order.
class ContentSum {
 public:
  void add(const Record& record, Sequence sequence) {
    ++records_;
    const std::string head = std::to_string(sequence) + ' ' + std::to_string(static_cast<unsigned>(record.kind)) + ' ' +
                             std::to_string(record.coding) + ' ' + std::to_string(record.flags) + ' ' +
                             std::to_string(to_ms(record.received)) + ' ' + std::to_string(record.project) + ' ' +
                             std::to_string(record.key.size()) + ' ' + std::to_string(record.meta.size()) + ' ' +
                             std::to_string(record.body.size()) + ' ';
    for (const std::string_view bytes : {std::string_view(head), std::string_view(record.key), std::string_view(record.meta),
                                         record.body.view()}) {
      sum_ = crc32c(bytes, sum_);
    }
  }
  void add(BlockKey key, std::string_view bytes) {
    records_ += key.part == 0 ? 1U : 0U;
    sum_ = crc32c(bytes, crc32c(render_block_key(key), sum_));
  }
  std::uint64_t records() const { return records_; }
  friend bool operator==(const ContentSum&, const ContentSum&) = default;

 private:
  std::uint64_t records_ = 0;
  std::uint32_t sum_ = 0;
};

Error stopped() {
  return {Fault::unavailable, "told to stop"};
}

// All of a file before it is read where LMDB maps it: what the disk has lost is an error here, and there the end of the
// process (SIGBUS), again after each start.
Result<void> read_through(const std::filesystem::path& path, std::uint64_t bytes, const RecompressWork& work) {
  const auto file = Descriptor::open(path, O_RDONLY);
  if (!file) return file.error();
  for (std::uint64_t at = 0; at < bytes; at += file_step) {
    if (!work.go_on()) return stopped();
    const auto read = file->read_at(at, static_cast<std::size_t>(std::min<std::uint64_t>(file_step, bytes - at)));
    if (!read) return Error{Fault::corrupt, "the disk does not give all of it: " + read.error().detail};
  }
  return {};
}

Record opened(const StoredRecord& stored, const OpenBody& open_body) {
  std::optional<PlainBody> plain;
  if (stored.kind == RecordKind::envelope && !stored.dropped()) plain = open_body(stored);
  if (!plain) return copy_of(stored);
  auto bare = stored;
  bare.body = {};
  auto record = copy_of(bare);
  record.coding = plain->coding;
  record.body = std::move(plain->bytes);
  return record;
}

// As the record will lie in a block.
void add_sample(const Record& record, std::string& samples, std::vector<std::size_t>& sizes) {
  std::string packed(block_bytes({&record, 1}), '\0');
  pack_block({&record, 1}, 1, packed.data());
  const auto bytes = std::string_view(packed).substr(block_head_bytes + block_entry_bytes);
  samples += bytes;
  sizes.push_back(bytes.size());
}

// From all over the segment, so that no hour of it decides alone.
Result<std::string> train_on(Segment& segment, BlockKey limit, Sequence last, std::uint64_t used_bytes, const RecompressWork& work) {
  const auto most = std::min<std::uint64_t>(most_dictionary_bytes, used_bytes / dictionary_share);
  if (most < least_dictionary_bytes) return std::string();
  const auto first = segment.name().first;
  const auto step = std::max<std::uint64_t>(1, (last - first) / sample_places);
  std::string samples;
  std::vector<std::size_t> sizes;
  for (Sequence place = first; place <= last; place += step) {
    if (!work.go_on()) return stopped();
    PieceReader reader(segment, {place, 0}, limit);
    const auto piece = reader.next(piece_bytes / 2);
    if (!piece) return piece.error();
    if (!*piece) break;
    std::size_t taken = 0;
    for (const auto& stored : (*piece)->records) {
      if (taken >= most_sample_bytes / sample_places || stored.sequence >= place + step) break;
      const auto before = samples.size();
      add_sample(opened(stored, work.open_body), samples, sizes);
      taken += samples.size() - before;
    }
    if (samples.size() >= most_sample_bytes) break;
  }
  return train_dictionary(samples, sizes, static_cast<std::size_t>(most));
}

Result<void> write_all(Segment& segment, BlockKey limit, SegmentWriter& writer, const RecompressWork& work, std::uint64_t used_bytes, ContentSum& sum) {
  PieceReader reader(segment, segment.name(), limit);
  std::uint64_t read_bytes = 0;
  for (;;) {
    if (!work.go_on()) return stopped();
    auto piece = reader.next(piece_bytes);
    if (!piece) return piece.error();
    if (!*piece) return {};
    read_bytes += (*piece)->bytes.size();
    if ((*piece)->records.empty()) {
      sum.add((*piece)->key, (*piece)->bytes);
      if (auto added = writer.add_block((*piece)->key, (*piece)->bytes); !added) return added;
    }
    for (const auto& stored : (*piece)->records) {
      auto record = opened(stored, work.open_body);
      sum.add(record, stored.sequence);
      if (auto added = writer.add(std::move(record), stored.sequence); !added) return added;
    }
    // What does not shrink by then is pictures and the like.
    if (read_bytes > std::max(used_bytes / 8, telling_bytes) && writer.written_bytes() > read_bytes / 10 * 9) {
      return Error{Fault::too_large, "it would hardly be smaller"};
    }
  }
}

Result<ContentSum> sum_of(Segment& segment, BlockKey limit, const RecompressWork& work) {
  ContentSum sum;
  PieceReader reader(segment, segment.name(), limit);
  for (;;) {
    if (!work.go_on()) return stopped();
    const auto piece = reader.next(piece_bytes);
    if (!piece) return piece.error();
    if (!*piece) return sum;
    if ((*piece)->records.empty()) sum.add((*piece)->key, (*piece)->bytes);
    for (const auto& stored : (*piece)->records) sum.add(copy_of(stored), stored.sequence);
  }
}

Result<Smaller> write_and_compare(Segment& segment, BlockKey limit, const std::filesystem::path& to, const RecompressWork& work, const SegmentUse& use) {
  if (auto read = read_through(segment.path(), use.used_bytes, work); !read) return read.error();
  auto dictionary = train_on(segment, limit, use.last, use.used_bytes, work);
  if (!dictionary) return dictionary.error();
  ContentSum sum;
  std::uint64_t file_bytes = 0;
  {
    auto writer = SegmentWriter::open({.to = to,
                                       .most_bytes = most_recompressed_bytes(use.used_bytes),
                                       .bundles = true,
                                       .dictionary = *std::move(dictionary),
                                       .room = work.room});
    if (!writer) return writer.error();
    if (auto written = write_all(segment, limit, *writer, work, use.used_bytes, sum); !written) return written.error();
    const auto finished = writer->finish({.records = sum.records(), .bytes_before = use.used_bytes, .rewritten = work.now});
    if (!finished) return finished.error();
    file_bytes = *finished;
  }
  if (file_bytes > most_recompressed_bytes(use.used_bytes)) return Error{Fault::too_large, "it would hardly be smaller"};
  if (auto read = read_through(to, file_bytes, work); !read) return Error{Fault::unavailable, read.error().detail};
  Segment copy(to, segment.name(), Segment::Mode::sealed);
  const auto found = sum_of(copy, limit, work);
  if (!found) return found.error();
  if (!(*found == sum)) return Error{Fault::corrupt, "the copy differs"};
  return Smaller{.records = sum.records(), .bytes_before = use.used_bytes, .file_bytes = file_bytes};
}

}  // namespace

std::uint64_t most_recompressed_bytes(std::uint64_t used_bytes) {
  return used_bytes / 10 * 9;
}

Result<Smaller> recompress_segment(Segment& segment, BlockKey limit, const std::filesystem::path& to, const RecompressWork& work) {
  auto use = segment.use();
  if (!use) return use.error();
  use->last = limit.first;  // or before
  return write_and_compare(segment, limit, to, work, *use);
}

}  // namespace picket::buffer

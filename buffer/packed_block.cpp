#include "buffer/packed_block.h"

#include "buffer/byte_stream.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace picket::buffer {
namespace {

constexpr char block_mark = '\xff';
constexpr std::size_t longest_key = 511;  // LMDB's
constexpr std::size_t most_run = 15;      // of one pair of counts
constexpr std::size_t most_prefix = 31;

constexpr unsigned key_length_bit = 1;
constexpr unsigned value_length_bit = 2;
constexpr unsigned value_end_bit = 4;

bool is_taken_length(std::size_t bytes) {
  return bytes == 0 || bytes == 8 || bytes == 10 || bytes == 16 || bytes == 512;
}

bool is_block(std::string_view stored) {
  return !is_taken_length(stored.size()) && stored.front() == block_mark;
}

// What bytes of another length are compared with, so that their ends meet.
std::string moved_to_end(std::string_view before, std::size_t bytes) {
  if (before.size() >= bytes) return std::string(before.substr(before.size() - bytes));
  return std::string(bytes - before.size(), '\0').append(before);
}

// `before` lies `ahead` bytes further on than `now`: 0, or what makes their ends meet. What it does not reach is zero.
// One equal byte among others is written again: a pair of counts would cost as much.
void append_changes(std::string_view before, std::ptrdiff_t ahead, std::string_view now, std::size_t from, std::string& out) {
  const auto bytes = now.size();
  const auto same = [&](std::size_t index) {
    const auto there = index - static_cast<std::size_t>(ahead);  // beyond all bytes when it would lie before the first
    return now[index] == (there < before.size() ? before[there] : '\0');
  };
  const auto begin = out.size();
  out.resize(begin + (bytes - from) + (bytes - from) / 2 + 1);  // all new, and counts for every other byte
  char* to = out.data() + begin;
  for (std::size_t at = from; at < bytes;) {
    const auto last_kept = std::min(bytes, at + most_run);
    const auto kept_from = at;
    while (at < last_kept && same(at)) ++at;
    const auto kept = at - kept_from;
    const auto last_fresh = std::min(bytes, at + most_run);
    const auto fresh_from = at;
    while (at < last_fresh && !(same(at) && (at + 1 == bytes || same(at + 1)))) ++at;
    *to++ = static_cast<char>(kept << 4 | (at - fresh_from));
    to = std::copy(now.data() + fresh_from, now.data() + at, to);
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
}

void append_number(std::size_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

// A block as it is put together: how many rows it has is known last.
struct Growing {
  std::size_t first = 0;
  std::size_t rows = 0;
  std::string body;
};

std::string finished(const Growing& growing) {
  std::string stored(1, block_mark);
  append_number(growing.rows, stored);
  stored += growing.body;
  while (is_taken_length(stored.size())) stored += '\0';
  return stored;
}

constexpr std::size_t most_reserved = std::size_t{16} << 10;
constexpr std::size_t least_row_bytes = 2;    // its head and changes of its key
constexpr std::size_t packed_head_bytes = 4;  // mark and count of rows, at most

// What a row says before its changes.
struct RowHead {
  std::size_t prefix = 0;  // bytes of the key that are as before
  std::size_t key_bytes = 0;
  std::size_t value_bytes = 0;
  bool value_from_end = false;
};

// `head` holds the lengths of the row before. False: the bytes make no sense.
bool read_row_head(std::string_view& rest, RowHead& head) {
  ByteReader reader(rest);
  const unsigned bits = reader.u8();
  head.value_from_end = false;
  if ((bits & key_length_bit) != 0) head.key_bytes = reader.varint();
  if ((bits & value_length_bit) != 0) {
    const auto before = std::exchange(head.value_bytes, reader.varint());
    head.value_from_end = (bits & value_end_bit) != 0 && head.value_bytes != before;
  }
  head.prefix = bits >> 3;
  rest = reader.rest();
  // A byte of changes stands for at most fifteen of what they change.
  return !reader.failed() && head.key_bytes <= longest_key && head.prefix <= head.key_bytes &&
         head.value_bytes <= most_run * rest.size();
}

// Between one Word and two: the first and the last of it, which may overlap.
template <class Word>
void copy_ends(char* to, const char* from, std::size_t bytes) {
  Word first{};
  Word last{};
  std::memcpy(&first, from, sizeof first);
  std::memcpy(&last, from + bytes - sizeof last, sizeof last);
  std::memcpy(to, &first, sizeof first);
  std::memcpy(to + bytes - sizeof last, &last, sizeof last);
}

// At most fifteen bytes: a call costs more than copying them.
void copy_run(char* to, const char* from, std::size_t bytes) {
  if (bytes >= 8) {
    copy_ends<std::uint64_t>(to, from, bytes);
  } else if (bytes >= 4) {
    copy_ends<std::uint32_t>(to, from, bytes);
  } else if (bytes > 0) {
    const char middle = from[bytes / 2];
    const char last = from[bytes - 1];
    to[0] = from[0];
    to[bytes / 2] = middle;
    to[bytes - 1] = last;
  }
}

// Changes `bytes`, which hold what was there before, from their byte `from` on.
bool apply_changes(std::string_view& rest, std::span<char> bytes, std::size_t from) {
  const char* next = rest.data();
  const char* const end = next + rest.size();
  for (auto at = from; at < bytes.size();) {
    if (next == end) return false;
    const unsigned counts = static_cast<unsigned char>(*next++);
    const std::size_t kept = counts >> 4;
    const std::size_t fresh = counts & 0xf;
    if (counts == 0 || kept + fresh > bytes.size() - at || fresh > static_cast<std::size_t>(end - next)) return false;
    copy_run(bytes.data() + at + kept, next, fresh);
    next += fresh;
    at += kept + fresh;
  }
  rest = {next, end};
  return true;
}

}  // namespace

PackedWalk::PackedWalk(std::string_view first_key, std::string_view stored) : rest_(stored), key_(first_key) {
  if (!is_block(stored)) {
    rows_ = 1;
    value_ = stored;
    return;
  }
  ByteReader reader(stored.substr(1));
  rows_ = reader.varint();
  const auto value = reader.text();
  damaged_ = reader.failed() || rows_ == 0;
  if (damaged_) return;
  value_ = value;
  rest_ = reader.rest();
}

bool PackedWalk::next() {
  if (damaged_ || passed_ == rows_) return false;
  if (passed_ > 0 && !step()) {
    damaged_ = true;
    return false;
  }
  ++passed_;
  return true;
}

bool PackedWalk::step() {
  RowHead head{.prefix = 0, .key_bytes = key_.size(), .value_bytes = value_.size(), .value_from_end = false};
  if (!read_row_head(rest_, head)) return false;
  key_.resize(head.key_bytes);
  if (head.value_from_end) {
    value_ = moved_to_end(value_, head.value_bytes);
  } else {
    value_.resize(head.value_bytes);
  }
  return apply_changes(rest_, key_, head.prefix) && apply_changes(rest_, value_, 0);
}

bool PackedBlock::read(std::string_view first_key, std::string_view stored) {
  clear();
  stored_ = stored;
  const auto refuse = [this] {
    clear();
    return false;
  };
  PackedWalk first(first_key, stored_);
  if (!first.next()) return refuse();
  auto rest = std::string_view(stored_).substr(stored_.size() - first.bytes_left());
  bytes_.reserve(std::min(4 * stored_.size(), most_reserved));
  rows_.reserve(std::min<std::uint64_t>(first.rows(), rest.size() / least_row_bytes + 1));
  rows_.push_back({.key_at = keep(first.key()),
                   .value_at = keep(first.value()),
                   .value_bytes = static_cast<std::uint32_t>(first.value().size()),
                   .key_bytes = static_cast<std::uint16_t>(first.key().size())});
  RowHead head{
      .prefix = 0, .key_bytes = first.key().size(), .value_bytes = first.value().size(), .value_from_end = false};
  for (auto left = first.rows() - 1; left > 0; --left) {
    const auto before = rows_.back();
    const auto stored_at = stored_.size() - rest.size();
    if (!read_row_head(rest, head)) return refuse();
    const auto at = bytes_.size();
    bytes_.resize(at + head.key_bytes + head.value_bytes);
    const std::span key(bytes_.data() + at, head.key_bytes);
    const std::span value(key.data() + key.size(), head.value_bytes);
    std::memcpy(key.data(), bytes_.data() + before.key_at, std::min<std::size_t>(key.size(), before.key_bytes));
    const auto shared = std::min<std::size_t>(value.size(), before.value_bytes);
    const std::size_t skipped = head.value_from_end ? before.value_bytes - shared : 0;
    std::memcpy(value.data() + (head.value_from_end ? value.size() - shared : 0),
                bytes_.data() + before.value_at + skipped, shared);
    if (!apply_changes(rest, key, head.prefix) || !apply_changes(rest, value, 0)) return refuse();
    // Ascending, or nothing would be found.
    if (std::string_view(key.data(), key.size()) <= this->key(rows_.size() - 1)) return refuse();
    const auto length = stored_.size() - rest.size() - stored_at;
    const bool kept = length <= 0xffff;
    rows_.push_back({.key_at = static_cast<std::uint32_t>(at),
                     .value_at = static_cast<std::uint32_t>(at + key.size()),
                     .value_bytes = static_cast<std::uint32_t>(value.size()),
                     .key_bytes = static_cast<std::uint16_t>(key.size()),
                     .stored_bytes = static_cast<std::uint16_t>(kept ? length : 0),
                     .stored_at = static_cast<std::uint32_t>(stored_at)});
  }
  return true;
}

void PackedBlock::clear() {
  stored_.clear();
  bytes_.clear();
  rows_.clear();
  inserted_end_ = 0;
}

std::uint32_t PackedBlock::keep(std::string_view bytes) {
  const auto at = static_cast<std::uint32_t>(bytes_.size());
  bytes_ += bytes;
  return at;
}

std::string_view PackedBlock::key(std::size_t row) const {
  return std::string_view(bytes_).substr(rows_[row].key_at, rows_[row].key_bytes);
}

std::string_view PackedBlock::value(std::size_t row) const {
  return std::string_view(bytes_).substr(rows_[row].value_at, rows_[row].value_bytes);
}

std::size_t PackedBlock::lower_bound(std::string_view key) const {
  if (rows_.empty() || this->key(rows_.size() - 1) < key) return rows_.size();
  std::size_t begin = 0;
  std::size_t end = rows_.size() - 1;
  if (near_ < end) {
    const auto order = this->key(near_).compare(key);
    if (order == 0) return near_;
    if (order > 0) {
      end = near_;
    } else {
      begin = near_ + 1;
      if (this->key(begin) >= key) return near_ = begin;
    }
  }
  while (begin < end) {
    const auto middle = (begin + end) / 2;
    if (this->key(middle) < key) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return near_ = begin;
}

void PackedBlock::forget_stored(std::size_t row) {
  if (row < rows_.size()) rows_[row].stored_bytes = 0;
}

void PackedBlock::put(std::string_view key, std::string_view value) {
  const auto at = lower_bound(key);
  const auto bytes = static_cast<std::uint32_t>(value.size());
  if (at < rows_.size() && this->key(at) == key) {
    auto& row = rows_[at];
    if (row.value_bytes == bytes) {
      value.copy(bytes_.data() + row.value_at, bytes);
    } else {
      row.value_at = keep(value);
      row.value_bytes = bytes;
    }
    forget_stored(at);
    forget_stored(at + 1);
    return;
  }
  const Row row{.key_at = keep(key),
                .value_at = keep(value),
                .value_bytes = bytes,
                .key_bytes = static_cast<std::uint16_t>(key.size())};
  rows_.insert(rows_.begin() + static_cast<std::ptrdiff_t>(at), row);
  forget_stored(at + 1);
  inserted_end_ = at + 1;
}

bool PackedBlock::remove(std::string_view key) {
  const auto at = lower_bound(key);
  if (at == rows_.size() || this->key(at) != key) return false;
  rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(at));
  forget_stored(at);
  inserted_end_ = 0;
  return true;
}

void PackedBlock::append_row(std::size_t row, std::string& out) const {
  if (const auto& as = rows_[row]; as.stored_bytes != 0) {
    out.append(stored_, as.stored_at, as.stored_bytes);
    return;
  }
  const auto key_before = key(row - 1);
  const auto value_before = value(row - 1);
  const auto key_now = key(row);
  const auto value_now = value(row);
  std::size_t prefix = 0;
  const auto most = std::min({key_before.size(), key_now.size(), most_prefix});
  while (prefix < most && key_before[prefix] == key_now[prefix]) ++prefix;
  auto head = static_cast<unsigned>(prefix << 3);
  if (key_before.size() != key_now.size()) head |= key_length_bit;
  const bool as_long = value_before.size() == value_now.size();
  if (!as_long) head |= value_length_bit;
  const auto head_at = out.size();
  out += static_cast<char>(head);
  if ((head & key_length_bit) != 0) append_number(key_now.size(), out);
  if (!as_long) append_number(value_now.size(), out);
  append_changes(key_before, 0, key_now, prefix, out);
  const auto changes_at = out.size();
  append_changes(value_before, 0, value_now, 0, out);
  if (as_long) return;
  // A number that became longer moves what follows it: then the ends may have more in common.
  const auto from_end_at = out.size();
  const auto longer = static_cast<std::ptrdiff_t>(value_now.size()) - static_cast<std::ptrdiff_t>(value_before.size());
  append_changes(value_before, longer, value_now, 0, out);
  if (out.size() - from_end_at < from_end_at - changes_at) {
    out.erase(changes_at, from_end_at - changes_at);
    out[head_at] = static_cast<char>(head | value_end_bit);
  } else {
    out.resize(from_end_at);
  }
}

std::vector<PackedBlock::Part> PackedBlock::render_cut(const Cut& cut) const {
  std::vector<Growing> blocks;
  std::string row;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    row.clear();
    if (!blocks.empty()) append_row(i, row);
    const bool full =
        blocks.empty() || packed_head_bytes + blocks.back().body.size() + row.size() > cut.most_bytes || i == cut.at;
    if (full) {
      row.clear();
      append_number(value(i).size(), row);
      row += value(i);
      blocks.push_back({.first = i, .rows = 0, .body = {}});
    }
    blocks.back().body += row;
    ++blocks.back().rows;
  }
  std::vector<Part> parts;
  for (const auto& block : blocks) parts.push_back({block.first, finished(block)});
  return parts;
}

std::vector<PackedBlock::Part> PackedBlock::render(const PackedRule& rule) const {
  auto parts = render_cut({.most_bytes = rule.most_bytes, .at = 0});
  if (parts.size() < 2) return parts;
  // What follows what was inserted last has a block of its own: more will be inserted there.
  if (rule.ascending) {
    return inserted_end_ < rows_.size() ? render_cut({.most_bytes = rule.most_bytes, .at = inserted_end_}) : parts;
  }
  // Evenly, with room in each for what comes.
  std::size_t total = 0;
  for (const auto& part : parts) total += part.stored.size();
  const auto wanted = std::max<std::size_t>(2, (total * 4 / 3 + rule.most_bytes - 1) / rule.most_bytes);
  return render_cut({.most_bytes = std::min(rule.most_bytes, total / wanted + rule.most_bytes / 8), .at = 0});
}

}  // namespace picket::buffer

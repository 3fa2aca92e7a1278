#include "buffer/event_id_run.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace picket::buffer {
namespace {

constexpr std::uint8_t run_version = 1;
constexpr std::size_t run_header_bytes = 23;
constexpr std::size_t ids_per_bucket = 16;
constexpr std::size_t least_part_ids = most_part_ids / 4;

std::uint64_t read_number(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return value;
}

void append_number(std::string& out, std::uint64_t value, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out += static_cast<char>((value >> (8 * i)) & 0xff);
}

std::size_t bytes_for(std::uint64_t greatest) {
  return (static_cast<std::size_t>(std::bit_width(greatest)) + 7) / 8;
}

std::size_t rest_bytes_for(unsigned bucket_bits) {
  return (id_hash_bits - bucket_bits + 7) / 8;
}

// The first bits that two hashes have in common.
unsigned shared_bits(std::uint64_t one, std::uint64_t other) {
  return static_cast<unsigned>(std::countl_zero((one ^ other) << (64 - id_hash_bits)));
}

struct SipState {
  std::uint64_t a, b, c, d;
  void round() {
    a += b;
    b = std::rotl(b, 13) ^ a;
    a = std::rotl(a, 32);
    c += d;
    d = std::rotl(d, 16) ^ c;
    a += d;
    d = std::rotl(d, 21) ^ a;
    c += b;
    b = std::rotl(b, 17) ^ c;
    c = std::rotl(c, 32);
  }
  void add(std::uint64_t word) {
    d ^= word;
    round();
    a ^= word;
  }
};

}  // namespace

std::uint64_t id_hash(const IdHashSecret& secret, std::string_view raw_id) {
  SipState state{secret[0] ^ 0x736f6d6570736575U, secret[1] ^ 0x646f72616e646f6dU,
                 secret[0] ^ 0x6c7967656e657261U, secret[1] ^ 0x7465646279746573U};
  const auto half = raw_id.size() / 2;
  state.add(read_number(raw_id, 0, std::min<std::size_t>(half, 8)));
  state.add(read_number(raw_id, half, std::min<std::size_t>(raw_id.size() - half, 8)));
  state.add(std::uint64_t{raw_id.size()} << 56);
  state.c ^= 0xff;
  for (int i = 0; i < 3; ++i) state.round();
  return (state.a ^ state.b ^ state.c ^ state.d) >> (64 - id_hash_bits);
}

std::string render_id_run(std::span<const HashedId> ids) {
  if (ids.empty() || ids.size() > most_run_ids) std::abort();
  std::uint64_t first = ids.front().sequence;
  std::uint64_t last = first;
  std::uint16_t greatest_item = 0;
  for (const auto& id : ids) {
    first = std::min(first, id.sequence);
    last = std::max(last, id.sequence);
    greatest_item = std::max(greatest_item, id.item);
  }
  const auto buckets_wanted = std::max<std::size_t>(1, ids.size() / ids_per_bucket);
  auto bucket_bits = static_cast<unsigned>(std::bit_width(buckets_wanted)) - 1;
  // Those of a part share its buckets alone.
  if (ids.size() >= least_part_ids) bucket_bits += std::min(part_bits, shared_bits(ids.front().hash, ids.back().hash));
  const unsigned rest_bits = id_hash_bits - bucket_bits;
  const auto rest_bytes = rest_bytes_for(bucket_bits);
  const auto sequence_bytes = bytes_for(last - first);
  const auto item_bytes = bytes_for(greatest_item);
  const std::size_t buckets = std::size_t{1} << bucket_bits;

  std::string run;
  run.reserve(run_header_bytes + 2 * buckets + ids.size() * (rest_bytes + sequence_bytes + item_bytes));
  append_number(run, run_version, 1);
  append_number(run, ids.size(), 2);
  append_number(run, bucket_bits, 1);
  append_number(run, rest_bytes, 1);
  append_number(run, sequence_bytes, 1);
  append_number(run, item_bytes, 1);
  append_number(run, first, 8);
  append_number(run, last, 8);
  std::size_t start = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    while (start < ids.size() && (ids[start].hash >> rest_bits) < bucket) ++start;
    append_number(run, start, 2);
  }
  for (const auto& id : ids) append_number(run, id.hash & ((std::uint64_t{1} << rest_bits) - 1), rest_bytes);
  for (const auto& id : ids) {
    append_number(run, id.sequence - first, sequence_bytes);
    append_number(run, id.item, item_bytes);
  }
  return run;
}

std::optional<IdRun> IdRun::parse(std::string_view bytes) {
  if (bytes.size() < run_header_bytes || static_cast<std::uint8_t>(bytes[0]) != run_version) return std::nullopt;
  IdRun run;
  run.ids_ = read_number(bytes, 1, 2);
  run.bucket_bits_ = static_cast<unsigned>(read_number(bytes, 3, 1));
  run.rest_bytes_ = read_number(bytes, 4, 1);
  run.sequence_bytes_ = read_number(bytes, 5, 1);
  run.item_bytes_ = read_number(bytes, 6, 1);
  run.first_sequence_ = read_number(bytes, 7, 8);
  run.last_sequence_ = read_number(bytes, 15, 8);
  if (run.ids_ == 0 || run.bucket_bits_ > 16 || run.rest_bytes_ != rest_bytes_for(run.bucket_bits_) ||
      run.sequence_bytes_ > 8 || run.item_bytes_ > 2)
    return std::nullopt;
  run.rest_bits_ = id_hash_bits - run.bucket_bits_;
  const std::size_t starts = std::size_t{2} << run.bucket_bits_;
  const std::size_t rests = run.ids_ * run.rest_bytes_;
  const std::size_t places = run.ids_ * (run.sequence_bytes_ + run.item_bytes_);
  if (bytes.size() != run_header_bytes + starts + rests + places) return std::nullopt;
  run.starts_ = bytes.substr(run_header_bytes, starts);
  run.rests_ = bytes.substr(run_header_bytes + starts, rests);
  run.places_ = bytes.substr(run_header_bytes + starts + rests, places);
  return run;
}

std::size_t IdRun::bucket_start(std::size_t bucket) const {
  if (bucket >> bucket_bits_ != 0) return ids_;
  return std::min<std::size_t>(ids_, read_number(starts_, 2 * bucket, 2));
}

std::uint8_t IdRun::eighths() const {
  constexpr std::uint8_t all = 0xff;
  if (ids_ < least_part_ids || bucket_bits_ < part_bits) return all;
  std::uint8_t found = 0;
  for (std::size_t eighth = 0, start = 0; eighth < std::size_t{1} << part_bits; ++eighth) {
    const auto end = bucket_start((eighth + 1) << (bucket_bits_ - part_bits));
    if (end != start) found |= static_cast<std::uint8_t>(1U << eighth);
    start = end;
  }
  return found;
}

HashedId IdRun::at(std::size_t index, std::uint64_t hash) const {
  const auto place = index * (sequence_bytes_ + item_bytes_);
  return {hash, first_sequence_ + read_number(places_, place, sequence_bytes_),
          static_cast<std::uint16_t>(read_number(places_, place + sequence_bytes_, item_bytes_))};
}

void IdRun::find(std::uint64_t hash, std::vector<HashedId>& found) const {
  const auto bucket = static_cast<std::size_t>(hash >> rest_bits_);
  const auto rest = hash & ((std::uint64_t{1} << rest_bits_) - 1);
  const auto end = bucket_start(bucket + 1);
  for (auto index = bucket_start(bucket); index < end; ++index) {
    if (read_number(rests_, index * rest_bytes_, rest_bytes_) == rest) found.push_back(at(index, hash));
  }
}

void IdRun::read(std::vector<HashedId>& all) const {
  all.reserve(all.size() + ids_);
  std::size_t bucket = 0;
  for (std::size_t index = 0; index < ids_; ++index) {
    while (bucket >> bucket_bits_ == 0 && bucket_start(bucket + 1) <= index) ++bucket;
    const auto hash = (std::uint64_t{bucket} << rest_bits_) | read_number(rests_, index * rest_bytes_, rest_bytes_);
    all.push_back(at(index, hash));
  }
}

}  // namespace picket::buffer

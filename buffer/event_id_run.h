// A run: where the events with certain ids lie, for up to 65,535 of them, in some seven bytes each.
//
// It holds 36 bits of a hash of each id instead of the id. Who finds one looks into the event's row,
// which has the id: so what is found is exact, and of what is not there one look in a million is
// in vain. The hash is keyed, so that senders cannot choose ids that have the same.
//
//   run    := 1 u8 | ids u16 | bucket bits u8 | rest bytes u8 | sequence bytes u8 | item bytes u8
//             | first sequence u64 | last sequence u64
//             | start of each bucket u16 | rest of the hash × ids | place × ids
//   place  := sequence less the first | item
//
// Numbers are little-endian. An id's bucket is the first bits of its hash; ids are in the order of
// their hashes.
//
// A large run is several values, by the first bits of the hashes: LMDB keeps a value in neighbouring pages, and for one of a
// hundred pages, once or twice a minute, the file grew for hours where two fifths of it were free. Each such part is a run by itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {

constexpr std::size_t most_run_ids = 65'535;
constexpr unsigned id_hash_bits = 36;
constexpr std::size_t most_part_ids = 8'192;  // about, of a value
constexpr unsigned part_bits = 3;             // so eight parts at most

using IdHashSecret = std::array<std::uint64_t, 2>;
// SipHash-1-3 of the 16 raw bytes of an id, cut to `id_hash_bits`.
std::uint64_t id_hash(const IdHashSecret& secret, std::string_view raw_id);

struct HashedId {
  std::uint64_t hash = 0;
  std::uint64_t sequence = 0;  // of the journal record
  std::uint16_t item = 0;
  friend auto operator<=>(const HashedId&, const HashedId&) = default;
};

// REQUIRES: sorted, at least one, at most `most_run_ids`.
std::string render_id_run(std::span<const HashedId> ids);

// A run over bytes that outlive it.
class IdRun {
 public:
  // Nothing for bytes that are no run; never reads outside of them.
  static std::optional<IdRun> parse(std::string_view bytes);

  std::size_t size() const { return ids_; }
  std::uint64_t first_sequence() const { return first_sequence_; }
  std::uint64_t last_sequence() const { return last_sequence_; }
  // Bit k: there may be hashes whose first three bits are k. All are set in what is small.
  std::uint8_t eighths() const;
  // Appends those that have this hash.
  void find(std::uint64_t hash, std::vector<HashedId>& found) const;
  void read(std::vector<HashedId>& all) const;  // appends, in order

 private:
  std::size_t bucket_start(std::size_t bucket) const;
  HashedId at(std::size_t index, std::uint64_t hash) const;

  std::size_t ids_ = 0;
  unsigned bucket_bits_ = 0;
  unsigned rest_bits_ = 0;
  std::size_t rest_bytes_ = 0;
  std::size_t sequence_bytes_ = 0;
  std::size_t item_bytes_ = 0;
  std::uint64_t first_sequence_ = 0;
  std::uint64_t last_sequence_ = 0;
  std::string_view starts_;
  std::string_view rests_;
  std::string_view places_;
};

}  // namespace picket::buffer

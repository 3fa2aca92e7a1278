// Which calls fail, and how: all of it decided by a seed. Pure.
//
// A seed has a character (what can fail at all), and faults come in bursts: most of the time nothing
// fails, then for some calls most do, as on a disk that is full for a while or pulled out and put back.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>

namespace picket::fault {

enum class Call : std::uint8_t { write, synchronous_write, sync, allocate, create, rename, remove };

enum class FaultKind : std::uint8_t {
  none,
  error,        // nothing was done
  short_write,  // a part was done, and that is said
  torn,         // a part was done, and an error is said
  lost_sync,    // all is in the page cache, and an error is said
  lie,          // nothing reached the disk, and success is said
  power_cut,
};

struct Fault {
  FaultKind kind = FaultKind::none;
  int error = 0;
  unsigned delay_us = 0;
};

std::string_view name_of(Call call);
std::string_view name_of(FaultKind kind);

class Schedule {
 public:
  explicit Schedule(std::uint64_t seed);

  Fault next(Call call, bool of_journal);
  // A number below `end`.
  std::size_t pick(std::size_t end) { return end == 0 ? 0 : random_() % end; }

 private:
  bool chance(double share) { return static_cast<double>(random_() % 1'000'000) < share * 1'000'000; }
  bool concerns(Call call, bool of_journal) const;
  FaultKind kind_for(Call call);

  std::mt19937_64 random_;
  bool writes_ = false;
  bool syncs_ = false;
  bool folders_ = false;  // allocations, creations, renames, removals
  bool lies_ = false;
  bool delays_ = false;
  std::uint64_t cut_at_ = 0;  // this call; 0: never
  double begins_ = 0;         // of all calls outside a burst
  double fails_ = 0;          // of those within one
  std::uint64_t calls_ = 0;
  std::uint64_t burst_left_ = 0;
  int error_ = 0;
};

}  // namespace picket::fault

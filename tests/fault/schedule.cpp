#include "fault/schedule.h"

#include <array>

namespace picket::fault {

std::string_view name_of(Call call) {
  constexpr std::array<std::string_view, 7> names{"write", "synchronous_write", "sync", "allocate", "create", "rename", "remove"};
  return names[static_cast<std::size_t>(call)];
}

std::string_view name_of(FaultKind kind) {
  constexpr std::array<std::string_view, 7> names{"none", "error", "short_write", "torn", "lost_sync", "lie", "power_cut"};
  return names[static_cast<std::size_t>(kind)];
}

// tests/e2e/fault.test.mjs knows that seeds of character 7 lie, and that 5 to 7 cut the power.
Schedule::Schedule(std::uint64_t seed) : random_(seed * 0x9e3779b97f4a7c15U + 1) {
  const auto character = seed % 8;
  writes_ = character == 0 || character == 2 || character == 4 || character == 6;
  syncs_ = character == 1 || character == 2 || character == 4 || character == 6;
  folders_ = character == 3 || character == 4 || character == 6;
  lies_ = character == 7;
  delays_ = pick(4) == 0;
  if (character >= 5) cut_at_ = 1 + pick(pick(2) == 0 ? 60 : 600);
  begins_ = std::array{0.005, 0.02, 0.1}[pick(3)];
  fails_ = std::array{0.3, 0.8, 1.0}[pick(3)];
}

// A disk that lies is told from one that does not by nobody: of the tables too much would be gone. The
// journal has to bear it.
bool Schedule::concerns(Call call, bool of_journal) const {
  if (lies_) return of_journal && (call == Call::sync || call == Call::synchronous_write);
  switch (call) {
    case Call::write: return writes_;
    case Call::synchronous_write: return writes_ || syncs_;
    case Call::sync: return syncs_;
    case Call::allocate:
    case Call::create:
    case Call::rename:
    case Call::remove: return folders_;
  }
  return false;
}

FaultKind Schedule::kind_for(Call call) {
  if (lies_) return FaultKind::lie;
  if (call == Call::write) return std::array{FaultKind::error, FaultKind::torn, FaultKind::short_write}[pick(3)];
  if (call == Call::synchronous_write) return std::array{FaultKind::error, FaultKind::torn, FaultKind::lost_sync}[pick(3)];
  return FaultKind::error;
}

Fault Schedule::next(Call call, bool of_journal) {
  constexpr std::array errors{ENOSPC, EIO, EROFS, EDQUOT};
  Fault fault;
  if (++calls_ == cut_at_) return {FaultKind::power_cut, 0, 0};
  if (delays_ && chance(0.02)) fault.delay_us = static_cast<unsigned>(1000 + pick(30'000));
  if (burst_left_ == 0 && chance(begins_)) {
    burst_left_ = 1 + pick(pick(2) == 0 ? 4 : 60);
    error_ = errors[pick(errors.size())];
  }
  if (burst_left_ == 0) return fault;
  --burst_left_;
  if (!concerns(call, of_journal) || !chance(fails_)) return fault;
  fault.kind = kind_for(call);
  fault.error = error_;
  return fault;
}

}  // namespace picket::fault

#include "api/digest/session_state.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace picket::digest {
namespace {

constexpr double bucket_growth = 1.05;

bool saw(const schema::SessionRow& row, SessionStatus status) {
  return (row.seen() & (1U << static_cast<unsigned>(status))) != 0;
}

void count_duration(std::int64_t ms, bool add, schema::SessionCounts& counts) {
  const auto bucket = duration_bucket(ms);
  auto& buckets = *counts.mutable_duration_buckets();
  auto& numbers = *counts.mutable_duration_counts();
  const auto found = std::lower_bound(buckets.begin(), buckets.end(), bucket);
  auto at = static_cast<int>(found - buckets.begin());
  if (found == buckets.end() || *found != bucket) {
    if (!add) return;
    buckets.Add(bucket);
    numbers.Add(0);
    std::rotate(buckets.begin() + at, buckets.end() - 1, buckets.end());
    std::rotate(numbers.begin() + at, numbers.end() - 1, numbers.end());
  }
  const auto unsigned_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, ms));
  counts.set_durations(counts.durations() + (add ? 1 : std::uint64_t(-1)));
  counts.set_duration_sum_ms(counts.duration_sum_ms() + (add ? unsigned_ms : std::uint64_t(0) - unsigned_ms));
  numbers.Set(at, numbers.Get(at) + (add ? 1 : std::uint64_t(-1)));
  if (numbers.Get(at) != 0) return;
  buckets.erase(buckets.begin() + at);
  numbers.erase(numbers.begin() + at);
}

}  // namespace

SessionStatus parse_session_status(std::string_view word) {
  if (word == "exited") return SessionStatus::exited;
  if (word == "crashed") return SessionStatus::crashed;
  if (word == "abnormal") return SessionStatus::abnormal;
  if (word == "unhandled") return SessionStatus::unhandled;
  return SessionStatus::ok;
}

void merge(const SessionUpdate& update, schema::SessionRow& row) {
  if (row.seen() == 0) {
    row.set_started_ms(update.started_ms);
    row.set_release(update.release.data(), update.release.size());
    row.set_environment(update.environment.data(), update.environment.size());
    row.set_received_ms(update.received_ms);
  }
  row.set_seen(row.seen() | (1U << static_cast<unsigned>(update.status)));
  row.set_sequence(std::max<std::uint64_t>(row.sequence(), update.sequence));
  row.set_errors(std::max<std::uint32_t>(row.errors(), update.errors));
  row.set_user(std::max<std::uint64_t>(row.user(), update.user));
  if (!update.duration_ms) return;
  const bool newer = std::pair(update.sequence, *update.duration_ms) >
                     std::pair<std::uint64_t, std::int64_t>(row.duration_sequence(), row.duration_ms());
  if (row.has_duration() && !newer) return;
  row.set_has_duration(true);
  row.set_duration_ms(*update.duration_ms);
  row.set_duration_sequence(update.sequence);
}

SessionClass class_of(const schema::SessionRow& row) {
  if (saw(row, SessionStatus::crashed)) return SessionClass::crashed;
  if (saw(row, SessionStatus::abnormal)) return SessionClass::abnormal;
  if (saw(row, SessionStatus::unhandled)) return SessionClass::unhandled;
  return row.errors() > 0 ? SessionClass::errored : SessionClass::healthy;
}

void count_session(const schema::SessionRow& row, bool add, schema::SessionCounts& counts) {
  if (row.seen() == 0) return;
  const std::uint64_t step = add ? 1 : std::uint64_t(-1);
  counts.set_sessions(counts.sessions() + step);
  switch (class_of(row)) {
    case SessionClass::healthy: break;
    case SessionClass::errored: counts.set_errored(counts.errored() + step); break;
    case SessionClass::crashed: counts.set_crashed(counts.crashed() + step); break;
    case SessionClass::abnormal: counts.set_abnormal(counts.abnormal() + step); break;
    case SessionClass::unhandled: counts.set_unhandled(counts.unhandled() + step); break;
  }
  // How long it took is known when it has ended.
  if (row.has_duration() && row.seen() != 1U) count_duration(row.duration_ms(), add, counts);
}

void add_counts(const schema::SessionCounts& counts, schema::SessionCounts& sum) {
  sum.set_sessions(sum.sessions() + counts.sessions());
  sum.set_errored(sum.errored() + counts.errored());
  sum.set_crashed(sum.crashed() + counts.crashed());
  sum.set_abnormal(sum.abnormal() + counts.abnormal());
  sum.set_unhandled(sum.unhandled() + counts.unhandled());
  sum.set_durations(sum.durations() + counts.durations());
  sum.set_duration_sum_ms(sum.duration_sum_ms() + counts.duration_sum_ms());
  if (counts.duration_buckets().empty()) return;
  std::map<std::uint32_t, std::uint64_t> joined;
  for (const auto* part : std::initializer_list<const schema::SessionCounts*>{&counts, &sum}) {
    const int known = std::min(part->duration_buckets_size(), part->duration_counts_size());
    for (int i = 0; i < known; ++i)
      joined[part->duration_buckets(i)] += part->duration_counts(i);
  }
  sum.clear_duration_buckets();
  sum.clear_duration_counts();
  for (const auto& [bucket, number] : joined) {
    sum.add_duration_buckets(bucket);
    sum.add_duration_counts(number);
  }
}

std::uint32_t duration_bucket(std::int64_t ms) {
  if (ms <= 0) return 0;
  return 1 + static_cast<std::uint32_t>(std::log(static_cast<double>(ms)) / std::log(bucket_growth));
}

double duration_of_bucket(std::uint32_t bucket) {
  return bucket == 0 ? 0 : std::pow(bucket_growth, static_cast<double>(bucket) - 0.5);
}

std::optional<double> duration_quantile(const schema::SessionCounts& counts, double share) {
  const int known = std::min(counts.duration_buckets_size(), counts.duration_counts_size());
  if (known == 0 || counts.durations() == 0) return std::nullopt;
  const auto wanted = share * static_cast<double>(counts.durations() - 1);
  std::uint64_t before = 0;
  for (int i = 0; i < known; ++i) {
    before += counts.duration_counts(i);
    if (static_cast<double>(before) > wanted) return duration_of_bucket(counts.duration_buckets(i));
  }
  return duration_of_bucket(counts.duration_buckets(known - 1));
}

bool in_user_set(const schema::SessionRow& row, UserKind kind) {
  const auto worse = row.seen() & ~3U;  // than ok and exited
  switch (kind) {
    case UserKind::all: return true;
    case UserKind::errored: return row.errors() > 0 || worse != 0;
    case UserKind::crashed: return saw(row, SessionStatus::crashed);
    case UserKind::abnormal: return saw(row, SessionStatus::abnormal);
    case UserKind::unhandled: return saw(row, SessionStatus::unhandled);
  }
  return false;
}

}  // namespace picket::digest

// What a session's updates add up to. Merging is a join: in whatever order updates come, and however
// often each, the row ends the same; so do the counts made from it.
// https://develop.sentry.dev/sdk/telemetry/sessions/
#pragma once

#include "buffer/schema/rows.pb.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace picket::digest {

// Bits of SessionRow::seen: never renumber.
enum class SessionStatus : std::uint8_t { ok = 0, exited = 1, crashed = 2, abnormal = 3, unhandled = 4 };
// Unknown words are of a later protocol: the session goes on.
SessionStatus parse_session_status(std::string_view word);

struct SessionUpdate {
  std::int64_t started_ms = 0;
  std::string_view release;
  std::string_view environment;
  std::uint64_t user = 0;  // 0: unknown
  std::uint64_t sequence = 0;
  std::uint32_t errors = 0;
  SessionStatus status = SessionStatus::ok;
  std::optional<std::int64_t> duration_ms;
  std::int64_t received_ms = 0;
};

// REQUIRES: `row` is empty or of the same session.
void merge(const SessionUpdate& update, schema::SessionRow& row);

// How a session is counted: each in exactly one class, the worst that was seen of it.
enum class SessionClass : std::uint8_t { healthy, errored, crashed, abnormal, unhandled };
SessionClass class_of(const schema::SessionRow& row);

// Adds what the row stands for, or takes it back.
void count_session(const schema::SessionRow& row, bool add, schema::SessionCounts& counts);
void add_counts(const schema::SessionCounts& counts, schema::SessionCounts& sum);

// The bucket of a duration, each 5 % wider than the one before, and the middle of one.
std::uint32_t duration_bucket(std::int64_t ms);
double duration_of_bucket(std::uint32_t bucket);
// In ms; nothing when no session told one. `share` from 0 to 1.
std::optional<double> duration_quantile(const schema::SessionCounts& counts, double share);

// Which sets of users a session's user belongs to: SessionRow::user is in `all`, and in those of
// everything that was seen of the session.
enum class UserKind : std::uint8_t { all = 0, errored = 1, crashed = 2, abnormal = 3, unhandled = 4 };
constexpr std::uint8_t user_kinds = 5;
bool in_user_set(const schema::SessionRow& row, UserKind kind);

}  // namespace picket::digest

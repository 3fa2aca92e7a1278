// The digest: reads the journal from its cursor and turns records into issues, events, releases,
// environments, tags and statistics in the tables.
//
// INVARIANT  The rows of a batch and the cursor behind it are written in one transaction: each
// record
//            is digested exactly once, whatever dies when.
// INVARIANT  No record stops it: what cannot be digested is counted as invalid and passed over.
// When the
//            tables cannot be written (disk full) it waits and tries again, for ever.
// THREADS    start(), stop() from one thread; counters() from any. run_once() is for tests and for
//            catching up without a thread: never while started.
#pragma once

#include "api/digest/batch_size.h"
#include "api/digest/config.h"
#include "api/digest/digest_pace.h"
#include "api/digest/ownership.h"
#include "api/digest/parsed_batch.h"
#include "api/digest/tag_expiry.h"
#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/tables.h"
#include "buffer/two_paces.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace picket::digest {

struct DigestCounters {  // since start
  std::uint64_t records = 0;
  std::uint64_t events = 0;
  std::uint64_t duplicates = 0;  // events, and envelopes of other Pickets
  std::uint64_t invalid = 0;  // items, duplicates included
  std::uint64_t issues = 0;   // created
  std::uint64_t regressions = 0;
  std::uint64_t batches = 0;
  std::uint64_t trimmed_rows = 0;
  buffer::Sequence next = 0;   // the first record not yet digested
  Duration lag{};              // age of the oldest record that waits; 0 when none does
  Duration last_batch_took{};  // reading, parsing and writing
  Duration last_write_took{};  // of it, what other writers waited for
  std::uint64_t failed_writes = 0;
  std::string last_error;  // of a write; empty when the last one succeeded
};

class Digest {
 public:
  Digest(buffer::Journal& journal,
         buffer::Tables& tables,
         const Clock& clock,
         const DigestConfig& config);
  ~Digest();  // stops

  void start();
  void stop();

  // Digests one batch, if there is anything to digest, trims what the journal let go of, and does what
  // time asks for: monitors that nobody checked in to, rows that are too old. The number of records (1
  // where all of them are lost); an error when the tables cannot be written, or may not grow.
  Result<std::size_t> run_once();

  DigestCounters counters() const;

 private:
  struct Read {
    ParsedBatch parsed;
    bool more = false;  // wait already
  };

  Pace step(const std::stop_token& stop);
  void pause(const std::stop_token& stop, Duration at_most);
  buffer::Sequence cursor() const;
  Result<Read> read_batch();
  ParsedBatch begin_batch();
  void read_piece(const buffer::ReadBatch& records, ParsedBatch& parsed);
  Result<void> write_parsed(const ParsedBatch& parsed);
  Result<void> write_one_by_one(buffer::Sequence end);
  Result<void> write_one_by_one(const buffer::ReadBatch& records, buffer::Sequence end);
  void tidy();
  void settle_tags();
  void trim(std::size_t most_rows);
  void grant();
  void tick();

  buffer::Journal& journal_;
  buffer::Tables& tables_;
  const Clock& clock_;
  const DigestConfig config_;

  // Of the thread whose turn it is.
  std::stop_token stop_;  // of the step under way
  buffer::Sequence next_ = 0;  // 0: not yet read from the tables
  BatchSize batch_size_;
  DigestPace pace_;
  OwnershipBook ownership_;
  GroupingBook groupings_;
  RepeatBook repeats_;
  bool backlog_ = false;
  buffer::Sequence trimmed_floor_ = 0;
  Time digested_until_{};  // when the newest digested record was received
  Duration stretch_{};     // from when to when the records of the last batch were received
  Time begun_{};   // when it first ticked
  Time ticked_{};
  Time expired_{};
  TagExpiry tag_expiry_;
  Time tags_expired_{};  // when a pass ended
  bool resting_ = false;    // nothing came for a while
  std::size_t worked_ = 0;  // records since memory was given back at rest
  std::chrono::steady_clock::time_point given_back_ = std::chrono::steady_clock::now();  // by the tables, in the midst of work
  Duration backoff_{};  // before the next attempt, after one that failed
  std::optional<std::chrono::steady_clock::time_point> logged_;      // the last failure

  mutable std::mutex mutex_;
  std::condition_variable_any woken_;
  DigestCounters counters_;  // guarded by mutex_
  Time newest_received_{};   // guarded by mutex_
  TwoPaces threads_;         // last: stop before all they use
};

}  // namespace picket::digest

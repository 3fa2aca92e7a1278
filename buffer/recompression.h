// Makes sealed segments smaller while there is nothing better to do, from the oldest on: recompresses them with
// dictionaries trained on their own records (segment_recompress.h).
//
//   sealed ──► its youngest record is as old as config.recompress_after ──► no consumer reads in it ──► rewritten
//
// Before the first one is exchanged the tables say that older binaries must not open the data (schema_number.h): they
// could not read it.
//
// INVARIANT  A record is readable at any moment, in the file before or in the one after, and never in both.
// THREADS    start() runs a thread of its own (nice 10, and pauses: spare_time.h); run_once() from one thread at a time.
#pragma once

#include "buffer/clock.h"
#include "buffer/config.h"
#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/spare_time.h"
#include "buffer/tables.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

namespace picket::buffer {

// What became of it so far, by the tables.
schema::Recompression read_recompression(const Reader& tables);

class Recompression {
 public:
  Recompression(Tables& tables, Journal& journal, const Clock& clock, const StorageConfig& config, OpenBody open_body);

  // Looks at the next segment. True: there may be more to do at once.
  Result<bool> run_once(const std::stop_token& stop = {});
  // In the background until the object ends, which gives up what is under way. Nothing when switched off.
  void start();
  // Gives up what is under way without waiting until that is done: a tenth of a second's work of a thread that gives way.
  void stop_soon();

 private:
  Recompressed::What may(const SegmentUse& use) const;
  bool go_on(const std::stop_token& stop);
  void pause(const std::stop_token& stop, std::chrono::microseconds time);
  Result<void> note(const Recompressed& done);
  bool digest_waits() const;

  Tables& tables_;
  Journal& journal_;
  const Clock& clock_;
  const bool on_;
  const Duration after_;
  const Time started_;
  const OpenBody open_body_;
  std::optional<Sequence> at_;    // the next one to look at
  bool passed_one_ = false;       // something before at_ is yet to be done
  bool failing_ = false;
  std::chrono::steady_clock::time_point step_began_{};
  std::chrono::nanoseconds processor_began_{};
  std::uint64_t records_before_ = 0;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace picket::buffer

// The journal: the durable truth about what arrived. A ring of segments, each its own preallocated
// LMDB file, appended to by one committer and recycled whole.
//
//   SDK threads ── offer() ──► queue ──► committer: pack all that waits into ONE block,
//                                        commit, sync ──► on_durable of each
//
// INVARIANT  Sequence numbers are dense and increase by one per record, across segments and restarts.
// INVARIANT  on_durable(sequence) is called only after the commit that holds the record was synced.
// INVARIANT  A record is readable only when all of it is durable; one that a crash cut short is not
//            there after the restart, and its sequence number is given again.
// INVARIANT  Every record carries a CRC-32C; a record that fails it is reported, never served.
// INVARIANT  A record that must be split delays those that came with it by no more than its own
//            commit: all others that wait go first.
// THREADS    offer() and all readers from any thread; on_durable runs on the committer thread and
//            must not block.
#pragma once

#include "buffer/bytes.h"
#include "buffer/clock.h"
#include "buffer/disk_gauge.h"
#include "buffer/result.h"
#include "buffer/spool.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {

using Sequence = std::uint64_t;  // the first record is 1; 0 is "before everything"

// Stored as one byte; never renumber.
enum class RecordKind : std::uint8_t {
  envelope = 1,  // body: an envelope, in the coding that `coding` names
  outcomes = 2,  // body: a serialised schema::OutcomeCounts: what intake dropped, summed up
};

// Of `flags`: the body was dropped for want of room; the rest is there to be counted.
constexpr std::uint8_t record_dropped = 1;

struct Record {
  RecordKind kind = RecordKind::envelope;
  std::uint8_t coding = 0;  // relay/protocol/content_encoding.h's Coding; the journal only keeps it
  std::uint8_t flags = 0;
  Time received{};
  std::uint64_t project = 0;
  std::string key;   // 16 raw bytes of the public key, or empty
  std::string meta;  // a serialised schema::IntakeMeta
  Bytes body;        // one that lies in a file costs no memory while it waits
};

// A record as it is read; views point into the batch that holds it.
struct StoredRecord {
  Sequence sequence = 0;
  RecordKind kind = RecordKind::envelope;
  std::uint8_t coding = 0;
  std::uint8_t flags = 0;
  Time received{};
  std::uint64_t project = 0;
  std::string_view key;
  std::string_view meta;
  std::string_view body;
  // Set when the bytes lie in a file, which it keeps there.
  std::shared_ptr<const void> owner = {};

  bool dropped() const { return (flags & record_dropped) != 0; }
  // The body as bytes of its own: copied, or shared with the file.
  Bytes keep_body() const { return owner ? Bytes(owner, body) : Bytes(std::string(body)); }
};

struct ReadBatch {
  std::vector<StoredRecord> records;  // ascending and dense, except for damaged ones
  std::vector<Sequence> damaged;      // failed their checksum, or lie in a damaged block
  Sequence next = 0;                  // read on from here
  std::vector<Bytes> storage;         // what the views point into
};

// The ladder of "full": how much room new records have, and what is done about it.
//   ample ◄──► low: what is worth least is refused ◄──► full: everything new is, or the oldest goes
// Numbers are stored and shown as metrics; never renumber.
enum class RoomStep : std::uint8_t { ample = 0, low = 1, full = 2 };
std::string_view name_of(RoomStep step);

struct JournalOptions {
  std::filesystem::path folder;
  std::uint64_t segment_bytes = std::uint64_t{256} << 20;
  std::uint64_t max_bytes = std::uint64_t{10} << 30;  // all segments together
  std::uint64_t queue_bytes = std::uint64_t{64} << 20;  // of memory, waiting for the committer
  bool read_only = false;  // for verbs that look at a running Picket's journal: as it was at open
  std::uint64_t disk_reserve_bytes = 0;  // refuse when the file system has less than this left
  std::uint64_t low_room_bytes = 0;      // room below this is low
  DiskFree disk_free = {};               // instead of the file system's own word
  // No record gets a smaller sequence: the greatest cursor of the consumers (retention.h). Matters
  // only after the newest segment was lost, so that they skip nothing of what comes next.
  Sequence next_at_least = 1;
  // Where records that were split are put together again; without one, in memory.
  std::shared_ptr<Spool> spool = {};
};

using OnDurable = std::function<void(const Result<Sequence>&)>;

struct SegmentUse {
  std::filesystem::path path;
  Sequence first = 0;
  Sequence last = 0;  // 0 while empty
  Time oldest{};
  Time newest{};
  std::uint64_t file_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t bytes_before = 0;  // what it took before it was recompressed; 0: it was not
};

struct JournalUse {
  Sequence first = 0;  // oldest readable; == next when empty
  Sequence next = 1;   // the next to be given
  std::uint64_t file_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t commits = 0;        // since start
  std::uint64_t committed_records = 0;  // since start
  Time last_commit{};               // of the last successful commit
  std::uint64_t queued_bytes = 0;   // of memory, offered and not yet answered
  Duration last_commit_took{};
  bool full = false;                // refusing: see retention
  RoomStep step = RoomStep::ample;
  std::uint64_t room_bytes = 0;       // as of the last judge_room()
  std::uint64_t disk_free_bytes = 0;  // of the file system
  bool disk_low = false;              // it has less than the reserve left
  bool spare = true;                // when the newest segment is full there will be another
  std::chrono::microseconds commit_time{};  // of all commits since start together
  std::uint64_t failed_commits = 0;         // since start
  std::uint64_t recompressed_segments = 0;  // since start, as what follows
  std::uint64_t recompressed_before_bytes = 0;
  std::uint64_t recompressed_after_bytes = 0;
  bool rewrite_waits = false;  // recompress() would go on if there were more room
};

// What recompress() did with a segment.
struct Recompressed {
  enum class What : std::uint8_t {
    nothing,     // no sealed segment from there on
    done,        // it is smaller now
    already,     // it was done before
    not_yet,     // it may not be touched yet, nor may those behind it
    in_use,      // it may not be touched just now
    left_alone,  // it is damaged, or would hardly become smaller
    no_room,     // no room beside it, told to stop, or the like: later
  };
  What what = What::nothing;
  Sequence next = 0;  // where the next call goes on when this segment is to be passed over
  std::string file = {};
  std::string reason = {};
  std::uint64_t records = 0;
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
};

// A body without the coding that StoredRecord::coding names.
struct PlainBody {
  std::string bytes;
  std::uint8_t coding = 0;  // what it has now
};
// Nothing: the body stays as it is. Should not give more than a mebibyte.
using OpenBody = std::function<std::optional<PlainBody>(const StoredRecord&)>;

struct Recompressing {
  OpenBody open_body;
  // `done`: go ahead; `not_yet`, `in_use`: leave it.
  std::function<Recompressed::What(const SegmentUse&)> may;
  std::function<bool()> go_on;                     // asked many times a second, may take its time; false: stop
  std::function<Result<void>()> before_replacing;  // may be empty; when it fails nothing is replaced
};

class Journal {
 public:
  static Result<std::unique_ptr<Journal>> open(const JournalOptions& options, const Clock& clock);
  virtual ~Journal() = default;  // commits what was offered, then stops

  // Takes the record over. Fails at once (Fault::unavailable) when the queue or the disk budget is
  // full; otherwise on_durable is called exactly once, also for a commit that failed.
  virtual Result<void> offer(Record record, OnDurable on_durable) = 0;

  // Would offer() be refused for lack of disk budget? For answering before a body is read.
  virtual bool full() const = 0;
  // At which step of the ladder: full as full() says, low as judge_room() found.
  virtual RoomStep room_step() const { return full() ? RoomStep::full : RoomStep::ample; }
  // Finds out how much room there is, what no consumer needs any more (records before `read_before`)
  // counting as room. One thread at a time.
  virtual void judge_room(Sequence) {}

  // Reads durable records from `from` on, until about `max_bytes` of bodies or `max_records` are
  // gathered (at least one if there is one). When `from` is older than the oldest record, starts there.
  virtual Result<ReadBatch> read(Sequence from, std::size_t max_bytes, std::size_t max_records) const = 0;

  // One record; Fault::not_found when recycled or not yet there, Fault::corrupt when damaged.
  virtual Result<ReadBatch> read_one(Sequence sequence) const = 0;

  // Waits until a record with a sequence >= `from` is durable, or the time is over, or interrupt()
  // is called meanwhile. True when there is something to read.
  virtual bool wait_for(Sequence from, Duration at_most) const = 0;
  virtual void interrupt() = 0;
  // Runs after each commit and its answers, on the committer thread; must not block. For waking event loops.
  virtual void on_commit(std::function<void()> listener) = 0;

  virtual JournalUse use() const = 0;
  virtual std::vector<SegmentUse> segments() const = 0;
  // The oldest segment that is no longer written to; nothing when there is only the newest.
  virtual std::optional<SegmentUse> oldest_sealed() const;

  // Recycles every sealed segment whose last record is before `keep_from`. The caller has made the
  // decision durable first (retention.h).
  virtual Result<void> recycle_before(Sequence keep_from) = 0;

  // Names of the segment files that were set aside as damaged, ascending.
  virtual std::vector<std::string> set_aside() const { return {}; }

  // Drops the bodies of the records that `goes` picks, in the oldest sealed segment at or behind `from` that
  // was not worked on since it was opened. Says where the next call goes on; nothing when there is none.
  // One thread at a time, that of recycle_before().
  virtual Result<std::optional<Sequence>> drop_bodies(Sequence /*from*/, const std::function<bool(const StoredRecord&)>& /*goes*/) {
    return std::optional<Sequence>();
  }

  // Writes the oldest sealed segment at or behind `from` anew, smaller, when it may, and puts that in its place.
  // Readers are given the same records before and after, but for the coding of bodies. One thread at a time, any.
  virtual Result<Recompressed> recompress(Sequence /*from*/, const Recompressing& /*how*/) { return Recompressed(); }

  // Room for whoever opens large bodies that it read here; none where everything stays in memory.
  virtual ByteRoom reading_room() const { return {}; }

 protected:
  Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
};

}  // namespace picket::buffer

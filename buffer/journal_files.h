// The journal on segment files: what Journal::open() gives. journal.cpp holds the queue and the
// committer, journal_read.cpp all that only reads, journal_recover.cpp opening and repair, journal_rewrite.cpp
// the exchange of a segment for a smaller one.
//
// THREADS  The committer alone changes next_, adds segments and writes; recycle_before() removes
//          segments at the other end, never the newest. Who removes or exchanges a segment's file, or sets it
//          aside, does so under exchange_mutex_, which neither the committer nor a reader of sound files takes.
#pragma once

#include "buffer/batch_builder.h"
#include "buffer/held_room.h"
#include "buffer/journal.h"
#include "buffer/segment.h"
#include "buffer/segment_folder.h"
#include "buffer/segment_recompress.h"
#include "buffer/segment_rewrite.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace picket::buffer {

class JournalFiles final : public Journal {
 public:
  JournalFiles(const JournalOptions& options,
               const Clock& clock,
               std::unique_ptr<SegmentFolder> folder);
  ~JournalFiles() override;

  // Finds out what is there; starts the committer unless read-only.
  Result<void> start();

  Result<void> offer(Record record, OnDurable on_durable) override;
  bool full() const override;
  RoomStep room_step() const override { return full() ? RoomStep::full : low_ ? RoomStep::low : RoomStep::ample; }
  void judge_room(Sequence read_before) override;
  Result<ReadBatch> read(Sequence from, std::size_t max_bytes, std::size_t max_records) const override;
  Result<ReadBatch> read_one(Sequence sequence) const override;
  bool wait_for(Sequence from, Duration at_most) const override;
  void interrupt() override;
  void on_commit(std::function<void()> listener) override;
  JournalUse use() const override;
  std::vector<SegmentUse> segments() const override;
  std::optional<SegmentUse> oldest_sealed() const override;
  Result<void> recycle_before(Sequence keep_from) override;
  Result<std::optional<Sequence>> drop_bodies(Sequence from, const PickRecord& goes) override;
  Result<Recompressed> recompress(Sequence from, const Recompressing& how) override;
  std::vector<std::string> set_aside() const override { return folder_->set_aside_names(); }
  ByteRoom reading_room() const override {
    return {options_.spool, nullptr, Spool::Purpose::reading};
  }

 private:
  using SegmentPtr = std::shared_ptr<Segment>;
  struct Place {
    SegmentPtr segment;
    BlockKey limit;  // the first key that lies in the next segment
  };
  // What a copy is made of.
  struct Original {
    Place place;
    std::uint64_t generation;  // of its segment
  };

  // journal_recover.cpp
  Result<void> load_segments();
  Result<void> recover_newest();
  Result<void> find_next(Segment& newest);
  Result<void> discard(Sequence torn);
  Result<void> cut_back(Segment& newest, Sequence torn);
  void count_growth(const Segment& segment, std::uint64_t before);
  void reopen_after_failure();
  Result<void> give_back(const SegmentPtr& segment);

  // journal.cpp
  void commit_waiting();
  void commit_all(std::vector<Record>& records, std::vector<OnDurable>& answers);
  Result<void> commit_block(std::span<const Record> records);
  Result<void> commit_split(const Record& record);
  Result<void> write(BlockKey key, std::size_t bytes, const std::function<void(char*)>& fill);
  Result<void> rotate(BlockKey name);
  void publish();
  void wake_readers();
  void committed(std::size_t records, std::chrono::steady_clock::time_point began);
  void failed(const Error& error);
  void update_room();

  // journal_rewrite.cpp
  std::optional<Original> find_settled(Sequence from) const;
  Result<void> exchange(const Original& original, const std::filesystem::path& file, HeldRoom& held);

  // journal_read.cpp
  BatchBuilder gather(Sequence from, const BatchBuilder::Limits& limits, std::optional<Error>& stopped) const;
  Result<Bytes> fetch_split(const BatchBuilder::Split& split) const;
  std::optional<Place> find(BlockKey key) const;
  SegmentPtr newest() const;
  void drop(const SegmentPtr& segment, const Error& why) const;
  void close_surplus() const;
  Result<SegmentUse> describe(const Place& place) const;
  void set_bounds(const Place& place, SegmentUse& use) const;
  std::uint64_t sealed_bytes_before(Sequence end) const;

  const JournalOptions options_;
  const Clock& clock_;
  const std::unique_ptr<SegmentFolder> folder_;
  const std::size_t max_block_bytes_;

  // The committer's own.
  SegmentPtr active_;       // the newest, when it can be written
  SegmentPtr to_reopen_;    // the newest, when that could not be done after a failed commit
  Sequence next_ = 1;
  bool failing_ = false;    // the last commit failed
  std::optional<BlockKey> leftover_;  // may lie in the folder since a rotation that failed: SegmentFolder::withdraw()
  // The newest segments' names changed, and nobody knows whether that lasts: a power cut could bring an older file back under
  // a name, or one that is newer than where records go.
  bool names_unsure_ = false;
  bool abandon_ = false;    // a commit into the active segment failed: take another when possible
  Sequence discard_ = 0;    // parts of this sequence must go before the next commit

  std::atomic<Sequence> durable_next_{1};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> committed_records_{0};
  std::atomic<std::uint64_t> failed_commits_{0};
  std::atomic<std::int64_t> last_commit_ms_{0};
  std::atomic<std::int64_t> last_commit_us_{0};
  std::atomic<std::int64_t> commit_us_{0};
  std::atomic<bool> out_of_room_{false};
  std::atomic<bool> low_{false};
  std::atomic<std::uint64_t> active_room_bytes_{0};
  std::atomic<std::uint64_t> room_bytes_{0};
  std::atomic<std::uint64_t> rewrite_room_{0};  // that recompress() waits for
  std::optional<BlockKey> outgrew_;             // recompress()'s own: the segment whose copy came to more than was thought
  std::atomic<std::uint64_t> recompressed_segments_{0};
  std::atomic<std::uint64_t> recompressed_before_bytes_{0};
  std::atomic<std::uint64_t> recompressed_after_bytes_{0};

  mutable std::mutex exchange_mutex_;  // before segments_mutex_ and a segment's own
  mutable std::mutex segments_mutex_;
  mutable std::vector<SegmentPtr> segments_;  // guarded by segments_mutex_; ascending

  mutable std::mutex wait_mutex_;
  mutable std::condition_variable durable_;
  std::uint64_t interrupts_ = 0;                    // guarded by wait_mutex_
  std::vector<std::function<void()>> listeners_;    // guarded by wait_mutex_

  mutable std::mutex queue_mutex_;
  std::condition_variable offered_;
  std::vector<Record> queue_;        // guarded by queue_mutex_, as what follows
  std::vector<OnDurable> answers_;
  std::deque<Record> large_;         // each too much for one block
  std::deque<OnDurable> large_answers_;
  std::uint64_t waiting_bytes_ = 0;  // of the queue and of what is being committed
  bool stopping_ = false;
  std::thread committer_;            // last: uses all of the above
};

}  // namespace picket::buffer

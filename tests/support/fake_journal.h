// A journal in memory that holds commits back, fails them and is full on command.
//
// THREADS  All members from any thread. on_durable runs on the thread that commits: the offering
// one,
//          or that of commit().
#pragma once

#include "buffer/journal.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace picket::testing {

class FakeJournal final : public buffer::Journal {
 public:
  // From now on offered records wait for commit().
  void hold() {
    set([this] { held_ = true; });
  }
  void set_full(bool full) {
    set([this, full] { full_ = full; });
  }
  void set_low(bool low) {
    set([this, low] { low_ = low; });
  }
  void refuse_offers(std::optional<Error> error) {
    set([this, &error] { refusal_ = std::move(error); });
  }
  void fail_commits(std::optional<Error> error) {
    set([this, &error] { failure_ = std::move(error); });
  }

  // Commits everything that waits, one by one.
  void commit() {
    std::deque<Offer> offers;
    set([&] { offers.swap(waiting_); });
    for (auto& offer : offers)
      commit(std::move(offer));
  }

  // Commits what waits and holds nothing back any more.
  void release() {
    set([this] { held_ = false; });
    commit();
  }
  // What waits is gone, as after a kill; nothing is held back any more.
  void lose_waiting() {
    std::deque<Offer> lost;
    set([&] {
      held_ = false;
      lost.swap(waiting_);
    });
  }

  std::vector<buffer::Record> records(
      buffer::RecordKind kind = buffer::RecordKind::envelope) const {
    const std::lock_guard lock(mutex_);
    std::vector<buffer::Record> found;
    for (const auto& record : records_) {
      if (record.kind == kind) found.push_back(record);
    }
    return found;
  }
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }

  Result<void> offer(buffer::Record record, buffer::OnDurable on_durable) override {
    Offer offer{std::move(record), std::move(on_durable)};
    {
      const std::lock_guard lock(mutex_);
      if (refusal_) return *refusal_;
      if (full_) return Error{Fault::unavailable, "the disk budget is used up"};
      if (held_) {
        waiting_.push_back(std::move(offer));
        return {};
      }
    }
    commit(std::move(offer));
    return {};
  }

  bool full() const override {
    const std::lock_guard lock(mutex_);
    return full_;
  }

  buffer::RoomStep room_step() const override {
    const std::lock_guard lock(mutex_);
    return full_ ? buffer::RoomStep::full : low_ ? buffer::RoomStep::low : buffer::RoomStep::ample;
  }

  // From now on the record is reported as damaged.
  void damage(buffer::Sequence sequence) {
    set([&] { damaged_.insert(sequence); });
  }

  // From now on the record is in no answer, as if its segment had been set aside.
  void lose(buffer::Sequence sequence) {
    set([&] { lost_.insert(sequence); });
  }

  Result<buffer::ReadBatch> read(buffer::Sequence from,
                                 std::size_t max_bytes,
                                 std::size_t max_records) const override {
    const std::lock_guard lock(mutex_);
    buffer::ReadBatch batch;
    std::size_t bytes = 0;
    batch.next = std::max(from, first_);
    while (batch.next <= records_.size() && batch.records.size() < max_records &&
           bytes < max_bytes) {
      if (lost_.contains(batch.next)) {
        ++batch.next;
        continue;
      }
      if (damaged_.contains(batch.next)) {
        batch.damaged.push_back(batch.next++);
        continue;
      }
      const auto& record = records_[batch.next - 1];
      batch.records.push_back(stored(record, batch.next++));
      bytes += record.body.size();
    }
    return batch;
  }
  Result<buffer::ReadBatch> read_one(buffer::Sequence sequence) const override {
    const std::lock_guard lock(mutex_);
    if (sequence < first_ || sequence > records_.size())
      return Error{Fault::not_found, "no such record"};
    if (lost_.contains(sequence)) return Error{Fault::not_found, "no such record"};
    if (damaged_.contains(sequence)) return Error{Fault::corrupt, "damaged"};
    buffer::ReadBatch batch;
    batch.records.push_back(stored(records_[sequence - 1], sequence));
    batch.next = sequence + 1;
    return batch;
  }
  bool wait_for(buffer::Sequence from, Duration at_most) const override {
    std::unique_lock lock(mutex_);
    const auto generation = interrupts_;
    arrived_.wait_for(lock, at_most,
                      [&] { return from <= records_.size() || interrupts_ != generation; });
    return from <= records_.size();
  }
  void interrupt() override {
    set([this] { ++interrupts_; });
    arrived_.notify_all();
  }
  void on_commit(std::function<void()> listener) override { listener_ = std::move(listener); }
  buffer::JournalUse use() const override {
    const std::lock_guard lock(mutex_);
    buffer::JournalUse use;
    use.first = first_;
    use.next = records_.size() + 1;
    use.commits = records_.size();
    use.committed_records = records_.size();
    use.full = full_;
    return use;
  }
  std::vector<buffer::SegmentUse> segments() const override { return {}; }
  Result<void> recycle_before(buffer::Sequence keep_from) override {
    set([&] { first_ = std::max(first_, keep_from); });
    return {};
  }

 private:
  struct Offer {
    buffer::Record record;
    buffer::OnDurable on_durable;
  };

  // The record's views are good while the journal lives: a deque never moves what it holds.
  static buffer::StoredRecord stored(const buffer::Record& record, buffer::Sequence sequence) {
    return {.sequence = sequence,
            .kind = record.kind,
            .coding = record.coding,
            .flags = record.flags,
            .received = record.received,
            .project = record.project,
            .key = record.key,
            .meta = record.meta,
            .body = record.body};
  }

  template <class Change>
  void set(const Change& change) {
    const std::lock_guard lock(mutex_);
    change();
  }

  void commit(Offer offer) {
    std::optional<Error> failure;
    buffer::Sequence sequence = 0;
    {
      const std::lock_guard lock(mutex_);
      failure = failure_;
      if (!failure) {
        records_.push_back(std::move(offer.record));
        sequence = records_.size();
      }
    }
    if (failure) return offer.on_durable(*failure);
    offer.on_durable(sequence);
    arrived_.notify_all();
    if (listener_) listener_();
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable arrived_;
  std::function<void()> listener_;
  bool held_ = false;  // guarded by mutex_, as the rest
  bool full_ = false;
  bool low_ = false;
  std::optional<Error> refusal_;
  std::optional<Error> failure_;
  std::deque<Offer> waiting_;
  std::deque<buffer::Record> records_;
  std::set<buffer::Sequence> damaged_;
  std::set<buffer::Sequence> lost_;
  buffer::Sequence first_ = 1;
  std::uint64_t interrupts_ = 0;
};

}  // namespace picket::testing

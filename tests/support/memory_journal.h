// A journal in memory that can be read, damaged and recycled: for the consumers' tests.
//
// THREADS  All members from any thread; offers commit at once, on the offering thread.
#pragma once

#include "buffer/journal.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace picket::testing {

class MemoryJournal final : public buffer::Journal {
 public:
  buffer::Sequence append(buffer::Record record) {
    std::vector<std::function<void()>> listeners;
    buffer::Sequence sequence = 0;
    {
      const std::lock_guard lock(mutex_);
      records_.push_back(std::move(record));
      sequence = first_ + records_.size() - 1;
      listeners = listeners_;
    }
    for (const auto& listener : listeners) listener();
    return sequence;
  }
  void damage(buffer::Sequence sequence) {
    const std::lock_guard lock(mutex_);
    damaged_.insert(sequence);
  }
  std::uint64_t reads() const { return reads_; }

  Result<void> offer(buffer::Record record, buffer::OnDurable on_durable) override {
    on_durable(append(std::move(record)));
    return {};
  }
  bool full() const override { return false; }

  Result<buffer::ReadBatch> read(buffer::Sequence from, std::size_t max_bytes, std::size_t max_records) const override {
    ++reads_;
    const std::lock_guard lock(mutex_);
    buffer::ReadBatch batch;
    std::size_t bytes = 0;
    batch.next = std::max(from, first_);
    while (batch.next < end() && batch.records.size() < max_records && (batch.records.empty() || bytes < max_bytes)) {
      bytes += take(batch, batch.next++);
    }
    if (batch.next == first_ && from < first_) batch.next = from;
    point(batch);
    return batch;
  }

  Result<buffer::ReadBatch> read_one(buffer::Sequence sequence) const override {
    const std::lock_guard lock(mutex_);
    if (sequence < first_ || sequence >= end()) return Error{Fault::not_found, "not there"};
    if (damaged_.contains(sequence)) return Error{Fault::corrupt, "damaged"};
    buffer::ReadBatch batch;
    take(batch, sequence);
    batch.next = sequence + 1;
    point(batch);
    return batch;
  }

  bool wait_for(buffer::Sequence, Duration) const override { return false; }
  void interrupt() override {}
  void on_commit(std::function<void()> listener) override {
    const std::lock_guard lock(mutex_);
    listeners_.push_back(std::move(listener));
  }
  buffer::JournalUse use() const override {
    const std::lock_guard lock(mutex_);
    buffer::JournalUse use;
    use.first = first_;
    use.next = end();
    return use;
  }
  std::vector<buffer::SegmentUse> segments() const override { return {}; }

  Result<void> recycle_before(buffer::Sequence keep_from) override {
    const std::lock_guard lock(mutex_);
    while (first_ < keep_from && !records_.empty()) {
      records_.pop_front();
      ++first_;
    }
    return {};
  }

 private:
  buffer::Sequence end() const { return first_ + records_.size(); }

  std::size_t take(buffer::ReadBatch& batch, buffer::Sequence sequence) const {
    if (damaged_.contains(sequence)) {
      batch.damaged.push_back(sequence);
      return 0;
    }
    const buffer::Record& record = records_[sequence - first_];
    batch.storage.push_back(record.key + record.meta + std::string(record.body.view()));
    buffer::StoredRecord stored;
    stored.sequence = sequence;
    stored.kind = record.kind;
    stored.coding = record.coding;
    stored.flags = record.flags;
    stored.received = record.received;
    stored.project = record.project;
    batch.records.push_back(stored);
    return record.body.size();
  }

  // The views, once the strings do not move any more.
  void point(buffer::ReadBatch& batch) const {
    for (std::size_t i = 0; i < batch.records.size(); ++i) {
      buffer::StoredRecord& stored = batch.records[i];
      const buffer::Record& record = records_[stored.sequence - first_];
      const std::string_view bytes = batch.storage[i];
      stored.key = bytes.substr(0, record.key.size());
      stored.meta = bytes.substr(record.key.size(), record.meta.size());
      stored.body = bytes.substr(record.key.size() + record.meta.size());
    }
  }

  mutable std::mutex mutex_;
  mutable std::atomic<std::uint64_t> reads_{0};
  std::deque<buffer::Record> records_;  // guarded by mutex_, as the rest
  buffer::Sequence first_ = 1;
  std::set<buffer::Sequence> damaged_;
  std::vector<std::function<void()>> listeners_;
};

}  // namespace picket::testing

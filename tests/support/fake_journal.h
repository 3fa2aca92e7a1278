// A journal in memory that holds commits back, fails them and is full on command.
//
// THREADS  All members from any thread. on_durable runs on the thread that commits: the offering one,
//          or that of commit().
#pragma once

#include "buffer/journal.h"

#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace picket::testing {

class FakeJournal final : public buffer::Journal {
 public:
  // From now on offered records wait for commit().
  void hold() { set([this] { held_ = true; }); }
  void set_full(bool full) { set([this, full] { full_ = full; }); }
  void refuse_offers(std::optional<Error> error) { set([this, &error] { refusal_ = std::move(error); }); }
  void fail_commits(std::optional<Error> error) { set([this, &error] { failure_ = std::move(error); }); }

  // Commits everything that waits, one by one.
  void commit() {
    std::deque<Offer> offers;
    set([&] { offers.swap(waiting_); });
    for (auto& offer : offers) commit(std::move(offer));
  }

  std::vector<buffer::Record> records(buffer::RecordKind kind = buffer::RecordKind::envelope) const {
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

  Result<buffer::ReadBatch> read(buffer::Sequence, std::size_t, std::size_t) const override {
    return Error{Fault::not_found, "a fake journal is not read"};
  }
  Result<buffer::ReadBatch> read_one(buffer::Sequence) const override {
    return Error{Fault::not_found, "a fake journal is not read"};
  }
  bool wait_for(buffer::Sequence, Duration) const override { return false; }
  void interrupt() override {}
  void on_commit(std::function<void()> listener) override { listener_ = std::move(listener); }
  buffer::JournalUse use() const override {
    const std::lock_guard lock(mutex_);
    buffer::JournalUse use;
    use.first = 1;
    use.next = records_.size() + 1;
    use.commits = records_.size();
    use.committed_records = records_.size();
    use.full = full_;
    return use;
  }
  std::vector<buffer::SegmentUse> segments() const override { return {}; }
  Result<void> recycle_before(buffer::Sequence) override { return {}; }

 private:
  struct Offer {
    buffer::Record record;
    buffer::OnDurable on_durable;
  };

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
    if (listener_) listener_();
  }

  mutable std::mutex mutex_;
  std::function<void()> listener_;
  bool held_ = false;                // guarded by mutex_, as the rest
  bool full_ = false;
  std::optional<Error> refusal_;
  std::optional<Error> failure_;
  std::deque<Offer> waiting_;
  std::vector<buffer::Record> records_;
};

}  // namespace picket::testing

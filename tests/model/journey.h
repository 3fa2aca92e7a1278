// The journey of an envelope as a seeded game: producers, the digest, several destinations and retention take
// their turns in any order, and the process dies now and then. Beside it goes a model, a few maps; after each
// turn what the design promises is compared with it:
//
//   acknowledged ⇒ in the journal, once, whole, in order, until retention has said durably that it may go
//   retention lets go only of what is too old or, unless the oldest may be dropped, of what everybody has read
//   a body is dropped only where the oldest may be, and only of what is worth least
//   the digest counts every record once, also those whose body was dropped or whose segment was lost
//   each record meets one fate at each destination, is sent again only when the process died on it, and
//   stored = forwarded + quarantined + expired + waiting, also as the ledger adds it up
//   the journal keeps to its budget
//
// The parts are the real ones but for HTTP: a destination here is the forwarder's window and ledger with an
// upstream that answers as the dice fall.
#pragma once

#include "api/digest/digest.h"
#include "api/query/ledger.h"
#include "buffer/journal_support.h"
#include "buffer/keys.h"
#include "buffer/retention.h"
#include "buffer/rows.h"
#include "model/players.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>

namespace picket::model {

using buffer::Sequence;
using buffer::Table;

class Journey {
 public:
  Journey(std::uint64_t seed, bool drop_oldest) : random_(seed) {
    options_ = buffer::testing::small_options(*folder_ / "journal");
    options_.max_bytes = std::uint64_t{2048} << 10;
    options_.low_room_bytes = std::uint64_t{512} << 10;
    config_.when_full = drop_oldest ? "drop_oldest" : "refuse";
    drop_oldest_ = drop_oldest;
    config_.retention = std::chrono::hours(24);
    for (const char* const name : {"a", "b", "c"}) destinations_.emplace_back(name);
    open();
    const auto written = tables_->write([](buffer::Batch& batch) {
      schema::Project row;
      row.set_id(project);
      row.set_organization(1);
      buffer::put_row(batch, Table::projects, buffer::Key().u64(project), row);
    });
    EXPECT_TRUE(written);
  }

  void turn() {
    const auto dice = random_() % 100;
    if (dice < 30) {
      produce(1 + random_() % 12);
    } else if (dice < 45) {
      digest();
    } else if (dice < 60) {
      ship(any());
    } else if (dice < 80) {
      answer(any());
    } else if (dice < 90) {
      write(any());
    } else if (dice < 95) {
      retain();
    } else if (dice < 98) {
      clock_.advance(std::chrono::minutes(random_() % 120));
    } else if (random_() % 3 != 0) {
      die();
    } else {
      lose_a_segment();
    }
    check();
  }

  // Everybody comes to an end; what is left must add up.
  void finish() {
    for (auto& destination : destinations_) {
      while (destination.window.cursor() < journal_->use().next) {
        ship(destination);
        for (std::size_t i = 0; i < 200; ++i) answer(destination);
        write(destination);
      }
    }
    while (digest() > 0) {
    }
    check();
    check_journal();
    const auto snapshot = tables_->snapshot();
    const auto digested = buffer::find_row<schema::Cursor>(snapshot, Table::cursors, "digest");
    ASSERT_TRUE(digested || acknowledged_.empty());
    const auto stored = digested ? digested->envelopes() : 0;
    EXPECT_EQ(stored, acknowledged_.size());
    for (const auto& destination : destinations_) {
      const auto row = buffer::find_row<schema::Destination>(snapshot, Table::destinations, destination.name).value_or(schema::Destination());
      EXPECT_EQ(row.forwarded() + row.quarantined() + row.expired(), stored) << destination.name;
    }
    const auto ledger = query::collect_ledger(snapshot, *journal_, {});
    for (const auto& wrong : query::check_ledger(ledger)) ADD_FAILURE() << wrong;
    EXPECT_EQ(ledger.lines.front().stored, stored);
    EXPECT_GT(acknowledged_.size(), 100U);
  }

  std::size_t acknowledged() const { return acknowledged_.size(); }
  std::uint64_t floor() const { return floor_; }
  bool refused() const { return refused_ > 0; }
  std::size_t lost() const { return lost_.size(); }
  std::size_t dropped() const { return dropped_.size(); }

 private:
  void open() {
    tables_ = *buffer::Tables::open({.path = *folder_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    options_.next_at_least = buffer::greatest_cursor(*tables_);
    journal_ = buffer::testing::open_journal(options_, clock_);
    digest_ = std::make_unique<digest::Digest>(*journal_, *tables_, clock_, digest::DigestConfig{.batch_records = 1 + random_() % 200});
    retention_ = std::make_unique<buffer::Retention>(*tables_, *journal_, clock_, config_, worth_least);
    for (auto& destination : destinations_) {
      destination.window = upstream::Window(cursor_of(destination));
      destination.ledger = upstream::Ledger();
      destination.under_way.clear();
    }
  }
  void close() {
    retention_.reset();
    digest_.reset();
    journal_.reset();
    tables_.reset();
  }

  Sequence cursor_of(const Destination& destination) const {
    const auto row = buffer::find_row<schema::Cursor>(tables_->snapshot(), Table::cursors, upstream::cursor_name(destination.name));
    return row ? row->next_sequence() : 1;
  }
  Destination& any() { return destinations_[random_() % destinations_.size()]; }

  void produce(std::size_t count) {
    buffer::testing::Answers answers;
    std::map<std::uint64_t, std::string> bodies;
    const auto now = clock_.now();
    for (std::size_t i = 0; i < count; ++i) {
      const auto number = ++numbers_;
      const auto pad = random_() % 50 == 0 ? 60'000 + random_() % 60'000 : random_() % 6'000;
      buffer::Record record;
      record.received = now;
      record.project = project;
      record.key = std::string(16, 'k');
      record.meta = meta_of(number);
      record.body = bodies[number] = envelope_of(number, pad);
      auto answered = answers.expect(number);
      if (journal_->offer(std::move(record), std::move(answered))) continue;
      answers.forget_one();
      ++refused_;
    }
    answers.wait();
    refused_ += answers.failed().size();
    for (const auto& [number, sequence] : answers.stored()) {
      ASSERT_TRUE(acknowledged_.emplace(sequence, Acknowledged{number, bodies.at(number), now}).second) << sequence << " was given twice";
    }
    ASSERT_EQ(journal_->use().next, next_ + answers.stored().size()) << "sequences are dense";
    next_ = journal_->use().next;
  }

  std::size_t digest() {
    const auto digested = digest_->run_once();
    EXPECT_TRUE(digested) << digested.error().detail;
    return digested ? *digested : 0;
  }

  void ship(Destination& destination) {
    const auto from = destination.window.end();
    const auto batch = journal_->read(from, 100'000, 1 + random_() % 40);
    ASSERT_TRUE(batch) << batch.error().detail;
    auto at = from;
    const auto expire = [&](Sequence to) {
      if (to <= at) return;
      upstream::Settled gap;
      gap.fate = upstream::Fate::expired;
      gap.records = to - at;
      gap.label = upstream::unreadable_label(at, 0, clock_.now());
      gap.label.counts.front().quantity = gap.records;
      destination.window.open(gap.records);
      for (auto sequence = at; sequence < to; ++sequence) {
        EXPECT_TRUE(sequence < floor_ || is_gone(sequence)) << sequence << " is not there and was not let go of";
      }
      destination.window.settle(at, std::move(gap));
      at = to;
    };
    const auto settle = [&](Sequence sequence, upstream::Fate fate, bool readable) {
      upstream::Settled settled;
      settled.fate = fate;
      settled.label = readable ? label_of(sequence) : upstream::unreadable_label(sequence, project, clock_.now());
      destination.window.settle(sequence, std::move(settled));
    };
    std::map<Sequence, const buffer::StoredRecord*> there;  // none: damaged
    for (const auto& record : batch->records) there[record.sequence] = &record;
    for (const auto sequence : batch->damaged) there[sequence] = nullptr;
    for (const auto& [sequence, record] : there) {
      expire(sequence);
      destination.window.open();
      ++at;
      if (record == nullptr) {
        EXPECT_TRUE(damaged_.contains(sequence)) << sequence;
        settle(sequence, upstream::Fate::quarantined, false);
        continue;
      }
      check_record(*record);
      if (record->dropped()) {
        settle(sequence, upstream::Fate::expired, true);
      } else {
        destination.under_way.push_back(sequence);
      }
    }
    expire(std::max(batch->next, std::min(journal_->use().first, next_)));
  }

  upstream::Label label_of(Sequence sequence) const {
    const auto& of = acknowledged_.at(sequence);
    auto label = upstream::unreadable_label(sequence, project, of.received);
    label.counts.front().category = is_low(of.number) ? relay::DataCategory::transaction : relay::DataCategory::error;
    return label;
  }

  void answer(Destination& destination) {
    if (destination.under_way.empty()) return;
    const auto chosen = random_() % destination.under_way.size();
    const auto sequence = destination.under_way[chosen];
    const auto dice = random_() % 20;
    if (dice < 4) return;  // 503: it is tried again
    upstream::Settled settled;
    settled.label = label_of(sequence);
    settled.fate = dice == 4 ? upstream::Fate::quarantined : upstream::Fate::forwarded;
    if (settled.fate == upstream::Fate::forwarded) {
      const auto times = ++destination.received[sequence];
      EXPECT_TRUE(times == 1 || destination.may_repeat.contains(sequence)) << sequence << " arrived " << times << " times at " << destination.name;
      destination.unwritten.insert(sequence);
    }
    destination.window.settle(sequence, std::move(settled));
    destination.under_way.erase(destination.under_way.begin() + static_cast<std::ptrdiff_t>(chosen));
  }

  void write(Destination& destination) {
    destination.window.pass([&](upstream::Settled&& settled) { destination.ledger.add(settled, clock_.now()); });
    if (!destination.ledger.dirty()) return;
    auto change = destination.ledger.take();
    change.name = destination.name;
    change.cursor = destination.window.cursor();
    ASSERT_TRUE(tables_->write([&](buffer::Batch& batch) { upstream::apply(batch, change, clock_.now()); }));
    destination.unwritten.erase(destination.unwritten.begin(), destination.unwritten.lower_bound(change.cursor));
  }

  void retain() {
    const auto smallest = buffer::smallest_cursor(*tables_);
    const auto before = floor_;
    ASSERT_TRUE(retention_->run_once());
    floor_ = std::max(buffer::read_journal_floor(*tables_), floor_);
    if (config_.when_full == "drop_oldest" || floor_ == before) return;
    // What went though somebody had not read it was too old.
    for (auto sequence = std::max(before, smallest); sequence < floor_; ++sequence) {
      const auto found = acknowledged_.find(sequence);
      if (found == acknowledged_.end() || is_gone(sequence)) continue;
      EXPECT_GE(clock_.now(), found->second.received + config_.retention) << sequence;
    }
  }

  void die() {
    for (auto& destination : destinations_) {
      destination.may_repeat.insert(destination.unwritten.begin(), destination.unwritten.end());
      destination.unwritten.clear();
    }
    close();
    open();
    ASSERT_EQ(journal_->use().next, next_);
    for (const auto& destination : destinations_) ASSERT_LE(destination.window.cursor(), next_);
  }

  // A sealed segment rots while nobody looks: broken meta pages.
  void lose_a_segment() {
    const auto segments = journal_->segments();
    if (segments.size() < 3 || random_() % 4 != 0) return;
    const auto& rotten = segments[1 + random_() % (segments.size() - 2)];
    if (rotten.last == 0) return;
    for (auto& destination : destinations_) {
      destination.may_repeat.insert(destination.unwritten.begin(), destination.unwritten.end());
      destination.unwritten.clear();
    }
    const auto path = rotten.path;
    close();
    {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file << std::string(2 * 4096, '\0');
    }
    open();
    // A record in parts goes with its first, and is damaged without another.
    std::vector<Sequence> damaged;
    const auto there = buffer::testing::read_all(*journal_, journal_->use().first, 100'000, &damaged);
    for (const auto sequence : damaged) {
      if (!damaged_.insert(sequence).second) continue;
      EXPECT_TRUE(sequence + 1 >= rotten.first && sequence <= rotten.last + 1) << sequence;
    }
    const auto use = journal_->use();
    for (auto sequence = std::max(rotten.first, Sequence{2}) - 1; sequence <= rotten.last + 1; ++sequence) {
      if (sequence < use.first || sequence >= next_ || damaged_.contains(sequence)) continue;
      const bool whole = there.contains(sequence);
      if (!whole) lost_.insert(sequence);
      EXPECT_FALSE(whole && sequence >= rotten.first && sequence <= rotten.last) << sequence;
    }
    EXPECT_FALSE(journal_->set_aside().empty());
    // Set aside is out of the ring, but on the disk: the operator's to keep or to remove.
    for (const auto& name : journal_->set_aside()) std::filesystem::remove(options_.folder / name);
    close();
    open();
  }

  void check() {
    const auto use = journal_->use();
    ASSERT_EQ(use.next, next_);
    ASSERT_LE(use.file_bytes, options_.max_bytes + (std::uint64_t{64} << 10)) << "lock files and the like beside it";
    const auto floor = buffer::read_journal_floor(*tables_);
    ASSERT_GE(std::max(floor, floor_), floor_);
    if (++checks_ % 100 == 0) check_journal();
    const auto snapshot = tables_->snapshot();
    const auto digested = buffer::find_row<schema::Cursor>(snapshot, Table::cursors, "digest");
    if (digested) {
      ASSERT_EQ(digested->envelopes(), digested->next_sequence() - 1);
    }
    for (const auto& destination : destinations_) {
      const auto row = buffer::find_row<schema::Destination>(snapshot, Table::destinations, destination.name);
      const auto cursor = buffer::find_row<schema::Cursor>(snapshot, Table::cursors, upstream::cursor_name(destination.name));
      if (!row || !cursor) continue;
      ASSERT_EQ(row->forwarded() + row->quarantined() + row->expired(), cursor->next_sequence() - 1) << destination.name;
    }
  }

  void check_record(const buffer::StoredRecord& record) {
    const auto& model = acknowledged_.at(record.sequence);
    ASSERT_EQ(record.meta, meta_of(model.number)) << record.sequence;
    if (record.dropped()) {
      ASSERT_TRUE(drop_oldest_ && is_low(model.number) && record.body.empty()) << record.sequence;
      dropped_.insert(record.sequence);
      return;
    }
    ASSERT_EQ(record.body, model.body) << record.sequence;
    ASSERT_FALSE(dropped_.contains(record.sequence)) << record.sequence << " has its body back";
  }

  // Everything that was acknowledged and not let go of is there, whole, and nothing else.
  void check_journal() {
    const auto first = journal_->use().first;
    Sequence expected = first;
    for (Sequence from = first; from < next_;) {
      const auto batch = journal_->read(from, 100'000, 1000);
      ASSERT_TRUE(batch) << batch.error().detail;
      for (const auto sequence : batch->damaged) ASSERT_TRUE(damaged_.contains(sequence)) << sequence;
      for (const auto& record : batch->records) {
        for (; expected < record.sequence; ++expected) ASSERT_TRUE(is_gone(expected)) << expected;
        check_record(record);
        ++expected;
      }
      ASSERT_GT(batch->next, from);
      from = batch->next;
    }
    for (; expected < next_; ++expected) ASSERT_TRUE(is_gone(expected)) << expected;
    ASSERT_LE(first, std::max<Sequence>(buffer::read_journal_floor(*tables_), lost_.empty() ? 1 : first));
  }

  bool is_gone(Sequence sequence) const { return lost_.contains(sequence) || damaged_.contains(sequence); }

  std::mt19937_64 random_;
  const std::unique_ptr<testing::TempDir> folder_ = make_folder();
  testing::FakeClock clock_;
  buffer::JournalOptions options_;
  buffer::StorageConfig config_;
  bool drop_oldest_ = false;
  std::unique_ptr<buffer::Tables> tables_;
  std::unique_ptr<buffer::Journal> journal_;
  std::unique_ptr<digest::Digest> digest_;
  std::unique_ptr<buffer::Retention> retention_;
  std::vector<Destination> destinations_;

  // The model.
  std::map<Sequence, Acknowledged> acknowledged_;
  std::set<Sequence> dropped_;  // their bodies
  std::set<Sequence> lost_;     // with a segment
  std::set<Sequence> damaged_;  // in part
  Sequence next_ = 1;
  Sequence floor_ = 0;
  std::uint64_t numbers_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t checks_ = 0;
};

}  // namespace picket::model

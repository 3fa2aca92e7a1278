// What the schedules of faults are tried on by the thousand: a journal, tables and a consumer between them,
// as in Picket, without HTTP. It needs no start-up of its own worth the name, so that a seed takes a fraction of
// the time that the whole program takes (tests/e2e/fault.test.mjs).
//
//   fault_subject run FOLDER SEED ARMED MS [drop]   offers records for so long, prints "ack SEQUENCE NUMBER" for each that
//                                            was acknowledged; arms the faults once it is up; then takes
//                                            them back, and prints "smaller" with the number of segments that
//                                            were recompressed, and "well" when it is itself again
//   fault_subject check FOLDER [drop]        reads such lines; prints what is wrong, or "right"
//
// With `drop` there is little room, somebody who never reads, and retention that drops the oldest: the bodies of
// every third number first, then whole segments. In most seeds segments are recompressed as soon as they are sealed; with `drop`,
// where that makes room, in every other eight.
#include "buffer/journal.h"
#include "buffer/keys.h"
#include "buffer/retention.h"
#include "buffer/rows.h"
#include "buffer/tables.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>

namespace picket {
namespace {

using namespace std::chrono_literals;
using buffer::Sequence;
using buffer::Table;

std::string body_of(std::uint64_t number) {
  std::mt19937_64 random(number);
  const auto size = random() % 20 == 0 ? 100'000 + random() % 200'000 : random() % 10'000;
  std::string body = std::to_string(number) + " ";
  // Runs, so that it can be made smaller.
  while (body.size() < size) body.append(1 + random() % 8, static_cast<char>('a' + random() % 26));
  return body;
}

// A record's number is its meta data, so that it is known without a body.
std::uint64_t number_of(const buffer::StoredRecord& record) { return std::stoull(std::string(record.meta)); }
bool is_low(std::uint64_t number) { return number % 3 == 0; }

// Every fourth body comes in a coding, which recompressing takes away.
constexpr std::uint8_t coded = 3;
std::string turn(std::string body) {
  for (auto& c : body) c = static_cast<char>(c ^ 0x55);
  return body;
}
bool is_whole(const buffer::StoredRecord& record) {
  const auto body = body_of(number_of(record));
  return record.body == (record.coding == coded ? turn(body) : body);
}

struct Storage {
  Storage(const std::filesystem::path& folder, bool its_drops) : drops(its_drops) {
    auto opened = buffer::Tables::open({.path = folder / "tables.mdb", .map_bytes = std::uint64_t{1} << 30, .reserve_bytes = std::uint64_t{1} << 20});
    if (!opened) {
      std::cerr << "tables: " << opened.error().detail << "\n";
      return;
    }
    tables = *std::move(opened);
    buffer::JournalOptions options;
    options.folder = folder / "journal";
    options.segment_bytes = std::uint64_t{256} << 10;
    options.max_bytes = std::uint64_t{32} << 20;
    if (drops) {
      options.max_bytes = std::uint64_t{2} << 20;
      options.low_room_bytes = std::uint64_t{512} << 10;
    }
    options.next_at_least = buffer::greatest_cursor(*tables);
    auto made = buffer::Journal::open(options, clock);
    if (made) {
      journal = *std::move(made);
    } else {
      std::cerr << "journal: " << made.error().detail << "\n";
    }
  }
  bool is_open() const { return journal != nullptr; }

  const bool drops;
  const SystemClock clock;
  std::unique_ptr<buffer::Tables> tables;
  std::unique_ptr<buffer::Journal> journal;
};

// The consumer: counts each number that it reads, in the batch that moves its cursor.
class Consumer {
 public:
  explicit Consumer(Storage& storage) : storage_(storage) {
    const auto row = buffer::find_row<schema::Cursor>(storage.tables->snapshot(), Table::cursors, "digest");
    next_ = row ? row->next_sequence() : 1;
  }

  // How many records; nothing when they could not be read or written.
  std::optional<std::size_t> run_once() {
    const auto batch = storage_.journal->read(next_, 200'000, 50);
    if (!batch) return std::nullopt;
    if (batch->next == next_) return 0;
    const auto written = storage_.tables->write([&](buffer::Batch& rows) {
      for (const auto& record : batch->records) {
        const auto key = buffer::Key().u64(number_of(record));
        const auto seen = rows.get(Table::raw_items, key);
        rows.put(Table::raw_items, key, buffer::Key().u64(seen ? buffer::KeyReader(*seen).u64() + 1 : 1));
      }
      schema::Cursor cursor;
      cursor.set_next_sequence(batch->next);
      buffer::put_row(rows, Table::cursors, "digest", cursor);
    });
    if (!written) return std::nullopt;
    next_ = batch->next;
    return batch->records.size() + batch->damaged.size();
  }

 private:
  Storage& storage_;
  Sequence next_ = 1;
};

// Drops the oldest that a consumer waits for who never comes.
class Dropper {
 public:
  explicit Dropper(Storage& storage)
      : retention_(*storage.tables, *storage.journal, storage.clock, config(),
                   [](const buffer::StoredRecord& record) { return is_low(number_of(record)); }) {
    [[maybe_unused]] const auto written = storage.tables->write([](buffer::Batch& rows) {
      schema::Cursor cursor;
      cursor.set_next_sequence(1);
      buffer::put_row(rows, Table::cursors, "upstream/slow", cursor);
    });
  }
  void run_once() { [[maybe_unused]] const auto ran = retention_.run_once(); }

 private:
  static buffer::StorageConfig config() {
    buffer::StorageConfig config;
    config.when_full = "drop_oldest";
    return config;
  }
  buffer::Retention retention_;
};

// Of the eight characters that schedules have (schedule.cpp), each with and without; a seed has two lives.
bool recompresses(std::uint64_t seed, bool drops) {
  const auto eight = seed / 16;
  return drops ? eight % 2 == 1 : eight % 4 != 3;
}

// As soon as segments are sealed, without a thought for anybody.
void recompress_all(Storage& storage, const std::atomic<bool>& stop) {
  using What = buffer::Recompressed::What;
  const auto open_body = [](const buffer::StoredRecord& record) {
    return record.coding == coded ? std::optional(buffer::PlainBody{turn(std::string(record.body)), 0}) : std::nullopt;
  };
  for (Sequence at = 0; !stop;) {
    const auto done = storage.journal->recompress(at, {.open_body = open_body,
                                                       .may = [](const buffer::SegmentUse&) { return What::done; },
                                                       .go_on = [&stop] { return !stop; },
                                                       .before_replacing = {}});
    const bool more = done && done->what != What::nothing && done->what != What::no_room;
    at = more ? done->next : 0;
    if (!more) std::this_thread::sleep_for(1ms);
  }
}

// One line in one write: a kill leaves whole lines.
void say(const std::string& line) {
  const auto text = line + "\n";
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
}

int run(const std::filesystem::path& folder, std::uint64_t seed, const std::string& armed, std::chrono::milliseconds how_long, bool drops) {
  Storage storage(folder, drops);
  if (!storage.is_open()) return 3;
  Consumer consumer(storage);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> consumed{0};
  std::thread consuming([&] {
    while (!stop) {
      const auto done = consumer.run_once();
      if (done) consumed += *done;
      if (!done || *done == 0) std::this_thread::sleep_for(1ms);
    }
  });
  std::thread recompressing;
  if (recompresses(seed, drops)) recompressing = std::thread([&] { recompress_all(storage, stop); });
  std::uint64_t number = seed * 1'000'000;
  std::atomic<std::uint64_t> waiting{0};
  std::atomic<std::uint64_t> acknowledged{0};
  const auto offer = [&] {
    buffer::Record record;
    record.received = storage.clock.now();
    const auto its = ++number;
    record.meta = std::to_string(its);
    record.coding = its % 4 == 1 ? coded : 0;
    record.body = record.coding == coded ? turn(body_of(its)) : body_of(its);
    ++waiting;
    const auto offered = storage.journal->offer(std::move(record), [&, its](const Result<Sequence>& result) {
      if (result) say("ack " + std::to_string(*result) + " " + std::to_string(its));
      if (result) ++acknowledged;
      --waiting;
    });
    if (!offered) --waiting;
  };
  std::optional<Dropper> dropper;
  std::thread dropping;
  if (drops) {
    dropper.emplace(storage);
    dropping = std::thread([&] {
      for (; !stop; std::this_thread::sleep_for(1ms)) dropper->run_once();
    });
  }
  // So that there are sealed segments, and with `drop` little room.
  const int before_faults = drops ? 110 : 40;
  for (int i = 0; i < before_faults; ++i) {
    offer();
    while (waiting > 8) std::this_thread::sleep_for(200us);
  }
  std::ofstream(armed) << "";
  const auto end = std::chrono::steady_clock::now() + how_long;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 4; ++i) offer();
    while (waiting > 8) std::this_thread::sleep_for(200us);
  }
  std::filesystem::remove(armed);
  // The faults are over. Both sides go on by themselves, the tables within a second.
  const auto by = std::chrono::steady_clock::now() + 20s;
  while (waiting > 0 && std::chrono::steady_clock::now() < by) std::this_thread::sleep_for(1ms);
  const auto acknowledged_before = acknowledged.load();
  const auto consumed_before = consumed.load();
  while (std::chrono::steady_clock::now() < by && (acknowledged == acknowledged_before || consumed == consumed_before)) {
    offer();
    std::this_thread::sleep_for(2ms);
  }
  say("smaller " + std::to_string(storage.journal->use().recompressed_segments));
  if (acknowledged > acknowledged_before && consumed > consumed_before) say("well");
  // No clean end: that is what a kill is for.
  ::_exit(0);
}

int wrong(const std::string& what) {
  std::cout << what << "\n";
  return 1;
}

int check(const std::filesystem::path& folder, bool drops) {
  std::map<Sequence, std::uint64_t> acknowledged;
  std::string word;
  Sequence sequence = 0;
  std::uint64_t number = 0;
  while (std::cin >> word >> sequence >> number) {
    if (!acknowledged.emplace(sequence, number).second) return wrong("sequence " + std::to_string(sequence) + " was given twice");
  }
  Storage storage(folder, drops);
  if (!storage.is_open()) return wrong("it does not open");
  const auto floor = buffer::read_journal_floor(*storage.tables);
  if (floor > 0 && !drops) return wrong("something was let go of");
  Consumer consumer(storage);
  for (;;) {
    const auto done = consumer.run_once();
    if (!done) return wrong("the consumer fails");
    if (*done == 0) break;
  }
  std::map<std::uint64_t, Sequence> there;
  for (Sequence from = 1; from < storage.journal->use().next;) {
    const auto batch = storage.journal->read(from, 1'000'000, 1000);
    if (!batch) return wrong(batch.error().detail);
    if (!batch->damaged.empty()) return wrong("record " + std::to_string(batch->damaged.front()) + " is damaged");
    for (const auto& record : batch->records) {
      const auto its = number_of(record);
      const bool may_be_dropped = drops && is_low(its) && record.body.empty();
      if (record.dropped() ? !may_be_dropped : !is_whole(record)) return wrong("record " + std::to_string(record.sequence) + " is not whole");
      if (!there.emplace(its, record.sequence).second) return wrong("number " + std::to_string(its) + " is there twice");
    }
    if (batch->next <= from) break;
    from = batch->next;
  }
  for (const auto& [its_sequence, its] : acknowledged) {
    const auto found = there.find(its);
    if (found == there.end() && its_sequence < floor) continue;
    if (found == there.end()) return wrong("number " + std::to_string(its) + " was acknowledged and is lost");
    if (found->second != its_sequence) return wrong("number " + std::to_string(its) + " is at another place");
  }
  const auto snapshot = storage.tables->snapshot();
  for (const auto& [its, where] : there) {
    const auto seen = snapshot.get(Table::raw_items, buffer::Key().u64(its));
    if (!seen || buffer::KeyReader(*seen).u64() != 1) return wrong("number " + std::to_string(its) + " was consumed " + (seen ? "twice" : "never"));
  }
  auto cursor = snapshot.cursor(Table::raw_items);
  for (bool at = cursor.first(); at; at = cursor.next()) {
    const auto its = buffer::KeyReader(cursor.key()).u64();
    if (!there.contains(its) && floor == 0) return wrong("number " + std::to_string(its) + " was consumed and is not in the journal");
  }
  if (!storage.journal->set_aside().empty()) return wrong("a segment is set aside: " + storage.journal->set_aside().front());
  std::cout << "right " << there.size() << "\n";
  return 0;
}

}  // namespace
}  // namespace picket

int main(int count, char** words) {
  const std::string verb = count > 1 ? words[1] : "";
  const bool drops = count > 3 && std::string_view(words[count - 1]) == "drop";
  count -= drops ? 1 : 0;
  if (verb == "run" && count == 6)
    return picket::run(words[2], std::strtoull(words[3], nullptr, 10), words[4], std::chrono::milliseconds(std::atoi(words[5])), drops);
  if (verb == "check" && count == 3) return picket::check(words[2], drops);
  return 64;
}

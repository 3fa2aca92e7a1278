#include "buffer/event_ids.h"

#include "api/digest/deletion.h"
#include "api/digest/digest_fixture.h"
#include "api/digest/trim.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <random>
#include <set>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

TEST(IdHash, IsSipHash13) {
  // Of the 16 bytes 0 to 15 under the key 0 to 15. The value is another implementation's, which gives
  // the published value of no bytes under that key, abac0158050fc4dc.
  const buffer::IdHashSecret secret{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
  std::string bytes;
  for (char c = 0; c < 16; ++c) bytes += c;
  EXPECT_EQ(buffer::id_hash(secret, bytes), 0xcc4fdd1a7d908b66U >> 28);
}

std::vector<buffer::HashedId> some_ids(std::mt19937_64& random, std::size_t count) {
  std::vector<buffer::HashedId> ids;
  for (std::size_t i = 0; i < count; ++i) {
    ids.push_back({random() >> (64 - buffer::id_hash_bits), 1'000'000 + random() % (3 * count),
                   static_cast<std::uint16_t>(random() % 5 == 0 ? random() % 20'000 : 0)});
  }
  std::ranges::sort(ids);
  return ids;
}

void expect_each_found(const buffer::IdRun& run, const std::vector<buffer::HashedId>& ids) {
  std::vector<buffer::HashedId> all;
  run.read(all);
  EXPECT_EQ(all, ids);
  for (const auto& id : ids) {
    std::vector<buffer::HashedId> found;
    run.find(id.hash, found);
    ASSERT_NE(std::ranges::find(found, id), found.end());
    for (const auto& each : found) ASSERT_EQ(each.hash, id.hash);
  }
}

TEST(IdRun, ReadsBackWhatItWroteAndFindsEachOfIt) {
  std::mt19937_64 random(5);
  for (const std::size_t count : {1U, 2U, 15U, 16U, 33U, 700U, 5'000U, 65'535U}) {
    const auto ids = some_ids(random, count);
    const auto bytes = buffer::render_id_run(ids);
    const auto run = buffer::IdRun::parse(bytes);
    ASSERT_TRUE(run);
    EXPECT_EQ(run->size(), count);
    EXPECT_EQ(run->first_sequence(), std::ranges::min_element(ids, {}, &buffer::HashedId::sequence)->sequence);
    EXPECT_EQ(run->last_sequence(), std::ranges::max_element(ids, {}, &buffer::HashedId::sequence)->sequence);
    expect_each_found(*run, ids);
  }
}

TEST(IdRun, TakesSevenBytesAnId) {
  std::mt19937_64 random(5);
  std::vector<buffer::HashedId> ids;
  for (std::size_t i = 0; i < 50'000; ++i) ids.push_back({random() >> (64 - buffer::id_hash_bits), 9'000'000 + i, 0});
  std::ranges::sort(ids);
  EXPECT_LT(buffer::render_id_run(ids).size(), 50'000U * 7);
}

TEST(IdRun, APartIsARunThatSaysWhichHashesItMayHave) {
  std::mt19937_64 random(6);
  const auto all = some_ids(random, 60'000);
  EXPECT_EQ(buffer::IdRun::parse(buffer::render_id_run(all))->eighths(), 0xff);
  for (const unsigned bits : {1U, 2U, 3U}) {
    for (std::uint64_t part = 0; part < 1U << bits; ++part) {
      std::vector<buffer::HashedId> ids;
      std::ranges::copy_if(all, std::back_inserter(ids), [&](const auto& id) { return id.hash >> (buffer::id_hash_bits - bits) == part; });
      const auto bytes = buffer::render_id_run(ids);
      EXPECT_LT(bytes.size(), ids.size() * 10) << "items take two bytes here";
      const auto run = buffer::IdRun::parse(bytes);
      ASSERT_TRUE(run);
      const auto width = 8U >> bits;
      EXPECT_EQ(run->eighths(), ((1U << width) - 1) << (part * width));
      expect_each_found(*run, ids);
    }
  }
}

TEST(IdRun, DamagedBytesAreNoRunOrReadWithinThemselves) {
  std::mt19937_64 random(9);
  const auto small = buffer::render_id_run(some_ids(random, 400));
  const auto large = buffer::render_id_run(some_ids(random, 3'000));
  for (int round = 0; round < 5'000; ++round) {
    const auto& bytes = round % 10 == 0 ? large : small;
    auto changed = bytes;
    for (auto changes = 1 + random() % 4; changes > 0; --changes)
      changed[random() % (round % 2 == 0 ? 100 : changed.size())] = static_cast<char>(random());
    if (random() % 4 == 0) changed.resize(random() % changed.size());
    const std::vector<char> exact(changed.begin(), changed.end());
    const auto run = buffer::IdRun::parse({exact.data(), exact.size()});
    if (!run) continue;
    std::vector<buffer::HashedId> all;
    run->read(all);
    EXPECT_EQ(all.size(), run->size());
    std::vector<buffer::HashedId> found;
    run->find(random() >> (64 - buffer::id_hash_bits), found);
    static_cast<void>(run->eighths());
  }
}

class EventIds : public DigestTest {
 protected:
  static std::string raw(std::uint64_t number) {
    return std::string(relay::raw_bytes(*relay::parse_event_id(id_text(number))));
  }
  // With the rows that say whose the ids are.
  void add(std::uint64_t project, const std::vector<std::pair<std::uint64_t, buffer::EventSpot>>& events) {
    std::vector<std::string> raws;
    for (const auto& [number, spot] : events) raws.push_back(raw(number));
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      std::vector<buffer::NewEventId> ids;
      for (std::size_t i = 0; i < events.size(); ++i) {
        ids.push_back({raws[i], events[i].second});
        schema::EventRow row;
        row.set_project(project);
        row.set_event_id(raws[i]);
        buffer::put_row(batch, Table::events, Key().u64(events[i].second.sequence).u16(events[i].second.item), row);
      }
      buffer::add_event_ids(batch, project, ids);
    }));
  }
  std::vector<std::size_t> run_sizes(std::uint64_t project) const {
    std::vector<std::size_t> sizes;
    const auto snapshot = tables->snapshot();
    auto cursor = snapshot.cursor(Table::event_id_runs);
    for (bool there = cursor.seek(Key().u64(project)); there; there = cursor.next()) {
      if (buffer::KeyReader(cursor.key()).u64() == project) sizes.push_back(buffer::IdRun::parse(cursor.value())->size());
    }
    return sizes;
  }
};

// Random batches, removals and trims against a map.
TEST_F(EventIds, AreWhatAMapIs) {
  std::mt19937_64 random(21);
  std::map<std::pair<std::uint64_t, std::uint64_t>, buffer::EventSpot> model;
  std::uint64_t sequence = 1;
  std::uint64_t floor = 1;
  for (int batch = 0; batch < 150; ++batch) {
    const auto project = 1 + random() % 3;
    std::vector<std::pair<std::uint64_t, buffer::EventSpot>> events;
    for (auto count = 1 + random() % 60; count > 0; --count) {
      const auto number = 1 + random() % 4'000;
      const buffer::EventSpot spot{sequence, static_cast<std::uint16_t>(random() % 3)};
      if (!model.emplace(std::pair(project, number), spot).second) continue;
      events.emplace_back(number, spot);
      ++sequence;
    }
    add(project, events);
    if (random() % 10 == 0) {
      floor = std::max(floor, sequence - std::min<std::uint64_t>(sequence, random() % 3'000));
      for (bool done = false; !done;) {
        const auto trimmed = trim_before(*tables, floor, 100);
        ASSERT_TRUE(trimmed);
        done = trimmed->done;
      }
      std::erase_if(model, [&](const auto& of) { return of.second.sequence < floor; });
    }
    if (random() % 5 == 0 && !model.empty()) {
      const auto chosen = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
      ASSERT_TRUE(tables->write([&](buffer::Batch& rows) {
        rows.remove(Table::events, Key().u64(chosen->second.sequence).u16(chosen->second.item));
      }));
      model.erase(chosen);
    }
    const auto snapshot = tables->snapshot();
    buffer::EventIdLookup lookup(snapshot);
    for (int looks = 0; looks < 100; ++looks) {
      const auto of = std::pair(1 + random() % 3, 1 + random() % 4'000);
      const auto known = model.find(of);
      const auto found = lookup.find(of.first, raw(of.second));
      ASSERT_EQ(found.has_value(), known != model.end());
      if (found) {
        ASSERT_EQ(*found, known->second);
      }
    }
  }
}

TEST_F(EventIds, RunsBecomeOneSoThatThereAreFew) {
  std::uint64_t number = 0;
  for (int batch = 0; batch < 1'000; ++batch) {
    ++number;
    add(1, {{number, {number, 0}}});
  }
  const auto sizes = run_sizes(1);
  EXPECT_LE(sizes.size(), 10U);
  std::size_t sum = 0;
  for (const auto size : sizes) sum += size;
  EXPECT_EQ(sum, 1'000U);
}

// LMDB finds room for a value of a hundred pages only where so many free ones lie together.
TEST_F(EventIds, ALargeRunIsSeveralValues) {
  constexpr std::uint64_t batches = 100;
  constexpr std::uint64_t of_a_batch = 1'000;
  std::uint64_t number = 0;
  for (std::uint64_t batch = 0; batch < batches; ++batch) {
    std::vector<std::pair<std::uint64_t, buffer::EventSpot>> events;
    for (std::uint64_t i = 0; i < of_a_batch; ++i, ++number) events.push_back({number + 1, {number + 1, 0}});
    add(1, events);
    const auto sizes = run_sizes(1);
    ASSERT_LE(*std::ranges::max_element(sizes), buffer::most_part_ids * 11 / 10);
    ASSERT_EQ(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}), number);
    ASSERT_LE(sizes.size(), number / (buffer::most_part_ids / 2) + 10);
  }
  const auto snapshot = tables->snapshot();
  auto cursor = snapshot.cursor(Table::event_id_runs);
  for (bool there = cursor.first(); there; there = cursor.next()) EXPECT_LT(cursor.value().size(), std::size_t{80} << 10);
  buffer::EventIdLookup lookup(snapshot);
  for (std::uint64_t one = 1; one <= number; one += 7) ASSERT_EQ(lookup.find(1, raw(one)), (buffer::EventSpot{one, 0})) << one;
  for (std::uint64_t one = number + 1; one < number + 5'000; ++one) ASSERT_FALSE(lookup.find(1, raw(one))) << one;
  ASSERT_TRUE(trim_before(*tables, number / 10 * 9, 1'000'000));
  EXPECT_TRUE(knows(id_text(number), 1));
  const auto left = run_sizes(1);
  EXPECT_LT(std::accumulate(left.begin(), left.end(), std::size_t{0}), number - number / 4);
}

// As a Picket of before wrote it.
TEST_F(EventIds, ARunThatIsOneLargeValueIsFoundAndSplitWhenItIsMerged) {
  std::vector<std::pair<std::uint64_t, buffer::EventSpot>> events;
  for (std::uint64_t number = 1; number <= 20'000; ++number) events.push_back({number, {number, 0}});
  add(1, events);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    std::vector<buffer::HashedId> all;
    std::vector<std::string> keys;
    auto cursor = batch.cursor(Table::event_id_runs);
    for (bool there = cursor.first(); there; there = cursor.next()) {
      buffer::IdRun::parse(cursor.value())->read(all);
      keys.emplace_back(cursor.key());
    }
    for (const auto& key : keys) batch.remove(Table::event_id_runs, key);
    std::ranges::sort(all);
    batch.put(Table::event_id_runs, keys.front(), buffer::render_id_run(all));
  }));
  EXPECT_EQ(run_sizes(1), std::vector<std::size_t>{20'000});
  EXPECT_TRUE(knows(id_text(19'999), 1));
  std::vector<std::pair<std::uint64_t, buffer::EventSpot>> later;
  for (std::uint64_t number = 20'001; number <= 32'000; ++number) later.push_back({number, {number, 0}});
  add(1, later);
  const auto sizes = run_sizes(1);
  EXPECT_LE(*std::ranges::max_element(sizes), buffer::most_part_ids * 11 / 10);
  for (std::uint64_t number = 1; number <= 32'000; number += 333) EXPECT_TRUE(knows(id_text(number), 1)) << number;
}

TEST_F(EventIds, AnIdIsOfItsProject) {
  add(1, {{5, {1, 0}}});
  add(2, {{5, {2, 0}}});
  const auto snapshot = tables->snapshot();
  EXPECT_EQ(buffer::find_event_id(snapshot, 1, raw(5)), (buffer::EventSpot{1, 0}));
  EXPECT_EQ(buffer::find_event_id(snapshot, 2, raw(5)), (buffer::EventSpot{2, 0}));
  EXPECT_FALSE(buffer::find_event_id(snapshot, 3, raw(5)));
}

TEST_F(EventIds, ARunThatMakesNoSenseHidesItsOwnAndIsNotMerged) {
  add(1, {{1, {1, 0}}});
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    batch.put(Table::event_id_runs, Key().u64(1).u64(2), "no run");
  }));
  add(1, {{3, {3, 0}}});
  EXPECT_TRUE(knows(id_text(1), 1));
  EXPECT_TRUE(knows(id_text(3), 1));
  EXPECT_EQ(rows(Table::event_id_runs), 3U);
}

TEST_F(EventIds, RowsFromBeforeThereWereRunsAreFoundAndTrimmed) {
  receive_event(R"(,"message":"old")");
  digest_all();
  const auto place = Key().u64(1).u16(0);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    batch.remove(Table::event_id_runs, Key().u64(test_project).u64(1));
    batch.put(Table::event_ids, Key().u64(test_project).raw(raw(1)), place);
  }));
  EXPECT_TRUE(knows(id_text(1)));
  receive(envelope(item("event", R"({"message":"again"})"), id_text(1)));
  digest_all();
  EXPECT_EQ(rows(Table::events), 1U);
  EXPECT_EQ(outcomes()["error invalid/duplicate"], 1U);
  ASSERT_TRUE(trim_before(*tables, 2, 100));
  EXPECT_FALSE(knows(id_text(1)));
  EXPECT_EQ(rows(Table::event_ids), 0U);
}

TEST_F(EventIds, ADuplicateIsFoundAfterARestartAndAmongMany) {
  for (int i = 0; i < 300; ++i) receive_event(R"(,"message":"m")");
  digest_all();
  tables.reset();
  tables = open_tables(folder / "tables.mdb");
  receive(envelope(item("event", R"({"message":"again"})"), id_text(17)));
  receive(envelope(item("event", R"({"message":"new"})"), id_text(901)));
  receive(envelope(item("event", R"({"message":"new again"})"), id_text(901)));
  digest_all();
  EXPECT_EQ(rows(Table::events), 301U);
  EXPECT_EQ(outcomes()["error invalid/duplicate"], 2U);
}

TEST_F(EventIds, EventsOfADeletedProjectGoInStepsAndLeaveOthersAlone) {
  std::vector<std::pair<std::uint64_t, buffer::EventSpot>> events;
  for (std::uint64_t i = 1; i <= 1'000; ++i) events.emplace_back(i, buffer::EventSpot{2 * i, 0});
  add(1, events);
  for (auto& [number, spot] : events) ++spot.sequence;
  add(2, events);
  int steps = 0;
  for (std::size_t removed = 300; removed == 300; ++steps) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { removed = buffer::remove_events_of_project(batch, 1, 300); }));
  }
  EXPECT_EQ(steps, 4);
  EXPECT_EQ(rows(Table::events), 1'000U);
  EXPECT_TRUE(run_sizes(1).empty());
  EXPECT_FALSE(knows(id_text(500), 1));
  EXPECT_TRUE(knows(id_text(500), 2));
}

}  // namespace
}  // namespace picket::digest

// How fast the digest is: N events over M issues, CPU per event by step, table bytes per event.
//
//   digest_bench [--events 200000] [--issues 50000] [--users 5000] [--frames 22] [--breadcrumbs 12] [--real] [--folder DIR]
//
// Events are made as they are read (their making is not counted); --real writes them to a journal
// on the disk first and reads them there.
#include "api/digest/derived_tags.h"
#include "api/digest/digest.h"
#include "api/digest/grouping.h"
#include "api/digest/title.h"
#include "buffer/keys.h"
#include "buffer/processor_time.h"
#include "buffer/rows.h"
#include "relay/protocol/content_encoding.h"
#include "support/temp_dir.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace picket::digest {
namespace {

struct Options {
  std::uint64_t events = 200'000;
  std::uint64_t issues = 50'000;
  std::uint64_t users = 5'000;
  std::uint64_t batch = 0;  // records; 0: as configured
  std::uint64_t frames = 22;
  std::uint64_t breadcrumbs = 12;
  bool real = false;
  std::string folder;
};

double cpu_us() {
  return std::chrono::duration<double, std::micro>(thread_processor_time()).count();
}

double wall_us() {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                 std::chrono::steady_clock::now().time_since_epoch())
                                 .count()) /
         1e3;
}

// An error of a web service in Python: some 8 KB of JSON, 1.5 KB as gzip; with 6 frames and 4 breadcrumbs 3 KB.
class Generator {
 public:
  Generator(const Options& options, std::int64_t start_ms)
      : options_(options), start_ms_(start_ms) {}

  std::string payload(std::uint64_t number, std::uint64_t issue) {
    const auto user = random_() % options_.users;
    const auto text = [](std::uint64_t n) { return std::to_string(n); };
    std::string json =
        R"({"level":"error","platform":"python","logger":"shop.orders","server_name":"web-)" +
        text(user % 20) + R"(","release":"shop@1.)" + text(number / 100'000) +
        R"(.0","environment":")" + (user % 4 == 0 ? "staging" : "production") +
        R"(","transaction":"/orders/)" + text(issue % 500) + R"(/pay","timestamp":)" +
        text(static_cast<std::uint64_t>(time_ms(number) / 1000)) + ".25,";
    json +=
        R"("exception":{"values":[{"type":"Error)" + text(issue) + R"(","value":"order )" +
        text(random_()) +
        R"( cannot be paid: timeout after 30 s","module":"shop.errors","mechanism":{"type":"django","handled":false},"stacktrace":{"frames":[)";
    for (std::uint64_t frame = 0; frame < options_.frames; ++frame) {
      if (frame != 0) json += ',';
      const auto place = text((issue * 31 + frame * 7) % 997);
      json += R"({"function":"step_)" + place + R"(","module":"shop.part_)" + place +
              R"(","filename":"shop/part_)" + place + R"(.py","abs_path":"/srv/shop/part_)" +
              place + R"(.py","lineno":)" + text(10 + frame) + R"(,"in_app":)" +
              (frame % 3 == 0 ? "true" : "false") + R"(,"context_line":"    result = self.step_)" +
              place + R"x((order, retry=True)","vars":{"order":"<Order )x" +
              text(random_() % 1'000'000) + R"(>","retry":"True"}})";
    }
    json +=
        R"(]}}]},"user":{"id":")" + text(user) + R"(","ip_address":"10.0.)" +
        text(user / 250 % 250) + "." + text(user % 250) +
        R"("},"request":{"url":"https://shop.example/orders/)" + text(issue % 500) +
        R"(/pay","method":"POST","headers":{"Accept":"*/*","User-Agent":"Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"}},)";
    json += R"("contexts":{"runtime":{"name":"CPython","version":"3.12.1"},"trace":{"trace_id":")" +
            hex(32) + R"(","span_id":")" + hex(16) + R"("}},"tags":{"region":"eu-)" +
            text(user % 3) + R"(","tier":"gold","queue":"q)" + text(issue % 8) +
            R"("},"breadcrumbs":{"values":[)";
    for (std::uint64_t i = 0; i < options_.breadcrumbs; ++i) {
      json +=
          std::string(i == 0 ? "" : ",") +
          R"({"timestamp":1700000000.5,"category":"query","message":"SELECT * FROM orders WHERE id = )" +
          text(random_() % 100'000) + R"(","level":"info"})";
    }
    json += R"(]},"sdk":{"name":"sentry.python.django","version":"2.1.0"}})";
    return json;
  }

  std::string hex(int digits) {
    std::string out;
    for (int i = 0; i < digits; ++i)
      out += "0123456789abcdef"[random_() % 16];
    return out;
  }

  buffer::Record record(std::uint64_t number) {
    const auto issue = random_() % options_.issues;
    const auto json = payload(number, issue);
    buffer::Record record;
    record.received = time_from_ms(time_ms(number));
    record.project = 1 + issue % 3;
    record.key = std::string(16, 'k');
    record.coding = static_cast<std::uint8_t>(relay::Coding::gzip);
    const auto id = hex(32);
    record.body =
        relay::encode_gzip("{\"event_id\":\"" + id + "\"}\n{\"type\":\"event\",\"length\":" +
                               std::to_string(json.size()) + "}\n" + json + "\n",
                           6);
    schema::IntakeMeta meta;
    meta.set_remote_address("192.0.2.1");
    meta.set_user_agent("sentry.python/2.1.0");
    meta.set_client("sentry.python/2.1.0");
    meta.set_event_id(std::string(relay::raw_bytes(*relay::parse_event_id(id))));
    meta.set_sent_at_ms(time_ms(number));
    record.meta = meta.SerializeAsString();
    return record;
  }

 private:
  // 8,000 events a second.
  std::int64_t time_ms(std::uint64_t number) const {
    return start_ms_ + static_cast<std::int64_t>(number / 8);
  }

  const Options& options_;
  const std::int64_t start_ms_;
  std::mt19937_64 random_{42};
};

// Makes its records when they are read.
class MadeJournal final : public buffer::Journal {
 public:
  MadeJournal(const Options& options, std::int64_t start_ms)
      : options_(options), generator_(options, start_ms) {}

  Result<buffer::ReadBatch> read(buffer::Sequence from,
                                 std::size_t max_bytes,
                                 std::size_t max_records) const override {
    const double start = cpu_us();
    const double wall_start = wall_us();
    buffer::ReadBatch batch;
    made_.clear();
    std::size_t bytes = 0;
    batch.next = from;
    made_.reserve(max_records);
    while (batch.next <= options_.events && made_.size() < max_records && bytes < max_bytes) {
      made_.push_back(generator_.record(batch.next));
      const auto& record = made_.back();
      bytes += record.body.size();
      batch.records.push_back({batch.next++, record.kind, record.coding, record.flags,
                               record.received, record.project, record.key, record.meta,
                               record.body});
    }
    body_bytes += bytes;
    making_us += cpu_us() - start;
    making_wall_us += wall_us() - wall_start;
    return batch;
  }
  Result<void> offer(buffer::Record, buffer::OnDurable) override {
    return Error{Fault::unavailable, ""};
  }
  bool full() const override { return false; }
  Result<buffer::ReadBatch> read_one(buffer::Sequence) const override {
    return Error{Fault::not_found, ""};
  }
  bool wait_for(buffer::Sequence, Duration) const override { return true; }
  void interrupt() override {}
  void on_commit(std::function<void()>) override {}
  buffer::JournalUse use() const override { return {}; }
  std::vector<buffer::SegmentUse> segments() const override { return {}; }
  Result<void> recycle_before(buffer::Sequence) override { return {}; }

  mutable double making_us = 0;
  mutable double making_wall_us = 0;
  mutable std::size_t body_bytes = 0;

 private:
  const Options& options_;
  mutable Generator generator_;
  mutable std::vector<buffer::Record> made_;
};

void print_steps(const Options& options) {
  constexpr std::size_t samples = 5000;
  Generator generator(options, 1'700'000'000'000);
  std::vector<buffer::Record> records;
  std::vector<std::string> bodies;
  std::vector<Event> events;
  for (std::size_t i = 0; i < samples; ++i)
    records.push_back(generator.record(i));
  const auto step = [&](const char* name, auto work) {
    const double start = cpu_us();
    for (std::size_t i = 0; i < samples; ++i)
      work(i);
    std::printf("  %-28s %6.2f us/event\n", name,
                (cpu_us() - start) / static_cast<double>(samples));
  };
  std::size_t gzip = 0;
  std::size_t json = 0;
  step("inflate", [&](std::size_t i) {
    bodies.push_back(*relay::decode(records[i].body, relay::Coding::gzip, 1 << 20));
  });
  step("envelope",
       [&](std::size_t i) { json += relay::parse_envelope(bodies[i])->items[0].payload.size(); });
  for (const auto& record : records)
    gzip += record.body.size();
  std::vector<std::string_view> payloads;
  std::vector<relay::Envelope> envelopes;
  for (const auto& body : bodies)
    envelopes.push_back(*relay::parse_envelope(body));
  step("parse event",
       [&](std::size_t i) { events.push_back(*parse_event(envelopes[i].items[0].payload)); });
  std::size_t sink = 0;
  step("grouping", [&](std::size_t i) { sink += hashes_of(events[i]).size(); });
  step("title", [&](std::size_t i) { sink += title_of(events[i]).title.size(); });
  step("tags", [&](std::size_t i) {
    TextArena arena(512);
    sink += tags_of(events[i], arena).size();
  });
  const DigestConfig config;
  ParsedBatch parsed;
  step("read_record, all of the above", [&](std::size_t i) {
    if (i % 2000 == 0) parsed = ParsedBatch();
    const auto& record = records[i];
    read_record({i + 1, record.kind, record.coding, record.flags, record.received, record.project,
                 record.key, record.meta, record.body},
                config, parsed);
  });
  std::printf("  %zu B gzip, %zu B JSON an event%s\n", gzip / samples, json / samples,
              sink == 0 ? "!" : "");
}

std::unique_ptr<buffer::Journal> real_journal(const Options& options,
                                              const std::filesystem::path& folder,
                                              const Clock& clock) {
  auto journal = buffer::Journal::open(
      {.folder = folder / "journal", .max_bytes = std::uint64_t{64} << 30}, clock);
  if (!journal) {
    std::fprintf(stderr, "%s\n", journal.error().detail.c_str());
    std::exit(1);
  }
  Generator generator(options, 1'700'000'000'000);
  for (std::uint64_t number = 1; number <= options.events; ++number) {
    const bool last = number == options.events;
    std::promise<void> durable;
    for (bool offered = false; !offered;) {
      offered = bool((*journal)->offer(generator.record(number), [&, last](const auto&) {
        if (last) durable.set_value();
      }));
    }
    if (last) durable.get_future().wait();
  }
  return *std::move(journal);
}

std::unique_ptr<buffer::Tables> seeded_tables(const std::filesystem::path& folder) {
  auto tables = buffer::Tables::open({.path = folder / "tables.mdb"});
  if (!tables) return nullptr;
  const auto written = (*tables)->write([](buffer::Batch& batch) {
    for (std::uint64_t id = 1; id <= 3; ++id) {
      schema::Project row;
      row.set_id(id);
      row.set_organization(1);
      buffer::put_row(batch, buffer::Table::projects, buffer::Key().u64(id), row);
    }
  });
  return written ? *std::move(tables) : nullptr;
}

struct Spent {
  double cpu = 0;
  double wall = 0;
  std::vector<double> writes_ms;
};

// Digests everything; what `made` spent on making is taken off.
Spent digest_all(Digest& digest, const MadeJournal& made, const buffer::Tables& tables) {
  Spent spent;
  for (std::uint64_t shown = 0;;) {
    const double cpu_start = cpu_us() - made.making_us;
    const double wall_start = wall_us() - made.making_wall_us;
    const auto digested = digest.run_once();
    spent.cpu += cpu_us() - made.making_us - cpu_start;
    spent.wall += wall_us() - made.making_wall_us - wall_start;
    if (!digested || *digested == 0) return spent;
    const auto counters = digest.counters();
    spent.writes_ms.push_back(static_cast<double>(counters.last_write_took.count()));
    if (counters.events / 100'000 == shown) continue;
    shown = counters.events / 100'000;
    const auto events = static_cast<double>(counters.events);
    std::printf(
        "  %8.0f events  %6.1f us CPU/event  %6.1f us/event by the clock  batch %4zu  %.0f "
        "B/event\n",
        events, spent.cpu / events, spent.wall / events, *digested,
        static_cast<double>(tables.use().used_pages * 4096) / events);
    std::fflush(stdout);
  }
}

void print_tables(const buffer::Tables& tables, double events) {
  const auto bytes = static_cast<double>(tables.use().used_pages * 4096);
  std::printf("tables %.0f MB, %.0f B/event\n", bytes / 1e6, bytes / events);
  const auto snapshot = tables.snapshot();
  double used = 0;
  for (std::size_t i = 0; i < buffer::table_count; ++i) {
    const auto table = static_cast<buffer::Table>(i);
    const auto entries = static_cast<double>(snapshot.entries(table));
    const auto table_bytes = static_cast<double>(snapshot.pages(table) * 4096);
    used += table_bytes;
    if (table_bytes > 0.5 * events)
      std::printf("  %-20s %10.0f rows %7.1f B/event\n", std::string(buffer::table_name(table)).c_str(),
                  entries, table_bytes / events);
  }
  std::printf("  %-20s %23.1f B/event\n", "free pages", (bytes - used) / events);
}

int bench(const Options& options) {
  const testing::TempDir own;
  const auto folder = options.folder.empty() ? own.path() : std::filesystem::path(options.folder);
  std::printf("steps alone:\n");
  print_steps(options);
  const auto tables = seeded_tables(folder);
  if (!tables) return 1;
  const SystemClock clock;
  MadeJournal made(options, 1'700'000'000'000);
  const auto real = options.real ? real_journal(options, folder, clock) : nullptr;
  DigestConfig config;
  if (options.batch != 0) config.batch_records = options.batch;
  Digest digest(options.real ? *real : static_cast<buffer::Journal&>(made), *tables, clock, config);
  auto spent = digest_all(digest, made, *tables);
  if (spent.writes_ms.empty()) return 1;
  const auto counters = digest.counters();
  const auto events = static_cast<double>(counters.events);
  std::printf(
      "%.0f events, %.0f issues: %.1f us CPU/event (%.0f/s on one core), %.1f us/event by the "
      "clock (%.0f/s)\n",
      events, static_cast<double>(counters.issues), spent.cpu / events, 1e6 * events / spent.cpu,
      spent.wall / events, 1e6 * events / spent.wall);
  auto& writes = spent.writes_ms;
  std::ranges::sort(writes);
  std::printf("write p50 %.0f ms, p99 %.0f ms, worst %.0f ms\n", writes[writes.size() / 2],
              writes[writes.size() * 99 / 100], writes.back());
  print_tables(*tables, events);
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  std::printf("peak RSS %ld MB, mapped pages of the tables and all of the above included\n",
              use.ru_maxrss / 1024);
  return 0;
}

}  // namespace
}  // namespace picket::digest

int main(int argc, char** argv) {
  picket::digest::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "0";
    if (word == "--events") options.events = std::stoull(value);
    if (word == "--issues") options.issues = std::stoull(value);
    if (word == "--batch") options.batch = std::stoull(value);
    if (word == "--users") options.users = std::stoull(value);
    if (word == "--frames") options.frames = std::stoull(value);
    if (word == "--breadcrumbs") options.breadcrumbs = std::stoull(value);
    if (word == "--folder") options.folder = value;
    if (word == "--real") options.real = true;
  }
  return picket::digest::bench(options);
}

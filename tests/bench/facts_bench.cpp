// Facts: what appending a span costs, what it takes on disk, and how fast blocks are scanned.
//
// The questions to 5 million transactions fill their tables once, straight through append_facts() in batches
// of 20,000, and keep them where PICKET_BENCH_FOLDER says (else they are made anew each time: a minute).
#include "api/facts/store.h"
#include "api/query/fact_search.h"
#include "api/query/fact_series.h"
#include "buffer/descriptor.h"
#include "support/temp_dir.h"

#include <benchmark/benchmark.h>

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace picket {
namespace {

constexpr std::uint64_t project = 7;
constexpr std::int64_t start_ns = 1'700'000'000'000'000'000;

std::string random_bytes(std::mt19937_64& random, std::size_t count) {
  std::string bytes(count, '\0');
  for (auto& c : bytes) c = static_cast<char>(random());
  return bytes;
}

// Spans as a web service has them: ten a trace, a dozen attributes.
facts::FactRows make_spans(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  facts::FactRows rows;
  std::string trace;
  std::string segment;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 10 == 0) {
      trace = random_bytes(random, 16);
      segment = random_bytes(random, 8);
    }
    const auto index = static_cast<std::uint32_t>(i % 10);
    rows.begin(facts::Dataset::spans, project, {seed * 1'000'000 + i / 10, 0, index},
               start_ns + static_cast<std::int64_t>(i) * 1'234'000);
    const bool db = random() % 2 == 0;
    rows.id("id", index == 0 ? segment : random_bytes(random, 8));
    rows.id("trace", trace);
    if (index > 0) rows.id("parent_span", segment);
    rows.text("span.op", db ? "db" : "http.client");
    rows.text("span.description", (db ? "SELECT * FROM t" : "GET /api/") + std::to_string(random() % 200));
    rows.text("span.status", random() % 20 == 0 ? "internal_error" : "ok");
    rows.number("span.duration", static_cast<double>(random() % 1'000'000) / 1000.0);
    rows.number("span.self_time", static_cast<double>(random() % 500'000) / 1000.0);
    rows.boolean("is_transaction", index == 0);
    rows.text("transaction", "GET /page/" + std::to_string(random() % 30));
    rows.text("release", "shop@1.2." + std::to_string(random() % 3));
    rows.text("environment", "production");
    rows.text("sdk.name", "sentry.javascript.node");
    rows.text("server.address", "10.0.0." + std::to_string(random() % 8));
    rows.integer("http.response.status_code", random() % 10 == 0 ? 500 : 200);
  }
  return rows;
}

std::unique_ptr<buffer::Tables> open_tables(const testing::TempDir& dir) {
  auto opened = buffer::Tables::open({.path = dir / "tables.mdb", .map_bytes = std::uint64_t{8} << 30});
  if (!opened) std::abort();
  return *std::move(opened);
}

void encode_spans(benchmark::State& state) {
  const auto rows = make_spans(facts::block_rows, 1);
  std::vector<std::uint32_t> all(rows.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  std::size_t bytes = 0;
  for (auto _ : state) bytes = facts::encode_block(rows, all).size();
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * rows.size()));
  state.counters["bytes_a_fact"] = static_cast<double>(bytes) / static_cast<double>(rows.size());
}
BENCHMARK(encode_spans)->Unit(benchmark::kMillisecond);

// Appends in batches of so many spans; one commit each.
void append_spans(benchmark::State& state) {
  const testing::TempDir dir;
  const auto tables = open_tables(dir);
  const auto count = static_cast<std::size_t>(state.range(0));
  const auto rows = make_spans(count, 1);
  for (auto _ : state) {
    const auto written = tables->write([&](buffer::Batch& batch) { facts::append_facts(batch, rows, {}); });
    if (!written) state.SkipWithError("write failed");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * count));
}
BENCHMARK(append_spans)->Arg(10)->Arg(1000)->Arg(10'000)->Unit(benchmark::kMillisecond);

// Errors of a busy box, some 75 bytes a fact.
facts::FactRows make_errors(facts::Dataset dataset, std::size_t count, std::uint64_t first) {
  std::mt19937_64 random(first);
  facts::FactRows rows;
  for (std::size_t i = 0; i < count; ++i) {
    rows.begin(dataset, project, {first + i, 0, 0}, start_ns + static_cast<std::int64_t>(first + i) * 625'000);
    rows.id("id", random_bytes(random, 16));
    rows.id("trace", random_bytes(random, 16));
    rows.id("span", random_bytes(random, 8));
    rows.integer("issue.id", static_cast<std::int64_t>(random() % 2000));
    rows.text("message", "cannot open file " + std::to_string(random()));
    rows.text("transaction", "GET /page/" + std::to_string(random() % 30));
    rows.text("user", "id:" + std::to_string(random() % 100));
  }
  return rows;
}

// How large a file becomes in which facts come and go beside rows that change: batches of 200 to 1,600 errors, of which the last
// 600,000 are kept, and of 26,000 rows a third as many as there are errors. In blocks as errors have them, and as others do.
void come_and_go(benchmark::State& state, facts::Dataset dataset) {
  constexpr std::uint64_t kept = 600'000;
  const auto batches = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    const testing::TempDir dir;
    const auto tables = open_tables(dir);
    std::mt19937_64 random(1);
    std::uint64_t first = 1;
    for (std::uint64_t i = 0; i < batches; ++i) {
      const auto count = 200 + random() % 1401;
      const auto rows = make_errors(dataset, count, first);
      const auto written = tables->write([&](buffer::Batch& batch) {
        facts::append_facts(batch, rows, {});
        for (std::uint64_t changed = 0; changed < count / 3; ++changed)
          batch.put(buffer::Table::issue_tags, buffer::Key().u64(random() % 26'000), std::string(300 + random() % 600, 'x'));
      });
      const auto trimmed = tables->write([&](buffer::Batch& batch) {
        if (first > kept) facts::trim_facts(batch, first - kept, 100);
        batch.put(buffer::Table::meta, "floor", std::to_string(first));
      });
      if (!written || !trimmed) std::abort();
      first += count;
    }
    std::size_t bytes = 0;
    const auto snapshot = tables->snapshot();
    std::size_t blocks = 0;
    auto cursor = snapshot.cursor(buffer::Table::facts);
    for (bool there = cursor.first(); there; there = cursor.next()) {
      ++blocks;
      bytes += cursor.value().size();
    }
    std::uint64_t pages = 0;
    for (std::size_t table = 0; table < buffer::table_count; ++table) pages += snapshot.pages(static_cast<buffer::Table>(table));
    state.counters["used_mib"] = static_cast<double>(pages) / 256;
    state.counters["blocks"] = static_cast<double>(blocks);
    state.counters["facts_mib"] = static_cast<double>(bytes) / (1 << 20);
    state.counters["file_mib"] = static_cast<double>(std::filesystem::file_size(dir / "tables.mdb")) / (1 << 20);
  }
}
BENCHMARK_CAPTURE(come_and_go, errors, facts::Dataset::errors)->Arg(1'000)->Arg(5'000)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(come_and_go, logs, facts::Dataset::logs)->Arg(1'000)->Arg(5'000)->Iterations(1)->Unit(benchmark::kMillisecond);

class Filled {
 public:
  Filled() : tables(open_tables(dir)) {
    for (std::uint64_t i = 0; i < 50; ++i) {
      const auto rows = make_spans(20'000, i + 1);
      (void)tables->write([&](buffer::Batch& batch) { facts::append_facts(batch, rows, {}); });
    }
  }
  testing::TempDir dir;
  std::unique_ptr<buffer::Tables> tables;
};

query::FactRequest request(std::string_view condition) {
  query::FactRequest asked;
  asked.projects = {{project, "shop", "shop"}};
  asked.from_ms = 0;
  asked.to_ms = start_ns / 1'000'000 * 2;
  asked.condition = *query::parse_condition(condition, query::fact_language(), Time{});
  asked.deadline = std::chrono::seconds(60);
  return asked;
}

// Questions to a million spans.
void scan(benchmark::State& state, std::string_view condition, std::vector<std::string> fields) {
  static const Filled filled;
  auto asked = request(condition);
  for (const auto& field : fields) asked.fields.push_back(*query::parse_field_expression(field));
  for (auto _ : state) {
    const auto found = query::find_facts(filled.tables->snapshot(), asked);
    if (!found) state.SkipWithError(found.error().detail.c_str());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * 1'000'000));
}
BENCHMARK_CAPTURE(scan, count_by_op, "", {"span.op", "count()", "p95(span.duration)"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scan, slow_db, "span.op:db span.duration:>900ms", {"id", "span.description", "span.duration"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scan, one_trace, "trace:0123456789abcdef0123456789abcdef", {"id"})->Unit(benchmark::kMillisecond);

// Transactions as a web service has them: 20 kinds of browser, 50,000 users, some twenty columns.
facts::FactRows make_transactions(std::size_t count, std::uint64_t batch) {
  std::mt19937_64 random(batch + 1);
  facts::FactRows rows;
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = batch * count + i;
    const auto user = std::to_string(random() % 50'000);
    const auto id = random_bytes(random, 16);
    const auto span = random_bytes(random, 8);
    // In the order of arrival, which is nearly that of time.
    rows.begin(facts::Dataset::transactions, project, {number + 1, 0, 0},
               start_ns + static_cast<std::int64_t>(number) * 17'000'000 + static_cast<std::int64_t>(random() % 2'000'000'000));
    rows.id("id", id);
    rows.number("transaction.duration", static_cast<double>(random() % 3'000'000) / 1000.0);
    rows.text("transaction.op", "http.server");
    rows.text("transaction.status", random() % 20 == 0 ? "internal_error" : "ok");
    rows.id("trace.span", span);
    rows.text("server_name", "web-" + std::to_string(random() % 12));
    rows.id("trace", random_bytes(random, 16));
    rows.text("user.id", user);
    rows.text("transaction", "GET /page/" + std::to_string(random() % 60));
    rows.text("release", "shop@1.2." + std::to_string(number / 500'000));
    rows.text("environment", random() % 4 == 0 ? "staging" : "production");
    rows.text("platform", "node");
    rows.text("sdk.name", "sentry.javascript.node");
    rows.text("sdk.version", "9.1.0");
    rows.text("user", "id:" + user);
    rows.id("transaction.event_id", id);
    rows.id("transaction.span_id", span);
    rows.text("browser.name", "Browser " + std::to_string(random() % 20));
    rows.text("os.name", random() % 3 == 0 ? "Windows" : "Linux");
    rows.integer("http.status_code", random() % 20 == 0 ? 500 : 200);
  }
  return rows;
}

constexpr std::size_t transactions = 5'000'000;

class Transactions {
 public:
  Transactions() {
    const auto* kept = std::getenv("PICKET_BENCH_FOLDER");
    path_ = (kept != nullptr ? std::filesystem::path(kept) : dir_.path()) / "transactions.mdb";
    const bool there = std::filesystem::exists(path_);
    open();
    constexpr std::size_t batch_rows = 20'000;
    for (std::uint64_t batch = 0; !there && batch < transactions / batch_rows; ++batch) {
      const auto rows = make_transactions(batch_rows, batch);
      if (!tables->write([&](buffer::Batch& to) { facts::append_facts(to, rows, {}); })) std::abort();
    }
  }
  // As after a restart of the machine: nothing of the file is in memory.
  void make_cold() {
    tables.reset();
    const auto file = buffer::Descriptor::open(path_, O_RDONLY);
    if (!file || ::posix_fadvise(file->number(), 0, 0, POSIX_FADV_DONTNEED) != 0) std::abort();
    open();
  }
  std::unique_ptr<buffer::Tables> tables;

 private:
  void open() {
    auto opened = buffer::Tables::open({.path = path_, .map_bytes = std::uint64_t{16} << 30});
    if (!opened) std::abort();
    tables = *std::move(opened);
  }
  testing::TempDir dir_;
  std::filesystem::path path_;
};

enum class Warmth : std::uint8_t { warm, cold };

template <class Ask>
void ask_transactions(benchmark::State& state, Warmth warmth, Ask ask) {
  static Transactions filled;
  if (warmth == Warmth::warm && !ask(filled.tables->snapshot())) std::abort();
  for (auto _ : state) {
    if (warmth == Warmth::cold) {
      state.PauseTiming();
      filled.make_cold();
      state.ResumeTiming();
    }
    if (!ask(filled.tables->snapshot())) state.SkipWithError("no answer");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * transactions));
}

query::FactRequest transaction_request(std::string_view condition, const std::vector<std::string>& fields) {
  auto asked = request(condition);
  asked.dataset = facts::Dataset::transactions;
  for (const auto& field : fields) asked.fields.push_back(*query::parse_field_expression(field));
  return asked;
}

void table(benchmark::State& state, Warmth warmth, std::string_view condition, const std::vector<std::string>& fields) {
  auto asked = transaction_request(condition, fields);
  asked.sorts = {{asked.fields[1], true}};
  ask_transactions(state, warmth, [&](const buffer::Snapshot& snapshot) { return bool(query::find_facts(snapshot, asked)); });
}
const std::vector<std::string> table_fields = {"browser.name", "count()", "count_unique(user)", "p95(transaction.duration)"};
BENCHMARK_CAPTURE(table, events_table, Warmth::warm, "", table_fields)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(table, events_table_cold, Warmth::cold, "", table_fields)->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK_CAPTURE(table, count_by_tag, Warmth::warm, "", {"browser.name", "count()"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(table, users_by_tag, Warmth::warm, "", {"browser.name", "count_unique(user)"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(table, p95_by_tag, Warmth::warm, "", {"browser.name", "p95(transaction.duration)"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(table, filtered, Warmth::warm, "environment:production transaction.duration:>1s", table_fields)->Unit(benchmark::kMillisecond);

void series(benchmark::State& state, Warmth warmth, std::string_view function) {
  query::SeriesRequest asked;
  asked.facts = transaction_request("", {std::string(function)});
  asked.facts.from_ms = start_ns / 1'000'000;
  asked.facts.to_ms = asked.facts.from_ms + static_cast<std::int64_t>(transactions) * 17 + 2'000;
  asked.interval_ms = (asked.facts.to_ms - asked.facts.from_ms) / 99;  // starts of buckets are multiples: 100 of them
  ask_transactions(state, warmth, [&](const buffer::Snapshot& snapshot) { return bool(query::find_series(snapshot, asked)); });
}
BENCHMARK_CAPTURE(series, count, Warmth::warm, "count()")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(series, count_cold, Warmth::cold, "count()")->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK_CAPTURE(series, p95, Warmth::warm, "p95(transaction.duration)")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(series, failure_rate, Warmth::warm, "failure_rate()")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace picket

BENCHMARK_MAIN();

// Facts: what appending a span costs, what it takes on disk, and how fast blocks are scanned.
#include "api/facts/store.h"
#include "api/query/fact_search.h"
#include "support/temp_dir.h"

#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>

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

}  // namespace
}  // namespace picket

BENCHMARK_MAIN();

// Issue lists and searches over REST, without a socket: 50,000 issues, the percentiles of each query,
// at rest and while batches of events change issues between the calls; and the first search after a
// restart of the machine, when nothing of the tables is in memory.
//
//   issue_list_bench [issues [events an issue [cold | part of the name of a query]]]
//
// The tables are filled directly, with the rows that the digest writes of issues: 20 events an issue (1 M
// events in 50,000 issues, 10 M in 500,000) are numbers in their counters.
#include "api/digest/postings.h"
#include "api/rest/router.h"
#include "api/rest/setup.h"
#include "buffer/descriptor.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "support/fake_journal.h"
#include "support/temp_dir.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace picket::rest {
namespace {

using buffer::Key;
using buffer::Table;
using Steady = std::chrono::steady_clock;

struct Bench {
  std::uint64_t events_an_issue = 20;
  testing::TempDir folder;
  std::unique_ptr<buffer::Tables> tables;
  testing::FakeJournal journal;
  SystemClock clock;
  Setup setup;
  std::mt19937 random{1};
  std::vector<std::uint64_t> last_seen;

  std::uint64_t pick(std::uint64_t below) { return random() % below; }
};

void check(const Result<void>& result) {
  if (result) return;
  std::fprintf(stderr, "%s\n", result.error().detail.c_str());
  std::exit(1);
}

schema::IssueCounters counters_of(std::uint64_t times_seen, std::uint64_t last_seen_ms) {
  schema::IssueCounters counters;
  counters.set_times_seen(times_seen);
  counters.set_last_seen_ms(static_cast<std::int64_t>(last_seen_ms));
  counters.set_users_seen(times_seen / 3);
  counters.set_hour_start(last_seen_ms / 3'600'000 - 47);
  for (int i = 0; i < 48; ++i) counters.add_hours(static_cast<std::uint32_t>(i % 7));
  counters.set_day_start(last_seen_ms / 86'400'000 - 29);
  for (int i = 0; i < 30; ++i) counters.add_days(static_cast<std::uint32_t>(i * 3));
  counters.set_last_release("shop@1.0.5");
  counters.set_last_event_id(std::string(16, 'e'));
  return counters;
}

void put_issue(Bench& bench, buffer::Batch& batch, std::uint64_t id, std::uint64_t now_ms) {
  const auto project = bench.setup.project_id;
  const auto number = std::to_string(id);
  schema::Issue issue;
  issue.set_id(id);
  issue.set_project(project);
  issue.set_short_number(id);
  issue.set_title("Error" + std::to_string(id % 900) + ": could not finish order " + number + " for the customer");
  issue.set_culprit("shop.orders.service in finish_" + std::to_string(id % 4000));
  issue.set_type("error");
  issue.set_metadata_json("{\"value\":\"could not finish order " + number + " for the customer\",\"type\":\"Error" + std::to_string(id % 900) +
                          "\",\"filename\":\"shop/orders/service.py\",\"function\":\"finish_" + std::to_string(id % 4000) + "\"}");
  issue.set_platform("python");
  issue.set_level(id % 10 == 0 ? 30 : 40);
  issue.set_status(id % 4 == 0 ? 1 : 0);
  issue.set_substatus(id % 4 == 0 ? 0 : 3);
  issue.set_first_seen_ms(static_cast<std::int64_t>(now_ms - bench.pick(60) * 86'400'000));
  issue.set_first_release("shop@1.0." + std::to_string(id % 50));
  issue.set_priority(75);
  const auto last_seen = now_ms - bench.pick(86'400'000);
  bench.last_seen[id] = last_seen;
  buffer::put_row(batch, Table::issues, Key().u64(id), issue);
  buffer::put_row(batch, Table::issue_counters, Key().u64(id), counters_of(1 + bench.pick(2 * bench.events_an_issue), last_seen));
  batch.put(Table::issues_by_last_seen, Key().u64(project).descending(last_seen).u64(id), "");
  const std::pair<std::string, std::string> tags[] = {{"level", id % 10 == 0 ? "warning" : "error"},
                                                      {"environment", id % 3 == 0 ? "staging" : "production"},
                                                      {"release", "shop@1.0." + std::to_string(id % 50)},
                                                      {"browser.name", "Browser " + std::to_string(id % 20)},
                                                      {"server_name", "web-" + std::to_string(id % 1000)},
                                                      {"user", "id:" + number}};
  for (const auto& [name, value] : tags) {
    const auto tag = Key().text(name).text(value);
    buffer::put_row(batch, Table::issue_tags, Key().u64(id).raw(tag), schema::TagCount());
    const auto posting = digest::posting_key(project, tag, id);
    std::string row(batch.get(Table::issues_by_tag, posting).value_or(std::string_view()));
    if (digest::add_posting(row, id)) batch.put(Table::issues_by_tag, posting, row);
  }
}

// As the digest writes a batch of events of `count` issues.
void receive(Bench& bench, std::size_t count, std::size_t issues) {
  const auto now_ms = static_cast<std::uint64_t>(to_ms(bench.clock.now()));
  check(bench.tables->write([&](buffer::Batch& batch) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto id = 1 + bench.pick(issues);
      batch.remove(Table::issues_by_last_seen, Key().u64(bench.setup.project_id).descending(bench.last_seen[id]).u64(id));
      bench.last_seen[id] = now_ms;
      buffer::put_row(batch, Table::issue_counters, Key().u64(id), counters_of(100, now_ms));
      batch.put(Table::issues_by_last_seen, Key().u64(bench.setup.project_id).descending(now_ms).u64(id), "");
    }
  }));
}

http::Request list_request(const Bench& bench, const std::string& query) {
  http::Request request;
  request.head.method = "GET";
  request.head.path = "/api/0/organizations/" + bench.setup.organization + "/issues/";
  request.head.query = query;
  request.head.headers.add("Authorization", "Bearer " + bench.setup.token);
  return request;
}

std::unique_ptr<buffer::Tables> open_tables(const Bench& bench) {
  auto opened = buffer::Tables::open({.path = bench.folder / "tables.mdb"});
  if (!opened) std::exit(1);
  return *std::move(opened);
}

// Columns are made in the first search, or beside it where they are read ahead as after a start of Picket; the second finds
// them and the pages that it needs in memory.
void measure_cold(Bench& bench, std::string_view name, const std::string& query, bool read_ahead) {
  bench.tables.reset();
  const auto file = buffer::Descriptor::open(bench.folder / "tables.mdb", O_RDONLY);
  if (!file || ::posix_fadvise(file->number(), 0, 0, POSIX_FADV_DONTNEED) != 0) std::exit(1);
  bench.tables = open_tables(bench);
  Api api{*bench.tables, bench.journal, bench.clock, "http://localhost:3000"};
  if (read_ahead) {
    api.issue_search->read_ahead(*bench.tables);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // Picket takes longer from there to its first request
  }
  for (const auto* which : {"first", "second"}) {
    const auto from = Steady::now();
    const auto response = serve(api, list_request(bench, query));
    std::printf("%-34.*s cold, %s search %7.2f ms\n", static_cast<int>(name.size()), name.data(), which,
                std::chrono::duration<double, std::milli>(Steady::now() - from).count());
    if (response.status != 200) std::exit(1);
  }
}

void measure(Bench& bench, Api& api, std::string_view name, const std::string& query, std::size_t changed, std::size_t issues) {
  constexpr int calls = 100;
  std::vector<double> took;
  std::string hits;
  for (int i = 0; i < calls; ++i) {
    if (changed != 0) receive(bench, changed, issues);
    const auto request = list_request(bench, query);
    const auto from = Steady::now();
    const auto response = serve(api, request);
    took.push_back(std::chrono::duration<double, std::milli>(Steady::now() - from).count());
    if (response.status != 200) std::fprintf(stderr, "%s: %u %s\n", query.c_str(), response.status, response.body.c_str());
    hits = response.headers.find("X-Hits");
  }
  std::sort(took.begin(), took.end());
  std::printf("%-34.*s hits %4s  p50 %7.2f ms  p95 %7.2f ms  max %7.2f ms\n", static_cast<int>(name.size()), name.data(), hits.c_str(),
              took[calls / 2], took[calls * 95 / 100], took.back());
}

// `only`: queries whose names hold it, at rest; "cold": nothing but what is cold.
int run(std::size_t issues, std::uint64_t events_an_issue, std::string_view only) {
  Bench bench;
  bench.events_an_issue = events_an_issue;
  bench.tables = open_tables(bench);
  auto setup = ensure_first(*bench.tables, {.storage = bench.folder.path()}, bench.clock.now());
  if (!setup) return 1;
  bench.setup = *setup;
  bench.last_seen.resize(issues + 1);
  const auto now_ms = static_cast<std::uint64_t>(to_ms(bench.clock.now()));
  for (std::size_t first = 1; first <= issues; first += 5'000) {
    check(bench.tables->write([&](buffer::Batch& batch) {
      for (auto id = first; id < std::min(first + 5'000, issues + 1); ++id) put_issue(bench, batch, id, now_ms);
    }));
  }
  Api api{*bench.tables, bench.journal, bench.clock, "http://localhost:3000"};
  const std::string searched = "query=is:unresolved+level:error+browser.name:%22Browser+7%22+finish&sort=freq&limit=25";
  const std::pair<std::string_view, std::string> queries[] = {
      {"default list of 100", ""},
      {"default list of 25", "limit=25"},
      {"all, stats 14d", "query=&groupStatsPeriod=14d"},
      {"level:warning", "query=is:unresolved+level:warning&limit=25"},
      {"free text, common", "query=finish+order&limit=25"},
      {"free text, rare", "query=order+4711+for"},
      {"free text, none", "query=nothing+like+this"},
      {"error.type:Error7", "query=error.type:Error7"},
      {"tag, rare", "query=server_name:web-77"},
      {"tag, common", "query=environment:production&limit=25"},
      {"tag, wildcard", "query=server_name:web-7*&limit=25"},
      {"user:id:4711", "query=user:%22id:4711%22"},
      {"!tag", "query=!environment:production&limit=25"},
      {"release + level + text", "query=release:shop@1.0.7+level:error+finish&limit=25"},
      {"is + level + tag + text, freq", "query=is:unresolved+level:error+environment:production+finish&sort=freq&limit=25"},
      {"the same, a tag of one in 20", searched},
      {"the same, a text of one in 4,000", "query=is:unresolved+level:error+environment:production+finish_77&sort=freq&limit=25"},
      {"OR over tags and columns", "query=(release:shop@1.0.7+OR+level:warning)+!(environment:staging+finish_1)&limit=25"},
      {"sort=freq", "sort=freq&limit=25"},
      {"sort=new, age:-7d", "query=age:-7d&sort=new&limit=25"},
  };
  for (const std::size_t changed : {std::size_t{0}, std::size_t{400}}) {
    if (only == "cold" || (!only.empty() && changed != 0)) break;
    std::printf("%zu issues, %zu of them changed before each call\n", issues, changed);
    std::fflush(stdout);
    for (const auto& [name, query] : queries) {
      if (name.find(only) != std::string_view::npos) measure(bench, api, name, query, changed, issues);
    }
  }
  if (!only.empty() && only != "cold") return 0;
  measure_cold(bench, "is + level + tag + text, freq", searched, false);
  measure_cold(bench, "default list of 100", "", false);
  measure_cold(bench, "default list of 100, read ahead", "", true);
  return 0;
}

}  // namespace
}  // namespace picket::rest

int main(int argc, char** argv) {
  return picket::rest::run(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 50'000, argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20, argc > 3 ? argv[3] : "");
}

// What the digest makes of transactions, spans, logs, metrics, replays and profiles.
#include "api/digest/placed.h"
#include "api/digest/trim.h"
#include "api/digest/user_agent.h"
#include "api/facts/store.h"
#include "digest_fixture.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <array>
#include <bit>
#include <random>
#include <set>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;
using facts::Dataset;
using facts::ValueType;

using Fact = std::map<std::string, std::string>;

class Telemetry : public DigestTest {
 protected:
  // All facts of a dataset as text by column; times as @time.
  std::vector<Fact> facts_of(Dataset dataset, std::uint64_t project = test_project) const {
    facts::FactRows rows;
    const auto snapshot = tables->snapshot();
    facts::for_each_block(snapshot, dataset, project, [&](const facts::BlockView& block) {
      EXPECT_TRUE(decode_block(block, dataset, project, rows));
      return true;
    });
    std::vector<Fact> found;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& row = rows.row(i);
      auto& fact = found.emplace_back();
      fact["@index"] = std::to_string(row.place.index);
      fact["@time"] = std::to_string(row.time_ns);
      const auto* cells = rows.cells(row);
      for (std::uint32_t c = 0; c < row.cells; ++c) {
        const auto& column = rows.columns()[cells[c].column];
        auto& text = fact[column.name];
        switch (column.type) {
          case ValueType::text:
          case ValueType::array: text = rows.text_of(cells[c].bits); break;
          case ValueType::id: text = relay::render_hex(rows.text_of(cells[c].bits)); break;
          case ValueType::number: text = std::to_string(std::bit_cast<double>(cells[c].bits)); break;
          case ValueType::integer:
          case ValueType::boolean: text = std::to_string(cells[c].bits); break;
        }
      }
    }
    return found;
  }
  std::string seconds_ago(double seconds) const {
    return std::to_string(static_cast<double>(to_ms(clock.now())) / 1000.0 - seconds);
  }
};

constexpr std::string_view trace = "0123456789abcdef0123456789abcdef";

TEST_F(Telemetry, ATransactionIsAFactAndItsSpansAreToo) {
  const auto payload = R"({"type":"transaction","transaction":"GET /cart","platform":"node","release":"shop@1",
    "environment":"production","start_timestamp":)" + seconds_ago(2) + R"(,"timestamp":)" + seconds_ago(1) +
    R"(,"user":{"id":42},"tags":{"shift":"night"},"measurements":{"lcp":{"value":12.5,"unit":"millisecond"}},
    "contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"aaaaaaaaaaaaaaaa","op":"http.server","status":"ok"}},
    "spans":[{"span_id":"bbbbbbbbbbbbbbbb","parent_span_id":"aaaaaaaaaaaaaaaa","trace_id":"0123456789abcdef0123456789abcdef",
      "op":"db","description":"SELECT 1","start_timestamp":)" + seconds_ago(1.75) + R"(,"timestamp":)" + seconds_ago(1.5) +
    R"(,"data":{"db.system":"sqlite","rows":3}},{"no":"times"},7]})";
  receive(envelope(item("transaction", payload), id_text(1)));
  digest_all();
  const auto transactions = facts_of(Dataset::transactions);
  ASSERT_EQ(transactions.size(), 1U);
  EXPECT_EQ(transactions[0].at("id"), id_text(1));
  EXPECT_EQ(transactions[0].at("transaction"), "GET /cart");
  EXPECT_EQ(transactions[0].at("transaction.duration"), "1000.000000");
  EXPECT_EQ(transactions[0].at("transaction.op"), "http.server");
  EXPECT_EQ(transactions[0].at("user"), "id:42");
  EXPECT_EQ(transactions[0].at("shift"), "night");
  EXPECT_EQ(transactions[0].at("measurements.lcp"), "12.500000");
  const auto spans = facts_of(Dataset::spans);
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(spans[0].at("is_transaction"), "1");
  EXPECT_EQ(spans[0].at("span.self_time"), "750.000000") << "without its child";
  EXPECT_EQ(spans[1].at("span.op"), "db");
  EXPECT_EQ(spans[1].at("span.duration"), "250.000000");
  EXPECT_EQ(spans[1].at("parent_span"), "aaaaaaaaaaaaaaaa");
  EXPECT_EQ(spans[1].at("trace"), trace);
  EXPECT_EQ(spans[1].at("transaction"), "GET /cart");
  EXPECT_EQ(spans[1].at("release"), "shop@1");
  EXPECT_EQ(spans[1].at("rows"), "3");
  EXPECT_EQ(spans[1].at("@index"), "1");
  EXPECT_EQ(outcomes().at("transaction accepted"), 1U);
}

TEST_F(Telemetry, SpansWithoutOperationAreCalledAsOpenTelemetrysConventionsSay) {
  const auto span = [&](std::string_view attributes) {
    return R"({"trace_id":")" + std::string(trace) + R"(","span_id":"cccccccccccccccc","name":"n","start_timestamp":)" + seconds_ago(3) +
           ",\"end_timestamp\":" + seconds_ago(2) + ",\"attributes\":{" + std::string(attributes) + "}}";
  };
  const std::vector<std::array<std::string_view, 3>> cases = {
      {R"("db.system":{"type":"string","value":"sqlite"},"db.statement":{"type":"string","value":"SELECT 1"})", "db", "SELECT 1"},
      {R"("db.system.name":{"type":"string","value":"sqlite"},"db.query.text":"SELECT 2")", "db", "SELECT 2"},
      {R"("db.system":{"type":"string","value":"sqlite"})", "db", "n"},
      {R"("http.request.method":{"type":"string","value":"GET"},"sentry.kind":{"type":"string","value":"client"})", "http.client", "n"},
      {R"("http.method":{"type":"string","value":"GET"},"sentry.kind":{"type":"string","value":"server"})", "http.server", "n"},
      {R"("http.method":{"type":"string","value":"GET"})", "http", "n"},
      {R"("rpc.service":{"type":"string","value":"Tills"})", "rpc", "n"},
      {R"("messaging.system":{"type":"string","value":"amqp"})", "message", "n"},
      {R"("db.system":{"type":"string","value":"sqlite"},"db.statement":{"type":"string","value":"SELECT 1"},
          "sentry.op":{"type":"string","value":"db.query"},"sentry.description":{"type":"string","value":"tills"})", "db.query", "tills"},
      {R"("db.system":{"type":"integer","value":7})", "", "n"},
  };
  std::string items;
  for (const auto& one : cases) items += (items.empty() ? "" : ",") + span(one[0]);
  receive(envelope(item("span", R"({"version":2,"items":[)" + items + "]}", R"(,"item_count":)" + std::to_string(cases.size()))));
  digest_all();
  const auto found = facts_of(Dataset::spans);
  ASSERT_EQ(found.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto op = found[i].find("span.op");
    EXPECT_EQ(op == found[i].end() ? "" : op->second, cases[i][1]) << cases[i][0];
    EXPECT_EQ(found[i].at("span.description"), cases[i][2]) << cases[i][0];
  }
}

TEST_F(Telemetry, ATransactionHasTheProfileThatCameWithIt) {
  const auto transaction = [&](std::string_view contexts) {
    return item("transaction", R"({"type":"transaction","transaction":"t","contexts":{"trace":{"trace_id":")" + std::string(trace) +
                                   R"(","span_id":"aaaaaaaaaaaaaaaa"})" + std::string(contexts) + "},\"timestamp\":" + seconds_ago(1) + "}");
  };
  const auto profile = item("profile", R"({"version":"1","profile":{"event_id":"no"},"event_id":"00000000000000000000000000000042"})");
  receive(envelope(profile + transaction(""), id_text(1)));
  receive(envelope(transaction("") + profile, id_text(2)));
  receive(envelope(transaction(R"(,"profile":{"profile_id":"00000000000000000000000000000043"})") + profile, id_text(3)));
  receive(envelope(transaction("") + item("profile", "no json"), id_text(4)));
  receive(envelope(transaction(""), id_text(5)));
  digest_all();
  for (const auto dataset : {Dataset::transactions, Dataset::spans}) {
    const auto found = facts_of(dataset);
    ASSERT_EQ(found.size(), 5U);
    EXPECT_EQ(found[0].at("profile.id"), "00000000000000000000000000000042");
    EXPECT_EQ(found[1].at("profile.id"), "00000000000000000000000000000042");
    EXPECT_EQ(found[2].at("profile.id"), "00000000000000000000000000000043");
    EXPECT_FALSE(found[3].contains("profile.id"));
    EXPECT_FALSE(found[4].contains("profile.id"));
  }
}

TEST_F(Telemetry, ATransactionSentTwiceCountsOnce) {
  const std::string payload = R"({"type":"transaction","transaction":"t","contexts":{"trace":{"trace_id":")" +
                              std::string(trace) + R"(","span_id":"aaaaaaaaaaaaaaaa"}},"timestamp":)" + seconds_ago(1) + "}";
  receive(envelope(item("transaction", payload), id_text(1)));
  receive(envelope(item("transaction", payload), id_text(1)));
  digest_all();
  receive(envelope(item("transaction", payload), id_text(1)));
  digest_all();
  EXPECT_EQ(facts_of(Dataset::transactions).size(), 1U);
  EXPECT_EQ(facts_of(Dataset::spans).size(), 1U);
  EXPECT_EQ(outcomes().at("transaction invalid/duplicate"), 2U);
}

TEST_F(Telemetry, ReadsSpanContainersLogsAndMetrics) {
  const std::string more = R"(,"item_count":3,"content_type":"application/vnd.sentry.items.span.v2+json")";
  receive(envelope(item("span", R"({"version":2,"items":[{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"cccccccccccccccc",
      "name":"fetch","status":"ok","is_segment":true,"start_timestamp":)" + seconds_ago(3) + R"(,"end_timestamp":)" + seconds_ago(2.5) +
      R"(,"attributes":{"sentry.op":{"type":"string","value":"http.client"},"size":{"type":"integer","value":7},
      "sentry.release":{"type":"string","value":"r1"},"hot":{"type":"boolean","value":true},"list":{"type":"array","value":["a",1]}}},
      {"name":"no id"},"no object"]})", more)));
  receive(envelope(item("log", R"({"items":[{"timestamp":)" + seconds_ago(1) + R"(,"trace_id":"0123456789abcdef0123456789abcdef",
      "level":"warn","body":"pump 7 is dry","attributes":{"pump":{"value":7,"type":"integer"},"sentry.environment":{"value":"dock","type":"string"}}},
      {"level":"info"}]})", R"(,"item_count":2,"content_type":"application/vnd.sentry.items.log+json")")));
  receive(envelope(item("trace_metric", R"({"items":[{"timestamp":)" + seconds_ago(1) + R"(,"trace_id":"0123456789abcdef0123456789abcdef",
      "name":"orders","type":"counter","value":3,"attributes":{}}]})", R"(,"item_count":1)")));
  digest_all();
  const auto spans = facts_of(Dataset::spans);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].at("span.op"), "http.client");
  EXPECT_EQ(spans[0].at("span.name"), "fetch");
  EXPECT_EQ(spans[0].at("span.duration"), "500.000000");
  EXPECT_EQ(spans[0].at("release"), "r1");
  EXPECT_EQ(spans[0].at("size"), "7");
  EXPECT_EQ(spans[0].at("hot"), "1");
  EXPECT_EQ(spans[0].at("list"), R"(["a",1])");
  const auto logs = facts_of(Dataset::logs);
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_EQ(logs[0].at("message"), "pump 7 is dry");
  EXPECT_EQ(logs[0].at("severity"), "warn");
  EXPECT_EQ(logs[0].at("severity_number"), "13");
  EXPECT_EQ(logs[0].at("environment"), "dock");
  const auto metrics = facts_of(Dataset::metrics);
  ASSERT_EQ(metrics.size(), 1U);
  EXPECT_EQ(metrics[0].at("metric.name"), "orders");
  EXPECT_EQ(metrics[0].at("value"), "3.000000");
  EXPECT_EQ(outcomes().at("span accepted"), 1U);
  EXPECT_EQ(outcomes().at("span invalid/invalid_json"), 2U);
  EXPECT_EQ(outcomes().at("log_item accepted"), 1U);
  EXPECT_EQ(outcomes().at("log_item invalid/invalid_json"), 1U);
  EXPECT_EQ(outcomes().at("trace_metric accepted"), 1U);
}

TEST_F(Telemetry, ErrorsAreFactsWithTheirIssue) {
  receive_event(R"(,"message":"broken","release":"r1","tags":{"shift":"day"},"contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"aaaaaaaaaaaaaaaa"}})");
  receive_event(R"(,"exception":{"values":[{"type":"ValueError","value":"no"}]})");
  digest_all();
  const auto errors = facts_of(Dataset::errors);
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].at("title"), "broken");
  EXPECT_EQ(errors[0].at("shift"), "day");
  EXPECT_EQ(errors[0].at("trace.span"), "aaaaaaaaaaaaaaaa");
  EXPECT_NE(errors[0].at("issue.id"), "0");
  EXPECT_NE(errors[0].at("issue.id"), errors[1].at("issue.id"));
  EXPECT_EQ(errors[1].at("error.type"), R"(["ValueError"])");
}

TEST_F(Telemetry, TimesFollowTheSdksClockDrift) {
  const auto now = to_ms(clock.now());
  const auto wrong = now - 7'200'000;
  receive(envelope(item("log", R"({"items":[{"body":"late","timestamp":)" + std::to_string(static_cast<double>(wrong - 5000) / 1000.0) + "}]}"),
                   "", relay::render_timestamp(wrong)));
  digest_all();
  EXPECT_EQ(facts_of(Dataset::logs).at(0).at("@time"), std::to_string((now - 5000) * 1'000'000));
}

TEST_F(Telemetry, HostileContainersAreCountedAndHarmless) {
  std::string deep;
  for (int i = 0; i < 3000; ++i) deep += "[";
  receive(envelope(item("span", deep)));
  receive(envelope(item("log", "{\"items\":{\"body\":1}}")));
  receive(envelope(item("log", "\xff\xfe")));
  std::string wide = R"({"items":[{"body":"wide","attributes":{)";
  for (int i = 0; i < 5000; ++i) wide += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":{\"value\":" + std::to_string(i) + "}";
  receive(envelope(item("log", wide + "}}]}")));
  receive(envelope(item("trace_metric", R"({"items":[{"name":"x","value":1e999},{"name":"y","value":"2.5"}]})",
                        R"(,"item_count":2,"content_type":"application/vnd.sentry.items.trace-metric+json")")));
  digest_all();
  const auto logs = facts_of(Dataset::logs);
  ASSERT_FALSE(logs.empty());
  EXPECT_EQ(logs.back().at("message"), "wide");
  EXPECT_LE(logs.back().size(), facts::most_attributes + 2);
  const auto sums = outcomes();
  std::uint64_t counted = 0;
  for (const auto& [name, quantity] : sums) {
    if (!name.starts_with("log_byte") && !name.starts_with("trace_metric_byte")) counted += quantity;
  }
  EXPECT_EQ(counted, 6U) << "each announced entry once";
}

std::string replay_event(int segment, std::string_view more) {
  return R"({"type":"replay_event","replay_id":"00000000000000000000000000000077","segment_id":)" + std::to_string(segment) + std::string(more) + "}";
}

TEST_F(Telemetry, ReplaySegmentsInAnyOrderGiveTheSameReplay) {
  std::vector<schema::Replay> segments;
  for (int i = 0; i < 5; ++i) {
    auto& row = segments.emplace_back();
    row.set_replay_id(std::string(16, 'r'));
    row.set_started_ms(1000 - i * 10);
    row.set_finished_ms(2000 + i * 100);
    row.set_segments(static_cast<unsigned>(i) + 1);
    row.add_urls("/page" + std::to_string(i % 3));
    row.set_user_email("user" + std::to_string(i) + "@example.com");
  }
  std::mt19937 random(3);
  std::set<std::string> results;
  for (int round = 0; round < 50; ++round) {
    auto order = segments;
    order.push_back(segments[2]);  // and one twice
    std::shuffle(order.begin(), order.end(), random);
    schema::Replay known;
    for (const auto& segment : order) merge_replay(known, segment);
    std::sort(known.mutable_urls()->begin(), known.mutable_urls()->end());
    results.insert(known.SerializeAsString());
    EXPECT_EQ(known.user_email(), "user4@example.com");
    EXPECT_EQ(known.segments(), 5U);
  }
  EXPECT_EQ(results.size(), 1U);
}

TEST_F(Telemetry, ReplaysAndTheirSegmentsAreFoundAndTrimmed) {
  for (int i = 0; i < 2; ++i) {
    receive(envelope(item("replay_event", replay_event(i, R"(,"urls":["/a"],"error_ids":["00000000000000000000000000000001"],"tags":{"k":"v"})")) +
                         item("replay_recording", "{\"segment_id\":" + std::to_string(i) + "}\n[]"),
                     "00000000000000000000000000000077"));
  }
  receive(envelope(item("replay_event", "[]") + item("replay_recording", "no header"), id_text(9)));
  receive(envelope(item("profile", R"({"event_id":"00000000000000000000000000000042","platform":"node","transaction":{"name":"t"}})"), id_text(5)));
  receive(envelope(item("profile_chunk", R"({"profiler_id":"00000000000000000000000000000043","chunk_id":"00000000000000000000000000000044","profile":{"samples":[]}})")));
  digest_all();
  const auto replay_id = *relay::parse_event_id("00000000000000000000000000000077");
  const auto replay = row<schema::Replay>(Table::replays, Key().u64(test_project).raw(relay::raw_bytes(replay_id)));
  EXPECT_EQ(replay.segments(), 2U);
  EXPECT_EQ(replay.urls_size(), 1);
  EXPECT_EQ(replay.error_ids_size(), 1);
  EXPECT_EQ(rows(Table::replay_segments), 2U);
  EXPECT_EQ(rows(Table::profiles), 1U);
  EXPECT_EQ(rows(Table::profile_chunks), 1U);
  EXPECT_EQ(outcomes().at("replay invalid/invalid_json"), 2U);
  ASSERT_TRUE(trim_before(*tables, 2, 100));
  EXPECT_EQ(rows(Table::replay_segments), 1U);
  EXPECT_EQ(rows(Table::replays), 1U) << "a segment is left";
  ASSERT_TRUE(trim_before(*tables, 100, 100));
  EXPECT_EQ(rows(Table::replays) + rows(Table::replay_segments) + rows(Table::profiles) +
                rows(Table::profile_chunks) + rows(Table::placed),
            0U);
}

TEST_F(Telemetry, AReplayHasTheBrowserOfItsHeadersWhereTheSdkNamesNone) {
  const auto replay_of = [&](std::string_view more) {
    const auto before = rows(Table::replays);
    const auto id = id_text(before + 100);
    receive(envelope(item("replay_event", R"({"type":"replay_event","replay_id":")" + id + R"(","segment_id":0)" + std::string(more) + "}"), id));
    digest_all();
    return row<schema::Replay>(Table::replays, Key().u64(test_project).raw(relay::raw_bytes(*relay::parse_event_id(id))));
  };
  constexpr std::string_view phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1";
  const auto said = read_user_agent(phone);
  ASSERT_FALSE(said.browser.empty());
  for (const auto& headers : {R"({"user-agent":")" + std::string(phone) + "\"}", R"([["Accept","*"],["User-Agent",")" + std::string(phone) + "\"]]"}) {
    const auto replay = replay_of(R"(,"request":{"headers":)" + headers + "}");
    EXPECT_EQ(replay.browser_name(), said.browser) << headers;
    EXPECT_EQ(replay.browser_version(), said.browser_version);
    EXPECT_EQ(replay.os_name(), "iOS");
    EXPECT_EQ(replay.device_family(), "iPhone");
    EXPECT_EQ(replay.device_brand(), "Apple");
  }
  const auto named = replay_of(R"(,"contexts":{"browser":{"name":"Till"},"device":{"family":"Register"}},"request":{"headers":{"User-Agent":")" + std::string(phone) + "\"}}");
  EXPECT_EQ(named.browser_name(), "Till");
  EXPECT_EQ(named.browser_version(), "");
  EXPECT_EQ(named.os_name(), "iOS");
  EXPECT_EQ(named.device_family(), "Register");
  EXPECT_EQ(named.device_brand(), "");
  EXPECT_EQ(replay_of(R"(,"request":{"headers":[7,["User-Agent"],["User-Agent",7]]})").browser_name(), "");
}

TEST_F(Telemetry, FactsGoWithTheJournal) {
  for (int i = 0; i < 10; ++i) receive(envelope(item("log", R"({"items":[{"body":"x"}]})")));
  digest_all();
  EXPECT_EQ(facts_of(Dataset::logs).size(), 10U);
  ASSERT_TRUE(trim_before(*tables, 100, 1000));
  EXPECT_EQ(rows(Table::facts), 0U);
}

}  // namespace
}  // namespace picket::digest

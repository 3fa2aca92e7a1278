// The pipeline as requests meet it: what is answered, what is stored, what is counted.
#include "buffer/processor_time.h"
#include "relay/ingest/coded.h"
#include "relay/ingest/desk.h"
#include "relay/protocol/content_pieces.h"
#include "relay/protocol/recording.h"

#include <map>
#include <numeric>
#include <random>

namespace picket::ingest {
namespace {

class Pipelines : public DeskTest {
 protected:
  // The settings of project 1, as the API stores them.
  void set(std::string options, std::uint32_t key_limit = 0, std::uint32_t window_s = 60) {
    const auto written = tables->write([&](buffer::Batch& batch) {
      schema::Project project;
      project.set_id(1);
      project.set_organization(1);
      project.set_options_json(std::move(options));
      buffer::put_row(batch, buffer::Table::projects, buffer::Key().u64(1), project);
      schema::ProjectKey key;
      key.set_public_key(std::string(good_key));
      key.set_project(1);
      key.set_rate_limit_count(key_limit);
      key.set_rate_limit_window_s(window_s);
      buffer::put_row(batch, buffer::Table::project_keys, good_key, key);
      batch.put(buffer::Table::meta, "projects_generation", buffer::Key().u64(++generation));
    });
    ASSERT_TRUE(written);
    ingest->refresh_projects();
  }
  std::string stored(std::size_t index = 0) const {
    const auto records = journal.records();
    return index < records.size() ? decoded(records[index]) : std::string();
  }
  // outcome/reason/category → quantity
  std::map<std::string, std::uint64_t> dropped() {
    std::map<std::string, std::uint64_t> sums;
    for (const auto& row : outcomes()) {
      sums[std::string(wire_name(static_cast<relay::Outcome>(row.outcome()))) + "/" + row.reason() +
           "/" + std::string(wire_name(static_cast<relay::DataCategory>(row.category())))] +=
          row.quantity();
    }
    return sums;
  }
  using Sums = std::map<std::string, std::uint64_t>;

  std::uint64_t generation = 0;
};

const std::string header = R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"})"
                           "\n";

TEST_F(Pipelines, PassesOnWhatAnUpstreamDoesNotWantWhereADestinationAsksForItAndTakesItAllTheSame) {
  const auto limited = [&](std::uint32_t passed, std::uint64_t project, const std::string& categories, const std::string& scope, const std::string& reason) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      schema::Destination row;
      row.set_name("hub");
      row.mutable_link()->set_limits_passed(passed);
      auto& limit = *row.add_limits();
      limit.set_project(project);
      limit.set_categories(categories);
      limit.set_scope(scope);
      limit.set_reason(reason);
      limit.set_until_ms(to_ms(clock.now() + std::chrono::seconds(90)));
      buffer::put_row(batch, buffer::Table::destinations, "hub", row);
    }));
    ingest->refresh_projects();
  };
  set("{}");
  const auto told = [&] {
    const auto answer = send(event_envelope());
    EXPECT_EQ(answer.status, 200U);
    return std::string(answer.headers.find("X-Sentry-Rate-Limits"));
  };
  limited(0, 1, "error", "key", "quota");
  EXPECT_EQ(told(), "") << "off by default";
  limited(1, 1, "error;transaction", "key", "quota");
  EXPECT_EQ(told(), "90:error;transaction:key:upstream");
  limited(1, 2, "error", "key", "quota");
  EXPECT_EQ(told(), "") << "another project's";
  limited(2, 2, "error", "key", "quota");
  EXPECT_EQ(told(), "90:error:key:upstream") << "there is one target for all";
  limited(1, 2, "", "organization", "quota");
  EXPECT_EQ(told(), "90::organization:upstream");
  limited(1, 1, "from_the_future", "key", "quota");
  EXPECT_EQ(told(), "");
  limited(1, 1, "", "key", "held");
  EXPECT_EQ(told(), "") << "a pause of ours";
  limited(1, 1, "error", "key", "quota");
  clock.advance(std::chrono::seconds(91));
  EXPECT_EQ(told(), "");
  EXPECT_EQ(journal.records().size(), 8U);
}

TEST_F(Pipelines, AKeysLimitAnswers429WithHeaders) {
  set("{}", 2);
  EXPECT_EQ(send(event_envelope()).status, 200U);
  const auto second = send(event_envelope());
  EXPECT_EQ(second.status, 200U);
  EXPECT_EQ(second.headers.find("X-Sentry-Rate-Limits"), "");
  const auto third = send(event_envelope());
  EXPECT_EQ(third.status, 429U);
  // The tenth of a minute that the first two fell in counts whole: 2 of its 6 seconds were over.
  EXPECT_EQ(third.headers.find("X-Sentry-Rate-Limits"), "64:default;error;security:key:key_quota");
  EXPECT_EQ(third.headers.find("Retry-After"), "64");
  EXPECT_EQ(third.headers.find("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(journal.records().size(), 2U);
  EXPECT_EQ(dropped(), (Sums{{"rate_limited/key_quota/error", 1}}));

  clock.advance(std::chrono::seconds(30));
  const auto log = send(header + item("log", "{}"));
  EXPECT_EQ(log.status, 200U) << "the limit is about errors";
  EXPECT_EQ(log.headers.find("X-Sentry-Rate-Limits"), "34:default;error;security:key:key_quota")
      << "and is told on 200 as well";
  clock.advance(std::chrono::seconds(36));
  EXPECT_EQ(send(event_envelope()).status, 200U);
}

TEST_F(Pipelines, APartThatHasNoRoomLeavesTheRest) {
  set(R"({"options":{"picket:quotas":[{"id":"e","categories":["error"],"limit":0}]}})");
  const auto response = send(header + item("event", "{}") + item("attachment", "bytes") +
                             item("user_report", "{}") + item("session", "{}") +
                             item("client_report", "{}"));
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.headers.find("X-Sentry-Rate-Limits"), "60:error:project:project_quota");
  EXPECT_EQ(stored(), header + item("session", "{}") + item("client_report", "{}"));
  EXPECT_EQ(dropped(), (Sums{{"rate_limited/project_quota/error", 1},
                             {"rate_limited/project_quota/attachment", 1},
                             {"rate_limited/project_quota/user_report", 1}}));
}

TEST_F(Pipelines, WhereAddressesAreScrubbedTheSendersIsNotNotedEither) {
  const auto noted = [&](std::size_t index) {
    schema::IntakeMeta meta;
    EXPECT_TRUE(meta.ParseFromString(journal.records().at(index).meta));
    return meta.remote_address();
  };
  EXPECT_EQ(send(event_envelope()).status, 200U);
  set(R"({"scrubIPAddresses":true})");
  EXPECT_EQ(send(event_envelope()).status, 200U);
  EXPECT_NE(noted(0), "");
  EXPECT_EQ(noted(1), "");
}

TEST_F(Pipelines, AClientReportIsNeverLimited) {
  set(R"({"options":{"picket:quotas":[{"id":"all","limit":0}]}})");
  EXPECT_EQ(send(header + item("client_report", "{}")).status, 200U);
  EXPECT_EQ(send(event_envelope()).status, 429U);
  EXPECT_EQ(journal.records().size(), 1U);
}

TEST_F(Pipelines, ACrashPassesWithoutRoomForItsDump) {
  set(R"({"options":{"picket:quotas":[{"id":"a","categories":["attachment"],"limit":0}]}})");
  const auto dump = item("attachment", "MDMP", R"(,"attachment_type":"event.minidump")");
  EXPECT_EQ(send(header + item("event", "{}") + dump + item("attachment", "log")).status, 200U);
  EXPECT_EQ(stored(), header + item("event", "{}") + dump);
}

TEST_F(Pipelines, FiltersTakeTheEventAndWhatCameWithIt) {
  set(R"({"options":{"filters:error_messages":"*unplugged*"}})");
  const auto bad = item("event", R"({"message":"card reader unplugged"})");
  const auto response =
      send(header + bad + item("attachment", "x") + item("session", "{}"));
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, R"({"id":"9ec79c33ec9942ab8353589fcb2e04dc"})");
  EXPECT_EQ(stored(), header + item("session", "{}"));
  const auto alone = send(header + bad);
  EXPECT_EQ(alone.status, 200U) << "a filter is no failure of the sender's";
  EXPECT_EQ(journal.records().size(), 1U);
  EXPECT_EQ(dropped(), (Sums{{"filtered/error-message/error", 2},
                             {"filtered/error-message/attachment", 1}}));
}

TEST_F(Pipelines, SamplingTakesTransactionsAndSpansOfATraceTogether) {
  set(R"({"options":{"picket:sampling":{"rules":[{"id":1000,"type":"trace",
        "samplingValue":{"type":"sampleRate","value":0.5}}]}}})");
  const auto with = [](std::string_view drawn) {
    return R"({"trace":{"trace_id":"771a43a4192642f0b136d5159a501700","sample_rand":")" +
           std::string(drawn) + "\"}}\n" + item("transaction", "{}") + item("profile", "{}") +
           item("span", "{}");
  };
  EXPECT_EQ(send(with("0.4")).status, 200U);
  EXPECT_EQ(send(with("0.6")).status, 200U);
  EXPECT_EQ(send(event_envelope()).status, 200U) << "errors are not sampled";
  EXPECT_EQ(journal.records().size(), 2U);
  EXPECT_EQ(dropped(), (Sums{{"filtered/Sampled:1000/transaction", 1},
                             {"filtered/Sampled:1000/profile", 1},
                             {"filtered/Sampled:1000/span", 1}}));
}

TEST_F(Pipelines, OriginsAreCheckedBeforeTheBody) {
  set(R"({"allowedDomains":["shop.example"]})");
  EXPECT_EQ(send(event_envelope()).status, 200U) << "no page, no origin";
  EXPECT_EQ(send(event_envelope(), {{"Origin", "https://shop.example"}}).status, 200U);
  const auto refused = send(event_envelope(), {{"Origin", "https://evil.example"}});
  EXPECT_EQ(refused.status, 403U);
  EXPECT_EQ(refused.headers.find("Access-Control-Allow-Origin"), "*");
  const auto tunnelled = R"({"dsn":"https://)" + std::string(good_key) + "@picket.example/1\"}\n" +
                         item("event", "{}");
  EXPECT_EQ(post("/api/1/envelope/", tunnelled, {{"Referer", "https://evil.example/x"}}).status, 403U);
  EXPECT_EQ(dropped(), (Sums{{"invalid/cors/unknown", 1}, {"invalid/cors/error", 1}}));
}

TEST_F(Pipelines, WhatNothingMatchesIsStoredByteForByte) {
  set(R"({"options":{"filters:error_messages":"*never*","filters:localhost":true,
        "filters:web-crawlers":true,"filters:browser-extensions":true,
        "picket:quotas":[{"id":"e","categories":["error"],"limit":100,"window":60}]}})");
  const std::string odd = "\n\n{ \"event_id\" :\"9ec79c33ec9942ab8353589fcb2e04dc\" }\n"
                          "{\"type\":\"event\"}\n{\"message\":1e400}\n\n{\"type\":\"x\"}\n";
  send(odd.substr(2));
  EXPECT_EQ(only_record().body, odd.substr(2));
  const auto gzip = relay::encode_gzip(event_envelope(), 6);
  send(gzip, {{"Content-Encoding", "gzip"}});
  EXPECT_EQ(journal.records()[1].body, gzip);
}

std::string recording_of(std::string_view text, std::size_t padding = 0) {
  std::string out = "{\"segment_id\":0}\n";
  relay::PieceDeflater deflater(relay::Coding::deflate, 6);
  deflater.add(R"([{"type":3,"data":{"source":5,"text":")" + std::string(text) + R"("}})" + std::string(padding, ' ') + "]", out);
  deflater.end(out);
  return out;
}

TEST_F(Pipelines, RecordingsAreScrubbedBeforeTheyAreStored) {
  const auto body = header + item("replay_event", R"({"type":"replay_event","segment_id":0})");
  EXPECT_EQ(send(body + item("replay_recording", recording_of("4917-4845-8989-7107"))).status, 200U);
  EXPECT_EQ(send(body + item("replay_recording", recording_of("nothing"))).status, 200U);
  const auto bytes = stored();
  const auto scrubbed = relay::parse_envelope(bytes);
  ASSERT_TRUE(scrubbed && scrubbed->items.size() == 2);
  EXPECT_EQ(*relay::recording_json(scrubbed->items[1].payload, 1'000), R"([{"type":3,"data":{"source":5,"text":"[Filtered]"}}])");
  EXPECT_EQ(stored(1), body + item("replay_recording", recording_of("nothing")));
  set(R"({"dataScrubber":false})");
  const auto as_sent = body + item("replay_recording", recording_of("4917-4845-8989-7107"));
  EXPECT_EQ(send(as_sent).status, 200U);
  EXPECT_EQ(stored(2), as_sent);
}

// 10 KiB that inflate to 8 MiB, here and in a thousand items.
TEST_F(Pipelines, RecordingsThatInflateToMuchAreNotForAnIoThread) {
  const ProjectDirectory directory(*tables, clock);
  const Gate gate(directory);
  QuotaBook quotas;
  const IngestConfig config;
  const Pipeline pipeline(quotas);
  const Intake intake(gate, pipeline, config);
  const auto take_in = [&](const std::string& body, std::size_t most_bytes) {
    auto request = make_request("POST", "/api/1/envelope/?sentry_key=" + std::string(good_key), {}, body);
    Workplace workplace;
    workplace.most_bytes = most_bytes;
    auto result = intake.take_in(request, find_route(request.head.path), clock.now(), workplace);
    const bool too_much = std::holds_alternative<TooMuch>(result);
    if (too_much) {
      EXPECT_EQ(request.body, body) << "as it came, for whoever has more time";
    } else {
      const auto* taken = std::get_if<Taken>(&result);
      EXPECT_TRUE(taken != nullptr && taken->record);
    }
    return too_much;
  };
  constexpr std::size_t mib = std::size_t{1} << 20;
  const auto large = header + item("replay_recording", recording_of("4917-4845-8989-7107", 8 * mib));
  EXPECT_TRUE(take_in(large, mib));
  EXPECT_FALSE(take_in(large, SIZE_MAX));
  EXPECT_FALSE(take_in(header + item("replay_recording", recording_of("x", mib / 2)), mib));
  EXPECT_FALSE(take_in(header + item("attachment", recording_of("x", 8 * mib)), mib));
  auto many = header;
  for (int i = 0; i < 3; ++i) many += item("replay_recording", recording_of("x", mib / 2));
  EXPECT_TRUE(take_in(many, mib)) << "they count together";
}

TEST_F(Pipelines, EveryItemIsStoredOrCounted) {
  set(R"({"options":{"filters:error_messages":"*drop*","filters:releases":"old*",
        "picket:quotas":[{"id":"e","categories":["error"],"limit":40,"window":60},
                         {"id":"l","categories":["log_item"],"limit":25,"window":60},
                         {"id":"a","categories":["attachment"],"limit":300,"window":60}],
        "picket:sampling":{"rules":[{"id":1,"type":"trace","samplingValue":{"type":"sampleRate","value":0.5}}]}}})",
      30);
  std::mt19937 random(11);
  const std::string items[] = {item("event", R"({"message":"fine"})"),
                               item("event", R"({"message":"drop me"})"),
                               item("transaction", R"({"release":"old-1"})"),
                               item("transaction", "{}"),
                               item("attachment", "0123456789"),
                               item("log", R"({"items":[{},{}]})",
                                    R"(,"item_count":2,"content_type":"application/vnd.sentry.items.log+json")"),
                               item("session", "{}"),
                               item("client_report", "{}"),
                               item("replay_event", "{}"),
                               item("replay_recording", "x"),
                               item("nobody_knows", "x")};
  std::uint64_t records = 0;
  for (int i = 0; i < 400; ++i) {
    char trace[120];
    std::snprintf(trace, sizeof trace,
                  R"({"trace":{"trace_id":"%016x%016x"}})", static_cast<unsigned>(random()),
                  static_cast<unsigned>(random()));
    std::string body = std::string(trace) + "\n";
    for (auto count = 1 + random() % 5; count > 0; --count)
      body += items[random() % std::size(items)];
    const auto response = send(body);
    EXPECT_TRUE(response.status == 200 || response.status == 429);
    clock.advance(std::chrono::milliseconds(random() % 500));
    if (journal.records().size() > records) ++records;
    EXPECT_EQ(journal.records().size(), records);
  }
  std::uint64_t stored_items = 0;
  for (const auto& record : journal.records()) {
    const auto bytes = decoded(record);
    const auto envelope = relay::parse_envelope(bytes);
    ASSERT_TRUE(envelope) << bytes;
    for (const auto& one : envelope->items)
      stored_items += one.item_count;
  }
  std::uint64_t counted = 0;
  for (const auto& [what, quantity] : dropped())
    counted += quantity;
  const auto& counters = ingest->counters();
  EXPECT_EQ(counters.received(), stored_items + counted);
  EXPECT_EQ(counters.dropped(), counted);
  EXPECT_GT(counted, 100U);
  EXPECT_GT(stored_items, 100U);
}

TEST_F(Pipelines, ManyEventsInOneEnvelopeCostLinearTime) {
  set(R"({"options":{"filters:error_messages":"*x*"}})");
  std::string body = header;
  for (int i = 0; i < 9'000; ++i)
    body += "{\"type\":\"event\"}\n{\"message\":\"x\"}\n";
  body += item("session", "{}");
  const auto began = thread_processor_time();
  EXPECT_EQ(send(body).status, 200U);
  EXPECT_LT(thread_processor_time() - began, std::chrono::seconds(2));
  EXPECT_EQ(stored(), header + item("session", "{}"));
}

class ConfiguredQuotas : public DeskTest {
 protected:
  ConfiguredQuotas() : DeskTest(config()) {}
  static IngestConfig config() {
    IngestConfig config;
    QuotaConfig quota;
    quota.categories = {"error"};
    quota.scope = "organization";
    quota.limit = 1;
    config.quotas.push_back(quota);
    return config;
  }
};

TEST_F(ConfiguredQuotas, HoldForTheWholeOrganization) {
  EXPECT_EQ(send(event_envelope()).status, 200U);
  const auto other = post("/api/2/envelope/", event_envelope(), {{"X-Sentry-Auth", auth(other_key)}});
  EXPECT_EQ(other.status, 429U);
  EXPECT_EQ(other.headers.find("X-Sentry-Rate-Limits"), "64:error:organization:org_quota");
}

}  // namespace
}  // namespace picket::ingest

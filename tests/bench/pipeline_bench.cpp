// What the pipeline adds to intake for an event that nothing matches, and for one that is scrubbed.
//
// off: nothing switched on. filters: every inbound filter. scrub: the default rules. limits: a key's
// limit and two quotas with room. all: the three together; rewrite: all, and something to scrub.

#include "bench/load/event_maker.h"
#include "relay/filter/filters.h"
#include "relay/ingest/pipeline.h"
#include "relay/ingest/project_settings.h"

#include <benchmark/benchmark.h>

#include <string>

namespace {

using namespace picket;

std::string envelope_of(bool sensitive) {
  load::EventMaker maker(7);
  auto event = R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","platform":"python",)" +
               std::string(sensitive ? R"("extra":{"password":"hunter2"},)" : "") +
               R"("exception":{"values":[{"type":"ValueError")" + maker.make_tail(3, {});
  return "{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\"}\n{\"type\":\"event\",\"length\":" +
         std::to_string(event.size()) + "}\n" + event + "\n";
}

constexpr std::string_view every_filter =
    R"("options":{"filters:browser-extensions":true,"filters:localhost":true,"filters:web-crawlers":true,
      "filters:filtered-transaction":true,"filters:react-hydration-errors":true,
      "filters:chunk-load-error":true,"filters:legacy-browsers":["ie","safari","chrome"],
      "filters:blacklisted_ips":"192.0.2.0/24","filters:releases":"0.*\nbeta-*",
      "filters:error_messages":"*never said*\nTypeError: *undefined*"})";

ingest::Sender sender(bool filters, bool scrub, bool limits) {
  schema::Project project;
  project.set_id(1);
  std::string options = scrub ? "{" : R"({"dataScrubber":false,)";
  options += filters ? every_filter : R"("options":{})";
  project.set_options_json(options + "}");
  std::vector<filter::Quota> quotas;
  for (int i = 0; limits && i < 2; ++i) {
    filter::Quota quota;
    quota.id = std::to_string(i);
    quota.limit = 1'000'000'000'000;
    quotas.push_back(quota);
  }
  ingest::Sender made;
  made.key.hex = std::string(32, 'a');
  made.project = 1;
  made.settings = ingest::make_project_settings(project, "", quotas, 0);
  if (limits) made.key_quota = std::make_shared<filter::Quota>(quotas[0]);
  return made;
}

void bench(benchmark::State& state, bool filters, bool scrub, bool limits, bool sensitive) {
  const auto bytes = envelope_of(sensitive);
  const auto who = sender(filters, scrub, limits);
  ingest::QuotaBook book;
  const ingest::Pipeline pipeline(book);
  const auto envelope = relay::parse_envelope(bytes);
  const auto now = time_from_ms(1'700'000'000'000);
  bool rewritten = false;
  for (auto _ : state) {
    auto judgement = pipeline.judge(who, *envelope, {"198.51.100.7", "sdk/1"}, now);
    rewritten = judgement.envelope.has_value();
    benchmark::DoNotOptimize(judgement);
  }
  state.counters["bytes"] = static_cast<double>(bytes.size());
  state.counters["rewritten"] = rewritten ? 1 : 0;
}

BENCHMARK_CAPTURE(bench, off, false, false, false, false);
BENCHMARK_CAPTURE(bench, filters, true, false, false, false);
BENCHMARK_CAPTURE(bench, scrub, false, true, false, false);
BENCHMARK_CAPTURE(bench, limits, false, false, true, false);
BENCHMARK_CAPTURE(bench, all, true, true, true, false);
BENCHMARK_CAPTURE(bench, rewrite, true, true, true, true);

}  // namespace

BENCHMARK_MAIN();

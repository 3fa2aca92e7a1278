// What scrubbing an event costs: one that nothing matches, one with a secret, and how the cost
// grows with the event.

#include "bench/load/event_maker.h"
#include "relay/protocol/json_index.h"
#include "relay/scrub/scrubber.h"

#include <benchmark/benchmark.h>

#include <string>

namespace {

using namespace picket;

// The events of the load generator; `frames` grows them.
std::string event_of(unsigned frames) {
  load::EventMaker maker(1);
  load::EventShape shape;
  shape.frames = frames;
  return R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","platform":"python","exception":{"values":[{"type":"ValueError")" +
         maker.make_tail(1, shape);
}

scrub::Scrubber scrubber_of(bool everything) {
  scrub::Settings settings;
  if (everything) {
    settings.scrub_ip_addresses = true;
    settings.sensitive_fields = {"customer_name", "birthday"};
    settings.pii_config_json =
        R"json({"applications":{"$user.name":["@anything:mask"],"$string":["@mac"]}})json";
  }
  return *scrub::Scrubber::make(settings);
}

void run(benchmark::State& state, const scrub::Scrubber& scrubber, const std::string& event) {
  relay::Item item;
  item.type = "event";
  item.payload = event;
  bool matched = false;
  for (auto _ : state) {
    auto after = scrubber.scrub(item);
    matched = after.has_value();
    benchmark::DoNotOptimize(after);
  }
  state.SetLabel(std::to_string(event.size()) + " bytes, " + (matched ? "changed" : "as it came"));
  state.SetBytesProcessed(static_cast<std::int64_t>(event.size()) * state.iterations());
}

void bench_clean(benchmark::State& state) {
  run(state, scrubber_of(false), event_of(static_cast<unsigned>(state.range(0))));
}

void bench_clean_with_all_settings(benchmark::State& state) {
  run(state, scrubber_of(true), event_of(static_cast<unsigned>(state.range(0))));
}

void bench_secret(benchmark::State& state) {
  auto event = event_of(static_cast<unsigned>(state.range(0)));
  event.insert(1, R"("extra":{"password":"hunter2"},)");
  run(state, scrubber_of(false), event);
}

void bench_index(benchmark::State& state) {
  const auto event = event_of(static_cast<unsigned>(state.range(0)));
  relay::JsonIndex index;
  for (auto _ : state)
    benchmark::DoNotOptimize(index.build(event));
  state.SetLabel(std::to_string(index.size()) + " tokens");
}

BENCHMARK(bench_index)->Arg(12);
BENCHMARK(bench_clean)->Arg(12)->Arg(120)->Arg(1200);
BENCHMARK(bench_clean_with_all_settings)->Arg(12);
BENCHMARK(bench_secret)->Arg(12);

}  // namespace

BENCHMARK_MAIN();

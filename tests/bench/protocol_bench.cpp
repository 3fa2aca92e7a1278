// What one envelope costs in relay/protocol: splitting, inflating, compressing.

#include "relay/protocol/content_encoding.h"
#include "relay/protocol/envelope.h"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

namespace {

using namespace picket::relay;

// An event that is as repetitive as real ones: frames that differ in names and numbers.
std::string event_of(std::size_t bytes) {
  std::string event =
      R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","platform":"python","exception":{"values":[{"type":"ValueError","stacktrace":{"frames":[)";
  std::uint32_t state = 1;
  while (event.size() < bytes) {
    state = state * 1664525U + 1013904223U;
    event += R"({"function":"step_)" + std::to_string(state % 997);
    event += R"(","filename":"app/module_)" + std::to_string(state % 89);
    event += R"(.py","in_app":true,"lineno":)" + std::to_string(state % 4096);
    event += R"(,"context_line":"    return call(value, )" + std::to_string(state) + "\"},";
  }
  return event + R"({"function":"main"}]}}]}})";
}

std::string envelope_of(std::size_t bytes) {
  const auto event = event_of(bytes);
  return R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","sent_at":"2026-01-01T12:00:00.123456Z","sdk":{"name":"sentry.python","version":"2.20.0"},"trace":{"trace_id":"771a43a4192642f0b136d5159a501700","environment":"production","public_key":"0123456789abcdef0123456789abcdef"}})"
         "\n"
         R"({"type":"event","content_type":"application/json","length":)" +
         std::to_string(event.size()) + "}\n" + event + "\n";
}

std::size_t size_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

void bench_parse_envelope(benchmark::State& state) {
  const auto bytes = envelope_of(size_of(state));
  for (auto _ : state) {
    auto envelope = parse_envelope(bytes);
    benchmark::DoNotOptimize(envelope);
  }
  count_bytes(state, bytes.size());
}

void bench_change_header(benchmark::State& state) {
  const auto bytes = envelope_of(size_of(state));
  HeaderChange change;
  change.sent_at_ms = 1'767'268'800'000;
  change.trace_public_key = "fedcba9876543210fedcba9876543210";
  for (auto _ : state) {
    auto header = render_changed_header(split_header(bytes).header, change);
    benchmark::DoNotOptimize(header);
  }
}

void bench_decode(benchmark::State& state, Coding coding) {
  const auto bytes = envelope_of(size_of(state));
  const auto body = coding == Coding::gzip ? encode_gzip(bytes, 6) : encode_zstd(bytes, 1);
  for (auto _ : state) {
    auto decoded = decode(body, coding, std::size_t{1} << 20);
    benchmark::DoNotOptimize(decoded);
  }
  count_bytes(state, bytes.size());
}

void bench_encode_zstd(benchmark::State& state) {
  const auto bytes = envelope_of(size_of(state));
  for (auto _ : state) {
    auto body = encode_zstd(bytes, 1);
    benchmark::DoNotOptimize(body);
  }
  count_bytes(state, bytes.size());
}

BENCHMARK(bench_parse_envelope)->Arg(3'000)->Arg(20'000);
BENCHMARK(bench_change_header)->Arg(3'000);
BENCHMARK_CAPTURE(bench_decode, gzip, Coding::gzip)->Arg(3'000)->Arg(20'000);
BENCHMARK_CAPTURE(bench_decode, zstd, Coding::zstd)->Arg(3'000)->Arg(20'000);
BENCHMARK(bench_encode_zstd)->Arg(3'000)->Arg(20'000);

}  // namespace

BENCHMARK_MAIN();

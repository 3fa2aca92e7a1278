// How fast a backlog is mirrored to an upstream that takes 5 ms to answer.
//
//   upstream_bench [--records N] [--delay-ms N] [--in-flight N] [--kilobytes N] [--notes 0]
//
// Journal and tables are real and in a folder of their own; the sink is a thread of this process, so
// its work is part of what the cores do. Prints the rate and the CPU time spent per envelope.
#include "buffer/journal.h"
#include "buffer/processor_time.h"
#include "buffer/tables.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/envelope.h"
#include "support/fake_upstream.h"
#include "support/temp_dir.h"
#include "upstream/forwarder.h"

#include <pthread.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <string>
#include <thread>

namespace picket::upstream {
namespace {

using Steady = std::chrono::steady_clock;

// Words and numbers that compress about as an event's frames do: 2 to 3 times.
std::string make_event(std::uint64_t number, std::size_t bytes) {
  std::string frames;
  std::uint64_t state = number * 0x9e3779b97f4a7c15U + 1;
  while (frames.size() < bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    frames += "{\"filename\":\"app/module_" + std::to_string(state >> 60) + ".py\",\"function\":\"fn_" +
              std::to_string(state >> 40) + "\",\"lineno\":" + std::to_string(state >> 52) + ",\"in_app\":true},";
  }
  frames.pop_back();
  const std::string event = "{\"message\":\"failure " + std::to_string(number) +
                            "\",\"exception\":{\"values\":[{\"type\":\"ValueError\",\"stacktrace\":{\"frames\":[" + frames + "]}}]}}";
  return "{\"event_id\":\"" + relay::render_event_id(relay::random_event_id()) +
         "\",\"sent_at\":\"2024-01-01T00:00:00Z\",\"trace\":{\"public_key\":\"abababababababababababababababab\"}}\n"
         "{\"type\":\"event\",\"length\":" + std::to_string(event.size()) + "}\n" + event + "\n";
}

double cpu_seconds() {
  return std::chrono::duration<double>(process_processor_time()).count();
}

void fill(buffer::Journal& journal, long records, std::size_t bytes) {
  std::atomic<long> durable{0};
  for (long i = 0; i < records; ++i) {
    buffer::Record record;
    record.coding = static_cast<std::uint8_t>(relay::Coding::gzip);
    record.received = SystemClock().now();
    record.project = 1;
    record.key = std::string(16, '\x12');
    record.body = relay::encode_gzip(make_event(static_cast<std::uint64_t>(i), bytes), 6);
    while (!journal.offer(record, [&](const Result<buffer::Sequence>&) { ++durable; })) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  while (durable < records) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

int run(std::map<std::string, long> options) {
  const auto option = [&](const char* name, long fallback) {
    const auto found = options.find(name);
    return found == options.end() ? fallback : found->second;
  };
  const long records = option("--records", 50'000);
  const testing::TempDir folder;
  const SystemClock clock;
  auto tables = *buffer::Tables::open({.path = folder / "tables.mdb"});
  buffer::JournalOptions journal_options;
  journal_options.folder = folder / "journal";
  auto journal = *buffer::Journal::open(journal_options, clock);
  fill(*journal, records, static_cast<std::size_t>(option("--kilobytes", 6)) * 1'000);

  testing::FakeUpstream::Options sink_options;
  sink_options.keep = false;
  sink_options.decode = false;
  sink_options.delay = std::chrono::milliseconds(option("--delay-ms", 5));
  const testing::FakeUpstream sink(sink_options);
  DestinationConfig config;
  config.dsn = sink.dsn();
  config.max_in_flight = static_cast<std::uint64_t>(option("--in-flight", 32));

  ForwarderOptions forwarding;
  if (option("--notes", 1) != 0) forwarding.notes = folder / "forwarding";
  Forwarder forwarder(*journal, *tables, clock, *checked({config}), forwarding);
  const double cpu = cpu_seconds();
  const auto began = Steady::now();
  forwarder.start();
  if (!sink.wait_for_accepted(static_cast<std::size_t>(records), std::chrono::minutes(10))) return 1;
  const double took = std::chrono::duration<double>(Steady::now() - began).count();
  forwarder.stop();
  const double spent = cpu_seconds() - cpu;
  const auto status = forwarder.status().front();
  std::printf("%ld envelopes, %.0f bytes each as sent, %.0f ms away, %ld in flight: %.0f/s, %.0f us of CPU each (sink included), counted %llu\n",
              records, static_cast<double>(status.forwarded_bytes) / static_cast<double>(records),
              static_cast<double>(option("--delay-ms", 5)), option("--in-flight", 32),
              static_cast<double>(records) / took, spent * 1e6 / static_cast<double>(records),
              static_cast<unsigned long long>(status.forwarded));
  return 0;
}

}  // namespace
}  // namespace picket::upstream

int main(int count, char** words) {
  std::map<std::string, long> options;
  for (int i = 1; i + 1 < count; i += 2) options[words[i]] = std::strtol(words[i + 1], nullptr, 10);
  return picket::upstream::run(options);
}

// What recompressing sealed segments saves and costs: bytes on the disk for each event beside its gzip body as an SDK
// sends it, processor time, and what reading takes before and after.
//
//   recompress_bench [FOLDER]     a folder on the disk in question; default: the current one
//
// Every event is made anew (bench/load/event_maker.h): 250 families of stack frames, 1000 types, ids and values at
// random, so that nothing repeats that would not on a busy box.
#include "bench/load/event_maker.h"
#include "buffer/journal.h"
#include "buffer/processor_time.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/stored_body.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace picket {
namespace {

using Steady = std::chrono::steady_clock;

double microseconds(Steady::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}
double processor_us() {
  return std::chrono::duration<double, std::micro>(thread_processor_time()).count();
}
double percentile(std::vector<double> samples, double share) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  return samples[static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1))];
}

class Envelopes {
 public:
  explicit Envelopes(std::size_t gzip_bytes) {
    // As the load generator's pool finds its shape.
    for (unsigned step = 0; step < 400; ++step) {
      load::EventShape next;
      next.frames = std::min(6 + step, 60U);
      next.variables = std::min(2 + step / 6, 40U);
      next.breadcrumbs = std::min(4 + 2 * step, 100U);
      load::EventMaker maker(1);
      if (relay::encode_gzip(maker.make_tail(1, next), 6).size() + 430 > gzip_bytes) break;
      shape_ = next;
    }
  }

  buffer::Record next() {
    const auto id = hex(32);
    const auto event = R"({"event_id":")" + id + R"(","timestamp":17000)" + std::to_string(10'000 + ++number_ / 10) + "." + std::to_string(random_() % 1000) +
                       R"(,"user":{"id":")" + std::to_string(random_() % 5000) + R"(","ip_address":"198.51.100.)" + std::to_string(random_() % 256) +
                       R"("},"exception":{"values":[{"type":"Error)" + std::to_string(random_() % 1000) + '"' + maker_.make_tail(random_() % 250, shape_);
    const auto envelope = R"({"event_id":")" + id + R"(","dsn":"https://0123456789abcdef0123456789abcdef@box.example/7","sdk":{"name":"sentry.python.django","version":"2.14.0"}})" +
                          "\n{\"type\":\"event\",\"length\":" + std::to_string(event.size()) + "}\n" + event + "\n";
    schema::IntakeMeta meta;
    meta.set_remote_address("198.51.100." + std::to_string(random_() % 256));
    meta.set_user_agent("sentry.python.django/2.14.0");
    meta.set_client("sentry.python.django/2.14.0");
    std::string raw;
    for (std::size_t i = 0; i < id.size(); i += 2) raw += static_cast<char>(std::stoi(id.substr(i, 2), nullptr, 16));
    meta.set_event_id(raw);
    meta.add_item_counts(1);
    meta.add_item_counts(1);
    meta.set_header_fits_key(true);
    buffer::Record record;
    record.coding = static_cast<std::uint8_t>(relay::Coding::gzip);
    record.received = time_from_ms(1'700'000'000'000 + static_cast<std::int64_t>(number_));
    record.project = 7;
    record.key = "0123456789abcdef";
    record.meta = meta.SerializeAsString();
    auto body = relay::encode_gzip(envelope, 6);
    gzip_bytes_ += body.size();
    record.body = std::move(body);
    return record;
  }
  double mean_gzip_bytes() const { return static_cast<double>(gzip_bytes_) / static_cast<double>(number_); }

 private:
  std::string hex(int digits) {
    std::string text;
    for (int i = 0; i < digits; ++i) text += "0123456789abcdef"[random_() % 16];
    return text;
  }
  load::EventShape shape_;
  load::EventMaker maker_{7};
  std::mt19937_64 random_{3};
  std::uint64_t number_ = 0;
  std::uint64_t gzip_bytes_ = 0;
};

bool decode(const buffer::StoredRecord& record) {
  return static_cast<bool>(relay::decode(record.body, static_cast<relay::Coding>(record.coding), std::size_t{1} << 24));
}

void print_reading(const char* when, const buffer::Journal& journal, buffer::Sequence end) {
  std::mt19937_64 random(5);
  std::vector<double> one;
  std::vector<double> decoded;
  for (int i = 0; i < 3000; ++i) {
    const auto sequence = 1 + random() % (end - 1);
    const auto began = Steady::now();
    const auto read = journal.read_one(sequence);
    if (!read) continue;
    one.push_back(microseconds(Steady::now() - began));
    const auto& record = read->records.front();
    // What everybody does with it who shows it, or looks into it.
    if (decode(record)) decoded.push_back(microseconds(Steady::now() - began));
  }
  const auto began = Steady::now();
  std::uint64_t records = 0;
  for (buffer::Sequence from = 1; from < end;) {
    const auto batch = journal.read(from, std::size_t{8} << 20, 1600);
    if (!batch || batch->next <= from) break;
    for (const auto& record : batch->records) {
      records += decode(record) ? 1U : 0U;
    }
    from = batch->next;
  }
  std::printf("  %s: one record p50 %.0f, p99 %.0f us; decoded p50 %.0f, p99 %.0f us; all in a row, decoded, %.1f us each\n", when, percentile(one, 0.5),
              percentile(one, 0.99), percentile(decoded, 0.5), percentile(decoded, 0.99), microseconds(Steady::now() - began) / static_cast<double>(records));
}

void measure(const std::filesystem::path& base, std::size_t gzip_bytes, std::uint64_t segment_bytes) {
  const auto folder = base / "recompress-bench";
  std::filesystem::remove_all(folder);
  const SystemClock clock;
  buffer::JournalOptions options;
  options.folder = folder;
  options.segment_bytes = segment_bytes;
  auto journal = buffer::Journal::open(options, clock);
  if (!journal) return;
  Envelopes envelopes(gzip_bytes);
  std::atomic<std::uint64_t> waiting = 0;
  // The first segment is smaller than others; the last is not sealed.
  while ((*journal)->segments().size() < 4) {
    for (int i = 0; i < 64; ++i) {
      ++waiting;
      if (!(*journal)->offer(envelopes.next(), [&waiting](const Result<buffer::Sequence>&) { --waiting; })) --waiting;
    }
    while (waiting > 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  const auto before = (*journal)->segments();
  const auto first = before[1].first;
  const auto end = before.back().first;
  const auto records = static_cast<double>(end - first);
  std::uint64_t was = 0;
  for (std::size_t i = 1; i + 1 < before.size(); ++i) was += before[i].file_bytes;
  const auto gzip = envelopes.mean_gzip_bytes();
  std::printf("%zu KB: %.0f events in %zu segments, gzip body %.0f B\n", gzip_bytes / 1024, records, before.size() - 2, gzip);
  print_reading("before", **journal, end);
  const auto began = Steady::now();
  const auto processor = processor_us();
  for (buffer::Sequence at = first;;) {
    const auto done = (*journal)->recompress(at, {.open_body = relay::open_stored_body,
                                                  .may = [](const buffer::SegmentUse&) { return buffer::Recompressed::What::done; },
                                                  .go_on = [] { return true; },
                                                  .before_replacing = {}});
    if (!done || done->what == buffer::Recompressed::What::nothing) break;
    if (done->what != buffer::Recompressed::What::done) std::printf("  %s: %s\n", done->file.c_str(), done->reason.c_str());
    at = done->next;
  }
  const auto took = processor_us() - processor;
  std::uint64_t is = 0;
  const auto after = (*journal)->segments();
  for (std::size_t i = 1; i + 1 < after.size(); ++i) is += after[i].file_bytes;
  std::printf("  on the disk: %.0f B an event before, %.0f after: %.1f %% of the gzip body; %.0f us of processor each, %.1f s in all\n",
              static_cast<double>(was) / records, static_cast<double>(is) / records, 100.0 * static_cast<double>(is) / records / gzip, took / records,
              microseconds(Steady::now() - began) / 1e6);
  print_reading("after", **journal, end);
  std::fflush(stdout);
  journal->reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace picket

int main(int count, char** words) {
  const std::filesystem::path folder = count > 1 ? words[1] : ".";
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
  picket::measure(folder, 3 * 1024, 32 * mebibyte);
  picket::measure(folder, 20 * 1024, 64 * mebibyte);
  return 0;
}

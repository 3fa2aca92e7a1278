// A forwarder with everything around it: a journal in memory, tables on disk, a clock that stands
// still and an upstream that answers as it is told.
#pragma once

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/envelope.h"
#include "support/fake_clock.h"
#include "support/fake_upstream.h"
#include "support/memory_journal.h"
#include "support/temp_dir.h"
#include "upstream/forwarder.h"
#include "upstream/ledger.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace picket::upstream {

using namespace std::chrono_literals;
using testing::FakeUpstream;
using testing::Received;
using testing::Reply;

constexpr std::string_view local_key = "0123456789abcdef0123456789abcdef";

struct RecordOptions {
  std::uint64_t project = 1;
  std::string sent_at = {};      // none when empty
  std::string id = {};           // none in the header when empty
  bool id_in_meta = true;
  relay::Coding coding = relay::Coding::gzip;
  std::vector<std::string> types = {"event"};
  bool described = false;  // as intake does: may leave as it is stored
  std::string payload = "{\"a\":\"b\\n\"}";  // of each item
};

inline std::string event_id(std::uint64_t number) {
  auto text = std::to_string(number);
  return std::string(32 - text.size(), '0') + text;
}

inline std::string envelope_text(const RecordOptions& options) {
  std::string header = "{";
  if (!options.id.empty()) header += "\"event_id\":\"" + options.id + "\",";
  if (!options.sent_at.empty()) header += "\"sent_at\":\"" + options.sent_at + "\",";
  std::string text = header + "\"extra\":[1]}\n";
  for (const std::string& type : options.types) {
    text += "{\"type\":\"" + type + "\",\"length\":" + std::to_string(options.payload.size()) + "}\n" + options.payload + "\n";
  }
  return text;
}

inline buffer::Record make_record(const RecordOptions& options, Time received) {
  buffer::Record record;
  record.coding = static_cast<std::uint8_t>(options.coding);
  record.received = received;
  record.project = options.project;
  record.key = relay::raw_bytes(*relay::parse_project_key(local_key));
  schema::IntakeMeta meta;
  meta.set_user_agent("sdk/1.0 (test)");
  meta.set_client("sentry.test/1.0");
  meta.set_remote_address("203.0.113.7");
  if (options.id_in_meta && !options.id.empty()) {
    meta.set_event_id(std::string(relay::raw_bytes(*relay::parse_event_id(options.id))));
  }
  if (options.described) {
    for (const std::string& type : options.types) {
      relay::Item item;
      item.type = type;
      meta.add_item_counts(static_cast<std::uint64_t>(relay::category_of(item)));
      meta.add_item_counts(1);
    }
    meta.set_header_fits_key(true);
    if (!options.sent_at.empty()) meta.set_sent_at_ms(relay::parse_timestamp(options.sent_at).value_or(0));
  }
  record.meta = meta.SerializeAsString();
  const auto text = envelope_text(options);
  record.body = options.coding == relay::Coding::gzip   ? relay::encode_gzip(text, 6)
                : options.coding == relay::Coding::zstd ? relay::encode_zstd(text, 1)
                                                        : text;
  return record;
}

// True as soon as `condition` holds, false when it does not within `at_most`.
template <class Condition>
bool soon(Condition condition, std::chrono::milliseconds at_most = 30s) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

class ForwarderTest : public ::testing::Test {
 protected:
  ForwarderTest() {
    tables = *buffer::Tables::open({.path = folder / "tables.mdb"});
    forwarding.write_every = 10ms;
    forwarding.look_every = 20ms;
    forwarding.stop_within = 500ms;
  }

  DestinationConfig destination(const FakeUpstream& to, const std::string& name = "hub") {
    DestinationConfig config;
    config.name = name;
    config.dsn = to.dsn(42);
    config.retry_min = 5ms;
    config.retry_max = 40ms;
    config.hold_probe = 1min;
    config.stall_timeout = 1s;
    return config;
  }

  void start(std::vector<DestinationConfig> configs) {
    auto ready = checked(std::move(configs));
    ASSERT_TRUE(ready) << ready.error().detail;
    forwarder = std::make_unique<Forwarder>(journal, *tables, clock, *std::move(ready), forwarding);
    forwarder->start();
  }
  void start() { start({destination(upstream)}); }
  void restart() {
    forwarder.reset();
    start();
  }

  buffer::Sequence post(RecordOptions options = {}) {
    if (options.id.empty()) options.id = event_id(++posted);
    return journal.append(make_record(options, clock.now()));
  }
  void post_many(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) post();
  }

  DestinationStatus status(const std::string& name = "hub") const {
    for (auto& one : forwarder->status()) {
      if (one.name == name) return one;
    }
    return {};
  }
  std::string describe() const {
    const auto now = status();
    return std::string(state_name(now.state)) + " cursor " + std::to_string(now.cursor) + " in flight " +
           std::to_string(now.in_flight) + " deferred " + std::to_string(now.deferred) + " retry in " +
           std::to_string(now.retry_in.count()) + " ms, requests " + std::to_string(upstream.requests()) +
           " accepted " + std::to_string(upstream.accepted()) + " last error " + now.last_error;
  }
  schema::Destination row(const std::string& name = "hub") const {
    return buffer::find_row<schema::Destination>(tables->snapshot(), buffer::Table::destinations, name)
        .value_or(schema::Destination());
  }
  buffer::Sequence cursor(const std::string& name = "hub") const {
    const auto found = buffer::find_row<schema::Cursor>(tables->snapshot(), buffer::Table::cursors, cursor_name(name));
    return found ? found->next_sequence() : 0;
  }
  void change_row(const std::function<void(schema::Destination&)>& change, const std::string& name = "hub") {
    const auto written = tables->write([&](buffer::Batch& batch) {
      auto changed = buffer::find_row<schema::Destination>(batch, buffer::Table::destinations, name)
                         .value_or(schema::Destination());
      changed.set_name(name);
      change(changed);
      buffer::put_row(batch, buffer::Table::destinations, name, changed);
    });
    ASSERT_TRUE(written);
  }
  void resume() {
    change_row([](schema::Destination& changed) { changed.set_retry_generation(changed.retry_generation() + 1); });
  }
  std::vector<schema::Quarantined> quarantine(const std::string& name = "hub") const {
    std::vector<schema::Quarantined> rows;
    const std::string prefix(buffer::Key().text(name).view());
    const auto snapshot = tables->snapshot();
    auto at = snapshot.cursor(buffer::Table::quarantine);
    for (bool there = at.seek(prefix); there && at.key().starts_with(prefix); there = at.next()) {
      rows.push_back(buffer::parse_row<schema::Quarantined>(at.value()));
    }
    return rows;
  }
  // (category, fate) → items
  std::map<std::pair<int, int>, std::uint64_t> items(const std::string& name = "hub") const {
    std::map<std::pair<int, int>, std::uint64_t> sums;
    const std::string prefix(buffer::Key().text(name).view());
    const auto snapshot = tables->snapshot();
    auto at = snapshot.cursor(buffer::Table::forwarding);
    for (bool there = at.seek(prefix); there && at.key().starts_with(prefix); there = at.next()) {
      buffer::KeyReader key(at.key());
      key.text();
      key.u64();
      key.u64();
      const int category = key.u8();
      const int fate = key.u8();
      sums[{category, fate}] += buffer::parse_row<schema::Count>(at.value()).quantity();
    }
    return sums;
  }
  bool all_written(const std::string& name = "hub") {
    return soon([&] { return cursor(name) == journal.use().next && row(name).deferred_size() == 0; });
  }

  testing::TempDir folder;
  ForwarderOptions forwarding;
  testing::FakeClock clock;
  std::unique_ptr<buffer::Tables> tables;
  testing::MemoryJournal journal;
  FakeUpstream upstream;
  std::unique_ptr<Forwarder> forwarder;  // last: stops before what it uses goes
  std::uint64_t posted = 0;
};

}  // namespace picket::upstream

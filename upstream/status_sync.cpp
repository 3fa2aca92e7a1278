#include "upstream/status_sync.h"

#include "buffer/logger.h"
#include "buffer/rows.h"
#include "buffer/thread.h"
#include "upstream/curl_loop.h"
#include "upstream/metric_text.h"
#include "upstream/sync_book.h"
#include "upstream/sync_peer.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

namespace picket::upstream {
namespace {

using buffer::Table;

struct SyncMetric {
  std::string_view name;
  std::string_view kind;
  std::string_view help;
  std::uint64_t (*value)(const SyncStatus& status, Time now);
};

constexpr std::array<SyncMetric, 6> sync_metrics = {{
    {"told_total", "counter", "Changes of issues that the destination was told.",
     [](const SyncStatus& s, Time) { return s.told; }},
    {"taken_total", "counter", "Changes of issues that were taken from the destination.",
     [](const SyncStatus& s, Time) { return s.taken; }},
    {"refused_total", "counter", "Changes that the destination refused for what they are.",
     [](const SyncStatus& s, Time) { return s.refused; }},
    {"waiting", "gauge", "Issues with changes that the destination has still to be told.",
     [](const SyncStatus& s, Time) { return s.waiting; }},
    {"well", "gauge", "1 while its API answers and accepts the token.",
     [](const SyncStatus& s, Time) { return s.state == "running" ? std::uint64_t{1} : std::uint64_t{0}; }},
    {"last_success_seconds", "gauge", "Since its API last answered as it should, 0 before the first time.",
     [](const SyncStatus& s, Time now) { return seconds_since(s.last_success, now); }},
}};

}  // namespace

struct StatusSync::Impl {
  Impl(buffer::Tables& rows, const Clock& time) : tables(rows), clock(time) {}

  void mark_off();
  void run();

  buffer::Tables& tables;
  const Clock& clock;
  std::unique_ptr<CurlLoop> loop;  // none while nobody asks for it
  std::vector<std::string> names;
  std::vector<std::unique_ptr<SyncPeer>> peers;
  std::atomic<bool> stopping{false};
  std::thread worker;
};

StatusSync::StatusSync(buffer::Tables& tables, const Clock& clock, std::vector<DestinationConfig> destinations, SyncOptions options)
    : impl_(std::make_unique<Impl>(tables, clock)) {
  for (DestinationConfig& config : destinations) {
    if (!config.syncs()) continue;
    impl_->names.push_back(config.name);
    impl_->peers.push_back(std::make_unique<SyncPeer>(std::move(config), tables, clock, options));
  }
}

StatusSync::~StatusSync() {
  stop();
}

// Destinations that no longer ask for it are not shown with what they once said.
void StatusSync::Impl::mark_off() {
  const std::set<std::string> asking(names.begin(), names.end());
  std::vector<schema::StatusSync> off;
  {
    const auto snapshot = tables.snapshot();
    auto cursor = snapshot.cursor(Table::status_syncs);
    for (bool there = cursor.first(); there; there = cursor.next()) {
      auto row = buffer::parse_row<schema::StatusSync>(cursor.value());
      if (!row.mode().empty() && !asking.contains(row.destination())) off.push_back(std::move(row));
    }
  }
  if (off.empty()) return;
  const auto written = tables.write([&](buffer::Batch& batch) {
    for (auto& row : off) {
      row.clear_mode();
      buffer::put_row(batch, Table::status_syncs, row.destination(), row);
    }
  });
  if (!written) log(Level::warning, "upstream", "that a status sync is off cannot be written", {{"reason", written.error().detail}});
}

void StatusSync::start() {
  if (impl_->worker.joinable()) return;
  impl_->mark_off();
  if (impl_->peers.empty()) return;
  impl_->loop = std::make_unique<CurlLoop>();
  for (auto& peer : impl_->peers) peer->load();
  impl_->worker = std::thread([impl = impl_.get()] {
    name_thread("status sync");
    yield_to_intake();
    impl->run();
  });
}

void StatusSync::stop() {
  if (!impl_->worker.joinable()) return;
  impl_->stopping = true;
  impl_->loop->wake();
  impl_->worker.join();
}

void StatusSync::Impl::run() {
  constexpr Duration longest(1'000);
  while (!stopping) {
    Duration sleep = longest;
    for (auto& peer : peers) {
      peer->pump(loop->multi());
      sleep = std::min(sleep, peer->wakes_in());
    }
    bool finished = false;
    loop->collect([&](CURL* easy, CURLcode code) {
      for (auto& peer : peers) {
        if (!peer->owns(easy)) continue;
        peer->on_finished(loop->multi(), code);
        finished = true;
        return;
      }
    });
    // Whoever has finished may have the next request at once.
    if (!finished) loop->wait(sleep);
  }
  for (auto& peer : peers) peer->stop(loop->multi());
}

void StatusSync::add_metrics(std::string& out) const {
  std::vector<SyncStatus> all;
  {
    const auto snapshot = impl_->tables.snapshot();
    for (const auto& name : impl_->names) {
      if (auto status = sync_status(snapshot, name)) all.push_back(*std::move(status));
    }
  }
  if (all.empty()) return;
  for (const SyncMetric& metric : sync_metrics) {
    const std::string name = "picket_status_sync_" + std::string(metric.name);
    add_head(out, name, metric.kind, metric.help);
    for (const auto& status : all) {
      out += name + "{destination=\"" + status.destination + "\"} " + std::to_string(metric.value(status, impl_->clock.now())) + "\n";
    }
  }
}

std::string own_name(const std::string& public_url) {
  const auto scheme_end = public_url.find("://");
  auto host = scheme_end == std::string::npos ? std::string() : public_url.substr(scheme_end + 3);
  host = host.substr(0, host.find_first_of(host.starts_with('[') ? "]/" : ":/"));
  if (!host.empty() && host != "localhost" && !host.starts_with("127.") && !host.starts_with('[')) return host;
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? std::string(name) : std::string("a Picket");
}

}  // namespace picket::upstream

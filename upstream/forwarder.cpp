#include "upstream/forwarder.h"

#include "buffer/logger.h"
#include "buffer/stamp.h"
#include "buffer/thread.h"
#include "upstream/curl_loop.h"
#include "upstream/curl_task.h"
#include "upstream/destination.h"
#include "upstream/modes.h"
#include "upstream/scribe.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

namespace picket::upstream {
namespace {

// Wakes the worker from other threads; outlives it, because the journal keeps its listeners.
class Bell {
 public:
  explicit Bell(CurlLoop& loop) : loop_(&loop) {}

  void ring() {
    const std::lock_guard lock(mutex_);
    if (loop_ != nullptr) loop_->wake();
  }
  void on_commit() {
    commits_.fetch_add(1);
    if (wanted_.exchange(false)) ring();
  }
  // True when a commit came after the one `seen` counts; else the next one rings.
  bool missed(std::uint64_t seen) {
    wanted_.store(true);
    return commits_.load() != seen;
  }
  std::uint64_t commits() const { return commits_.load(); }
  void silence() {
    const std::lock_guard lock(mutex_);
    loop_ = nullptr;
  }

 private:
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<bool> wanted_{false};
  std::mutex mutex_;
  CurlLoop* loop_;  // guarded by mutex_
};

// In a stream each commit holds a few records: those of this long are read at once.
constexpr std::chrono::milliseconds between_commits(20);

// With HTTP/2, requests that share a connection: a packet that is lost holds up all of them.
constexpr long most_streams = 2;

// One core forwards some thousand envelopes a second, to however many destinations. Of more threads than cores nobody gains.
constexpr std::size_t most_workers = 4;
std::size_t workers_for(std::size_t destinations) {
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  return std::min({destinations, cores, most_workers});
}

}  // namespace

// Some of the destinations, their connections and the thread that serves them.
struct Forwarder::Worker {
  using Steady = std::chrono::steady_clock;
  using Published = std::vector<std::pair<DestinationStatus, buffer::Sequence>>;  // with the oldest that is behind

  Worker(buffer::Journal& from, buffer::Tables& rows, const Clock& time, ForwarderOptions chosen)
      : journal(from), tables(rows), clock(time), options(chosen), bell(std::make_shared<Bell>(loop)) {}
  ~Worker() { bell->silence(); }

  void add(DestinationConfig config);
  void start();
  void run();
  void collect();
  void write(Steady::time_point now);
  void look(Steady::time_point now);
  void publish();
  Published last_published() const;
  Duration sleep_for(Steady::time_point now) const;
  void drain();
  std::vector<Change> take_changes();

  buffer::Journal& journal;
  buffer::Tables& tables;
  const Clock& clock;
  const ForwarderOptions options;
  std::vector<std::shared_ptr<WireMeter>> meters;  // outlive the connections that the loop keeps
  CurlLoop loop;
  std::shared_ptr<Bell> bell;
  std::vector<std::unique_ptr<Destination>> destinations;
  std::unique_ptr<Scribe> scribe;
  std::atomic<bool> stopping{false};
  std::atomic<bool> written{false};
  std::atomic<bool> metered{false};

  Steady::time_point next_write{};
  Steady::time_point next_listen{};  // to commits
  Steady::time_point next_look{};
  Steady::time_point next_publish{};
  std::uint64_t seen_commits = 0;
  bool writing = false;
  std::uint64_t connections = 0;
  Time last_time{};

  mutable std::mutex mutex;
  Published published;  // guarded by mutex

  std::thread thread;
};

struct Forwarder::Impl {
  buffer::Journal& journal;
  buffer::Tables& tables;
  const Clock& clock;
  const std::vector<DestinationConfig> configs;
  std::vector<std::unique_ptr<Worker>> workers;  // who serve the destinations by turns
  bool started = false;
};

Forwarder::Forwarder(buffer::Journal& journal,
                     buffer::Tables& tables,
                     const Clock& clock,
                     std::vector<DestinationConfig> destinations,
                     ForwarderOptions options)
    : impl_(std::make_unique<Impl>(Impl{journal, tables, clock, destinations, {}})) {
  for (std::size_t i = 0; i < workers_for(destinations.size()); ++i) {
    impl_->workers.push_back(std::make_unique<Worker>(journal, tables, clock, options));
  }
  for (std::size_t i = 0; i < destinations.size(); ++i) {
    impl_->workers[i % impl_->workers.size()]->add(std::move(destinations[i]));
  }
}

Forwarder::~Forwarder() {
  stop();
}

void Forwarder::start() {
  if (std::exchange(impl_->started, true)) return;
  // Also with no destination left: rows of those that were there must not let the journal go.
  if (const auto noted = note_modes(impl_->tables, impl_->configs); !noted) {
    log(Level::warning, "upstream", "modes of destinations cannot be noted; they stay as they were", {{"reason", noted.error().detail}});
  }
  if (impl_->workers.empty()) return;
  if (buffer::find_instance(impl_->tables.snapshot()).empty()) {
    const auto drawn = impl_->tables.write([](buffer::Batch& batch) { buffer::instance_of(batch); });
    if (!drawn) log(Level::warning, "upstream", "circles of destinations go unnoticed for now", {{"reason", drawn.error().detail}});
  }
  for (auto& worker : impl_->workers) worker->start();
}

void Forwarder::stop() {
  for (auto& worker : impl_->workers) {
    worker->stopping = true;
    worker->bell->ring();
  }
  for (auto& worker : impl_->workers) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

void Forwarder::set_metered(bool metered) {
  for (auto& worker : impl_->workers) worker->metered = metered;
}

std::vector<DestinationStatus> Forwarder::status() const {
  std::vector<DestinationStatus> all(impl_->configs.size());
  for (std::size_t first = 0; first < impl_->workers.size(); ++first) {
    auto published = impl_->workers[first]->last_published();
    for (std::size_t i = 0; i < published.size(); ++i) {
      auto& [status, oldest_deferred] = published[i];
      measure_backlog(impl_->journal, status, oldest_deferred);
      all[first + i * impl_->workers.size()] = std::move(status);
    }
  }
  std::erase_if(all, [](const DestinationStatus& status) { return status.name.empty(); });  // before start()
  return all;
}

void Forwarder::add_metrics(std::string& out) const {
  render_metrics(status(), impl_->clock.now(), out);
}

void Forwarder::Worker::add(DestinationConfig config) {
  connections += Flight(config.max_in_flight).far();
  const auto notes = options.notes.empty() ? std::filesystem::path() : options.notes / (config.name + ".notes");
  destinations.push_back(std::make_unique<Destination>(std::move(config), journal, clock, notes));
  meters.push_back(destinations.back()->meter());
  // The default would close and reopen connections when many are in use.
  curl_multi_setopt(loop.multi(), CURLMOPT_MAXCONNECTS, static_cast<long>(connections + 1));
  curl_multi_setopt(loop.multi(), CURLMOPT_MAX_CONCURRENT_STREAMS, most_streams);
}

void Forwarder::Worker::start() {
  for (auto& destination : destinations) {
    destination->set_metered(metered);
    destination->load(tables);
  }
  publish();
  journal.on_commit([own = bell] { own->on_commit(); });
  scribe = std::make_unique<Scribe>(tables, clock, [this] {
    written = true;
    bell->ring();
  });
  thread = std::thread([this] {
    name_thread("upstream");
    yield_to_intake();
    run();
  });
}

void Forwarder::Worker::run() {
  last_time = clock.now();
  while (!stopping) {
    const auto now = Steady::now();
    const auto commits = bell->commits();
    if (commits != seen_commits && now >= next_listen) {
      seen_commits = commits;
      next_listen = now + between_commits;
      for (auto& destination : destinations) destination->on_commit();
    }
    for (auto& destination : destinations) destination->pump(loop.multi());
    collect();
    write(now);
    look(now);
    if (now >= next_publish) publish();
    const Duration sleep = sleep_for(now);
    if (sleep.count() > 0 && now >= next_listen && bell->missed(seen_commits)) continue;
    loop.wait(sleep);
  }
  drain();
}

void Forwarder::Worker::collect() {
  loop.collect([&](CURL* easy, CURLcode code) {
    CurlTask::of(easy).on_finished(loop.multi(), code);
  });
  for (auto& destination : destinations) destination->flush_notes();
}

std::vector<Change> Forwarder::Worker::take_changes() {
  std::vector<Change> changes;
  for (auto& destination : destinations) {
    if (destination->dirty()) changes.push_back(destination->take_change());
  }
  return changes;
}

void Forwarder::Worker::write(Steady::time_point now) {
  if (written.exchange(false)) {
    writing = false;
    for (auto& destination : destinations) destination->on_written();
  }
  if (writing || now < next_write) return;
  auto changes = take_changes();
  if (changes.empty()) return;
  next_write = now + options.write_every;
  publish();  // first: who has read of it in the tables finds no older state here
  writing = true;
  scribe->write(std::move(changes));
}

void Forwarder::Worker::look(Steady::time_point now) {
  if (now < next_look) return;
  next_look = now + options.look_every;
  const Time time = clock.now();
  // A commit that went unheard (another process's journal, a lost wake-up) is found here.
  for (auto& destination : destinations) {
    if (time < last_time - std::chrono::minutes(1)) destination->on_clock_leap();
    destination->on_commit();
    destination->set_metered(metered);
    destination->look_up(tables);
  }
  last_time = time;
  next_publish = now;
}

void Forwarder::Worker::publish() {
  next_publish = Steady::now() + std::chrono::milliseconds(50);
  Published fresh;
  for (const auto& destination : destinations) {
    fresh.emplace_back(destination->status(), destination->oldest_behind());
  }
  const std::lock_guard lock(mutex);
  published = std::move(fresh);
}

Forwarder::Worker::Published Forwarder::Worker::last_published() const {
  const std::lock_guard lock(mutex);
  return published;
}

Duration Forwarder::Worker::sleep_for(Steady::time_point now) const {
  const auto until = [&](Steady::time_point point) {
    return std::max(std::chrono::ceil<Duration>(point - now), Duration(0));
  };
  Duration sleep = until(next_look);
  if (now < next_listen) sleep = std::min(sleep, until(next_listen));
  for (const auto& destination : destinations) {
    if (const auto wake = destination->wakes_in()) sleep = std::min(sleep, *wake);
    if (destination->dirty() && !writing) sleep = std::min(sleep, until(next_write));
  }
  return std::max(sleep, Duration(0));
}

void Forwarder::Worker::drain() {
  const auto deadline = Steady::now() + options.stop_within;
  const auto busy = [&] {
    return std::any_of(destinations.begin(), destinations.end(), [](const auto& d) { return d->busy(); });
  };
  while (busy() && Steady::now() < deadline) {
    loop.wait(std::chrono::milliseconds(10));
    for (auto& destination : destinations) destination->keep_pace();
    collect();
  }
  for (auto& destination : destinations) destination->end(loop.multi());
  scribe->stop(take_changes());
  publish();
}

}  // namespace picket::upstream

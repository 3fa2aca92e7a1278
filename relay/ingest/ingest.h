// Ingest: the endpoints that SDKs send to, and the health and metrics beside them.
//
// INVARIANT  A 2xx for an envelope with items leaves after the commit that holds it.
// INVARIANT  Every item that was read is stored, or dropped with a reason in the outcome book.
// THREADS    admit(), handle() and the readings from any thread. handle() never waits: the answer
//            is given on the journal's committer thread. Bodies that take long (large ones, files)
//            are worked on by two threads of its own. One thread of its own keeps the project
//            directory fresh and writes the outcome book about once a second.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/tables.h"
#include "relay/http/message.h"
#include "relay/http/worker_pool.h"
#include "relay/ingest/batch_endpoint.h"
#include "relay/ingest/config.h"
#include "relay/ingest/gate.h"
#include "relay/ingest/intake.h"
#include "relay/ingest/ledger.h"
#include "relay/ingest/pipeline.h"
#include "relay/ingest/project_directory.h"
#include "relay/ingest/quota_book.h"
#include "relay/ingest/shedding.h"
#include "relay/ingest/upload_endpoint.h"
#include "relay/ingest/upload_store.h"
#include "relay/ingest/upstream_limits.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace picket::ingest {

struct Waiting;

class Ingest {
 public:
  // Without a store there are no resumable uploads.
  // REQUIRES: journal, tables and clock outlive it, and the last commit it waits for.
  Ingest(buffer::Journal& journal,
         const buffer::Tables& tables,
         const Clock& clock,
         const IngestConfig& config,
         std::shared_ptr<UploadStore> uploads = nullptr);
  // Offers what the outcome book still holds to the journal.
  ~Ingest();
  Ingest(const Ingest&) = delete;
  Ingest& operator=(const Ingest&) = delete;

  // /api/<project>/…, /api/store/, /api/relay/… and /metrics; never /api/0/….
  bool owns(std::string_view path) const;
  http::Admission admit(const http::RequestHead& head);
  void handle(http::Request request, http::Responder responder);
  // The server's word that it refused the body of a request that was admitted: counts it.
  void on_refused(const http::RequestHead& head, http::Response& response);

  // From now on ready/ says 503, and so does whatever still arrives.
  void drain() { draining_ = true; }

  // Lines of another room for /metrics. Called with each scrape, several at once.
  void add_metrics(std::function<void(std::string& out)> section);
  std::string render_metrics() const;

  const Counters& counters() const { return ledger_->counters; }
  bool ready() const;
  // What the thread does on its own; for those who cannot wait for it.
  void flush_outcomes();
  void refresh_projects();
  void tidy_uploads();

 private:
  void respond(Endpoint endpoint, http::Responder responder, http::Response response);
  http::Response refuse(Refusal refusal, Endpoint endpoint);
  bool refuses_all() const { return draining_ || journal_.full(); }
  // What is neither taken in nor of the endpoints below.
  http::Response show(const EndpointRule& rule,
                      const http::RequestHead& head,
                      const Route& route) const;
  // Why what the gate has let pass is refused all the same. REQUIRES: refuses_all().
  Refusal make_outage(std::optional<Sender> sender) const;
  void take_in(http::Request& request, http::Responder responder, const Workplace& workplace);
  void take_in_with_time(http::Request& request, http::Responder responder);
  void take_in_on_pool(http::Request& request, http::Responder responder);
  // What a converter made beside its envelope; what is refused of it is counted.
  std::vector<Taken> take_in_more(const http::RequestHead& head,
                                  const Route& route,
                                  std::vector<std::string> envelopes);
  void make_durable(Taken taken, std::shared_ptr<Waiting> waiting);
  void render_journal(std::string& out) const;
  void keep_up(const std::stop_token& stop);

  buffer::Journal& journal_;
  const Clock& clock_;
  const IngestConfig config_;
  ProjectDirectory directory_;
  const Gate gate_;
  QuotaBook quotas_;
  const Pipeline pipeline_;
  UpstreamLimits upstream_limits_;
  const Shedding shedding_;
  const std::shared_ptr<UploadStore> upload_store_;  // may be none
  const Intake intake_;
  const Workplace at_once_;    // on an I/O thread
  const Workplace with_time_;  // on the pool
  const std::string bundle_;  // of the JavaScript SDK
  const std::shared_ptr<Ledger> ledger_;
  std::atomic<bool> draining_{false};
  std::mutex flushing_;  // whoever flushes next finds the last flush offered
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<std::function<void(std::string&)>> sections_;  // guarded by mutex_
  std::unique_ptr<http::WorkerPool> pool_;  // for large bodies; none without a spool
  std::unique_ptr<UploadEndpoint> uploads_;  // none without a store
  std::unique_ptr<BatchEndpoint> batches_;
  std::jthread thread_;                                      // last: ends before what it uses
};

}  // namespace picket::ingest

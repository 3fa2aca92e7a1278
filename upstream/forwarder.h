// Mirrors the journal to every destination: worker threads on libcurl's multi interface, as many as there are
// destinations or cores and at most four, each with its part of the destinations; a durable cursor per destination,
// and with each worker a scribe thread that writes cursors and counters.
//
// INVARIANT  Delivery at least once: a cursor passes a record only after the upstream has answered for
//            it, or after it was put in quarantine or on the deferred list in the same batch.
// INVARIANT  A destination that is down or slow delays no other.
// INVARIANT  A process that is killed sends again only what it had no answer to (max_in_flight), where deliveries
//            are noted; after a power cut also what was acknowledged within the last moments (200 ms). Upstreams
//            drop those by event id.
// THREADS    start() and stop() from one thread; status() and add_metrics() from any.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/tables.h"
#include "upstream/config.h"
#include "upstream/status.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace picket::upstream {

struct ForwarderOptions {
  Duration write_every = std::chrono::milliseconds(200);  // the tables, at most
  Duration look_every = std::chrono::seconds(1);          // at what the operator changed
  Duration stop_within = std::chrono::seconds(3);         // transfers under way at stop()
  std::filesystem::path notes = {};                       // a folder for what was delivered just now (DeliveryNotes); empty: none
};

class Forwarder {
 public:
  // REQUIRES: `destinations` went through checked(). Journal, tables and clock outlive the Forwarder.
  Forwarder(buffer::Journal& journal,
            buffer::Tables& tables,
            const Clock& clock,
            std::vector<DestinationConfig> destinations,
            ForwarderOptions options = {});
  ~Forwarder();  // stops
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  void start();
  // Starts nothing more, waits for what is under way (at most stop_within), writes the cursors.
  void stop();

  // Whether the link is metered, for the destinations that heed the signal.
  void set_metered(bool metered);

  std::vector<DestinationStatus> status() const;
  void add_metrics(std::string& out) const;

 private:
  struct Worker;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace picket::upstream

// Tells upstreams what is decided here about issues, and takes what is decided there: one worker
// thread for all destinations that ask for it (`status_sync`), on libcurl's multi interface.
//
// INVARIANT  A destination that is down or slow delays no other, nor the forwarding of envelopes.
// INVARIANT  Without a destination that asks for it there is no thread and no request.
// THREADS    start() and stop() from one thread; add_metrics() from any.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"
#include "upstream/config.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace picket::upstream {

struct SyncOptions {
  std::string own_name;  // what this Picket calls itself to others
  Duration look_every = std::chrono::milliseconds(500);  // at what was changed here
};

class StatusSync {
 public:
  // REQUIRES: `destinations` went through checked(). Tables and clock outlive the StatusSync.
  StatusSync(buffer::Tables& tables, const Clock& clock, std::vector<DestinationConfig> destinations, SyncOptions options);
  ~StatusSync();  // stops
  StatusSync(const StatusSync&) = delete;
  StatusSync& operator=(const StatusSync&) = delete;

  void start();
  // Breaks off what is under way: it is asked again the next time.
  void stop();

  void add_metrics(std::string& out) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What a Picket calls itself to others: the host of its public URL, or the machine's name when that
// is the loopback's.
std::string own_name(const std::string& public_url);

}  // namespace picket::upstream

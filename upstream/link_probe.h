// Whether a destination to which no connection can be made can be reached again: connections that carry
// nothing, a fresh one each `probe_every`. So what waits goes soon after a link is back, however long it was
// gone, and not when the back-off next asks, nor when TCP next repeats what it sent before.
//
// The name is not asked for again when its last address is known: a name server may be gone with the link.
//
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"
#include "upstream/config.h"
#include "upstream/wire_meter.h"

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

namespace picket::upstream {

class LinkProbe {
 public:
  using Steady = std::chrono::steady_clock;

  // `config` and `meter` outlive it.
  LinkProbe(const DestinationConfig& config, WireMeter& meter);
  ~LinkProbe();

  // Starts what is due; `connected` is called once for one that succeeds, and may call end().
  void pump(CURLM* multi, const std::string& origin, Steady::time_point now, std::function<void()> connected);
  // What is under way, if anything.
  void end(CURLM* multi);
  // Until pump() has something to do.
  Duration due_in(Steady::time_point now) const;

  // Where the last request went; empty when that is not to be used.
  void remember_address(const std::string& address) { address_ = address; }
  bool knows_address() const { return !address_.empty(); }

 private:
  class Attempt;
  void on_finished(Attempt& attempt, CURLM* multi, bool connected);

  const DestinationConfig& config_;
  WireMeter& meter_;
  std::string address_;
  std::list<std::unique_ptr<Attempt>> attempts_;
  std::function<void()> connected_;
  Steady::time_point next_{};
};

}  // namespace picket::upstream

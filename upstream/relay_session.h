// Stands as a registered Relay before one upstream: its credentials, its registration, what the upstream says of
// projects, and one question at a time about these.
//
// INVARIANT  The secret key goes nowhere but into signatures: no header, no log line, no message.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"
#include "relay/protocol/relay_identity.h"
#include "upstream/answer.h"
#include "upstream/config.h"
#include "upstream/project_configs.h"
#include "upstream/registration.h"
#include "upstream/wire_meter.h"

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace picket::upstream {

class RelaySession {
 public:
  using Steady = std::chrono::steady_clock;
  // REQUIRES: config.managed(). `config`, `clock` and `meter` outlive it; `origin` is the upstream's.
  RelaySession(const DestinationConfig& config, std::string origin, const Clock& clock, WireMeter& meter);
  ~RelaySession();
  RelaySession(const RelaySession&) = delete;
  RelaySession& operator=(const RelaySession&) = delete;

  // Asks what is due. `answered` is called once for it, when the answer has been taken in. The bytes that it is about
  // to put on the wire; 0 when nothing was due.
  std::size_t pump(CURLM* multi, std::function<void(const Answer& answer)> answered);
  // What is under way counts as not asked.
  void abandon(CURLM* multi);
  // One that is under way has found no connection for a while.
  bool is_stuck(Steady::time_point now) const;
  // Until pump() has something to do; never: Duration::max().
  Duration due_in(Steady::time_point now) const;

  const Registration& registration() const { return registration_; }
  Registration& registration() { return registration_; }
  ProjectConfigs& configs() { return configs_; }
  const std::string& id() const;  // of the Relay; empty before its credentials were read
  void hasten(bool by_operator);

  // REQUIRES: registered. The headers that sign an envelope; the same ones for a second, since they hold nothing of it.
  const std::vector<std::string>& signed_headers();

 private:
  class Query;
  bool read_credentials();
  void on_finished(CURLM* multi, CURLcode code);
  void take_in(const Answer& answer);

  const DestinationConfig& config_;
  const std::string origin_;
  const Clock& clock_;
  WireMeter& meter_;
  Registration registration_;
  ProjectConfigs configs_;
  std::optional<relay::RelayIdentity> identity_;
  std::unique_ptr<Query> query_;  // under way
  bool registering_ = false;      // by it
  Steady::time_point asked_at_{};
  std::uint64_t asked_under_ = 0; // the registration's generation
  std::function<void(const Answer&)> answered_;
  std::vector<std::string> headers_;
  Time signed_at_{};
};

// The file's identity; Fault::unavailable when it cannot be read, Fault::malformed when it is none. Never says what it holds.
Result<relay::RelayIdentity> read_relay_credentials(const std::string& file);

}  // namespace picket::upstream

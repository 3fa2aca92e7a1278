// Whether destinations can be reached the way they are configured: name, connection, certificate, and
// whether what answers is a tracker. No event is sent, and no key.
//
// REQUIRES  Nothing of the forwarder: works beside a running Picket and without one.
#pragma once

#include "buffer/clock.h"
#include "buffer/finding.h"
#include "upstream/config.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace picket::upstream {

struct ReachOptions {
  std::chrono::seconds at_most{20};  // for each request
};

// One request to each origin that the destinations name, with their proxies and authorities.
std::vector<Finding> check_destinations(const std::vector<DestinationConfig>& configs,
                                        const Clock& clock,
                                        const ReachOptions& options = {});

// Our own service, at an origin such as "http://127.0.0.1:3000": alive, and ready. `held` tells whether
// some process serves the data folder.
Finding check_service(const std::string& origin, bool held, const ReachOptions& options = {});

// The part that judges, apart from the one that asks.

enum class Stage : std::uint8_t { name, proxy, authorities, certificate, connection, answered };

struct Probe {
  Stage stage = Stage::connection;  // how far it got; `answered`: all the way
  std::string failure{};            // of the network, for people
  unsigned status = 0;
  std::string content_type{};
  std::string location{};
  std::string body{};               // its first bytes
  std::optional<Time> date{};       // of the Date header
  std::optional<Time> certificate_ends{};
  Time asked{};                     // by our clock, half-way between request and answer
};
std::vector<Finding> judge_probe(const DestinationConfig& config, const std::string& origin, const Probe& probe);

}  // namespace picket::upstream

// The parts list: reads the configuration, builds everything in dependency order and waits for
// SIGTERM. Nothing else constructs an environment, a server or a long-lived thread.
#include "api/config.h"
#include "api/digest/config.h"
#include "api/digest/digest.h"
#include "api/rest/router.h"
#include "api/rest/setup.h"
#include "api/status.h"
#include "api/verbs.h"
#include "buffer/command.h"
#include "buffer/config.h"
#include "buffer/logger.h"
#include "buffer/retention.h"
#include "buffer/service_manager.h"
#include "buffer/settings.h"
#include "buffer/storage.h"
#include "buffer/verbs.h"
#include "etc/shipped.h"
#include "relay/http/config.h"
#include "relay/http/server.h"
#include "relay/ingest/config.h"
#include "relay/ingest/ingest.h"
#include "upstream/config.h"
#include "upstream/forwarder.h"
#include "upstream/send_verb.h"
#include "upstream/verbs.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>

namespace picket {
namespace {

struct Config {
  http::ServerConfig server;
  buffer::StorageConfig storage;
  ingest::IngestConfig ingest;
  digest::DigestConfig digest;
  rest::ApiConfig api;
  std::vector<upstream::DestinationConfig> upstreams;
};

// Fault::malformed with every problem, one a line.
Result<Config> load_config(const std::filesystem::path& file) {
  auto document = Configuration::load(file, picket_environment());
  if (!document) return document.error();
  Config config;
  document->section("server", [&](Settings& settings) { bind(settings, config.server); });
  document->section("storage", [&](Settings& settings) { bind(settings, config.storage); });
  document->section("ingest", [&](Settings& settings) { bind(settings, config.ingest); });
  document->section("digest", [&](Settings& settings) { bind(settings, config.digest); });
  document->section("api", [&](Settings& settings) { bind(settings, config.api); });
  config.upstreams.resize(document->count("upstream"));
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
    document->element("upstream", i, [&](Settings& settings) { bind(settings, config.upstreams[i]); });
  }
  std::string problems;
  for (const std::string& problem : document->problems()) problems += problem + "\n";
  if (!problems.empty()) return Error{Fault::malformed, problems};
  auto upstreams = upstream::checked(std::move(config.upstreams));
  if (!upstreams) return upstreams.error();
  config.upstreams = *std::move(upstreams);
  if (const auto options = http::options_of(config.server); !options) return options.error();
  return config;
}

// --config, else picket.toml here or in /etc/picket, else none.
std::filesystem::path config_file(const CommandLine& line) {
  if (line.has("config")) return line.option("config");
  for (const char* const usual : {"picket.toml", "/etc/picket/picket.toml"}) {
    if (std::filesystem::exists(usual)) return usual;
  }
  return {};
}

ExitCode refuse_config(std::ostream& err, const Error& error) {
  std::string text = error.detail;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  err << "picket: " << text << "\n";
  return ExitCode::configuration;
}

}  // namespace
}  // namespace picket

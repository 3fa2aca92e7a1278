// The parts list: reads the configuration, builds everything in dependency order and waits for
// SIGTERM. Nothing else constructs an environment, a server or a long-lived thread.
#include "api/config.h"
#include "api/digest/config.h"
#include "api/digest/digest.h"
#include "api/digest/geo.h"
#include "api/digest/metrics.h"
#include "api/rest/router.h"
#include "api/rest/setup.h"
#include "api/ledger_verb.h"
#include "api/resend_verb.h"
#include "api/status.h"
#include "api/stream_verbs.h"
#include "api/verbs.h"
#include "buffer/clock_check.h"
#include "buffer/command.h"
#include "buffer/config.h"
#include "buffer/disk_check.h"
#include "buffer/free_memory.h"
#include "buffer/limits_check.h"
#include "buffer/logger.h"
#include "buffer/recompression.h"
#include "buffer/retention.h"
#include "buffer/service_manager.h"
#include "buffer/schema_number.h"
#include "buffer/settings.h"
#include "buffer/spool.h"
#include "buffer/storage_lock.h"
#include "buffer/verbs.h"
#include "buffer/version_history.h"
#include "relay/http/certificate_check.h"
#include "relay/http/config.h"
#include "relay/http/server.h"
#include "relay/ingest/config.h"
#include "relay/ingest/ingest.h"
#include "relay/ingest/quota_config.h"
#include "relay/ingest/shedding.h"
#include "relay/protocol/stored_body.h"
#include "upstream/config.h"
#include "upstream/forwarder.h"
#include "upstream/reach_check.h"
#include "upstream/send_verb.h"
#include "upstream/status_sync.h"
#include "upstream/verbs.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>

namespace picket {
namespace {

struct Config {
  std::string log_level = "info";
  http::ServerConfig server;
  buffer::StorageConfig storage;
  ingest::IngestConfig ingest;
  digest::DigestConfig digest;
  digest::GeoipConfig geoip;
  rest::ApiConfig api;
  std::vector<upstream::DestinationConfig> upstreams;
};

// Fault::malformed with every problem, one a line.
Result<Config> load_config(const std::filesystem::path& file) {
  auto document = Configuration::load(file, picket_environment());
  if (!document) return Error{Fault::malformed, document.error().detail};
  Config config;
  document->section("log", [&](Settings& settings) { settings.text("level", config.log_level); });
  document->section("server", [&](Settings& settings) { bind(settings, config.server); });
  document->section("storage", [&](Settings& settings) { bind(settings, config.storage); });
  document->section("ingest", [&](Settings& settings) { bind(settings, config.ingest); });
  document->section("digest", [&](Settings& settings) { bind(settings, config.digest); });
  document->section("geoip", [&](Settings& settings) { bind(settings, config.geoip); });
  document->section("api", [&](Settings& settings) { bind(settings, config.api); });
  config.ingest.quotas.resize(document->count("quota"));
  for (std::size_t i = 0; i < config.ingest.quotas.size(); ++i) {
    document->element("quota", i, [&](Settings& settings) { bind(settings, config.ingest.quotas[i]); });
  }
  config.upstreams.resize(document->count("upstream"));
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
    document->element("upstream", i, [&](Settings& settings) { bind(settings, config.upstreams[i]); });
  }
  std::string problems;
  if (!parse_log_level(config.log_level)) problems += "log.level is none of debug, info, warning, error\n";
  for (const std::string& problem : document->problems()) problems += problem + "\n";
  if (!problems.empty()) return Error{Fault::malformed, problems};
  if (const auto storage = buffer::check(config.storage); !storage) return storage.error();
  if (const auto low_value = ingest::parse_low_value(config.ingest); !low_value) return low_value.error();
  if (const auto quotas = ingest::parse_configured_quotas(config.ingest.quotas); !quotas) return quotas.error();
  auto upstreams = upstream::checked(std::move(config.upstreams));
  if (!upstreams) return upstreams.error();
  config.upstreams = *std::move(upstreams);
  const auto options = http::options_of(config.server);
  if (!options) return options.error();
  if (config.api.public_url.empty()) config.api.public_url = http::usual_origin(*options);
  auto public_url = rest::parse_public_url(config.api.public_url);
  if (!public_url) return Error{Fault::malformed, "api.public_url: " + public_url.error().detail};
  config.api.public_url = *std::move(public_url);
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

// The service that a server hands each request to, by its path.
http::Service make_service(ingest::Ingest& ingest, rest::Api& api) {
  http::Service service;
  service.admit = [&ingest](const http::RequestHead& head) -> http::Admission {
    if (ingest.owns(head.path)) return ingest.admit(head);
    constexpr std::size_t largest_api_body = std::size_t{8} << 20;
    return http::ReadBody{.max_bytes = largest_api_body, .on_pool = true};
  };
  service.handle = [&ingest, &api](http::Request request, http::Responder responder) {
    if (ingest.owns(request.head.path)) return ingest.handle(std::move(request), std::move(responder));
    std::move(responder).respond(rest::serve(api, request));
  };
  service.on_refused = [&ingest](const http::RequestHead& head, http::Response& response) {
    if (ingest.owns(head.path)) ingest.on_refused(head, response);
  };
  return service;
}

// Events are shown without places rather than not at all: a database that cannot be read keeps nothing from starting.
void load_places(digest::GeoSource& source, const std::string& path) {
  if (const auto loaded = source.load(path); !loaded)
    log(Level::warning, "picket", "geoip.path is not used", {{"reason", loaded.error().detail}});
}

// What lives while Picket serves, in dependency order: each part may use those above it and is stopped before them.
struct Picket {
  SystemClock clock;
  std::shared_ptr<buffer::Spool> spool;
  std::shared_ptr<digest::GeoSource> places = std::make_shared<digest::GeoSource>();
  std::unique_ptr<buffer::Tables> tables;
  std::unique_ptr<buffer::Journal> journal;
  std::unique_ptr<buffer::Retention> retention;
  std::unique_ptr<buffer::Recompression> recompression;
  std::unique_ptr<digest::Digest> digest;
  std::mutex forwarder_mutex;
  std::unique_ptr<upstream::Forwarder> forwarder;  // these two: guarded by forwarder_mutex once served
  std::unique_ptr<upstream::StatusSync> status_sync;
  bool metered = false;  // from SIGUSR1 to SIGUSR2
  std::unique_ptr<ingest::Ingest> ingest;
  std::unique_ptr<rest::Api> api;
  std::unique_ptr<http::Server> server;
};

std::unique_ptr<upstream::Forwarder> make_forwarder(Picket& picket, const Config& config) {
  auto forwarder = std::make_unique<upstream::Forwarder>(*picket.journal, *picket.tables, picket.clock, config.upstreams,
                                                         upstream::ForwarderOptions{.notes = std::filesystem::path(config.storage.path) / "forwarding"});
  forwarder->set_metered(picket.metered);
  forwarder->start();
  return forwarder;
}

std::unique_ptr<upstream::StatusSync> make_status_sync(Picket& picket, const Config& config) {
  const upstream::SyncOptions options{.own_name = upstream::own_name(config.api.public_url)};
  auto sync = std::make_unique<upstream::StatusSync>(*picket.tables, picket.clock, config.upstreams, options);
  sync->start();
  return sync;
}

// Builds the parts below the server; Fault tells the exit code.
Result<void> build(Picket& picket, const Config& config) {
  auto tables = buffer::Tables::open(buffer::tables_options(config.storage));
  if (!tables) return tables.error();
  picket.tables = *std::move(tables);
  if (auto checked = buffer::check_schema(*picket.tables, picket.clock.now()); !checked) return checked.error();
  auto spool = buffer::Spool::open(buffer::spool_options(config.storage));
  if (!spool) return spool.error();
  picket.spool = *std::move(spool);
  auto options = buffer::journal_options(config.storage);
  options.spool = picket.spool;
  options.next_at_least = buffer::greatest_cursor(*picket.tables);
  auto journal = buffer::Journal::open(options, picket.clock);
  if (!journal) return journal.error();
  picket.journal = *std::move(journal);
  const auto setup = rest::ensure_first(*picket.tables, {config.storage.path, config.api.public_url}, picket.clock.now());
  if (!setup) return setup.error();

  picket.digest = std::make_unique<digest::Digest>(*picket.journal, *picket.tables, picket.clock, config.digest);
  picket.digest->start();
  picket.forwarder = make_forwarder(picket, config);
  picket.status_sync = make_status_sync(picket, config);
  auto uploads = ingest::UploadStore::open(ingest::upload_options(config.ingest, config.storage.path, picket.spool), picket.clock);
  if (!uploads) return uploads.error();
  picket.ingest = std::make_unique<ingest::Ingest>(*picket.journal, *picket.tables, picket.clock, config.ingest, *std::move(uploads));
  picket.ingest->add_metrics([&picket](std::string& out) { digest::add_metrics(picket.digest->counters(), out); });
  picket.ingest->add_metrics([&picket](std::string& out) {
    const std::scoped_lock lock(picket.forwarder_mutex);
    picket.forwarder->add_metrics(out);
    picket.status_sync->add_metrics(out);
  });
  picket.api = std::make_unique<rest::Api>(rest::Api{*picket.tables, *picket.journal, picket.clock, config.api.public_url,
                                                     config.digest.max_event_age, picket.places});
  load_places(*picket.places, config.geoip.path);
  return {};
}

// SIGHUP: what can change while serving (destinations, log level) changes, after a check.
void reload(Picket& picket, const std::filesystem::path& file) {
  const auto config = load_config(file);
  if (!config) {
    log(Level::warning, "picket", "configuration not changed: the new one is wrong", {{"reason", config.error().detail}});
    return;
  }
  set_log_level(*parse_log_level(config->log_level));
  load_places(*picket.places, config->geoip.path);
  const std::scoped_lock lock(picket.forwarder_mutex);
  picket.status_sync.reset();
  picket.forwarder.reset();
  picket.forwarder = make_forwarder(picket, *config);
  picket.status_sync = make_status_sync(picket, *config);
  log(Level::info, "picket", "configuration re-read", {{"destinations", std::uint64_t{config->upstreams.size()}}});
}

// SIGUSR1, SIGUSR2: destinations with metered_signal send only what a metered link may carry, or all.
void set_metered(Picket& picket, bool metered) {
  picket.metered = metered;
  const std::scoped_lock lock(picket.forwarder_mutex);
  picket.forwarder->set_metered(metered);
}

// Feeds the watchdog while commits make progress, and gives back free memory, until a signal says to end.
void wait_for_end(Picket& picket, const std::filesystem::path& file, const sigset_t& signals) {
  constexpr Duration look_every(5000);
  const auto wake_every = std::min(watchdog_interval().value_or(look_every), look_every);
  const timespec timeout{.tv_sec = wake_every.count() / 1000, .tv_nsec = wake_every.count() % 1000 * 1'000'000};
  FreeMemory free_memory;
  std::uint64_t attempts_before = 0;
  for (;;) {
    const int signal = ::sigtimedwait(&signals, nullptr, &timeout);
    if (signal == SIGHUP) reload(picket, file);
    if (signal == SIGUSR1 || signal == SIGUSR2) set_metered(picket, signal == SIGUSR1);
    if (signal == SIGTERM || signal == SIGINT) return;
    const auto use = picket.journal->use();
    const auto attempts = use.commits + use.failed_commits;
    if (use.queued_bytes == 0 || attempts != attempts_before) notify_service_manager("WATCHDOG=1");
    attempts_before = attempts;
    free_memory.give_back_after_work();
  }
}

ExitCode serve(CommandLine& line) {
  const auto file = config_file(line);
  auto config = load_config(file);
  if (!config) return refuse_start(line.err, config.error());
  if (line.has("storage")) config->storage.path = line.option("storage");
  if (line.has("listen")) config->server.listen = line.option("listen");
  set_log_level(*parse_log_level(config->log_level));

  // Before any thread starts, so that all inherit the mask and sigtimedwait is the only receiver.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const auto lock = buffer::StorageLock::take(config->storage.path);
  if (!lock) {
    const auto code = refuse_start(line.err, lock.error());
    return lock.error().fault == Fault::unavailable ? ExitCode::configuration : code;
  }
  Picket picket;
  if (const auto built = build(picket, *config); !built) return refuse_start(line.err, built.error());
  picket.retention = std::make_unique<buffer::Retention>(*picket.tables, *picket.journal, picket.clock, config->storage, ingest::make_worth_least(config->ingest));
  picket.retention->start();
  picket.recompression = std::make_unique<buffer::Recompression>(*picket.tables, *picket.journal, picket.clock, config->storage, relay::open_stored_body);
  picket.recompression->start();

  auto options = http::options_of(config->server);
  if (!options) return refuse_start(line.err, options.error());
  options->listen_descriptor = activated_socket();
  options->spool = picket.spool;
  auto server = http::Server::start(*options, make_service(*picket.ingest, *picket.api));
  if (!server) {
    refuse_start(line.err, server.error());
    return ExitCode::unavailable;
  }
  picket.server = *std::move(server);
  picket.api->issue_search->read_ahead(*picket.tables);
  const std::string_view scheme = options->certificate_file.empty() ? "http" : "https";
  // In one write: scripts wait for this line.
  std::cerr << "listening on " + std::string(scheme) + "://" + options->address + ":" + std::to_string(picket.server->port()) + "\n";
  notify_service_manager("READY=1");
  buffer::note_start(config->storage.path, picket.clock.now());

  wait_for_end(picket, file, signals);
  notify_service_manager("STOPPING=1");
  log(Level::info, "picket", "stopping");
  picket.recompression->stop_soon();
  picket.ingest->drain();
  picket.server->stop();
  return ExitCode::done;
}

ExitCode config_check(CommandLine& line) {
  const auto file = config_file(line);
  const auto config = load_config(file);
  if (!config) return refuse_start(line.err, config.error());
  const auto name = file.empty() ? "no file; the defaults" : file.string();
  line.out << name << ": all is well, " << config->upstreams.size() << " destination(s), data in " << config->storage.path << "\n";
  return ExitCode::done;
}

// Descriptors beside connections: files of the journal and the tables, forwarders, the spool.
constexpr std::uint64_t own_files = 512;

buffer::Wanted add_up(const Config& config) {
  buffer::Wanted wanted{.files = config.server.max_connections + own_files, .file_bytes = config.storage.segment_bytes};
  wanted.memory_bytes = config.storage.queue_bytes + config.server.max_body_memory_bytes;
  wanted.memory_bytes += config.upstreams.size() * (std::uint64_t{8} << 20);
  return wanted;
}

ExitCode doctor(CommandLine& line) {
  if (!line.words.empty()) {
    line.err << "picket doctor takes no words; see `picket doctor --help`\n";
    return ExitCode::usage;
  }
  const auto file = config_file(line);
  auto config = load_config(file);
  if (!config) {
    return print_findings(line, {{Grade::fail, "configuration", (file.empty() ? "" : file.string() + ": ") + config.error().detail,
                                  "mend it (picket config check says the same), then ask again: the rest depends on it"}});
  }
  if (line.has("storage")) config->storage.path = line.option("storage");
  std::vector<Finding> findings = {{Grade::ok, "configuration", file.empty() ? "no file: the defaults" : file.string()}};
  const auto add = [&](std::vector<Finding> more) { findings.insert(findings.end(), more.begin(), more.end()); };
  const SystemClock clock;
  const auto process = buffer::served_by(config->storage.path);
  const auto options = http::options_of(config->server);
  if (options && options->port != 0) add({upstream::check_service(http::local_origin(*options), process > 0)});
  add(buffer::check_disk(config->storage));
  add(buffer::check_clock_and_data(config->storage.path, clock));
  add(buffer::check_limits(add_up(*config), process));
  add(http::check_certificate(config->server, clock.now()));
  add(upstream::check_destinations(config->upstreams, clock));
  return print_findings(line, findings);
}

ExitCode journal_import(CommandLine& line) {
  auto config = load_config(config_file(line));
  if (!config) return refuse_start(line.err, config.error());
  if (line.has("storage")) config->storage.path = line.option("storage");
  return api::import_stream_into(line, config->storage);
}

std::vector<Command> all_commands() {
  std::vector<Command> commands = {
      {"serve", "take, keep, show and pass on: runs until SIGTERM",
       "usage: picket serve [--listen HOST:PORT] [--config FILE] [--storage DIR]\n\n"
       "Writes `listening on http://…` to standard error when it accepts. SIGTERM ends it cleanly,\n"
       "SIGHUP re-reads destinations, geoip.path and log level after a check. From SIGUSR1 to SIGUSR2 the link\n"
       "counts as metered for destinations with metered_signal.\n\n"
       "Example: picket serve --config /etc/picket/picket.toml\n",
       {}, {"listen"}, &serve, true}};
  const std::vector<Command> others = {api::status_command(), api::ledger_command(), api::resend_command(),
                                       upstream::send_command(), api::export_command(), api::import_command(&journal_import)};
  for (auto& more : {rest::api_commands(), others, upstream::upstream_commands(), buffer::buffer_commands(), buffer::general_commands(), buffer::version_commands()})
    commands.insert(commands.end(), more.begin(), more.end());
  commands.push_back({"doctor", "check disk, clock, limits, certificates, destinations, and say what to do",
                      "usage: picket doctor [--json] [--config FILE] [--storage DIR]\n\n"
                      "Looks at what Picket depends on and prints a line for each: ok, warn or fail, and what to do\n"
                      "next. Works beside a running Picket, and without one; changes nothing, sends no event, prints no\n"
                      "key, token or password. Asks each destination one question, with its proxy and authorities. Best\n"
                      "run as the user that serves. Exit code 1: something failed.\n\n"
                      "Example: sudo picket doctor --config /etc/picket/picket.toml --storage /var/lib/picket\n",
                      {"json"}, {}, &doctor, true});
  commands.push_back({"config check", "say whether a configuration is right",
                      "usage: picket config check [--config FILE]\n\nReads the file and the environment as serve would. Exit code 78 when something is wrong.\n\n"
                      "Example: picket config check --config picket.toml\n",
                      {}, {}, &config_check, true});
  return commands;
}

// What the configuration gives a verb that works beside the server.
ExitCode configure(CommandLine& line) {
  const auto config = load_config(config_file(line));
  if (!config) return refuse_start(line.err, config.error());
  line.storage = line.option("storage", config->storage.path);
  // DSNs that a verb prints carry the address that serve would use.
  if (!line.has("public-url")) line.options["public-url"] = config->api.public_url;
  return ExitCode::done;
}

}  // namespace
}  // namespace picket

int main(int argc, char** argv) {
  picket::keep_little_free_memory();
  try {
    return static_cast<int>(picket::run_command(picket::all_commands(), {argv + 1, argv + argc}, picket::configure, std::cout, std::cerr));
  } catch (const std::exception& error) {
    std::cerr << "picket: " << error.what() << "\n";
    return static_cast<int>(picket::ExitCode::configuration);
  }
}

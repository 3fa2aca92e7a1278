// The sections [[upstream]]: where received envelopes are mirrored to, one destination each.
#pragma once

#include "buffer/result.h"
#include "buffer/settings.h"
#include "upstream/link_config.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::upstream {

// What goes by one of an item's properties: what `include` names (empty: everything) and `exclude` does not.
struct WordsConfig {
  std::vector<std::string> include = {};
  std::vector<std::string> exclude = {};
  bool empty() const { return include.empty() && exclude.empty(); }
};

// Which items a destination is to have: those that pass every one of these (routing.h).
struct RoutingConfig {
  WordsConfig projects = {};      // ids of this Picket
  WordsConfig categories = {};    // Sentry's names, and client_report, user_report, unknown
  WordsConfig environments = {};  // globs, as the next two
  WordsConfig releases = {};
  WordsConfig levels = {};        // of events; other items have none and pass
};

struct DestinationConfig {
  // Names the cursor and the counters: a new name starts anew. Empty: the host of `dsn` or `url`.
  std::string name;
  // Everything goes to this DSN's project with its key, unless `projects` says otherwise.
  std::string dsn;
  // Everything keeps its project id and key; only the host differs. One of `dsn` and `url` is needed.
  std::string url;
  // Local project id → DSN, or (with `url`) the project's id over there.
  std::vector<std::pair<std::string, std::string>> projects;
  // "mirror": the journal keeps what it has for storage.retention. "forward-only": it goes from the
  // journal, a segment at a time, once the destination has it and nobody here has still to read it.
  // Price: a segment that has gone cannot be sent to anybody again, and its events have no payload here.
  std::string mode = "mirror";
  // What of it goes there at all. Price of environments, releases and levels: each body is opened and
  // its payload read to find them; projects and categories are known without.
  RoutingConfig routing;
  // Category → the part of it that goes, "0" to "1", all of a trace or nothing of it (sampling.h).
  std::vector<std::pair<std::string, std::string>> sample_rates;
  // How often the destination is told in a client report what routing and sampling left out; 0: never.
  Duration report_unsent{0};

  // http://, https:// or socks5:// with host and port; empty: none. The environment's proxies are not used.
  std::string proxy;
  // PEM file of the authorities to trust instead of the system's.
  std::string ca_file;
  // Accepts any certificate. Price: anyone on the way can read and change what is sent.
  bool insecure = false;
  // PEM files for upstreams that ask for a client certificate; both or none.
  std::string client_certificate;
  std::string client_key;

  // Requests under way at once; 0: as many as keep the link busy (flight.h), at most 64 to an upstream near by, which
  // carry some 8,000 envelopes/s over 5 ms, and at most 1,024 to one far away, which carry 700/s over 800 ms and 20 Mbit/s. With 1
  // what does not fail arrives in the order of sending. Price: that many connections, and up to 8 MiB of bodies in memory.
  std::uint64_t max_in_flight = 0;
  // To a connection, TLS included. Price of more: an address that swallows packets is noticed later.
  Duration connect_timeout = std::chrono::seconds(30);
  // Without a byte either way. There is no total limit: a slow link is not a dead one.
  Duration stall_timeout = std::chrono::seconds(60);
  // Pause after the first failure, and the longest; drawn at random from nothing up to twice the last.
  Duration retry_min = std::chrono::seconds(1);
  Duration retry_max = std::chrono::minutes(5);
  // Between two connections that carry nothing, while none can be made: what waits goes as soon as one succeeds,
  // however long the link was gone. 0: when the pause above is over. Price of less: packets on a link that is down.
  Duration probe_every = std::chrono::seconds(1);
  // Between two tries of a destination that answered 401, 403 or 404. Price of less: noise over there.
  Duration hold_probe = std::chrono::minutes(5);

  // zstd, br, gzip or identity. An upstream that answers 415 gets gzip, then identity.
  std::string compression = "zstd";
  // 1 to 19; of br to 11. Price: level 1 costs 30 µs for 6 KB, zstd's level 9 about ten times that for a tenth fewer bytes,
  // br's level 5 0.2 ms for 8 KB and less than that, level 11 some 10 ms for the least.
  std::uint64_t compression_level = 1;
  // Whether a Picket there gets many envelopes in one request: auto (once it has said that it takes them) or
  // never. Price: what a broken connection makes go twice is a batch, where it was one envelope.
  std::string batch = "auto";
  // Whether a new name starts with the oldest record in the journal, or with the next to arrive.
  bool backfill = true;

  // Whether states of issues (status, assignee, priority) are told to it, taken from it, or both:
  // off, send, receive, both. Off asks nothing of its API. Price of receive: a request for each issue
  // once, to find it over there, then one for every hundred issues each `status_interval`.
  std::string status_sync = "off";
  Duration status_interval = std::chrono::minutes(1);
  // Where its API is; empty: the scheme and host of `url` or `dsn`, which sentry.io has elsewhere.
  std::string api_url;
  std::string api_organization;  // the slug over there
  // A token with event:write and event:read (and team:read, for issues assigned to teams): itself, or
  // the file that holds it. Never logged.
  std::string api_token;
  std::string api_token_file;

  // A Relay's credentials.json: this Picket registers over there as that Relay and signs what it sends. Empty: it does
  // not. Price: a request for each project's config every five minutes in which something goes to it.
  std::string relay_credentials_file;
  // Between two registrations, of two requests each; 0: only when signed requests are refused.
  Duration relay_register_every = std::chrono::minutes(10);

  // When, how fast and how much may be sent.
  LinkConfig link;

  bool forward_only() const { return mode == "forward-only"; }
  bool syncs() const { return status_sync != "off"; }
  // Whether it asks for a registered Relay.
  bool managed() const { return !relay_credentials_file.empty(); }
};

void bind(Settings& settings, DestinationConfig& config);

// Fills in names and checks what a single key's bounds cannot: Fault::malformed says what to do.
Result<std::vector<DestinationConfig>> checked(std::vector<DestinationConfig> configs);

// Whether it can stand in a header as a token.
bool is_token(std::string_view text);

}  // namespace picket::upstream

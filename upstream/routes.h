// Where an envelope goes at one destination: local project and key → URL, key and DSN over there.
//
// INVARIANT  A target's origin is one that the configuration names.
// THREADS    Immutable after make_routes().
#pragma once

#include "buffer/result.h"
#include "relay/protocol/dsn.h"
#include "upstream/config.h"

#include <map>
#include <optional>
#include <string>

namespace picket::upstream {

struct Target {
  std::string origin;  // scheme://host[:port]path
  relay::ProjectId project = 0;
  std::string key;  // 32 hex digits
  std::string dsn;  // as it stands in a mapped envelope header
};
std::string render_url(const Target& target);
// The same key, of another project over there.
void move_to(Target& target, relay::ProjectId project);

class Routes {
 public:
  // `raw_key` is the record's: 16 bytes. Fault::malformed when there is no key to send with.
  Result<Target> find_target(relay::ProjectId project, std::string_view raw_key) const;

  // The one target that everything goes to, or nothing when it depends on the record.
  const std::optional<Target>& only_target() const { return only_; }
  // Where a local project's records go: its id over there.
  relay::ProjectId project_there(relay::ProjectId project) const;
  std::string host() const;
  // Whether all of it goes to the same scheme, host, port and path.
  bool one_origin() const;
  std::string origin() const;  // of what is not in the map: scheme://host[:port]path

 private:
  friend Result<Routes> make_routes(const DestinationConfig& config);
  struct Place {
    relay::Dsn dsn;     // of url: only scheme, host, port, path
    bool keeps_key = false;
    bool keeps_project = false;
  };
  Target at(const Place& place, relay::ProjectId project, const relay::ProjectKey& key) const;

  Place rest_;  // for projects that are not in the map
  std::map<relay::ProjectId, Place> projects_;
  std::optional<Target> only_;
};

// "https://sentry.example.com", as a URL is joined to; Fault::malformed when it is none.
Result<std::string> parse_origin(std::string_view url);

// Fault::malformed with what to do about it.
Result<Routes> make_routes(const DestinationConfig& config);

}  // namespace picket::upstream

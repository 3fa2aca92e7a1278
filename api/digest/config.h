// [digest] of the configuration.
#pragma once

#include "buffer/clock.h"
#include "buffer/settings.h"

#include <cstdint>
#include <string>

namespace picket::digest {

struct DigestConfig {
  // How long the digest gathers when it has caught up, so that a trickle of events does not become
  // a write each. Price: events are visible that much later; shorter wears flash storage.
  Duration linger = Duration(200);
  // How long one write to the tables should take; the batch size follows. Price: changes made
  // through the API wait this long behind the digest; shorter batches cost more disk writes per
  // event.
  Duration write_target = Duration(200);
  // Bounds of a batch whatever the target says. Price: memory, about 20 KB a record (the pages it
  // touches).
  std::uint64_t batch_records = 1600;
  std::uint64_t batch_bytes = std::uint64_t{8} << 20;  // bodies as stored, of one reading; a batch may take several
  // One envelope, decompressed. Must not be smaller than what intake accepts, or envelopes that
  // were accepted are counted as invalid. Price: memory for one envelope at a time.
  std::uint64_t max_envelope_bytes = std::uint64_t{256} << 20;
  // Error events that claim to be older are filed under the time they came in.
  Duration max_event_age = Duration(std::int64_t{90} * 24 * 3600 * 1000);
};

void bind(Settings& settings, DigestConfig& config);

// [geoip] of the configuration.
struct GeoipConfig {
  // A MaxMind database (GeoLite2-City.mmdb …) by which events show where their user's address is;
  // empty: they do not. Read anew on SIGHUP. Price: the file is mapped, some 60 MB of address space.
  std::string path;
};

void bind(Settings& settings, GeoipConfig& config);

}  // namespace picket::digest

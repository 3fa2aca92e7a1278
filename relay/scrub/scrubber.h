// Takes sensitive data out of an item before it is stored: Sentry's server-side data scrubbing.
//
// Which rules apply comes from a project's settings: the default rules, sensitive and safe fields,
// IP addresses, and Sentry's "advanced data scrubbing" (relayPiiConfig). What they do to an item is
// what Relay does to it (docs.sentry.io, "Advanced Data Scrubbing" and "PII configuration").
//
// An item is read once. One that nothing matches is not copied: scrub() returns nothing. In one
// that changes, the bytes of the matched values and of `_meta` change, and no others.
//
// THREADS  A Scrubber is immutable: any number of threads may scrub with one.
#pragma once

#include "buffer/result.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/json_index.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace picket::scrub {

// A project's (or organization's) settings under their names in Sentry's API:
// dataScrubber, dataScrubberDefaults, scrubIPAddresses, sensitiveFields, safeFields,
// relayPiiConfig.
struct Settings {
  bool scrub_data = true;
  bool scrub_defaults = true;  // the default rules; only with scrub_data
  bool scrub_ip_addresses = false;
  std::vector<std::string> sensitive_fields;  // only with scrub_data
  std::vector<std::string> safe_fields;  // names or selectors that all of the above leave alone
  std::string pii_config_json;           // "" for none; not subject to safe_fields
};

// Items of more JSON than this are left as they are; so are recordings with such an event in them.
constexpr std::size_t max_json_bytes = std::size_t{16} * 1024 * 1024;
// What the recordings of one envelope may come to, inflated: those that go beyond are left as they are.
constexpr std::size_t max_recording_bytes = std::size_t{100} * 1024 * 1024;
// pii_config_json and the lists of fields may not be larger than this.
constexpr std::size_t max_settings_bytes = std::size_t{256} * 1024;

class Scrubber {
 public:
  // Malformed: which rule or selector, and why. Costs up to some milliseconds.
  static Result<Scrubber> make(const Settings& settings);

  // The item's payload without what the rules match; nothing when nothing matched, and for bytes that are not
  // what the item's type says. Valid JSON stays valid; what is not quite JSON is mended when something in it
  // matches (json_repair.h), and what cannot be mended stays as it came. Linear in the payload.
  std::optional<std::string> scrub(const relay::Item& item) const;
  // The same with an index of the item's payload that others read, too. Recordings are taken from
  // `recording_bytes`, which begins as `max_recording_bytes` for each envelope.
  std::optional<std::string> scrub(const relay::Item& item,
                                   relay::IndexedJson& payload,
                                   std::size_t& recording_bytes) const;

  // False when no settings ask for anything: scrub() would return nothing whatever it is given.
  bool does_anything() const;

 private:
  struct State;
  explicit Scrubber(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace picket::scrub

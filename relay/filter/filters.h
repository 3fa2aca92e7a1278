// Inbound filters: which items a project does not want, and under which of Sentry's reason codes
// they are counted.
//
// Order, the first that holds decides: generic (by id) → invalid-csp → ip-address → release-version
// → error-message (hydration and chunk errors by their own names) → localhost → browser-extensions
// → legacy-browsers → web-crawlers → filtered-transaction.
// https://docs.sentry.io/concepts/data-management/filtering/
//
// THREADS  Immutable; from any thread.
#pragma once

#include "buffer/result.h"
#include "relay/filter/address.h"
#include "relay/filter/condition.h"
#include "relay/filter/event_facts.h"
#include "relay/filter/user_agent.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/glob.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::filter {

// As an operator says it. Everything is off unless asked for.
struct FilterOptions {
  bool browser_extensions = false;
  bool localhost = false;
  bool web_crawlers = false;
  bool filtered_transactions = false;
  bool hydration_errors = false;
  bool chunk_load_errors = false;
  std::vector<std::string> legacy_browsers{};  // names of sub-filters
  std::vector<std::string> addresses{};        // addresses and networks
  std::vector<std::string> releases{};         // globs
  std::vector<std::string> error_messages{};   // globs on "Type: value", the type or the value
  std::vector<std::string> csp_sources{};      // scheme://*.host:port
  struct Generic {
    std::string id;         // becomes the reason code
    std::string condition;  // JSON
  };
  std::vector<Generic> generic{};
};

// What is known of an item beside its own bytes.
struct Sent {
  std::string_view client_address{};
  std::string_view user_agent{};  // of the request, for items that carry none
  std::string_view trace{};       // JSON of the envelope header's `trace`, "" when absent
};

class Filters {
 public:
  // The error says which entry is wrong.
  static Result<Filters> make(const FilterOptions& options);

  bool empty() const { return empty_; }

  // The reason code, "" when the item may pass. Client reports and check-ins always may.
  std::string_view judge(const relay::Item& item, const Sent& sent) const;
  // The same with an index of the item's payload that others read, too.
  std::string_view judge(const relay::Item& item,
                         const Sent& sent,
                         relay::IndexedJson& payload) const;

 private:
  struct CspSource {
    std::string scheme;  // "" for any, as are the others
    std::string host;    // a leading "*." was taken off
    std::string port;
    bool subdomains = false;
  };
  static CspSource parse_csp_source(std::string_view text);
  static bool matches(const CspSource& source, std::string_view url);

  std::string_view judge_generic(const relay::Item& item, const Sent& sent) const;
  bool blocks_csp(relay::IndexedJson& payload) const;
  bool blocks_address(std::string_view address) const;
  std::string_view judge_event(const EventFacts& facts, bool transaction) const;
  std::string_view judge_errors(const EventFacts& facts) const;
  std::string_view judge_user_agent(std::string_view user_agent) const;

  FilterOptions options_;  // the flags and generic ids of it
  std::vector<Network> networks_;
  relay::GlobSet releases_;
  relay::GlobSet error_messages_;
  LegacyBrowsers legacy_browsers_;
  std::vector<CspSource> csp_sources_;
  std::vector<std::pair<std::string, Condition>> generic_;
  std::uint8_t event_needs_ = 0;
  bool empty_ = true;
};

}  // namespace picket::filter

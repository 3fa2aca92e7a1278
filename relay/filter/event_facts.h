// The few members of an event that filters look at, read in one pass without building a tree.
//
// Reads what SDKs send, legacy spellings included (sentry.interfaces.Exception, a plain list of
// exceptions, a message that is an object). What does not parse reads as far as it goes.
//
// THREADS  Any; the views point into the payload, or into a buffer of the thread that its next read_event()
//          or read_csp() uses again.
#pragma once

#include "relay/protocol/json_index.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace picket::filter {

// Members that nobody asks for are passed over.
enum Need : std::uint8_t {
  need_errors = 1,   // messages and exceptions
  need_source = 2,   // where each exception was thrown
  need_request = 4,  // url, User-Agent, hosts
  need_user = 8,     // ip_address
  need_release = 16,
  need_transaction = 32,
};

struct ErrorFact {
  std::string_view type;
  std::string_view value;
  std::string_view source;  // address of the innermost frame that has one
};

struct EventFacts {
  static constexpr std::size_t most_errors = 50;

  std::vector<ErrorFact> errors;
  std::string_view message;  // formatted when there is one
  std::string_view release;
  std::string_view transaction;
  std::string_view user_address;
  std::string_view url;
  std::string_view user_agent;
  std::string_view host;
  std::string_view forwarded_host;
};

EventFacts read_event(relay::IndexedJson& payload, std::uint8_t needs);

// The sources of a CSP report: what was blocked, and the file that asked for it.
struct CspFacts {
  std::string_view blocked;
  std::string_view source;
};
CspFacts read_csp(relay::IndexedJson& payload);

}  // namespace picket::filter

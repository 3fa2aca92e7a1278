// An endpoint that takes something in is one rule in a table: which paths and methods, how large,
// and how its body becomes an envelope. Everything behind that is the same for all: intake makes
// ONE journal record of the envelope, and answers once it is durable.
//
// To add one: an enumerator in route.h with its name, a rule in endpoints.cpp, a converter in a
// file of its own.
// THREADS  Everything here from any thread; converters keep nothing.
#pragma once

#include "buffer/clock.h"
#include "buffer/spool.h"
#include "relay/http/message.h"
#include "relay/ingest/config.h"
#include "relay/ingest/gate.h"
#include "relay/ingest/refusal.h"
#include "relay/ingest/route.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace picket::ingest {

// What a converter sees of a request that has passed the gate.
struct Inbound {
  const http::RequestHead& head;
  const Route& route;
  std::string_view body;  // its Content-Encoding undone, within the rule's limit
  const Sender& sender;
  const IngestConfig& config;
  Time now;
  buffer::ByteRoom room = {};  // for what is made of it
};

// What a converter makes of it.
struct Converted {
  buffer::Bytes envelope;                // bytes, ready for parse_envelope(); without items: no record
  std::optional<http::Response> answer;  // once durable; none: {"id": …} of the envelope
  std::string client;                    // who is said to have sent it, when nobody else does
  // Taken in beside it as if they had come to the envelope endpoint by themselves: an envelope holds
  // one event at most. What becomes of them is in no answer but the ledger.
  std::vector<std::string> more;
  std::vector<DroppedItems> dropped;     // what was beside the items of the envelope
};
using Converter = std::variant<Converted, Refusal> (*)(const Inbound& inbound);

// What a GET of an endpoint is answered from, where nothing is taken in.
struct PageContext {
  const http::RequestHead& head;
  const Route& route;
  const Gate& gate;
  const IngestConfig& config;
  std::string_view bundle;  // of the JavaScript SDK, "" when the operator gave none
};
using Page = http::Response (*)(const PageContext& context);

struct EndpointRule {
  Endpoint endpoint = Endpoint::unknown;
  // Segments between slashes; {project}, {key} and {name} stand for any one and fill the route.
  std::string_view pattern;
  // By which something is taken in, separated by ", "; OPTIONS is answered on all.
  std::string_view methods = "POST";
  // None: the body is an envelope, and may name its key itself.
  Converter convert = nullptr;
  // Of the body, as sent and as decoded.
  std::size_t (*most_bytes)(const IngestConfig& config) = nullptr;
  // False: a sender that takes 429 for a failure of its own job is told that all is well. What it
  // sent is dropped and counted all the same.
  bool may_answer_429 = true;
  // True: never converted on an I/O thread, however small it came.
  bool takes_long = false;
  Page page = nullptr;  // what GET and HEAD show
};

// The frequent ones first: paths are matched in this order.
std::span<const EndpointRule> endpoint_rules();

// The rule of an endpoint; none for those that take nothing in.
const EndpointRule* find_rule(Endpoint endpoint);

// The rule by which a request is taken in: an envelope is one wherever its content type says so
// that store takes it.
const EndpointRule* find_rule(const Route& route, const http::RequestHead& head);

bool allows(const EndpointRule& rule, std::string_view method);
std::string allowed_methods(const EndpointRule& rule);  // of an Allow header

}  // namespace picket::ingest

// From a request with its body to the record that the journal keeps, or the reason why not.
//
//   head ─► gate ─► decode ─► (convert) ─► parse ─► gate (dsn) ─► (uploads) ─► limits ─► pipeline ─► record
//
// A body in one coding is kept as it came; a larger one in none, or in several, is kept as zstd.
// THREADS  take_in() from any thread; nothing is shared but the project directory and the quota book.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "relay/http/message.h"
#include "relay/ingest/config.h"
#include "relay/ingest/endpoint.h"
#include "relay/ingest/gate.h"
#include "relay/ingest/pipeline.h"
#include "relay/ingest/refusal.h"
#include "relay/ingest/request_body.h"
#include "relay/ingest/route.h"
#include "relay/ingest/shedding.h"
#include "relay/ingest/upload_store.h"
#include "relay/ingest/upstream_limits.h"

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace picket::ingest {

struct Taken {
  Sender sender;
  http::Response answer;  // for success
  std::vector<ItemCount> items;
  std::vector<DroppedItems> dropped;     // beside `items`, not among them
  std::vector<std::string> more;         // envelopes that are to be taken in beside this one
  std::optional<buffer::Record> record;  // none: an envelope without items, nothing to keep
  std::vector<std::string> uploads;      // whose bytes are in the record
};

// What the head alone tells of a request that may go on.
struct Passed {
  std::optional<Sender> sender;  // none: only the envelope can say
  std::size_t most_bytes = 0;    // of the body as sent
};

// The request is as it was: to be taken in at a workplace that has more time.
struct TooMuch {};

class Intake {
 public:
  // `uploads` are what envelopes may refer to, `upstream_limits` what answers tell beside our own; either
  // may be none. Without `shedding` there is always room.
  Intake(const Gate& gate, const Pipeline& pipeline, const IngestConfig& config, const UploadStore* uploads = nullptr,
         const UpstreamLimits* upstream_limits = nullptr, const Shedding* shedding = nullptr)
      : gate_(gate),
        pipeline_(pipeline),
        config_(config),
        uploads_(uploads),
        upstream_limits_(upstream_limits),
        shedding_(shedding) {}

  // Uses up the request's body. REQUIRES: the route's endpoint has a rule that allows the method.
  std::variant<Taken, Refusal, TooMuch> take_in(http::Request& request,
                                                const Route& route,
                                                Time now,
                                                const Workplace& workplace) const;

  // What can be decided before the body is read. REQUIRES: as above.
  std::variant<Passed, Refusal> check_head(const http::RequestHead& head, const Route& route) const;

 private:
  const Gate& gate_;
  const Pipeline& pipeline_;
  const IngestConfig& config_;
  const UploadStore* const uploads_;
  const UpstreamLimits* const upstream_limits_;
  const Shedding* const shedding_;
};

}  // namespace picket::ingest

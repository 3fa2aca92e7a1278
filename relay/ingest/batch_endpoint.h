// Many envelopes in one request, from another Picket (docs/batches.md). Each is taken in as if it had
// come by itself, and has its own line in the answer, which leaves when the last of them has one.
//
// INVARIANT  A line that says 2xx was written after the commit that holds its envelope.
// INVARIANT  Nothing of a request that breaks off has been taken in: the body is there before its first
//            envelope is looked at.
// THREADS    admit() and handle() on I/O threads, without waiting; envelopes on two threads of its own.
#pragma once

#include "relay/http/message.h"
#include "relay/http/worker_pool.h"
#include "relay/ingest/ledger.h"

#include <functional>
#include <memory>

namespace picket::ingest {

class BatchEndpoint {
 public:
  // Takes in what came to the envelope endpoint; the answer may come on any thread.
  using TakeIn = std::function<void(http::Request request, http::Responder responder)>;

  BatchEndpoint(std::shared_ptr<Ledger> ledger, TakeIn take_in);

  http::Admission admit(const http::RequestHead& head) const;
  void handle(http::Request request, http::Responder responder);
  // The server refused the body. What was in it is still with the sender, and not counted here.
  void on_refused(const http::Response& response) const;
  // Those that wait are answered 500.
  void stop() { pool_.stop(); }

 private:
  void take_apart(const http::Request& request, http::Responder responder) const;
  void respond(http::Responder responder, http::Response response) const;

  const std::shared_ptr<Ledger> ledger_;
  const TakeIn take_in_;
  http::WorkerPool pool_;  // last: stops before what it uses goes
};

}  // namespace picket::ingest

// Resumable uploads by the TUS protocol, version 1.0.0 (https://tus.io/protocols/resumable-upload),
// with its extensions creation, creation-with-upload, expiration and termination.
//
//   POST   /api/{project}/upload/            begins one: 201, Location
//   PATCH  /api/{project}/upload/{id}/?…     bytes from Upload-Offset on: 204 once they are on the disk
//   HEAD                                     how far it is; ends a PATCH that hangs in a broken link
//   DELETE                                   gives it up
//
// Only what begins an upload needs a key of the project: after that, the signed location is enough.
// The account knows an upload as one attachment: when it is refused, when it expires, and else as
// part of the envelope that refers to it.
//
// THREADS  admit() and on_refused() on I/O threads, without waiting; all that syncs on two threads of
//          its own.
#pragma once

#include "buffer/clock.h"
#include "relay/http/message.h"
#include "relay/http/worker_pool.h"
#include "relay/ingest/config.h"
#include "relay/ingest/gate.h"
#include "relay/ingest/ledger.h"
#include "relay/ingest/quota_book.h"
#include "relay/ingest/route.h"
#include "relay/ingest/upload_store.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace picket::ingest {

class UploadEndpoint {
 public:
  // Says whether nothing can be taken at the moment, and why.
  using Outage = std::function<std::optional<Refusal>(const std::optional<Sender>& sender)>;

  // REQUIRES: all outlive it.
  UploadEndpoint(std::shared_ptr<UploadStore> store,
                 const Gate& gate,
                 QuotaBook& quotas,
                 const IngestConfig& config,
                 std::shared_ptr<Ledger> ledger,
                 Outage outage);

  http::Admission admit(const http::RequestHead& head, const Route& route);
  void handle(http::Request request, http::Responder responder);
  // The body was refused on its way; what the upload had by then it keeps.
  void on_refused(const http::RequestHead& head, const Route& route, http::Response& response);

  const std::shared_ptr<UploadStore>& store() const { return store_; }
  // Lets go of uploads that are over, and counts those that nobody came back to.
  void tidy();
  void stop() { pool_.stop(); }

 private:
  using Found = std::variant<std::shared_ptr<Upload>, http::Response>;

  http::Admission begin(const http::RequestHead& head, const Route& route);
  http::Admission go_on(const http::RequestHead& head, const Route& route);
  // The upload of a request that may go on with it, or the answer why not.
  Found find(const http::RequestHead& head, const Route& route) const;
  std::optional<Refusal> check_new(const http::RequestHead& head, std::uint64_t& length) const;
  std::optional<Refusal> check_room(const std::optional<Sender>& sender) const;

  http::Response answer(const http::Request& request);
  http::Response kept(UploadWriter& writer, const http::RequestHead& head);
  http::Response shown(Upload& upload) const;
  http::Response preflight() const;
  // Counts what was to become an attachment.
  http::Response refuse(Refusal refusal) const;
  // With the fields that belong to every answer, counted.
  http::Response finished(http::Response response) const;
  std::string expiry_of(const Upload& upload) const;

  const std::shared_ptr<UploadStore> store_;
  const Gate& gate_;
  QuotaBook& quotas_;
  const IngestConfig& config_;
  const std::shared_ptr<Ledger> ledger_;
  const Outage outage_;
  http::WorkerPool pool_;  // last: stops before what it uses goes
};

}  // namespace picket::ingest

// Ingest as it runs: real sockets, a real journal, real tables.
#pragma once

#include "relay/http/server.h"
#include "relay/ingest/desk.h"
#include "support/http_client.h"

#include <memory>
#include <string>
#include <vector>

namespace picket::ingest {

class ServedIngest : public ::testing::Test {
 protected:
  ServedIngest() {
    tables = *buffer::Tables::open({.path = folder / "tables.mdb"});
    put_project(*tables, 1);
    put_project(*tables, 3, false);
    put_key(*tables, good_key, 1);
    put_key(*tables, disabled_key, 1, false);
    put_key(*tables, sleeping_key, 3);
    buffer::JournalOptions options;
    options.folder = folder / "journal";
    options.segment_bytes = std::uint64_t{64} << 20;
    journal = *buffer::Journal::open(options, clock);
    IngestConfig config;
    config.max_envelope_bytes = 8 << 20;
    ingest = std::make_unique<Ingest>(*journal, *tables, clock, config);
    http::Service service;
    service.admit = [this](const http::RequestHead& head) { return ingest->admit(head); };
    service.handle = [this](http::Request request, http::Responder responder) {
      ingest->handle(std::move(request), std::move(responder));
    };
    http::ServerOptions server_options;
    server_options.port = 0;
    server = *http::Server::start(server_options, service);
  }
  ~ServedIngest() override {
    server->stop();
    server.reset();
    ingest.reset();
  }

  std::vector<std::string> stored() const {
    std::vector<std::string> envelopes;
    buffer::Sequence next = 1;
    while (true) {
      const auto batch = journal->read(next, 1 << 20, 1'000);
      EXPECT_TRUE(batch);
      if (!batch || batch->records.empty()) return envelopes;
      for (const auto& record : batch->records) {
        if (record.kind != buffer::RecordKind::envelope) continue;
        envelopes.push_back(
            *relay::decode(record.body, static_cast<relay::Coding>(record.coding), 1 << 30));
      }
      next = batch->next;
    }
  }
  static std::string target() {
    return "/api/1/envelope/?sentry_version=7&sentry_key=" + std::string(good_key);
  }

  testing::TempDir folder;
  SystemClock clock;
  std::unique_ptr<buffer::Tables> tables;
  std::unique_ptr<buffer::Journal> journal;
  std::unique_ptr<Ingest> ingest;
  std::unique_ptr<http::Server> server;
};

}  // namespace picket::ingest

// An Ingest over a fake journal and real tables, and the shortest way to put a request before it.
#pragma once

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "buffer/tables.h"
#include "relay/ingest/ingest.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/envelope.h"
#include "support/fake_clock.h"
#include "support/fake_journal.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace picket::ingest {

constexpr std::string_view good_key = "a1b2c3d4e5f60718293a4b5c6d7e8f90";
constexpr std::string_view other_key = "0f0e0d0c0b0a09080706050403020100";
constexpr std::string_view disabled_key = "11111111111111111111111111111111";
constexpr std::string_view sleeping_key =
    "22222222222222222222222222222222";  // of a disabled project
constexpr std::string_view unknown_key = "ffffffffffffffffffffffffffffffff";
constexpr std::string_view some_id = "9ec79c33ec9942ab8353589fcb2e04dc";

inline void put_project(buffer::Batch& batch, std::uint64_t id, bool enabled = true) {
  schema::Project project;
  project.set_id(id);
  project.set_status(enabled ? 0 : 1);
  buffer::put_row(batch, buffer::Table::projects, buffer::Key().u64(id), project);
}
inline void put_project(buffer::Tables& tables, std::uint64_t id, bool enabled = true) {
  ASSERT_TRUE(tables.write([&](buffer::Batch& batch) { put_project(batch, id, enabled); }));
}

inline void put_key(buffer::Batch& batch,
                    std::string_view hex,
                    std::uint64_t project,
                    bool enabled = true) {
  schema::ProjectKey key;
  key.set_public_key(std::string(hex));
  key.set_project(project);
  key.set_disabled(!enabled);
  buffer::put_row(batch, buffer::Table::project_keys, hex, key);
}
inline void put_key(buffer::Tables& tables,
                    std::string_view hex,
                    std::uint64_t project,
                    bool enabled = true) {
  ASSERT_TRUE(tables.write([&](buffer::Batch& batch) { put_key(batch, hex, project, enabled); }));
}

inline void raise_generation(buffer::Tables& tables, std::uint64_t generation) {
  const auto written = tables.write([&](buffer::Batch& batch) {
    batch.put(buffer::Table::meta, "projects_generation", buffer::Key().u64(generation));
  });
  ASSERT_TRUE(written);
}

// Collects the one answer of a request.
struct Collector final : http::Responder::Sink {
  void send(http::Response response) override {
    const std::lock_guard lock(mutex);
    EXPECT_FALSE(answer.has_value()) << "answered twice";
    answer = std::move(response);
  }
  std::optional<http::Response> taken() {
    const std::lock_guard lock(mutex);
    return answer;
  }
  std::mutex mutex;
  std::optional<http::Response> answer;
};

using Fields = std::vector<std::pair<std::string, std::string>>;

inline http::Request make_request(std::string method,
                                  std::string_view target,
                                  Fields fields = {},
                                  std::string body = {}) {
  http::Request request;
  request.head.method = std::move(method);
  request.head.target = target;
  request.head.path = target.substr(0, target.find('?'));
  const auto question = target.find('?');
  if (question != std::string_view::npos) request.head.query = target.substr(question + 1);
  for (auto& [name, value] : fields)
    request.head.headers.add(std::move(name), std::move(value));
  request.head.peer = "198.51.100.7";
  request.body = std::move(body);
  return request;
}

inline std::string auth(std::string_view key) {
  return "Sentry sentry_version=7, sentry_client=test/1.0, sentry_key=" + std::string(key);
}

// One item with an explicit length.
inline std::string item(std::string_view type,
                        std::string_view payload,
                        std::string_view more = {}) {
  return R"({"type":")" + std::string(type) + R"(","length":)" + std::to_string(payload.size()) +
         std::string(more) + "}\n" + std::string(payload) + "\n";
}

inline std::string event_envelope(std::string_view payload = R"({"message":"hi"})") {
  return R"({"event_id":")" + std::string(some_id) + "\"}\n" + item("event", payload);
}

class DeskTest : public ::testing::Test {
 protected:
  explicit DeskTest(const IngestConfig& config = {}) {
    tables = *buffer::Tables::open({.path = folder / "tables.mdb"});
    const auto written = tables->write([](buffer::Batch& batch) {
      put_project(batch, 1);
      put_project(batch, 2);
      put_project(batch, 3, false);
      put_key(batch, good_key, 1);
      put_key(batch, other_key, 2);
      put_key(batch, disabled_key, 1, false);
      put_key(batch, sleeping_key, 3);
    });
    EXPECT_TRUE(written);
    ingest = std::make_unique<Ingest>(journal, *tables, clock, config);
  }

  // As the server does it: admit, then handle. Nothing while the answer is held back.
  std::shared_ptr<Collector> start(http::Request request) {
    auto collector = std::make_shared<Collector>();
    auto admission = ingest->admit(request.head);
    if (auto* refused = std::get_if<http::Response>(&admission)) {
      collector->send(std::move(*refused));
    } else {
      ingest->handle(std::move(request), http::Responder(collector));
    }
    return collector;
  }
  http::Response ask(http::Request request) {
    const auto answer = start(std::move(request))->taken();
    EXPECT_TRUE(answer) << "no answer";
    return answer.value_or(http::Response{});
  }
  http::Response post(std::string_view target, std::string body, Fields fields = {}) {
    return ask(make_request("POST", target, std::move(fields), std::move(body)));
  }
  // An envelope with a good key.
  http::Response send(std::string body, Fields fields = {}) {
    fields.emplace_back("X-Sentry-Auth", auth(good_key));
    return post("/api/1/envelope/", std::move(body), std::move(fields));
  }

  buffer::Record only_record() const {
    const auto records = journal.records();
    EXPECT_EQ(records.size(), 1U);
    return records.empty() ? buffer::Record{} : records.front();
  }
  static std::string decoded(const buffer::Record& record) {
    const auto bytes =
        relay::decode(record.body, static_cast<relay::Coding>(record.coding), std::size_t{1} << 30);
    EXPECT_TRUE(bytes);
    return bytes ? *bytes : std::string();
  }
  static schema::IntakeMeta meta_of(const buffer::Record& record) {
    schema::IntakeMeta meta;
    EXPECT_TRUE(meta.ParseFromString(record.meta));
    return meta;
  }
  // Every sum that was written to the journal as outcomes, after a flush.
  std::vector<schema::OutcomeCount> outcomes() {
    ingest->flush_outcomes();
    std::vector<schema::OutcomeCount> sums;
    for (const auto& record : journal.records(buffer::RecordKind::outcomes)) {
      schema::OutcomeCounts counts;
      EXPECT_TRUE(counts.ParseFromString(std::string(record.body)));
      sums.insert(sums.end(), counts.counts().begin(), counts.counts().end());
    }
    return sums;
  }

  testing::TempDir folder;
  testing::FakeClock clock;
  std::unique_ptr<buffer::Tables> tables;
  testing::FakeJournal journal;
  std::unique_ptr<Ingest> ingest;  // last: gone before what it uses
};

}  // namespace picket::ingest

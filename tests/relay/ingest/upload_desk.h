// DeskTest with a store for resumable uploads, and the shortest way to speak TUS to it.
#pragma once

#include "relay/ingest/desk.h"
#include "relay/ingest/upload_store.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

namespace picket::ingest {

class UploadDeskTest : public DeskTest {
 protected:
  UploadDeskTest() {
    clock.set(SystemClock().now());  // files have the system's time
    restart();
  }

  // As after a kill: what is on the disk is all there is.
  void restart() {
    ingest.reset();
    store.reset();
    auto opened = UploadStore::open(upload_options(config, folder.path(), nullptr), clock);
    ASSERT_TRUE(opened) << opened.error().detail;
    store = *opened;
    ingest = std::make_unique<Ingest>(journal, *tables, clock, config, store);
  }

  // As the server does it: the body goes to the sink as it comes in, and what refuses it is told.
  http::Response ask(http::Request request) {
    auto admission = ingest->admit(request.head);
    if (auto* refused = std::get_if<http::Response>(&admission)) return std::move(*refused);
    auto& terms = std::get<http::ReadBody>(admission);
    std::optional<unsigned> stopped;
    if (request.body.size() > terms.max_bytes) stopped = 413;
    if (terms.sink && !stopped) {
      constexpr std::size_t piece = 1000;
      auto rest = request.body.view();
      for (; !rest.empty() && !stopped; rest.remove_prefix(std::min(piece, rest.size()))) {
        if (const auto stop = terms.sink->take(rest.substr(0, piece))) stopped = stop->status;
      }
      request.body = {};
    }
    if (stopped) {
      http::Response response;
      response.status = *stopped;
      ingest->on_refused(request.head, response);
      return response;
    }
    request.body_sink = std::move(terms.sink);
    auto collector = std::make_shared<Collector>();
    ingest->handle(std::move(request), http::Responder(collector));
    while (!collector->taken()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return *collector->taken();
  }

  static Fields tus(Fields more = {}) {
    more.emplace_back("Tus-Resumable", "1.0.0");
    return more;
  }
  static std::string create_target(std::string_view key = good_key) {
    return "/api/1/upload/?sentry_key=" + std::string(key);
  }
  http::Response create(std::uint64_t length, Fields more = {}) {
    more.emplace_back("Upload-Length", std::to_string(length));
    return ask(make_request("POST", create_target(), tus(std::move(more))));
  }
  // Where a new upload of that length is.
  std::string created(std::uint64_t length) {
    const auto response = create(length);
    EXPECT_EQ(response.status, 201U) << response.body;
    return std::string(response.headers.find("Location"));
  }
  static Fields patch_fields(std::uint64_t offset) {
    return tus({{"Upload-Offset", std::to_string(offset)}, {"Content-Type", "application/offset+octet-stream"}});
  }
  http::Response patch(const std::string& location, std::uint64_t offset, std::string bytes) {
    return ask(make_request("PATCH", location, patch_fields(offset), std::move(bytes)));
  }
  http::Response head(const std::string& location) { return ask(make_request("HEAD", location, tus())); }
  // A whole upload's place.
  std::string uploaded(const std::string& bytes) {
    auto location = created(bytes.size());
    EXPECT_EQ(patch(location, 0, bytes).status, 204U);
    return location;
  }
  // The sink of a request whose body is still on its way.
  std::shared_ptr<http::BodySink> patching(const std::string& location, std::uint64_t offset) {
    auto admission = ingest->admit(make_request("PATCH", location, patch_fields(offset)).head);
    auto* terms = std::get_if<http::ReadBody>(&admission);
    EXPECT_TRUE(terms != nullptr && terms->sink);
    return terms == nullptr ? nullptr : std::move(terms->sink);
  }

  // From now on project 1 may have so many bytes of attachments a minute.
  void limit_attachments(std::uint64_t bytes) {
    const auto written = tables->write([bytes](buffer::Batch& batch) {
      schema::Project project;
      project.set_id(1);
      project.set_organization(1);
      project.set_options_json(
          R"({"options":{"picket:quotas":[{"id":"a","categories":["attachment"],"window":60,"reasonCode":"files","limit":)" +
          std::to_string(bytes) + "}]}}");
      buffer::put_row(batch, buffer::Table::projects, buffer::Key().u64(1), project);
      batch.put(buffer::Table::meta, "projects_generation", buffer::Key().u64(7));
    });
    ASSERT_TRUE(written);
    ingest->refresh_projects();
  }

  std::size_t files() const {
    const std::filesystem::directory_iterator all(folder / "uploads");
    return static_cast<std::size_t>(std::count_if(begin(all), end(all), [](const auto& entry) {
      return entry.path().filename().string().find('.') != std::string::npos;
    }));
  }
  // outcome/reason/category → quantity
  using Sums = std::map<std::string, std::uint64_t>;
  Sums dropped() {
    Sums sums;
    for (const auto& row : outcomes()) {
      sums[std::string(wire_name(static_cast<relay::Outcome>(row.outcome()))) + "/" + row.reason() + "/" +
           std::string(wire_name(static_cast<relay::DataCategory>(row.category())))] += row.quantity();
    }
    return sums;
  }

  IngestConfig config;
  std::shared_ptr<UploadStore> store;
};

}  // namespace picket::ingest

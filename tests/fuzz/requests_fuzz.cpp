// Whole requests, one after the other, as the server hands them to intake: every endpoint, uploads that go on
// over several requests, and a project whose settings change what comes. Each is answered once, with a status
// that is documented, and not an item is lost: what was received is in the journal or dropped for a reason.
//
//   input   := request ( "\n====\n" request )*
//   request := method ' ' target '\n' ( name ':' value '\n' )* '\n' body
//
// "@@" in a target stands for the location of the last upload that was begun.

#include "fuzz/converter_checks.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "buffer/tables.h"
#include "relay/http/request_parser.h"
#include "relay/http/response_head.h"
#include "relay/ingest/ingest.h"
#include "relay/ingest/upload_location.h"
#include "relay/protocol/content_encoding.h"
#include "support/fake_clock.h"
#include "support/memory_journal.h"
#include "support/temp_dir.h"

#include <algorithm>
#include <array>
#include <optional>
#include <semaphore>
#include <vector>

namespace picket::ingest {

using fuzz::check;

namespace {

constexpr std::string_view key = "a1b2c3d4e5f60718293a4b5c6d7e8f90";
constexpr std::string_view strict_key = "0f0e0d0c0b0a09080706050403020100";
// Everything that intake can be asked to do, but for quotas: they would remember the inputs before.
constexpr std::string_view strict_options =
    R"({"sensitiveFields":["zip"],"safeFields":["keep"],"scrubIPAddresses":true,"allowedDomains":["shop.example"],)"
    R"("relayPiiConfig":"{\"rules\":{\"p\":{\"type\":\"pattern\",\"pattern\":\"s[e3]cret\"}},\"applications\":{\"$string\":[\"p\"],\"$binary\":[\"p\"]}}",)"
    R"("options":{"filters:localhost":true,"filters:browser-extensions":true,"filters:web-crawlers":true,)"
    R"("filters:error_messages":"*boom*","filters:releases":"0.*","filters:blacklisted_ips":"10.0.0.0/8",)"
    R"("filters:legacy-browsers":["default"],"picket:quotas":[{"id":"no","categories":["profile"],"limit":0,"window":60}]}})";

void put_project(buffer::Batch& batch, std::uint64_t id, std::string_view its_key, std::string_view options) {
  schema::Project project;
  project.set_id(id);
  project.set_options_json(std::string(options));
  buffer::put_row(batch, buffer::Table::projects, buffer::Key().u64(id), project);
  schema::ProjectKey row;
  row.set_public_key(std::string(its_key));
  row.set_project(id);
  buffer::put_row(batch, buffer::Table::project_keys, its_key, row);
}

IngestConfig small_limits() {
  IngestConfig config;
  config.max_envelope_bytes = 300'000;
  config.max_event_bytes = 50'000;
  config.max_attachment_bytes = 100'000;
  config.max_replay_bytes = 50'000;
  config.max_profile_bytes = 50'000;
  config.max_items = 100;
  return config;
}

// Lives as long as the process.
struct Desk {
  Desk() {
    clock.set(SystemClock().now());  // files have the system's time
    // OpenSSL's own end must come after that of the threads that use it.
    (void)render_upload_location({1, {}, 1}, "a secret");
    tables = *buffer::Tables::open({.path = folder / "tables.mdb"});
    const auto written = tables->write([](buffer::Batch& batch) {
      put_project(batch, 1, key, "");
      put_project(batch, 2, strict_key, strict_options);
    });
    check(static_cast<bool>(written), "projects are made");
    store = *UploadStore::open(upload_options(small_limits(), folder.path(), nullptr), clock);
    ingest = std::make_unique<Ingest>(journal, *tables, clock, small_limits(), store);
  }
  testing::TempDir folder;
  testing::FakeClock clock;
  std::unique_ptr<buffer::Tables> tables;
  testing::MemoryJournal journal;
  std::shared_ptr<UploadStore> store;
  std::unique_ptr<Ingest> ingest;  // last: gone before what it uses
};

struct Collector final : http::Responder::Sink {
  void send(http::Response response) override {
    check(!answer.has_value(), "a request is answered once");
    answer = std::move(response);
    answered.release();
  }
  std::optional<http::Response> answer;
  std::binary_semaphore answered{0};
};

std::string_view take_until(std::string_view& text, std::string_view end) {
  const auto part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(part.size() + end.size(), text.size()));
  return part;
}

// What the server's own parser lets through (http_fuzz.cpp).
bool is_field(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
}
bool is_target(std::string_view text) {
  return text.starts_with('/') && is_field(text) && text.find_first_of(" \t") == std::string_view::npos;
}

http::Request read_request(std::string_view text, const std::string& location) {
  http::Request request;
  auto& head = request.head;
  auto line = take_until(text, "\n");
  head.method = take_until(line, " ");
  head.target = line;
  if (const auto at = head.target.find("@@"); at != std::string::npos) head.target.replace(at, 2, location);
  if (!is_target(head.target)) head.target = "/";
  http::split_target(head);
  while (!text.empty()) {
    line = take_until(text, "\n");
    if (line.empty()) break;
    const auto name = take_until(line, ":");
    if (name.empty() || !is_field(name) || !is_field(line)) continue;
    head.headers.add(std::string(name), std::string(line.substr(std::min(line.find_first_not_of(' '), line.size()))));
  }
  head.peer = "198.51.100.7";
  request.body = std::string(text);
  return request;
}

// As the server does it: the body goes to the sink as it comes in, and what refuses it is told.
http::Response ask(Ingest& ingest, http::Request request) {
  auto admission = ingest.admit(request.head);
  if (auto* refused = std::get_if<http::Response>(&admission)) return std::move(*refused);
  auto& terms = std::get<http::ReadBody>(admission);
  unsigned stopped = request.body.size() > terms.max_bytes ? 413 : 0;
  if (terms.sink && stopped == 0) {
    const auto half = request.body.size() / 2;
    for (const auto piece : {request.body.view().substr(0, half), request.body.view().substr(half)}) {
      const auto stop = terms.sink->take(piece);
      if (stop && stopped == 0) stopped = stop->status;
    }
    request.body = {};
  }
  if (stopped != 0) {
    http::Response response;
    response.status = stopped;
    ingest.on_refused(request.head, response);
    return response;
  }
  request.body_sink = std::move(terms.sink);
  const auto collector = std::make_shared<Collector>();
  ingest.handle(std::move(request), http::Responder(collector));
  collector->answered.acquire();
  return *std::move(collector->answer);
}

void check_answer(const http::Response& response) {
  constexpr std::array<unsigned, 15> documented{200, 201, 202, 204, 400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 429};
  check(std::ranges::find(documented, response.status) != documented.end(), "the status is documented");
  check(http::is_safe(response), "an answer can be sent");
  if (response.status >= 400 && response.content_type == "application/json") check_object(response.body);
}

// In items, as the records' own accounts say.
std::uint64_t check_records(const buffer::Journal& journal, buffer::Sequence from) {
  std::uint64_t stored = 0;
  while (true) {
    const auto batch = journal.read(from, 1'000'000, 100);
    check(static_cast<bool>(batch), "the journal can be read");
    for (const auto& record : batch->records) {
      if (record.kind != buffer::RecordKind::envelope) continue;
      schema::IntakeMeta meta;
      check(meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size())), "a record has an account");
      for (int i = 1; i < meta.item_counts_size(); i += 2) stored += meta.item_counts(i);
      const auto bytes = relay::decode(record.body, static_cast<relay::Coding>(record.coding), 2'000'000);
      check(static_cast<bool>(bytes), "what is stored can be read");
      check(static_cast<bool>(relay::parse_envelope(*bytes)), "what is stored is an envelope");
    }
    if (batch->next == from) return stored;
    from = batch->next;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static Desk desk;
  constexpr std::size_t most_requests = 8;
  auto text = fuzz::as_text(bytes, size);
  const auto& counters = desk.ingest->counters();
  const auto first = desk.journal.use().next;
  const auto received = counters.received();
  const auto dropped = counters.dropped();
  std::string location;
  std::vector<std::string> uploads;
  for (std::size_t i = 0; i < most_requests && !text.empty(); ++i) {
    const auto response = ask(*desk.ingest, read_request(take_until(text, "\n====\n"), location));
    check_answer(response);
    if (response.status != 201 || !response.headers.contains("Location")) continue;
    location = response.headers.find("Location");
    const auto begun = parse_upload_location(location, desk.store->secret());
    check(begun.has_value(), "a location reads back");
    uploads.push_back(begun->id);
  }
  check(counters.waiting() == 0, "nothing is left under way");
  check(counters.received() - received == counters.dropped() - dropped + check_records(desk.journal, first),
        "what was received is stored or dropped");
  for (const auto& id : uploads) {
    if (const auto upload = desk.store->find(id)) desk.store->remove(*upload);
  }
  (void)desk.journal.recycle_before(desk.journal.use().next);
  return 0;
}

}  // namespace picket::ingest

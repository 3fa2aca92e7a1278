// minidump/, unreal/ and attachments/: from a request to the one envelope in the journal.
#include "relay/ingest/desk.h"
#include "support/dump_maker.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace picket::ingest {
namespace {

using namespace std::string_literals;
namespace json = boost::json;
using picket::testing::make_minidump;

std::string part(const std::string& name, const std::string& body) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + body + "\r\n";
}
std::string file(const std::string& name, const std::string& filename, const std::string& body) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"" + filename +
         "\"\r\nContent-Type: application/octet-stream\r\n\r\n" + body + "\r\n";
}

std::string deflated(const std::string& text) {
  auto size = compressBound(text.size());
  std::string out(size, '\0');
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size());
  out.resize(size);
  return out;
}

class FileUploads : public DeskTest {
 protected:
  http::Response upload(const std::string& parts) {
    return post("/api/1/minidump/?sentry_key=" + std::string(good_key), parts + "--B--\r\n",
                {{"Content-Type", "multipart/form-data; boundary=B"}});
  }
  http::Response upload_raw(const std::string& body) {
    return post("/api/1/minidump?sentry_key=" + std::string(good_key), body, {{"Content-Type", "application/x-dmp"}});
  }
  // The one record's envelope; its bytes live in the fixture.
  relay::Envelope envelope() {
    bytes_ = decoded(only_record());
    auto parsed = relay::parse_envelope(bytes_);
    EXPECT_TRUE(parsed) << parsed.error().detail;
    return parsed ? *parsed : relay::Envelope{};
  }
  json::object event() {
    const auto found = envelope();
    if (found.items.empty() || found.items[0].type != "event") return {};
    return json::parse(std::string(found.items[0].payload)).as_object();
  }
  std::string bytes_;
};

TEST_F(FileUploads, ADumpInAFormBecomesAnEventWithAttachments) {
  const auto dump = make_minidump(6);
  const auto answer = upload(part("sentry", R"({"release":"1.0","tags":{"a":"b"}})") +
                             file("upload_file_minidump", "C:\\tmp\\crash.dmp", dump) + part("comment", "it broke") +
                             part("sentry[tags][c]", "d") + part("sentry[tags][a]", "late") +
                             file("some.log", "some.log", "log line") + file("view", "view-hierarchy.json", "{}"));
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8");
  ASSERT_EQ(answer.body.size(), 36U);
  EXPECT_EQ(answer.body[8], '-');
  auto hex = answer.body;
  std::erase(hex, '-');

  const auto found = envelope();
  ASSERT_TRUE(found.fields.event_id);
  EXPECT_EQ(relay::render_event_id(*found.fields.event_id), hex);
  ASSERT_EQ(found.items.size(), 4U);
  EXPECT_EQ(found.items[1].attachment_type, "event.minidump");
  EXPECT_NE(found.items[1].header.find(R"("filename":"crash.dmp")"), std::string_view::npos);
  EXPECT_EQ(found.items[1].payload, dump);
  EXPECT_EQ(found.items[2].attachment_type, "event.attachment");
  EXPECT_EQ(found.items[2].payload, "log line");
  EXPECT_EQ(found.items[3].attachment_type, "event.view_hierarchy");

  const auto fields = event();
  EXPECT_EQ(std::string_view(fields.at("event_id").as_string()), hex);
  EXPECT_EQ(fields.at("platform"), "native");
  EXPECT_EQ(fields.at("level"), "fatal");
  EXPECT_EQ(fields.at("release"), "1.0");
  EXPECT_EQ(fields.at("timestamp"), 1'700'000'000);
  EXPECT_EQ(fields.at("tags"), (json::value{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(fields.at("extra"), (json::value{{"comment", "it broke"}}));
  EXPECT_EQ(fields.at("contexts").at("os").at("name"), "Linux");
  const auto& exception = fields.at("exception").at("values").at(0);
  EXPECT_EQ(exception.at("value"), "Fatal Error: SIGABRT");
  EXPECT_EQ(exception.at("mechanism").at("handled"), false);
}

TEST_F(FileUploads, ARawDumpIsEnoughAlsoCompressedAndInAFormOfItsOwn) {
  const auto dump = make_minidump();
  const auto nested = "--inner\r\nContent-Disposition: form-data; name=\"upload_file_minidump\"; filename=\"x\"\r\n\r\n" +
                      dump + "\r\n--inner--\r\n";
  EXPECT_EQ(upload_raw(dump).status, 200U);
  EXPECT_EQ(upload_raw(relay::encode_gzip(dump, 1)).status, 200U);
  EXPECT_EQ(upload_raw(relay::encode_zstd(dump, 1)).status, 200U);
  EXPECT_EQ(upload_raw(nested).status, 200U);
  EXPECT_EQ(upload(file("upload_file_minidump", "x", relay::encode_gzip(nested, 1))).status, 200U);
  const auto records = journal.records();
  ASSERT_EQ(records.size(), 5U);
  for (const auto& record : records) {
    const auto bytes = decoded(record);
    const auto parsed = relay::parse_envelope(bytes);
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed->items.size(), 2U);
    EXPECT_EQ(parsed->items[1].payload, dump);
  }
}

TEST_F(FileUploads, ReadsTheEventAndBreadcrumbsOfNativeSdks) {
  const auto packed = "\x83\xa8" "event_id\xd9\x20"s + std::string(some_id) + "\xa7release\xa3" "2.0\xa5level\xa5" "error"s;
  const auto older = "\x82\xa9timestamp\xb4" "2024-01-01T00:00:00Z\xa7message\xa3old"s;
  const auto newer = "\x82\xa9timestamp\xb4" "2024-01-02T00:00:00Z\xa7message\xa3new"s;
  const auto answer = upload(file("upload_file_minidump", "d", make_minidump()) + file("__sentry-event", "__sentry-event", packed) +
                             file("__sentry-breadcrumb1", "__sentry-breadcrumb1", newer) +
                             file("__sentry-breadcrumb2", "__sentry-breadcrumb2", older) + part("sentry__2", "\":\"two\"}") +
                             part("sentry__1", "{\"dist"));
  EXPECT_EQ(answer.status, 200U);
  const auto fields = event();
  EXPECT_EQ(std::string_view(fields.at("event_id").as_string()), std::string_view(some_id));
  EXPECT_EQ(fields.at("release"), "2.0");
  EXPECT_EQ(fields.at("level"), "error");
  EXPECT_EQ(fields.at("dist"), "two");
  const auto& crumbs = fields.at("breadcrumbs").at("values").as_array();
  ASSERT_EQ(crumbs.size(), 2U);
  EXPECT_EQ(crumbs[0].at("message"), "old");
  EXPECT_EQ(crumbs[1].at("message"), "new");
  EXPECT_EQ(envelope().items.size(), 2U);
}

// An event that is no UTF-8 could be neither scrubbed nor filtered.
TEST_F(FileUploads, FieldsInAnotherEncodingLeaveTheEventJson) {
  const auto answer = upload(file("upload_file_minidump", "d", make_minidump()) + part("note", "caf\xe9") + part("sentry[user][id]", "\xff"));
  EXPECT_EQ(answer.status, 200U);
  const auto fields = event();
  EXPECT_EQ(fields.at("extra").at("note"), "caf\xef\xbf\xbd");
  EXPECT_EQ(fields.at("user").at("id"), "\xef\xbf\xbd");
}

TEST_F(FileUploads, RefusesWhatIsNoDumpAndCountsIt) {
  EXPECT_EQ(upload_raw("").status, 400U);
  EXPECT_EQ(upload_raw("not a dump").status, 400U);
  EXPECT_EQ(upload_raw("\x1f\x8b broken").status, 400U);
  EXPECT_EQ(upload(part("sentry", "{}")).status, 400U);
  EXPECT_EQ(upload(part("upload_file_minidump", make_minidump())).status, 400U);
  EXPECT_EQ(upload("--B\r\nno end").status, 400U);
  EXPECT_EQ(upload(file("upload_file_minidump", "d", make_minidump()) + file("__sentry-event", "e", "\xc1"s)).status, 400U);
  EXPECT_EQ(post("/api/1/minidump/?sentry_key=" + std::string(good_key), "x", {{"Content-Type", "text/plain"}}).status, 400U);
  EXPECT_TRUE(journal.records().empty());
  std::uint64_t counted = 0;
  for (const auto& sum : outcomes()) counted += sum.quantity();
  EXPECT_EQ(counted, 8U);
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "invalid_minidump"), 2U);
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "missing_minidump_upload"), 3U);
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "invalid_msgpack"), 1U);
}

TEST_F(FileUploads, UnrealsArchiveBecomesAnEvent) {
  const auto archive = picket::testing::make_unreal_archive(
      {{"UE4Minidump.dmp", make_minidump()},
       {"CrashContext.runtime-xml",
        "<FGenericCrashContext><RuntimeProperties><ErrorMessage>Assertion failed</ErrorMessage><UserName>bruno</UserName>"
        "<MachineId>M1</MachineId></RuntimeProperties><GameData><__sentry>{\"release\":\"game@1\"}</__sentry></GameData>"
        "</FGenericCrashContext>"},
       {"Game.log", "line"}},
      true);
  const auto answer = post("/api/1/unreal/" + std::string(good_key) + "/?UserID=u7%7Ce8%7C", deflated(archive));
  EXPECT_EQ(answer.status, 200U);
  const auto fields = event();
  EXPECT_EQ(fields.at("platform"), "native");
  EXPECT_EQ(fields.at("release"), "game@1");
  EXPECT_EQ(fields.at("user"), (json::value{{"id", "u7"}, {"username", "bruno"}}));
  EXPECT_EQ(fields.at("tags"), (json::value{{"epic_account_id", "e8"}, {"machine_id", "M1"}}));
  EXPECT_EQ(fields.at("exception").at("values").at(0).at("value"), "Fatal Error: Assertion failed");
  const auto found = envelope();
  ASSERT_EQ(found.items.size(), 4U);
  EXPECT_EQ(found.items[1].attachment_type, "event.minidump");
  EXPECT_EQ(found.items[2].attachment_type, "unreal.context");
  EXPECT_EQ(found.items[3].attachment_type, "unreal.logs");
  EXPECT_EQ(post("/api/1/unreal/" + std::string(good_key) + "/", archive).status, 400U);
  EXPECT_EQ(post("/api/1/unreal/" + std::string(good_key) + "/", deflated(archive.substr(9))).status, 400U);
}

TEST_F(FileUploads, AttachmentsFollowTheirEvent) {
  const auto target = "/api/1/events/" + std::string(some_id) + "/attachments/";
  const Fields head = {{"Content-Type", "multipart/form-data; boundary=B"}, {"X-Sentry-Auth", auth(good_key)}};
  EXPECT_EQ(post(target, file("a", "a.txt", "text") + file("b", "b.bin", "\0\1"s) + "--B--", head).status, 201U);
  const auto found = envelope();
  EXPECT_EQ(relay::render_event_id(*found.fields.event_id), some_id);
  ASSERT_EQ(found.items.size(), 2U);
  EXPECT_EQ(found.items[1].payload, "\0\1"s);
  EXPECT_EQ(post("/api/1/events/nonsense/attachments/", "--B--", head).status, 400U);
}

TEST_F(FileUploads, ACrashReporterIsNeverTold429) {
  const auto dump = make_minidump();
  journal.set_full(true);
  const auto answer = upload_raw(dump);
  EXPECT_EQ(answer.status, 503U);
}

}  // namespace
}  // namespace picket::ingest

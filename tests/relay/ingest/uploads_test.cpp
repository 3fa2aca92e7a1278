// upload/: beginning, going on from wherever it broke off, ending; and every answer that is no.
#include "relay/ingest/upload_desk.h"
#include "relay/ingest/upload_location.h"

#include <sys/stat.h>

#include <fstream>

namespace picket::ingest {
namespace {

class Uploads : public UploadDeskTest {};

std::string some_bytes(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += static_cast<char>(i * 31 % 251);
  return bytes;
}

TEST_F(Uploads, OneIsBegunSentAndSeen) {
  const auto begun = create(11);
  EXPECT_EQ(begun.status, 201U);
  EXPECT_EQ(begun.headers.find("Tus-Resumable"), "1.0.0");
  EXPECT_EQ(begun.headers.find("Upload-Offset"), "0");
  EXPECT_TRUE(begun.headers.find("Upload-Expires").ends_with(" GMT"));
  const std::string location(begun.headers.find("Location"));
  EXPECT_TRUE(location.starts_with("/api/1/upload/")) << location;

  const auto sent = patch(location, 0, "hello world");
  EXPECT_EQ(sent.status, 204U);
  EXPECT_EQ(sent.headers.find("Upload-Offset"), "11");
  const auto seen = head(location);
  EXPECT_EQ(seen.status, 200U);
  EXPECT_EQ(seen.headers.find("Upload-Offset"), "11");
  EXPECT_EQ(seen.headers.find("Upload-Length"), "11");
  EXPECT_EQ(seen.headers.find("Cache-Control"), "no-store");
  EXPECT_NE(seen.headers.find("Access-Control-Expose-Headers").find("upload-offset"), std::string_view::npos);
}

TEST_F(Uploads, AreFilesThatOnlyTheirOwnerReads) {
  created(5);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "uploads")) {
    struct stat status {};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U) << entry.path();
  }
  struct stat status {};
  ASSERT_EQ(::stat((folder / "uploads").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0700U);
}

TEST_F(Uploads, GoOnFromWhateverIsStored) {
  const auto bytes = some_bytes(10'000);
  const auto location = created(bytes.size());
  std::size_t at = 0;
  for (const std::size_t piece : {1U, 999U, 1000U, 0U, 4321U, 3679U}) {
    const auto sent = patch(location, at, bytes.substr(at, piece));
    EXPECT_EQ(sent.status, 204U);
    at += piece;
    EXPECT_EQ(sent.headers.find("Upload-Offset"), std::to_string(at));
    EXPECT_EQ(head(location).headers.find("Upload-Offset"), std::to_string(at));
  }
  const auto upload = store->find(parse_upload_location(location, store->secret())->id);
  ASSERT_TRUE(upload && upload->complete());
  EXPECT_EQ(store->read(*upload)->view(), bytes);
}

TEST_F(Uploads, AnyOtherOffsetIsAConflictThatChangesNothing) {
  const auto location = created(100);
  patch(location, 0, some_bytes(40));
  for (const std::uint64_t offset : {0U, 39U, 41U, 100U, 101U}) {
    const auto answer = patch(location, offset, "x");
    EXPECT_EQ(answer.status, 409U) << offset;
    EXPECT_EQ(answer.headers.find("Upload-Offset"), "40");
  }
  EXPECT_EQ(head(location).headers.find("Upload-Offset"), "40");
  EXPECT_EQ(dropped(), Sums{});
}

TEST_F(Uploads, KeepWhatCameBeforeTheConnectionBroke) {
  const auto location = created(100);
  auto sink = patching(location, 0);
  EXPECT_FALSE(sink->take("0123456789"));
  EXPECT_FALSE(sink->take("abc"));
  sink.reset();
  EXPECT_EQ(head(location).headers.find("Upload-Offset"), "13");
  EXPECT_EQ(patch(location, 13, some_bytes(87)).status, 204U);
}

TEST_F(Uploads, ARequestThatHangsIsEndedByTheNextQuestion) {
  const auto location = created(100);
  const auto hanging = patching(location, 0);
  EXPECT_FALSE(hanging->take("0123456789"));
  EXPECT_EQ(head(location).headers.find("Upload-Offset"), "10");
  const auto stop = hanging->take("too late");
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->status, 409U);

  const auto second = patching(location, 10);
  EXPECT_FALSE(second->take("x"));
  EXPECT_EQ(patch(location, 11, some_bytes(89)).status, 204U) << "the next request need not ask first";
  EXPECT_TRUE(second->take("y"));
}

TEST_F(Uploads, SurviveARestart) {
  const auto bytes = some_bytes(5'000);
  const auto location = created(bytes.size());
  patch(location, 0, bytes.substr(0, 1'234));
  auto sink = patching(location, 1'234);
  EXPECT_FALSE(sink->take(bytes.substr(1'234, 100)));
  restart();
  sink.reset();
  EXPECT_EQ(store->used_bytes(), 1'334U);
  EXPECT_EQ(head(location).headers.find("Upload-Offset"), "1334");
  EXPECT_EQ(patch(location, 1'334, bytes.substr(1'334)).status, 204U);
  const auto upload = store->find(parse_upload_location(location, store->secret())->id);
  EXPECT_EQ(store->read(*upload)->view(), bytes);
}

TEST_F(Uploads, ARestartLeavesStrangersAloneAndRemovesWhatIsTooLong) {
  created(3);
  const auto name = std::string(32, 'a') + ".1." + std::string(good_key) + ".4";
  std::ofstream(folder / ("uploads/" + name)) << "12345";
  std::ofstream(folder / "uploads/notes.txt") << "mine";
  std::ofstream(folder / ("uploads/" + std::string(32, 'b') + ".0." + std::string(good_key) + ".4")) << "1";
  restart();
  EXPECT_EQ(store->size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(folder / ("uploads/" + name)));
  EXPECT_TRUE(std::filesystem::exists(folder / "uploads/notes.txt"));
}

TEST_F(Uploads, WithoutTheSecretNoLocationIsGood) {
  const auto location = created(3);
  std::filesystem::remove(folder / "uploads/secret");
  restart();
  EXPECT_EQ(head(location).status, 404U);
  EXPECT_EQ(head(created(3)).status, 200U);
}

TEST_F(Uploads, TheBytesMayComeWithTheBeginning) {
  const auto answer = ask(make_request(
      "POST", create_target(),
      tus({{"Upload-Length", "10"}, {"Content-Length", "4"}, {"Content-Type", "application/offset+octet-stream"}}), "0123"));
  EXPECT_EQ(answer.status, 201U);
  EXPECT_EQ(answer.headers.find("Upload-Offset"), "4");
  const std::string location(answer.headers.find("Location"));
  EXPECT_EQ(patch(location, 4, "456789").status, 204U);
}

TEST_F(Uploads, ABeginningThatBreaksOffLeavesNothing) {
  auto admission = ingest->admit(make_request("POST", create_target(),
                                              tus({{"Upload-Length", "10"},
                                                   {"Content-Length", "10"},
                                                   {"Content-Type", "application/offset+octet-stream"}}))
                                     .head);
  auto& terms = std::get<http::ReadBody>(admission);
  EXPECT_FALSE(terms.sink->take("0123"));
  EXPECT_EQ(store->size(), 1U);
  terms.sink.reset();
  EXPECT_EQ(store->size(), 0U);
  EXPECT_EQ(store->used_bytes(), 0U);
  EXPECT_EQ(files(), 0U);
}

TEST_F(Uploads, ClientsThatCanOnlyPostSayWhatTheyMean) {
  const auto location = created(3);
  auto fields = patch_fields(0);
  fields.emplace_back("X-HTTP-Method-Override", "PATCH");
  EXPECT_EQ(ask(make_request("POST", location, fields, "abc")).status, 204U);
  EXPECT_EQ(ask(make_request("POST", location, tus({{"X-HTTP-Method-Override", "DELETE"}}))).status, 204U);
  EXPECT_EQ(head(location).status, 410U);
}

TEST_F(Uploads, OptionsTellWhatIsSpoken) {
  const auto answer = ask(make_request("OPTIONS", "/api/1/upload/"));
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.headers.find("Tus-Version"), "1.0.0");
  EXPECT_EQ(answer.headers.find("Tus-Extension"), "creation,creation-with-upload,expiration,termination");
  EXPECT_EQ(answer.headers.find("Tus-Max-Size"), std::to_string(199 << 20)) << "an envelope's 200 MiB but for an event's one";
  EXPECT_NE(answer.headers.find("Access-Control-Allow-Methods").find("PATCH"), std::string_view::npos);
  EXPECT_NE(answer.headers.find("Access-Control-Allow-Headers").find("upload-offset"), std::string_view::npos);
  EXPECT_EQ(ask(make_request("GET", "/api/1/upload/")).status, 405U);
  EXPECT_EQ(ask(make_request("PUT", created(1))).status, 405U);
}

TEST_F(Uploads, OneThatIsGivenUpIsGone) {
  const auto location = created(10);
  patch(location, 0, "abc");
  EXPECT_EQ(ask(make_request("DELETE", location, tus())).status, 204U);
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(store->used_bytes(), 0U);
  EXPECT_EQ(head(location).status, 410U);
  EXPECT_EQ(patch(location, 3, "d").status, 410U);
  EXPECT_EQ(ask(make_request("DELETE", location, tus())).status, 410U);
}

TEST_F(Uploads, NobodyComesBackForExpireAndAreCounted) {
  const auto location = created(10);
  clock.advance(config.upload_max_age - std::chrono::seconds(1));
  patch(location, 0, "abc");
  ingest->tidy_uploads();
  EXPECT_EQ(head(location).status, 200U) << "its age is that of its last byte";
  clock.advance(config.upload_max_age);
  ingest->tidy_uploads();
  EXPECT_EQ(head(location).status, 410U);
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(store->used_bytes(), 0U);
  EXPECT_EQ(dropped(), (Sums{{"invalid/upload_expired/attachment", 1}}));
  EXPECT_EQ(ingest->counters().received(), 1U);
}

TEST_F(Uploads, AgeGoesOnThroughARestart) {
  const auto location = created(10);
  clock.advance(config.upload_max_age + std::chrono::seconds(5));
  restart();
  ingest->tidy_uploads();
  EXPECT_EQ(head(location).status, 410U);
  EXPECT_EQ(dropped(), (Sums{{"invalid/upload_expired/attachment", 1}}));
}

TEST_F(Uploads, RefusedBeginningsAreAttachmentsThatAreCounted) {
  struct Case {
    unsigned status;
    std::string target;
    Fields fields;
  };
  const std::string body_type = "application/offset+octet-stream";
  const Case cases[] = {
      {412, create_target(), {{"Upload-Length", "3"}}},
      {412, create_target(), {{"Upload-Length", "3"}, {"Tus-Resumable", "0.2.2"}}},
      {400, create_target(), tus()},
      {400, create_target(), tus({{"Upload-Length", "-1"}})},
      {400, create_target(), tus({{"Upload-Length", "99999999999999999999999"}})},
      {400, create_target(), tus({{"Upload-Defer-Length", "1"}})},
      {413, create_target(), tus({{"Upload-Length", std::to_string((199 << 20) + 1)}})},
      {415, create_target(), tus({{"Upload-Length", "3"}, {"Content-Length", "3"}})},
      {415, create_target(), tus({{"Upload-Length", "3"}, {"Transfer-Encoding", "chunked"}, {"Content-Type", "text/plain"}})},
      {415, create_target(),
       tus({{"Upload-Length", "3"}, {"Content-Length", "3"}, {"Content-Type", body_type}, {"Content-Encoding", "gzip"}})},
      {401, "/api/1/upload/", tus({{"Upload-Length", "3"}})},
      {403, create_target(unknown_key), tus({{"Upload-Length", "3"}})},
      {403, create_target(other_key), tus({{"Upload-Length", "3"}})},
      {403, create_target(disabled_key), tus({{"Upload-Length", "3"}})},
      {400, "/api/x/upload/", tus({{"Upload-Length", "3"}})},
  };
  std::uint64_t count = 0;
  for (const auto& [status, target, fields] : cases) {
    const auto answer = ask(make_request("POST", target, fields));
    EXPECT_EQ(answer.status, status) << target << " " << answer.body;
    EXPECT_EQ(answer.headers.find("Tus-Resumable"), "1.0.0");
    EXPECT_EQ(ingest->counters().received(relay::DataCategory::attachment), ++count);
  }
  EXPECT_EQ(ingest->counters().dropped(), count);
  EXPECT_EQ(store->size(), 0U);
}

TEST_F(Uploads, MoreThanAnnouncedIsRefusedAndLeavesTheUploadAsItWas) {
  const auto location = created(10);
  patch(location, 0, "abc");
  EXPECT_EQ(patch(location, 3, "12345678").status, 413U);
  EXPECT_EQ(head(location).headers.find("Upload-Offset"), "3");
  EXPECT_EQ(patch(location, 3, "1234567").status, 204U);
  EXPECT_EQ(dropped(), Sums{});
}

TEST_F(Uploads, WhoGoesOnMustKnowTheSignedAddress) {
  const auto location = created(10);
  auto other_length = location;
  other_length.replace(other_length.find("length=10"), 9, "length=11");
  auto bad_signature = location;
  bad_signature.back() = bad_signature.back() == '0' ? '1' : '0';
  auto other_project = location;
  other_project.replace(0, 7, "/api/2/");
  for (const auto& address : {other_length, bad_signature, other_project, location.substr(0, location.find('?'))}) {
    EXPECT_EQ(head(address).status, 404U) << address;
    EXPECT_EQ(patch(address, 0, "x").status, 404U) << address;
    EXPECT_EQ(ask(make_request("DELETE", address, tus())).status, 404U) << address;
  }
  EXPECT_EQ(dropped(), Sums{});
}

TEST_F(Uploads, AKeyIsNotNeededToGoOnButMustBeRightWhenGiven) {
  const auto location = created(10);
  EXPECT_EQ(head(location + "&sentry_key=" + std::string(good_key)).status, 200U);
  EXPECT_EQ(head(location + "&sentry_key=" + std::string(other_key)).status, 403U);
  EXPECT_EQ(head(location + "&sentry_key=" + std::string(unknown_key)).status, 403U);
  put_key(*tables, good_key, 1, false);
  raise_generation(*tables, 7);
  ingest->refresh_projects();
  EXPECT_EQ(head(location).status, 403U) << "the key under which it was begun";
  EXPECT_EQ(patch(location, 0, "abc").status, 403U);
}

TEST_F(Uploads, APatchSaysWhereAndWhat) {
  const auto location = created(10);
  const std::string type = "application/offset+octet-stream";
  const auto status = [&](Fields fields) { return ask(make_request("PATCH", location, std::move(fields), "abc")).status; };
  EXPECT_EQ(status(tus({{"Content-Type", type}})), 400U);
  EXPECT_EQ(status(tus({{"Content-Type", type}, {"Upload-Offset", "x"}})), 400U);
  EXPECT_EQ(status(tus({{"Content-Type", "text/plain"}, {"Upload-Offset", "0"}})), 415U);
  EXPECT_EQ(status(tus({{"Content-Type", type}, {"Upload-Offset", "0"}, {"Content-Encoding", "gzip"}})), 415U);
  EXPECT_EQ(status({{"Content-Type", type}, {"Upload-Offset", "0"}}), 412U);
  EXPECT_EQ(head(location).headers.find("Upload-Offset"), "0");
}

TEST_F(Uploads, AFullDiskIs429AndShuttingDown503) {
  const auto location = created(10);
  journal.set_full(true);
  const auto refused = create(10);
  EXPECT_EQ(refused.status, 429U);
  EXPECT_EQ(refused.headers.find("X-Sentry-Rate-Limits"), "60::organization:disk_full");
  EXPECT_EQ(patch(location, 0, "abc").status, 429U);
  EXPECT_EQ(head(location).status, 200U);
  journal.set_full(false);
  EXPECT_EQ(dropped(), (Sums{{"rate_limited/disk_full/attachment", 1}})) << "what is under way is not lost";
  ingest->drain();
  EXPECT_EQ(create(10).status, 503U);
  EXPECT_EQ(patch(location, 0, "abc").status, 503U);
}

TEST_F(Uploads, AQuotaWithoutRoomRefusesThemAtTheStart) {
  limit_attachments(5);
  EXPECT_EQ(create(3).status, 201U);
  EXPECT_EQ(send(event_envelope() + item("attachment", "12345")).status, 200U);
  EXPECT_EQ(send(event_envelope() + item("attachment", "6")).status, 200U) << "the event has room";
  const auto refused = create(3);
  EXPECT_EQ(refused.status, 429U);
  EXPECT_NE(refused.headers.find("X-Sentry-Rate-Limits").find("attachment:project:files"), std::string_view::npos);
  EXPECT_NE(refused.headers.find("Retry-After"), "");
}

class SmallUploads : public UploadDeskTest {
 protected:
  SmallUploads() {
    config.max_uploads = 4;
    config.max_uploads_bytes = 200;
    restart();
  }

  http::Response create_as(std::string_view key, std::uint64_t length) {
    const auto* const project = key == other_key ? "2" : "1";
    return ask(make_request("POST", "/api/" + std::string(project) + "/upload/?sentry_key=" + std::string(key),
                            tus({{"Upload-Length", std::to_string(length)}})));
  }
  void put_keys(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) put_key(*tables, key_of(i), 1);
    raise_generation(*tables, 7);
    ingest->refresh_projects();
  }
  static std::string key_of(std::size_t i) { return std::string(30, 'd') + std::to_string(10 + i); }
};

TEST_F(SmallUploads, TooManyAre503UntilOneIsOver) {
  const auto first = created(10);
  created(10);
  const auto refused = create(10);
  EXPECT_EQ(refused.status, 503U);
  EXPECT_EQ(refused.headers.find("Retry-After"), "1");
  EXPECT_EQ(ask(make_request("DELETE", first, tus())).status, 204U);
  EXPECT_EQ(create(10).status, 201U);
  EXPECT_EQ(dropped(), (Sums{{"invalid/internal/attachment", 1}}));
}

TEST_F(SmallUploads, TheirBytesAreBoundedTogether) {
  EXPECT_EQ(create(101).status, 503U) << "half of it is for others";
  const auto first = created(80);
  const auto second = created(80);
  EXPECT_EQ(patch(first, 0, std::string(80, 'a')).status, 204U);
  EXPECT_EQ(patch(second, 0, std::string(20, 'b')).status, 204U);
  const auto refused = patch(second, 20, std::string(60, 'b'));
  EXPECT_EQ(refused.status, 503U);
  EXPECT_EQ(refused.headers.find("Retry-After"), "1");
  EXPECT_EQ(store->used_bytes(), 100U);
  EXPECT_EQ(ask(make_request("DELETE", first, tus())).status, 204U);
  EXPECT_EQ(head(second).headers.find("Upload-Offset"), "20");
  EXPECT_EQ(patch(second, 20, std::string(60, 'b')).status, 204U) << "resumed when there is room again";
}

// Whatever one key does, another's upload comes through.
TEST_F(SmallUploads, OneKeyCannotStarveAnother) {
  std::vector<std::string> hoarded;
  for (int i = 0; i < 10; ++i) {
    const auto begun = create_as(good_key, 60);
    if (begun.status == 201) hoarded.emplace_back(begun.headers.find("Location"));
  }
  EXPECT_EQ(hoarded.size(), 2U);
  for (const auto& location : hoarded) {
    for (int i = 0; i < 60; ++i) {
      if (patch(location, static_cast<std::uint64_t>(i), "x").status != 204) break;
    }
  }
  EXPECT_EQ(store->used_bytes(), 100U);
  const auto fits = [&](std::string_view key, std::uint64_t length) {
    const auto begun = create_as(key, length);
    if (begun.status != 201) return false;
    const std::string location(begun.headers.find("Location"));
    return patch(location, 0, std::string(length, 'y')).status == 204 &&
           ask(make_request("DELETE", location, tus())).status == 204;
  };
  EXPECT_TRUE(fits(other_key, 50));
  EXPECT_FALSE(fits(other_key, 51)) << "nor may that one leave nothing";
  restart();
  EXPECT_EQ(create_as(good_key, 1).status, 503U) << "what a key has is known after a restart";
  EXPECT_TRUE(fits(other_key, 50));
  for (const auto& location : hoarded) EXPECT_EQ(ask(make_request("DELETE", location, tus())).status, 204U);
  EXPECT_TRUE(fits(good_key, 100)) << "and what it has given back it may have again";
}

// However many take as much as they can get.
TEST_F(SmallUploads, EachNextKeyFindsHalfOfWhatIsLeft) {
  config.max_uploads = 1'000;
  config.max_uploads_bytes = 1'000'000;
  restart();
  put_keys(5);
  std::vector<std::uint64_t> had(5);
  std::vector<std::string> locations;
  for (std::size_t i = 0; i < had.size(); ++i) {
    const auto begun = create_as(key_of(i), 1'000'000 / (i + 2));
    EXPECT_EQ(begun.status, i == 0 ? 201U : 503U) << "room that is taken is not promised again";
    const auto smaller = i == 0 ? begun : create_as(key_of(i), 1'000'000 >> (i + 1));
    ASSERT_EQ(smaller.status, 201U);
    locations.emplace_back(smaller.headers.find("Location"));
    had[i] = 1'000'000U >> (i + 1);
    EXPECT_EQ(patch(locations.back(), 0, std::string(had[i], 'x')).status, 204U);
  }
  EXPECT_EQ(store->used_bytes(), 1'000'000U - had.back());
}

TEST(UploadStore, TakesItsRoomFromTheSpool) {
  testing::TempDir folder;
  testing::FakeClock clock;
  const auto spool = *buffer::Spool::open({.folder = folder / "spool", .max_bytes = 10 << 20});
  const auto store = *UploadStore::open({.folder = folder / "uploads", .spool = spool}, clock);
  auto writer = *store->create({1, *relay::parse_project_key(good_key), 20 << 20});
  const std::string piece(1 << 20, 'x');
  int taken = 0;
  while (!writer->take(piece)) ++taken;
  EXPECT_EQ(taken, 8) << "the spool promises 4 MiB at a time";
  ASSERT_TRUE(writer->keep());
  writer.reset();
  EXPECT_EQ(spool->used_bytes(), std::uint64_t{8} << 20);
}

}  // namespace
}  // namespace picket::ingest

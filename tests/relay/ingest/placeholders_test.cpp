// Envelopes that refer to uploads: the bytes take the reference's place, or it goes alone.
#include "relay/ingest/placeholders.h"
#include "relay/ingest/upload_desk.h"

namespace picket::ingest {
namespace {

class Placeholders : public UploadDeskTest {
 protected:
  static std::string placeholder(const std::string& location, std::uint64_t length, std::string_view more = {}) {
    return item("attachment", R"({"location":")" + location + R"(","content_type":"application/x-dmp"})",
                R"(,"content_type":"application/vnd.sentry.attachment-ref+json","attachment_length":)" +
                    std::to_string(length) + std::string(more));
  }
  // The one record's envelope; its bytes live in the fixture.
  relay::Envelope stored() {
    bytes_ = decoded(only_record());
    auto parsed = relay::parse_envelope(bytes_);
    EXPECT_TRUE(parsed) << parsed.error().detail;
    return parsed ? *parsed : relay::Envelope{};
  }
  std::string bytes_;
};

TEST_F(Placeholders, BecomeTheBytesTheyStandFor) {
  const std::string dump("MDMP\n\0\n and more", 16);
  const auto location = uploaded(dump);
  const auto answer = send(event_envelope() + placeholder(location, dump.size(),
                                                          R"(,"filename":"a.dmp","attachment_type":"event.minidump","x":[1])"));
  EXPECT_EQ(answer.status, 200U) << answer.body;
  const auto envelope = stored();
  ASSERT_EQ(envelope.items.size(), 2U);
  EXPECT_EQ(envelope.items[0].type, "event");
  const auto& file = envelope.items[1];
  EXPECT_EQ(file.payload, dump);
  EXPECT_EQ(file.content_type, "application/x-dmp");
  EXPECT_EQ(file.attachment_type, "event.minidump");
  EXPECT_NE(file.header.find(R"("filename":"a.dmp")"), std::string_view::npos);
  EXPECT_NE(file.header.find(R"("x":[1])"), std::string_view::npos);
  EXPECT_EQ(file.header.find("attachment_length"), std::string_view::npos);
  EXPECT_EQ(dropped(), Sums{});

  ingest->tidy_uploads();
  EXPECT_EQ(files(), 0U) << "what is part of a record needs no room of its own";
  EXPECT_EQ(head(location).status, 410U);
  EXPECT_EQ(ingest->counters().dropped(), 0U);
}

TEST_F(Placeholders, OfAnEmptyFileAreAnEmptyAttachment) {
  const auto location = created(0);
  EXPECT_EQ(send(event_envelope() + placeholder(location, 0)).status, 200U);
  const auto envelope = stored();
  ASSERT_EQ(envelope.items.size(), 2U);
  EXPECT_EQ(envelope.items[1].payload, "");
}

TEST_F(Placeholders, AreKnownInEverySpelling) {
  const auto location = uploaded("abc");
  const auto payload = R"({"location":"http://host)" + location + R"("})";
  for (const std::string type : {"attachment-ref", "attachment-ref+json", "attachment-ref+json; charset=utf-8"}) {
    for (const std::string prefix : {R"(application/vnd.sentry.)", R"(application\/vnd.sentry.)"}) {
      const auto text = "{}\n" + item("attachment", payload, R"(,"content_type":")" + prefix + type + R"(")");
      const auto envelope = relay::parse_envelope(text);
      ASSERT_TRUE(envelope);
      EXPECT_TRUE(has_placeholders(*envelope)) << text;
      const auto filled = fill_placeholders(*envelope, 1, store.get(), config, {});
      ASSERT_TRUE(filled);
      EXPECT_EQ(filled->uploads.size(), 1U) << text;
    }
  }
  const auto other = "{}\n" + item("attachment", payload, R"(,"content_type":"application/vnd.sentry.attachment-reference")");
  EXPECT_FALSE(has_placeholders(*relay::parse_envelope(other)));
}

TEST_F(Placeholders, WithoutAFinishedUploadOfTheProjectGoAlone) {
  const auto whole = uploaded("abc");
  const auto unfinished = created(3);
  const auto elsewhere = ask(make_request("POST", "/api/2/upload/?sentry_key=" + std::string(other_key), tus({{"Upload-Length", "0"}})));
  const std::string foreign(elsewhere.headers.find("Location"));
  auto forged = whole;
  forged.back() = forged.back() == '0' ? '1' : '0';
  const auto given_up = uploaded("abc");
  ask(make_request("DELETE", given_up, tus()));

  const auto answer = send(event_envelope() + placeholder(unfinished, 3) + placeholder(foreign, 0) + placeholder(forged, 3) +
                           placeholder(given_up, 3) + placeholder("nonsense", 3) + placeholder(whole, 4) +
                           item("attachment", "not json", R"(,"content_type":"application/vnd.sentry.attachment-ref+json")") +
                           item("attachment", "beside it"));
  EXPECT_EQ(answer.status, 200U) << answer.body;
  const auto envelope = stored();
  ASSERT_EQ(envelope.items.size(), 2U);
  EXPECT_EQ(envelope.items[1].payload, "beside it");
  EXPECT_EQ(dropped(), (Sums{{"invalid/invalid_placeholder_attachment/attachment", 7}}));
  ingest->tidy_uploads();
  EXPECT_EQ(head(whole).status, 200U) << "a reference that was wrong uses nothing up";
}

TEST_F(Placeholders, AloneAndUnknownLeaveNothingToStore) {
  const auto answer = send(R"({"event_id":")" + std::string(some_id) + "\"}\n" + placeholder("nonsense", 1));
  EXPECT_EQ(answer.status, 200U);
  EXPECT_TRUE(journal.records().empty());
  EXPECT_EQ(dropped(), (Sums{{"invalid/invalid_placeholder_attachment/attachment", 1}}));
}

TEST_F(Placeholders, OfMoreThanAnEnvelopeMayHoldGoAlone) {
  config.max_attachment_bytes = 10;
  restart();
  const auto first = uploaded("123456");
  const auto second = uploaded("abcdef");
  const auto answer = send(event_envelope() + placeholder(first, 6) + placeholder(second, 6) + item("attachment", "1234"));
  EXPECT_EQ(answer.status, 200U) << answer.body;
  const auto envelope = stored();
  ASSERT_EQ(envelope.items.size(), 3U);
  EXPECT_EQ(envelope.items[1].payload, "123456");
  EXPECT_EQ(envelope.items[2].payload, "1234");
  EXPECT_EQ(dropped(), (Sums{{"invalid/too_large:attachment/attachment", 1}}));
}

TEST_F(Placeholders, FillNoMoreThanAnEnvelope) {
  config.max_envelope_bytes = 1500;
  config.max_event_bytes = 1000;
  restart();
  const auto first = uploaded(std::string(450, 'a'));
  const auto second = uploaded(std::string(450, 'b'));
  const auto third = uploaded(std::string(450, 'c'));
  const auto answer = send(event_envelope() + placeholder(first, 450) + placeholder(second, 450) + placeholder(third, 450));
  EXPECT_EQ(answer.status, 200U) << answer.body;
  const auto envelope = stored();
  EXPECT_LE(bytes_.size(), 1500U);
  EXPECT_EQ(envelope.items.size(), 3U);
  EXPECT_EQ(dropped(), (Sums{{"invalid/too_large:attachment/attachment", 1}}));
}

TEST_F(Placeholders, KeepTheirUploadsUntilTheRecordIsDurable) {
  const auto location = uploaded("abc");
  journal.fail_commits(Error{Fault::unavailable, "disk full"});
  EXPECT_EQ(send(event_envelope() + placeholder(location, 3)).status, 503U);
  ingest->tidy_uploads();
  journal.fail_commits(std::nullopt);
  EXPECT_EQ(send(event_envelope() + placeholder(location, 3)).status, 200U);
  EXPECT_EQ(stored().items.size(), 2U);
  ingest->tidy_uploads();
  EXPECT_EQ(files(), 0U);
}

// Killed between the commit of the envelope and the end of its upload: the folder as it was while the
// record waited for its commit is what the next process finds.
class KilledBetween : public Placeholders {
 protected:
  KilledBetween() {
    location = uploaded("abc");
    journal.hold();
    answer = start(make_request("POST", "/api/1/envelope/", {{"X-Sentry-Auth", auth(good_key)}},
                                event_envelope() + placeholder(location, 3)));
    EXPECT_EQ(journal.waiting(), 1U);
    std::filesystem::copy(folder / "uploads", folder / "at the kill");
  }
  void kill_and_restart() {
    ingest.reset();
    store.reset();
    std::filesystem::remove_all(folder / "uploads");
    std::filesystem::copy(folder / "at the kill", folder / "uploads");
    restart();
  }
  void let_everything_expire() {
    clock.advance(2 * config.upload_max_age);
    ingest->tidy_uploads();
  }
  std::string location;
  std::shared_ptr<Collector> answer;
};

TEST_F(KilledBetween, WhatIsPartOfARecordIsNotCountedAgain) {
  journal.release();
  ASSERT_EQ(answer->taken()->status, 200U);
  kill_and_restart();
  let_everything_expire();
  EXPECT_EQ(stored().items.size(), 2U);
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(head(location).status, 410U);
  EXPECT_EQ(store->used_bytes(), 0U);
  EXPECT_EQ(dropped(), Sums{});
  EXPECT_EQ(store->claims().size(), 0U);
}

TEST_F(KilledBetween, WhatIsInNoRecordCanBeSentAgain) {
  ingest.reset();
  journal.lose_waiting();
  kill_and_restart();
  EXPECT_EQ(store->claims().size(), 0U);
  EXPECT_EQ(head(location).headers.find("Upload-Offset"), "3");
  EXPECT_EQ(send(event_envelope() + placeholder(location, 3)).status, 200U);
  EXPECT_EQ(stored().items.size(), 2U);
  let_everything_expire();
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(dropped(), Sums{});
}

TEST_F(KilledBetween, WhatNobodySendsAgainIsCountedOnce) {
  ingest.reset();
  journal.lose_waiting();
  kill_and_restart();
  let_everything_expire();
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(dropped(), (Sums{{"invalid/upload_expired/attachment", 1}}));
}

// And killed once more, between the upload's end and its claim's.
TEST_F(KilledBetween, AClaimWithoutItsUploadIsForgotten) {
  journal.release();
  for (const auto& entry : std::filesystem::directory_iterator(folder / "at the kill")) {
    if (entry.path().filename().string().find('.') != std::string::npos) std::filesystem::remove(entry.path());
  }
  kill_and_restart();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "uploads"), std::filesystem::directory_iterator()), 1)
      << "the secret";
}

TEST_F(Placeholders, AFailedCommitTakesTheClaimBack) {
  const auto location = uploaded("abc");
  journal.fail_commits(Error{Fault::unavailable, "disk full"});
  EXPECT_EQ(send(event_envelope() + placeholder(location, 3)).status, 503U);
  EXPECT_EQ(store->claims().size(), 0U);
  journal.fail_commits(std::nullopt);
  journal.refuse_offers(Error{Fault::unavailable, "too many"});
  EXPECT_EQ(send(event_envelope() + placeholder(location, 3)).status, 503U);
  EXPECT_EQ(store->claims().size(), 0U);
  restart();
  EXPECT_EQ(head(location).headers.find("Upload-Offset"), "3");
}

TEST_F(Placeholders, CountUnderQuotasAsTheBytesTheyStandFor) {
  limit_attachments(5);
  const auto small = uploaded("abc");
  const auto large = uploaded("defghi");
  EXPECT_EQ(send(event_envelope() + placeholder(small, 3)).status, 200U);
  EXPECT_EQ(send(event_envelope() + placeholder(large, 6)).status, 200U);
  ASSERT_EQ(journal.records().size(), 2U);
  EXPECT_EQ(dropped(), (Sums{{"rate_limited/files/attachment", 1}}));
  ingest->tidy_uploads();
  EXPECT_EQ(files(), 0U) << "what was counted once must not expire and be counted again";
}

TEST_F(Placeholders, AloneWithoutRoomAre429AndUsedUp) {
  limit_attachments(5);
  const auto large = uploaded("defghi");
  const auto answer = send(R"({"event_id":")" + std::string(some_id) + "\"}\n" + placeholder(large, 6));
  EXPECT_EQ(answer.status, 429U);
  ingest->tidy_uploads();
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(ingest->counters().dropped(), 1U);
}

}  // namespace
}  // namespace picket::ingest

#include "relay/ingest/desk.h"

#include <chrono>
#include <thread>

namespace picket::ingest {
namespace {

using namespace std::chrono_literals;

class Durability : public DeskTest {
 protected:
  http::Request a_request() {
    return make_request("POST", "/api/1/envelope/", {{"X-Sentry-Auth", auth(good_key)}},
                        event_envelope());
  }
  bool is_ready() {
    return ask(make_request("GET", "/api/relay/healthcheck/ready/")).status == 200;
  }
  void expect_balance(std::uint64_t received, std::uint64_t stored, std::uint64_t dropped) {
    EXPECT_EQ(ingest->counters().received(), received);
    EXPECT_EQ(journal.records().size(), stored);
    EXPECT_EQ(ingest->counters().dropped(), dropped);
    std::uint64_t written = 0;
    for (const auto& sum : outcomes())
      written += sum.quantity();
    EXPECT_EQ(written, dropped);
  }
};

TEST_F(Durability, AnswersOnlyAfterTheCommit) {
  journal.hold();

  const auto answer = start(a_request());
  EXPECT_FALSE(answer->taken());
  EXPECT_EQ(ingest->counters().waiting(), 1U);
  journal.commit();

  ASSERT_TRUE(answer->taken());
  EXPECT_EQ(answer->taken()->status, 200U);
  EXPECT_EQ(ingest->counters().waiting(), 0U);
  EXPECT_EQ(ingest->counters().acknowledged(), 1U);
}

TEST_F(Durability, AnswersAfterItsIngestIsGone) {
  journal.hold();
  const auto answer = start(a_request());

  ingest.reset();
  EXPECT_FALSE(answer->taken());
  journal.commit();

  ASSERT_TRUE(answer->taken());
  EXPECT_EQ(answer->taken()->status, 200U);
}

TEST_F(Durability, Answers503WhenTheCommitFailedAndAccountsForTheItems) {
  journal.fail_commits(Error{Fault::unavailable, "no space left"});

  const auto answer = start(a_request())->taken();

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503U);
  EXPECT_NE(answer->body.find("no space left"), std::string::npos);
  journal.fail_commits(std::nullopt);
  expect_balance(1, 0, 1);
}

TEST_F(Durability, IsNotReadyAfterAFailedCommitUntilOneSucceeds) {
  EXPECT_TRUE(is_ready());
  journal.fail_commits(Error{Fault::unavailable, "no space left"});
  start(a_request());
  EXPECT_FALSE(is_ready());
  ingest->flush_outcomes();
  EXPECT_FALSE(is_ready());

  journal.fail_commits(std::nullopt);
  ingest->flush_outcomes();

  EXPECT_TRUE(is_ready());
}

TEST_F(Durability, Answers503WhenTheQueueIsFull) {
  journal.refuse_offers(Error{Fault::unavailable, "too much is waiting"});
  const auto answer = start(a_request())->taken();
  EXPECT_EQ(answer->status, 503U);
  journal.refuse_offers(std::nullopt);
  expect_balance(1, 0, 1);
}

TEST_F(Durability, RefusesUnreadWhenTheDiskBudgetIsUsedUp) {
  journal.set_full(true);

  const auto admission = ingest->admit(a_request().head);

  ASSERT_TRUE(std::holds_alternative<http::Response>(admission));
  const auto& response = std::get<http::Response>(admission);
  EXPECT_EQ(response.status, 429U);
  EXPECT_EQ(response.headers.find("Retry-After"), "60");
  EXPECT_EQ(response.headers.find("X-Sentry-Rate-Limits"), "60::organization:disk_full");
  EXPECT_NE(response.headers.find("Access-Control-Expose-Headers").find("x-sentry-rate-limits"),
            std::string::npos);
  EXPECT_FALSE(is_ready());
  journal.set_full(false);
  EXPECT_TRUE(is_ready());
  expect_balance(1, 0, 1);
}

TEST_F(Durability, TellsAnUnknownKeySoEvenWhenTheDiskBudgetIsUsedUp) {
  journal.set_full(true);
  EXPECT_EQ(post("/api/1/envelope/", "{}", {{"X-Sentry-Auth", auth(unknown_key)}}).status, 403U);
}

TEST_F(Durability, Answers429WhenTheDiskFillsUpWhileTheBodyComesIn) {
  auto collector = std::make_shared<Collector>();
  auto request = a_request();
  ASSERT_TRUE(std::holds_alternative<http::ReadBody>(ingest->admit(request.head)));
  journal.set_full(true);

  ingest->handle(std::move(request), http::Responder(collector));

  EXPECT_EQ(collector->taken()->status, 429U);
}

TEST_F(Durability, KeepsItsOutcomesUntilTheJournalTakesThem) {
  journal.set_full(true);
  start(a_request());
  ingest->flush_outcomes();
  EXPECT_TRUE(journal.records(buffer::RecordKind::outcomes).empty());

  journal.set_full(false);

  expect_balance(1, 0, 1);
}

TEST_F(Durability, WritesItsOutcomesWhenItEnds) {
  send("nonsense");
  ingest.reset();
  const auto records = journal.records(buffer::RecordKind::outcomes);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].project, 0U);
  schema::OutcomeCounts counts;
  ASSERT_TRUE(counts.ParseFromString(std::string(records[0].body)));
  EXPECT_EQ(counts.counts(0).reason(), "invalid_envelope");
}

// Five seconds counted in naps: a machine that is too busy for the thread is too busy for these, too.
template <class Condition>
bool within_seconds(Condition condition) {
  for (int naps = 0; naps < 250; ++naps) {
    if (condition()) return true;
    std::this_thread::sleep_for(20ms);
  }
  return condition();
}

TEST_F(Durability, WritesItsOutcomesOnItsOwnWithinSeconds) {
  send("nonsense");
  EXPECT_TRUE(within_seconds([&] { return !journal.records(buffer::RecordKind::outcomes).empty(); }));
  EXPECT_EQ(journal.records(buffer::RecordKind::outcomes).size(), 1U);
}

TEST_F(Durability, NoticesADisabledKeyOnItsOwnWithinSeconds) {
  EXPECT_EQ(send(event_envelope()).status, 200U);
  put_key(*tables, good_key, 1, false);
  raise_generation(*tables, 1);
  EXPECT_TRUE(within_seconds([&] { return send(event_envelope()).status != 200; }));
  EXPECT_EQ(send(event_envelope()).status, 403U);
}

TEST_F(Durability, WritesNothingWhenNothingWasDropped) {
  send(event_envelope());
  ingest->flush_outcomes();
  EXPECT_TRUE(journal.records(buffer::RecordKind::outcomes).empty());
}

TEST_F(Durability, RefusesWhatArrivesWhileDraining) {
  ingest->drain();
  EXPECT_EQ(ask(a_request()).status, 503U);
  EXPECT_FALSE(is_ready());
  EXPECT_EQ(ask(make_request("GET", "/api/relay/healthcheck/live/")).status, 200U);
  expect_balance(1, 0, 1);
}

TEST_F(Durability, AccountsForEverythingItWasSent) {
  const auto check_in = "{}\n" + item("check_in", std::string(200'000, ' ')) + item("event", "{}");
  for (int i = 0; i < 3; ++i)
    send(event_envelope());                                                         // 3 stored
  send(check_in);                                                                   // 2 dropped
  send("nonsense");                                                                 // 1
  send("x", {{"Content-Encoding", "rot13"}});                                       // 1
  post("/api/2/envelope/", event_envelope(), {{"X-Sentry-Auth", auth(good_key)}});  // 1
  post("/api/1/store/", "{", {{"X-Sentry-Auth", auth(good_key)}});                  // 1
  expect_balance(9, 3, 6);
}

TEST_F(Durability, AnswersEveryOneOfManyAtOnce) {
  constexpr int threads = 4;
  constexpr int each = 500;
  std::vector<std::thread> senders;
  std::atomic<int> accepted{0};
  for (int t = 0; t < threads; ++t) {
    senders.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        const auto answer = start(a_request())->taken();
        if (answer && answer->status == 200) ++accepted;
      }
    });
  }
  for (auto& sender : senders)
    sender.join();
  EXPECT_EQ(accepted, threads * each);
  expect_balance(threads * each, threads * each, 0);
}

}  // namespace
}  // namespace picket::ingest

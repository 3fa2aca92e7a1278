// The status sync with one destination, turn by turn, against an API that answers as it is told.
#include "upstream/sync_peer.h"

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "support/fake_clock.h"
#include "support/fake_upstream.h"
#include "support/temp_dir.h"
#include "upstream/curl_options.h"
#include "upstream/ledger.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace picket::upstream {
namespace {

namespace json = boost::json;
using buffer::IssuePart;
using buffer::Key;
using buffer::Table;
using testing::FakeUpstream;
using testing::Received;
using testing::Reply;

constexpr std::string_view event_hex = "000102030405060708090a0b0c0d0e0f";
const std::string event_raw("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 16);

// One issue as a Sentry has it: found by its event, shown with its activity, changed by PUT.
class Tracker {
 public:
  Tracker() {
    api.answer([this](const Received& request) { return answer(request); });
  }
  // Members of the issue; `activity` is all that has happened to it.
  void set(std::string_view name, json::value value) {
    const std::lock_guard lock(mutex_);
    issue_[name] = std::move(value);
  }
  json::value get(std::string_view name) {
    const std::lock_guard lock(mutex_);
    return issue_.at(name);
  }
  // Answers the next requests whose path has this part, or that change the issue ("PUT"), instead.
  void next(std::string part, Reply reply, int times = 1) {
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < times; ++i) told_.emplace_back(part, reply);
  }
  std::vector<std::string> bodies() {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }
  std::string last_stamp() {
    const std::lock_guard lock(mutex_);
    return stamp_;
  }

  FakeUpstream api;

 private:
  Reply answer(const Received& request) {
    const std::lock_guard lock(mutex_);
    for (auto told = told_.begin(); told != told_.end(); ++told) {
      const bool put = request.body_bytes > 0;
      if (told->first == "PUT" ? !put : put || request.path.find(told->first) == std::string::npos) continue;
      auto reply = told->second;
      told_.erase(told);
      return reply;
    }
    if (request.body_bytes > 0) return change(request);
    if (request.path.find("/issues/77/") != std::string::npos) return {.body = json::serialize(issue_)};
    const bool found = request.path.find("query=" + std::string(event_hex)) != std::string::npos || request.path.find("group=77") != std::string::npos;
    if (!found) return {.body = "[]"};
    auto listed = issue_;
    listed.erase("activity");
    listed["matchingEventId"] = event_hex;
    return {.body = json::serialize(json::array{listed})};
  }
  Reply change(const Received& request) {
    bodies_.push_back(request.envelope);
    stamp_ = request.find_header("X-Picket-Stamp");
    const auto body = json::parse(request.envelope).as_object();
    if (const auto* status = body.if_contains("status")) issue_["status"] = *status;
    if (const auto* details = body.if_contains("statusDetails")) issue_["statusDetails"] = *details;
    if (const auto* substatus = body.if_contains("substatus")) issue_["substatus"] = *substatus;
    return {.body = json::serialize(issue_)};
  }

  std::mutex mutex_;
  json::object issue_{{"id", "77"},          {"status", "unresolved"}, {"substatus", "ongoing"},      {"statusDetails", json::object()},
                      {"assignedTo", nullptr}, {"priority", "high"},     {"priorityLockedAt", nullptr}, {"activity", json::array()}};
  std::vector<std::pair<std::string, Reply>> told_;
  std::vector<std::string> bodies_;
  std::string stamp_;
};

class SyncPeerTest : public ::testing::Test {
 protected:
  SyncPeerTest() : multi_(make_multi()) {
    auto opened = buffer::Tables::open({.path = folder_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(opened);
    tables_ = *std::move(opened);
    write([](buffer::Batch& batch) {
      schema::Issue issue;
      issue.set_id(1);
      issue.set_project(1);
      issue.set_first_event_id(event_raw);
      buffer::put_row(batch, Table::issues, Key().u64(1), issue);
      schema::IssueCounters counters;
      counters.set_last_event_id(event_raw);
      counters.set_last_sequence(1);
      buffer::put_row(batch, Table::issue_counters, Key().u64(1), counters);
    });
    forwarded_up_to(2);
  }
  ~SyncPeerTest() override {
    if (peer_) peer_->stop(multi_.get());
  }

  void start(std::string mode = "both") {
    if (peer_) peer_->stop(multi_.get());
    DestinationConfig config;
    config.name = "hub";
    config.dsn = tracker_.api.dsn();
    config.status_sync = std::move(mode);
    config.api_organization = "acme";
    config.api_token = "secret-token";
    config.retry_min = config.retry_max = Duration(1);
    config.hold_probe = Duration(3'600'000);
    config.status_interval = Duration(1);
    auto checked_configs = checked({config});
    ASSERT_TRUE(checked_configs) << checked_configs.error().detail;
    peer_ = std::make_unique<SyncPeer>(checked_configs->front(), *tables_, clock_, SyncOptions{.own_name = "edge", .look_every = Duration(0)});
    peer_->load();
  }
  void step() {
    peer_->pump(multi_.get());
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    int queued = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &queued)) {
      if (message->msg == CURLMSG_DONE && peer_->owns(message->easy_handle)) peer_->on_finished(multi_.get(), message->data.result);
    }
    curl_multi_poll(multi_.get(), nullptr, 0, 2, nullptr);
  }
  template <class Holds>
  bool until(const Holds& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      step();
    }
    return true;
  }
  // The same while time passes, so that every pause is over.
  template <class Holds>
  bool until_later(const Holds& holds) {
    return until([&] {
      clock_.advance(Duration(30'000));
      return holds();
    });
  }
  // Whatever would still go on has time to.
  void rest() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
    while (std::chrono::steady_clock::now() < end) step();
  }

  void write(const std::function<void(buffer::Batch&)>& change) { ASSERT_TRUE(tables_->write(change)); }
  void forwarded_up_to(buffer::Sequence next) {
    write([&](buffer::Batch& batch) {
      schema::Cursor cursor;
      cursor.set_next_sequence(next);
      buffer::put_row(batch, Table::cursors, cursor_name("hub"), cursor);
    });
  }
  schema::Issue issue() { return *buffer::find_row<schema::Issue>(tables_->snapshot(), Table::issues, Key().u64(1)); }
  // Somebody here decides (or an event does).
  void decide(std::uint32_t status, std::string details = "", bool automatic = false) {
    clock_.advance(Duration(1'000));
    write([&](buffer::Batch& batch) {
      auto row = *buffer::find_row<schema::Issue>(batch, Table::issues, Key().u64(1));
      row.set_status(status);
      row.set_status_details_json(details);
      auto stamp = buffer::next_stamp(buffer::stamp_of(row, IssuePart::status), to_ms(clock_.now()), buffer::instance_of(batch));
      stamp.set_automatic(automatic);
      buffer::set_stamp(row, IssuePart::status, std::move(stamp));
      buffer::note_changed(batch, row);
      buffer::put_row(batch, Table::issues, Key().u64(1), row);
    });
  }
  SyncStatus status() { return sync_status(tables_->snapshot(), "hub").value_or(SyncStatus()); }
  std::vector<schema::IssueWish> wishes() {
    std::vector<schema::IssueWish> found;
    const auto snapshot = tables_->snapshot();
    auto cursor = snapshot.cursor(Table::issue_wishes);
    for (bool there = cursor.first(); there; there = cursor.next()) found.push_back(buffer::parse_row<schema::IssueWish>(cursor.value()));
    return found;
  }
  std::optional<schema::IssueLink> link() { return SyncBook("hub").find_link(tables_->snapshot(), 1); }

  testing::TempDir folder_;
  testing::FakeClock clock_;
  Tracker tracker_;
  std::unique_ptr<buffer::Tables> tables_;
  std::unique_ptr<CURLM, CloseMulti> multi_;
  std::unique_ptr<SyncPeer> peer_;
};

TEST_F(SyncPeerTest, TellsAChangeOnceAndOnlyWhenItsEventsAreThere) {
  forwarded_up_to(1);
  start("send");
  decide(1);
  rest();
  EXPECT_TRUE(tracker_.bodies().empty());
  EXPECT_EQ(status().waiting, 1U);
  forwarded_up_to(2);
  ASSERT_TRUE(until([&] { return status().told == 1; }));
  EXPECT_EQ(tracker_.bodies(), std::vector<std::string>{R"({"status":"resolved"})"});
  EXPECT_NE(tracker_.last_stamp().find(" 0 edge"), std::string::npos) << tracker_.last_stamp();
  rest();
  EXPECT_EQ(tracker_.bodies().size(), 1U);
  EXPECT_EQ(status().waiting, 0U);
  EXPECT_EQ(status().state, "running");
  EXPECT_EQ(link()->remote(), "77");
  // Neither does another run.
  start("send");
  rest();
  EXPECT_EQ(tracker_.bodies().size(), 1U);
}

// The events tell it: the tracker that gets them decides by itself.
TEST_F(SyncPeerTest, NeverTellsWhatAnEventHasDone) {
  start("send");
  decide(0, "", true);
  rest();
  EXPECT_TRUE(tracker_.bodies().empty());
  EXPECT_EQ(status().waiting, 0U);
  // What somebody decides afterwards is told.
  decide(2, "{}");
  ASSERT_TRUE(until([&] { return status().told == 1; }));
  EXPECT_NE(tracker_.bodies().front().find("archived_forever"), std::string::npos);
}

TEST_F(SyncPeerTest, TakesWhatWasDecidedThereAndDoesNotTellItBack) {
  start("both");
  tracker_.set("status", "resolved");
  tracker_.set("activity", json::array{json::object{{"type", "set_resolved"}, {"dateCreated", "2033-01-01T00:00:00Z"}}});
  ASSERT_TRUE(until_later([&] { return !wishes().empty(); }));
  ASSERT_EQ(wishes().size(), 1U);
  EXPECT_EQ(wishes().front().issue(), 1U);
  EXPECT_EQ(wishes().front().status(), "resolved");
  EXPECT_EQ(wishes().front().origin(), "upstream hub");
  EXPECT_FALSE(wishes().front().has_assignee_stamp());
  // As the digest would: with the wish's stamp.
  const auto wish = wishes().front();
  write([&](buffer::Batch& batch) {
    auto row = *buffer::find_row<schema::Issue>(batch, Table::issues, Key().u64(1));
    row.set_status(1);
    *row.mutable_status_stamp() = wish.status_stamp();
    buffer::note_changed(batch, row);
    buffer::put_row(batch, Table::issues, Key().u64(1), row);
    auto cursor = batch.cursor(Table::issue_wishes);
    ASSERT_TRUE(cursor.first());
    const std::string key(cursor.key());
    batch.remove(Table::issue_wishes, key);
  });
  rest();
  EXPECT_TRUE(tracker_.bodies().empty());
  EXPECT_TRUE(wishes().empty());
  // A change there later on is seen by the round over all issues.
  tracker_.set("status", "unresolved");
  tracker_.set("activity", json::array{json::object{{"type", "set_unresolved"}, {"dateCreated", "2034-01-01T00:00:00Z"}}});
  ASSERT_TRUE(until([&] { return !wishes().empty(); }));
  EXPECT_EQ(wishes().front().status(), "unresolved");
  EXPECT_EQ(status().taken, 2U);
}

TEST_F(SyncPeerTest, ReceivingAloneTellsNothing) {
  start("receive");
  decide(1);
  ASSERT_TRUE(until_later([&] { return link() && !link()->remote().empty(); }));
  rest();
  EXPECT_TRUE(tracker_.bodies().empty());
}

TEST_F(SyncPeerTest, AReleaseThatIsUnknownThereIsLeftOut) {
  start("send");
  tracker_.next("PUT", Reply{.status = 400, .body = R"({"statusDetails":["Unable to find a release with the given version."]})"});
  decide(1, R"({"inRelease":"9.9"})");
  ASSERT_TRUE(until([&] { return status().told == 1; }));
  EXPECT_EQ(tracker_.bodies(), std::vector<std::string>{R"({"status":"resolved"})"});
  EXPECT_EQ(status().refused, 0U);
}

TEST_F(SyncPeerTest, WhatIsRefusedForGoodIsCountedAndLeftAlone) {
  start("send");
  tracker_.next("PUT", Reply{.status = 400, .body = R"({"detail":"no"})"}, 2);
  decide(1);
  ASSERT_TRUE(until([&] { return status().refused == 1; }));
  rest();
  EXPECT_EQ(status().told, 0U);
  EXPECT_EQ(status().waiting, 0U);
  EXPECT_NE(link()->error().find("status: answer 400"), std::string::npos) << link()->error();
  EXPECT_EQ(issue().status(), 1U);
}

TEST_F(SyncPeerTest, IsHeldByARefusedTokenUntilSomebodyResumes) {
  tracker_.next("limit=1", Reply{.status = 401, .body = R"({"detail":"Invalid token"})"});
  start("send");
  decide(1);
  ASSERT_TRUE(until([&] { return status().state == "held"; }));
  EXPECT_EQ(status().last_error.find("secret-token"), std::string::npos);
  const auto requests = tracker_.api.requests();
  rest();
  EXPECT_EQ(tracker_.api.requests(), requests);
  write([](buffer::Batch& batch) {
    schema::Destination row;
    row.set_name("hub");
    row.set_retry_generation(1);
    buffer::put_row(batch, Table::destinations, "hub", row);
  });
  ASSERT_TRUE(until([&] { return status().told == 1; }));
  EXPECT_EQ(status().state, "running");
}

TEST_F(SyncPeerTest, APausedDestinationIsAskedNothing) {
  write([](buffer::Batch& batch) {
    schema::Destination row;
    row.set_name("hub");
    row.set_paused(true);
    buffer::put_row(batch, Table::destinations, "hub", row);
  });
  start("both");
  decide(1);
  rest();
  EXPECT_EQ(tracker_.api.requests(), 0U);
}

// Errors, resets, half answers, pages of a portal, JSON of another shape: nothing is lost, nothing told twice.
TEST_F(SyncPeerTest, ComesThroughWhateverTheApiAnswers) {
  const std::vector<Reply> bad = {
      {.status = 500},
      {.status = 503, .body = "<html>", .content_type = "text/html"},
      testing::portal_page(),
      {.way = Reply::Way::reset},
      {.body = R"({"id":"77"})", .way = Reply::Way::cut},
      {.body = "[1,null,{}]"},
      {.body = "{"},
      {.body = R"({"id":7,"status":[]})"},
  };
  // Each step meets them all; a 2xx with JSON is taken for a change that was told.
  for (const std::string part : {"limit=1", "query=0001", "/issues/77/"}) {
    for (const auto& reply : bad) tracker_.next(part, reply);
  }
  for (std::size_t i = 0; i < 5; ++i) tracker_.next("PUT", bad[i]);
  start("send");
  decide(1);
  const bool told = until_later([&] { return status().told >= 1; });
  ASSERT_TRUE(told) << status().last_error << " " << (link() ? link()->error() : "no link");
  rest();
  EXPECT_EQ(status().told, 1U);
  EXPECT_EQ(status().state, "running");
  EXPECT_EQ(tracker_.get("status"), "resolved");
}

TEST_F(SyncPeerTest, ALimitIsWaitedFor) {
  tracker_.next("limit=1", Reply{.status = 429, .body = R"({"detail":"slow"})", .headers = {{"Retry-After", "2"}}});
  start("send");
  decide(1);
  ASSERT_TRUE(until([&] { return tracker_.api.requests() == 1; }));
  const auto limited = std::chrono::steady_clock::now();
  ASSERT_TRUE(until([&] { return status().told == 1; }));
  EXPECT_GE(std::chrono::steady_clock::now() - limited, std::chrono::milliseconds(1'800));
}

TEST_F(SyncPeerTest, ForgetsAnIssueThatIsGoneHere) {
  start("both");
  ASSERT_TRUE(until_later([&] { return link() && !link()->remote().empty(); }));
  write([](buffer::Batch& batch) { batch.remove(Table::issues, Key().u64(1)); });
  ASSERT_TRUE(until([&] { return !link(); }));
  EXPECT_EQ(tables_->snapshot().entries(Table::issue_links_due), 0U);
}

TEST_F(SyncPeerTest, LooksAgainForAnIssueThatIsNotThereYet) {
  tracker_.next("query=", Reply{.body = "[]"}, 3);
  start("send");
  decide(1);
  ASSERT_TRUE(until([&] { return link() && link()->attempts() == 1; }));
  rest();
  EXPECT_EQ(link()->attempts(), 1U);  // not at once
  ASSERT_TRUE(until_later([&] { return status().told == 1; }));
}

}  // namespace
}  // namespace picket::upstream

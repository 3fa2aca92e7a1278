#include "forwarder_fixture.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <regex>
#include <set>

namespace picket::upstream {
namespace {

using Steady = std::chrono::steady_clock;

class LinkTest : public ForwarderTest {
 protected:
  DestinationConfig with(const std::function<void(LinkConfig&)>& change) {
    auto config = destination(upstream);
    config.stall_timeout = 20s;
    change(config.link);
    return config;
  }
  // An envelope of about so many bytes that no compression makes smaller.
  void post_large(std::size_t bytes) {
    RecordOptions options;
    options.id = event_id(++posted);
    auto record = make_record(options, clock.now());
    std::string noise;
    for (std::uint64_t state = posted; noise.size() < bytes; state = state * 6364136223846793005ULL + 1442695040888963407ULL) {
      noise += static_cast<char>(' ' + 1 + (state >> 40) % 90);
    }
    std::replace(noise.begin(), noise.end(), '"', 'x');
    std::replace(noise.begin(), noise.end(), '\\', 'x');
    const std::string payload = "{\"a\":\"" + noise + "\"}";
    const auto text = "{\"event_id\":\"" + options.id + "\"}\n{\"type\":\"event\",\"length\":" + std::to_string(payload.size()) + "}\n" + payload + "\n";
    record.coding = static_cast<std::uint8_t>(relay::Coding::gzip);
    record.body = relay::encode_gzip(text, 1);
    journal.append(std::move(record));
  }
};

TEST_F(LinkTest, KeepsTheCapOverManySmallEnvelopes) {
  constexpr std::uint64_t cap = 60'000;
  post_many(2'000);
  start({with([](LinkConfig& link) { link.max_bytes_per_second = cap; })});
  ASSERT_TRUE(upstream.wait_for_accepted(10));
  const auto before = status().link.wire.sent;
  const auto begun = Steady::now();
  std::this_thread::sleep_for(4s);
  const double seconds = std::chrono::duration<double>(Steady::now() - begun).count();
  const auto sent = static_cast<double>(status().link.wire.sent - before) / seconds;
  // The bucket's tenth of a second, a head, and how old the two readings may be.
  EXPECT_LE(sent, cap * 1.06);
  // That it is used up is shown with a clock of its own: a busy machine may give us no turn in time.
  EXPECT_GE(sent, cap * 0.1);
}

TEST_F(LinkTest, PacesInsideABody) {
  constexpr std::uint64_t cap = 100'000;
  post_large(300'000);
  const auto begun = Steady::now();
  start({with([](LinkConfig& link) { link.max_bytes_per_second = cap; })});
  std::this_thread::sleep_for(500ms);
  EXPECT_LE(status().link.wire.sent, 80'000U);
  EXPECT_GE(status().link.wire.sent, 20'000U);
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  const double took = std::chrono::duration<double>(Steady::now() - begun).count();
  const auto sent = static_cast<double>(upstream.received().at(0).body_bytes);
  EXPECT_GE(took, sent / cap * 0.93);
  EXPECT_LE(took, sent / cap * 1.5 + 1);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.accepted(), 1U);
}

TEST_F(LinkTest, SmallOnesAreNotHeldUpByALargeOneForLongerThanTheirTurn) {
  post();
  post_large(120'000);
  post_many(20);
  start({with([](LinkConfig& link) { link.max_bytes_per_second = 100'000; })});
  ASSERT_TRUE(upstream.wait_for_accepted(22));
  ASSERT_TRUE(all_written());
  const auto ids = upstream.accepted_ids();
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 22U);
  EXPECT_EQ(ids.size(), 22U);
  EXPECT_EQ(status().failures, 0U);
}

TEST_F(LinkTest, CountsEverythingThatTcpCarried) {
  post_many(50);
  start();
  ASSERT_TRUE(all_written());
  const auto received = upstream.received();
  const auto bodies = std::accumulate(received.begin(), received.end(), std::uint64_t{0},
                                      [](std::uint64_t sum, const Received& one) { return sum + one.body_bytes; });
  ASSERT_TRUE(soon([&] { return status().link.wire.sent > bodies + 50 * 200; }));
  const auto link = status().link;
  const auto wire = link.wire;
  EXPECT_LT(wire.sent, bodies + 50 * 1'000);
  EXPECT_GT(wire.received, 50U * 50U);
  EXPECT_EQ(link.day_bytes, wire.sent + wire.received);
}

TEST_F(LinkTest, StopsAtTheDaysBytesAndGoesOnTheNextDay) {
  const auto config = with([](LinkConfig& link) { link.max_bytes_per_day = 100'000; });
  for (int i = 0; i < 10; ++i) post_large(36'000);
  post_many(3);  // fit beside what is left of the day
  start({config});
  ASSERT_TRUE(soon([&] { return upstream.accepted() >= 6; })) << describe();
  std::this_thread::sleep_for(200ms);
  const auto first_day = upstream.accepted();
  EXPECT_LE(status().link.wire.sent + status().link.wire.received, 100'000U);
  EXPECT_LE(first_day, 6U);
  EXPECT_EQ(row().link().day_cap(), 100'000U);

  // A restart forgets nothing.
  forwarder.reset();
  start({config});
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(upstream.accepted(), first_day);

  for (int day = 0; day < 6 && upstream.accepted() < 13; ++day) {
    clock.advance(24h);
    const auto before = upstream.accepted();
    soon([&] { return upstream.accepted() > before; }, 2s);
    std::this_thread::sleep_for(200ms);
  }
  EXPECT_EQ(upstream.accepted(), 13U);
  const auto ids = upstream.accepted_ids();
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 13U) << "sent twice";
}

TEST_F(LinkTest, SaysWhyNothingGoesWhenTheMonthIsUsedUp) {
  const auto config = with([](LinkConfig& link) { link.max_bytes_per_month = 65'536; });
  change_row([&](schema::Destination& changed) {
    changed.mutable_link()->set_month(2023 * 12 + 10);  // November, where the clock stands
    changed.mutable_link()->set_month_bytes(65'500);
  });
  post();
  start({config});
  ASSERT_TRUE(soon([&] { return row().link().waits() == "the month's bytes are used up"; }));
  EXPECT_EQ(status().state, DestinationState::closed);
  EXPECT_EQ(upstream.requests(), 0U);
  EXPECT_EQ(row().link().waits_until_ms(), 1'701'388'800'000);  // the 1st of December
  clock.set(time_from_ms(1'701'388'800'000));
  EXPECT_TRUE(upstream.wait_for_accepted(1));
  ASSERT_TRUE(soon([&] { return row().link().waits().empty(); }));
}

TEST_F(LinkTest, SendsOnlyInItsWindows) {
  // The clock stands at Tuesday, 22:13:20.
  post_many(3);
  start({with([](LinkConfig& link) { link.windows = {"23:00-23:30"}; })});
  ASSERT_TRUE(soon([&] { return row().link().waits() == "outside its windows"; }));
  EXPECT_EQ(status().state, DestinationState::closed);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(upstream.requests(), 0U);
  clock.advance(47min);
  ASSERT_TRUE(upstream.wait_for_accepted(3));
  EXPECT_EQ(status().state, DestinationState::running);
  clock.advance(30min);
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::closed; }));
  post();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(upstream.requests(), 3U);
}

TEST_F(LinkTest, SendsOnlyWhatAMeteredLinkMayCarry) {
  const auto file = folder / "metered";
  std::ofstream(file) << "yes";
  const auto config = with([&](LinkConfig& link) { link.metered_file = file.string(); });
  post({.types = {"transaction"}});
  post({.types = {"event"}});
  post({.types = {"check_in"}});
  post({.types = {"session"}});
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  ASSERT_TRUE(soon([&] { return row().link().waits() == "metered"; }));
  ASSERT_TRUE(soon([&] { return status().depth == 2U; }));
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(upstream.requests(), 2U);
  EXPECT_TRUE(status().link.metered);
  forwarder.reset();
  start({config});
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(upstream.requests(), 2U);
  std::filesystem::remove(file);
  ASSERT_TRUE(upstream.wait_for_accepted(4));
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.requests(), 4U);
}

TEST_F(LinkTest, HeedsTheSignalWhereItIsToldTo) {
  auto deaf = destination(upstream, "deaf");
  start({with([](LinkConfig& link) { link.metered_signal = true; }), deaf});
  forwarder->set_metered(true);
  ASSERT_TRUE(soon([&] { return status().link.metered; }));
  EXPECT_FALSE(status("deaf").link.metered);
  post({.types = {"transaction"}});
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(upstream.requests(), 1U);
  forwarder->set_metered(false);
  EXPECT_TRUE(upstream.wait_for_accepted(2));
}

TEST_F(LinkTest, DoesNotSendWhatHasOutlivedItsTimeAndCountsIt) {
  post({.types = {"transaction"}, .described = true});
  post({.types = {"event"}, .described = true});
  post({.types = {"session"}, .described = true});
  clock.advance(2h);
  post({.types = {"transaction"}, .described = true});
  start({with([](LinkConfig& link) { link.time_to_live = {{"transactions", "1h"}, {"errors", "3h"}}; })});
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.accepted(), 3U);
  EXPECT_EQ(row().expired(), 1U);
  EXPECT_EQ(row().link().outlived(), 1U);
  EXPECT_EQ(row().link().too_old(), 0U);
  EXPECT_EQ(items(), (std::map<std::pair<int, int>, std::uint64_t>{{{1, 1}, 1}, {{2, 1}, 1}, {{2, 3}, 1}, {{5, 1}, 1}}));
}

TEST_F(LinkTest, DoesNotSendWhatTheUpstreamWouldRefuseForItsAge) {
  for (const char* const type : {"transaction", "event", "session", "check_in"}) post({.types = {type}, .described = true});
  clock.advance(24h * 6);
  const auto config = with([](LinkConfig& link) { link.age_limits = "sentry"; });
  start({config});
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.accepted(), 2U);
  EXPECT_EQ(row().link().too_old(), 2U);
  upstream.answer_with({.status = 503});
  post({.types = {"event"}, .described = true});
  ASSERT_TRUE(upstream.wait_for_requests(3));
  clock.advance(24h * 31);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.accepted(), 2U);
  EXPECT_EQ(row().link().too_old(), 3U);
  EXPECT_EQ(row().expired(), 3U);
}

// However late it came here: an SDK kept it, or the first Picket of a chain.
TEST_F(LinkTest, JudgesByWhatSessionsAndTransactionsTellOfNotByTheirArrival) {
  const auto days_ago = [this](int days) { return relay::render_timestamp(to_ms(clock.now() - 24h * days)); };
  const auto dated = [](const char* name, const std::string& time) { return "{\"" + std::string(name) + "\":\"" + time + "\"}"; };
  post({.types = {"transaction"}, .described = true, .payload = dated("timestamp", days_ago(4))});
  post({.types = {"transaction"}, .described = true, .payload = dated("timestamp", days_ago(6))});
  post({.types = {"session"}, .described = true, .payload = dated("started", days_ago(6))});
  // An upstream dates it anew and keeps it.
  post({.types = {"event"}, .described = true, .payload = dated("timestamp", "1970-01-01T00:00:09Z")});
  // The sender's clock is ten days late.
  post({.sent_at = days_ago(10), .types = {"transaction"}, .described = true, .payload = dated("timestamp", days_ago(11))});
  start({with([](LinkConfig& link) { link.age_limits = "sentry"; })});
  ASSERT_TRUE(all_written());
  auto ids = upstream.accepted_ids();
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(ids, (std::vector<std::string>{event_id(1), event_id(4), event_id(5)}));
  EXPECT_EQ(row().link().too_old(), 2U);
  EXPECT_EQ(row().expired(), 2U);
  // What is young enough when it is read grows old while it waits.
  upstream.answer_with({.status = 503});
  post({.types = {"transaction"}, .described = true, .payload = dated("timestamp", days_ago(4))});
  ASSERT_TRUE(upstream.wait_for_requests(4));
  clock.advance(24h * 2);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().link().too_old(), 3U);
}

TEST_F(LinkTest, SendsWhatIsOldWhereTheUpstreamIsNotSaidToMind) {
  post({.types = {"transaction"}, .described = true, .payload = "{\"timestamp\":9}"});
  start();
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.accepted(), 1U);
}

// One when it is read, one while it waits to go again.
TEST_F(LinkTest, TellsTheUpstreamWhatExpired) {
  const auto is_report = [](const Received& received) { return received.envelope.find("client_report") != std::string::npos; };
  upstream.answer([&](const Received& received) { return Reply{.status = is_report(received) ? 200U : 503U}; });
  post({.types = {"transaction", "attachment"}, .described = true});
  clock.advance(2h);
  post({.types = {"transaction"}, .described = true});
  auto config = with([](LinkConfig& link) { link.time_to_live = {{"transactions", "1h"}}; });
  config.report_unsent = 1min;
  start({config});
  ASSERT_TRUE(upstream.wait_for_requests(1));
  clock.advance(2h);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().expired(), 2U);
  ASSERT_TRUE(soon([&] {
    clock.advance(1min);
    return row().unsent_size() == 0;
  }));
  std::uint64_t transactions = 0, attachments = 0;
  const std::regex told(R"re(\{"reason":"expired","category":"(\w+)","quantity":(\d+)\})re");
  for (const auto& received : upstream.received()) {
    if (!is_report(received)) continue;
    for (std::sregex_iterator it(received.envelope.begin(), received.envelope.end(), told), end; it != end; ++it) {
      ((*it)[1] == "transaction" ? transactions : attachments) += std::stoull((*it)[2]);
    }
  }
  EXPECT_EQ(transactions, 2U);
  EXPECT_GT(attachments, 0U);
}

TEST_F(LinkTest, AReportThatTheDaysBytesHaveNoRoomForWaitsForTheNextDay) {
  auto config = with([](LinkConfig& link) { link.max_bytes_per_day = 1'000'000; });
  config.report_unsent = 1min;
  config.compression = "identity";
  const std::vector<std::string> left_out = {"session", "transaction", "attachment", "check_in", "profile", "span", "feedback"};
  config.routing.categories.exclude = {"session", "transaction", "attachment", "monitor", "profile", "span", "feedback"};
  for (const std::string& type : left_out) post({.types = {type}, .described = true});
  post_large(80'000);  // no cap may be less than 64 KiB
  start({config});
  ASSERT_TRUE(all_written());
  ASSERT_EQ(row().not_routed(), left_out.size());
  forwarder.reset();
  ASSERT_GT(row().link().day_bytes(), 65'000U);
  config.link.max_bytes_per_day = row().link().day_bytes() + 1'100;
  start({config});
  for (int minute = 0; minute < 5; ++minute) {
    clock.advance(61s);
    std::this_thread::sleep_for(40ms);
  }
  EXPECT_EQ(upstream.requests(), 1U);
  EXPECT_EQ(status().state, DestinationState::running) << "something smaller would go";
  ASSERT_TRUE(soon([&] {
    clock.advance(2h);
    return upstream.requests() == 2;
  }));
  EXPECT_NE(upstream.received()[1].envelope.find("client_report"), std::string::npos);
}

TEST_F(LinkTest, ReportsOfWhatWasLeftOutWaitForTheLinkAndCountOnIt) {
  const auto file = folder / "metered";
  auto config = with([&](LinkConfig& link) {
    link.metered_file = file.string();
    link.max_bytes_per_day = 65'536;
  });
  config.routing.categories.exclude = {"session"};
  config.report_unsent = 1min;
  post({.types = {"session"}, .described = true});
  post({.types = {"event"}, .described = true});
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  ASSERT_TRUE(soon([&] { return row().not_routed() == 1; }));
  std::ofstream(file) << "yes";
  ASSERT_TRUE(soon([&] { return status().link.metered; }));
  clock.advance(2min);
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(upstream.requests(), 1U) << "a report is of a class that a metered link does not carry";
  const auto before = status().link.wire.sent;
  std::filesystem::remove(file);
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  EXPECT_NE(upstream.received()[1].envelope.find("client_report"), std::string::npos);
  ASSERT_TRUE(soon([&] { return row().unsent_size() == 0; }));
  ASSERT_TRUE(soon([&] { return status().link.wire.sent > before; }));
  EXPECT_EQ(row().forwarded(), 1U);
}

TEST_F(LinkTest, SaysWhenNothingWillWaitAnyMore) {
  upstream.answer([](const Received&) { return Reply{.delay = 10ms}; });
  post_many(3'000);
  auto config = with([](LinkConfig&) {});
  config.max_in_flight = 1;
  start({config});
  ASSERT_TRUE(soon([&] { return status().link.drained_at.has_value(); }));
  const auto left = std::chrono::duration<double>(*status().link.drained_at - clock.now()).count();
  EXPECT_GT(left, 5);
  EXPECT_LT(left, 300);
}

TEST(LinkSettings, SayWhatIsWrongWithThem) {
  const auto problem = [](const std::function<void(LinkConfig&)>& change) {
    LinkConfig config;
    change(config);
    return problem_of(config);
  };
  EXPECT_EQ(problem([](LinkConfig&) {}), "");
  EXPECT_EQ(problem([](LinkConfig& c) { c.max_bytes_per_second = 99; }), "max_bytes_per_second must be 0 (no cap) or at least 100");
  EXPECT_EQ(problem([](LinkConfig& c) { c.max_bytes_per_day = 1; }),
            "max_bytes_per_day and max_bytes_per_month must be 0 (no cap) or at least 64KiB");
  EXPECT_EQ(problem([](LinkConfig& c) { c.time_zone = "Europe/Vindobona"; }),
            "there is no time_zone \"Europe/Vindobona\"; write one like Europe/Vienna, or UTC");
  EXPECT_TRUE(problem([](LinkConfig& c) { c.windows = {"at night"}; }).starts_with("windows: \"at night\" is no window"));
  EXPECT_EQ(problem([](LinkConfig& c) { c.metered_classes = {"crashes"}; }),
            "metered_classes: there is no class \"crashes\"; there are errors, check_ins, sessions, transactions, logs, replays, attachments, other");
  EXPECT_EQ(problem([](LinkConfig& c) { c.priority = {"errors", "logs", "errors"}; }), "priority names errors twice");
  EXPECT_EQ(problem([](LinkConfig& c) { c.time_to_live = {{"errors", "soon"}}; }),
            "time_to_live: \"soon\" of errors is no duration; write one like 12h or 7d");
  EXPECT_TRUE(problem([](LinkConfig& c) { c.time_to_live = {{"error", "1h"}}; }).starts_with("time_to_live: there is no class \"error\""));
  EXPECT_EQ(problem([](LinkConfig& c) { c.age_limits = "relay"; }), "age_limits must be none or sentry");
}

}  // namespace
}  // namespace picket::upstream

#include "api/rest/rest_fixture.h"

#include <algorithm>
#include <set>

namespace picket::rest {
namespace {

class Pagination : public Rest {
 protected:
  void make_teams(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(call("POST", "/api/0/organizations/picket/teams/",
                     "{\"name\":\"t" + std::to_string(i) + "x\"}")
                    .status,
                201U);
    }
  }
};

TEST_F(Pagination, AlwaysNamesBothRelations) {
  const auto answer = get("/api/0/organizations/picket/teams/");
  EXPECT_EQ(answer.headers.find("Link"),
            "<http://picket.example:3000/api/0/organizations/picket/teams/?&cursor=0:0:1>; "
            "rel=\"previous\"; "
            "results=\"false\"; cursor=\"0:0:1\", "
            "<http://picket.example:3000/api/0/organizations/picket/teams/?&cursor=0:100:0>; "
            "rel=\"next\"; "
            "results=\"false\"; cursor=\"0:100:0\"");
}

TEST_F(Pagination, KeepsTheQueryAndDropsTheOldCursor) {
  const auto answer = get("/api/0/organizations/picket/teams/?query=a%20b%3Ac&cursor=&detailed=0");
  const auto next = relation(answer.headers.find("Link"), "next");
  EXPECT_EQ(next.url,
            "http://picket.example:3000/api/0/organizations/picket/teams/"
            "?query=a%20b%3Ac&detailed=0&cursor=0:100:0");
}

TEST_F(Pagination, WalksForthAndBackWithoutLossOrRepetition) {
  make_teams(10);  // and the first: 11
  std::vector<std::string> seen;
  std::string cursor;
  std::vector<std::string> cursors;
  for (int pages = 0; pages < 20; ++pages) {
    const auto answer = get("/api/0/organizations/picket/teams/?per_page=4&cursor=" + cursor);
    ASSERT_EQ(answer.status, 200U);
    for (const auto& team : answer.json.as_array())
      seen.push_back(text_of(team.at("id")));
    const auto next = relation(answer.headers.find("Link"), "next");
    cursors.push_back(cursor);
    if (next.results != "true") break;
    cursor = next.cursor;
  }
  EXPECT_EQ(seen.size(), 11U);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 11U);
  EXPECT_EQ(cursors.size(), 3U);

  auto answer = get("/api/0/organizations/picket/teams/?per_page=4&cursor=" + cursors.back());
  std::vector<std::string> back;
  for (;;) {
    std::vector<std::string> page;
    for (const auto& team : answer.json.as_array())
      page.push_back(text_of(team.at("id")));
    back.insert(back.begin(), page.begin(), page.end());
    const auto previous = relation(answer.headers.find("Link"), "previous");
    if (previous.results != "true") break;
    answer = get("/api/0/organizations/picket/teams/?per_page=4&cursor=" + previous.cursor);
  }
  EXPECT_EQ(back, seen);
}

TEST_F(Pagination, AnswersAPagePastTheEndEmpty) {
  const auto answer = get("/api/0/organizations/picket/teams/?cursor=0:281474976710656:0");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_TRUE(answer.json.as_array().empty());
  EXPECT_EQ(relation(answer.headers.find("Link"), "next").results, "false");
  EXPECT_EQ(relation(answer.headers.find("Link"), "previous").results, "true");
}

TEST_F(Pagination, RefusesCursorsThatAreNone) {
  for (const std::string cursor :
       {"x", "0:0", "0:0:2", "0:0:", ":0:0", "-1:0:0", "0:-5:0", "0:99999999999999999999:0",
        "0:281474976710657:0", "0:0:0:0", "1.x:0:0", "%00:0:0"}) {
    const auto answer = get("/api/0/organizations/picket/teams/?cursor=" + cursor);
    EXPECT_EQ(answer.status, 400U) << cursor;
    EXPECT_EQ(answer.detail(), "Invalid cursor parameter.");
  }
  EXPECT_EQ(get("/api/0/organizations/picket/teams/?cursor=1700000000000.0:0:0").status, 200U);
}

TEST_F(Pagination, RefusesPageSizesOutOfBounds) {
  const std::pair<std::string, std::string> cases[] = {
      {"101", "Invalid per_page value. Cannot exceed 100."},
      {"99999999999999999999", "Invalid per_page parameter."},
      {"ten", "Invalid per_page parameter."},
      {"", "Invalid per_page parameter."},
      {"0", "Invalid per_page value. Cannot be less than 1."},
      {"-3", "Invalid per_page value. Cannot be less than 1."},
  };
  for (const auto& [size, detail] : cases) {
    const auto answer = get("/api/0/organizations/picket/teams/?per_page=" + size);
    EXPECT_EQ(answer.status, 400U) << size;
    EXPECT_EQ(answer.detail(), detail);
  }
  EXPECT_EQ(get("/api/0/organizations/picket/teams/?per_page=100").status, 200U);
}

TEST(ParsePage, CutsALimitDownInsteadOfRefusingIt) {
  const auto page = std::get<Page>(parse_page(Query("limit=10000")));
  EXPECT_EQ(page.per_page, 100U);
  EXPECT_EQ(std::get<Page>(parse_page(Query("limit=0"))).per_page, 1U);
  EXPECT_TRUE(std::holds_alternative<Reply>(parse_page(Query("limit=many"))));
}

TEST_F(Pagination, DoesNotLetAPathBreakOutOfTheLink) {
  http::Request request;
  request.head.method = "GET";
  request.head.path = "/api/0/organizations/";
  request.head.query = "query=%3E%22%2C%20rel&x=%0d%0aEvil:1";
  request.head.headers.add("Authorization", "Bearer " + token);
  const std::string link(send(request).headers.find("Link"));
  EXPECT_EQ(link.find('\n'), std::string::npos);
  EXPECT_EQ(std::count(link.begin(), link.end(), '>'), 2);
}

const Time now = time_from_ms(1'700'000'000'000);

Period period_of(std::string_view query) {
  const auto parsed = parse_period(Query(query), now);
  const auto* period = std::get_if<std::optional<Period>>(&parsed);
  EXPECT_TRUE(period != nullptr && *period) << query;
  return period != nullptr && *period ? **period : Period{};
}

std::string refusal_of(std::string_view query) {
  const auto parsed = parse_period(Query(query), now);
  const auto* reply = std::get_if<Reply>(&parsed);
  if (reply == nullptr) return {};
  EXPECT_EQ(reply->status, 400U);
  return std::string(reply->body->at("detail").as_string());
}

TEST(ParsePeriod, ReadsEveryUnit) {
  const std::pair<std::string_view, std::int64_t> cases[] = {
      {"90", 90'000},      {"90s", 90'000},        {"5m", 300'000},
      {"24h", 86'400'000}, {"14d", 1'209'600'000}, {"2w", 1'209'600'000}};
  for (const auto& [text, ms] : cases) {
    const auto period = period_of("statsPeriod=" + std::string(text));
    EXPECT_EQ(period.to, now);
    EXPECT_EQ((period.to - period.from).count(), ms) << text;
  }
}

TEST(ParsePeriod, RefusesWhatIsNoPeriod) {
  for (const std::string text :
       {"h", "1y", "-1d", "1.5h", "1 d", "99999999999999999999d", "4294967295w", "+1d", "1dd"}) {
    EXPECT_TRUE(refusal_of("statsPeriod=" + http::percent_encode(text))
                    .starts_with("Invalid statsPeriod: '"))
        << text;
  }
  EXPECT_EQ(refusal_of("statsPeriod=1y"), "Invalid statsPeriod: '1y'");
}

TEST(ParsePeriod, NeedsStartAndEndInOrder) {
  EXPECT_EQ(refusal_of("start=2024-01-01"), "start and end are both required");
  EXPECT_EQ(refusal_of("end=2024-01-01"), "start and end are both required");
  EXPECT_EQ(refusal_of("start=2024-01-02T00:00:00&end=2024-01-01T00:00:00"),
            "start must be before end");
  EXPECT_EQ(refusal_of("start=2024-01-01T00:00:00&end=2024-01-01T00:00:00"),
            "start must be before end");
  EXPECT_NE(refusal_of("start=yesterday&end=2024-01-01T00:00:00"), "");
}

TEST(ParsePeriod, ReadsTimesWithAndWithoutZone) {
  const auto period = period_of("start=2023-11-14T22:13:20&end=2023-11-14T23:13:20Z");
  EXPECT_EQ(to_ms(period.from), 1'700'000'000'000);
  EXPECT_EQ(to_ms(period.to), 1'700'003'600'000);
}

TEST(ParsePeriod, CountsBackFromNowAtBothEnds) {
  const auto period = period_of("statsPeriodStart=7d&statsPeriodEnd=1d");
  EXPECT_EQ((now - period.from).count(), 7 * 86'400'000LL);
  EXPECT_EQ((now - period.to).count(), 86'400'000LL);
  EXPECT_EQ(refusal_of("statsPeriodStart=1d&statsPeriodEnd=7d"), "start must be before end");
}

TEST(ParsePeriod, IsNothingWhenNothingOrOnlyEmptyTextIsGiven) {
  for (const std::string_view query : {"", "statsPeriod=", "start=&end="}) {
    const auto parsed = parse_period(Query(query), now);
    ASSERT_TRUE(std::holds_alternative<std::optional<Period>>(parsed));
    EXPECT_FALSE(std::get<std::optional<Period>>(parsed));
  }
}

}  // namespace
}  // namespace picket::rest

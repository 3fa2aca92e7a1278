#include "issue_fixture.h"

namespace picket::rest {
namespace {

TEST_F(IssuesTest, ListsNewestFirstWithEverythingALineNeeds) {
  error("Older");
  error("Newer", R"(,"release":"1.0","environment":"prod","user":{"id":"7"})");
  error("Newer", R"(,"user":{"id":"8"})");
  const auto answer = get(organization_path("issues/"));
  EXPECT_EQ(titles(answer), (Titles{"Newer", "Older"}));
  EXPECT_EQ(answer.headers.find("X-Hits"), "2");
  EXPECT_EQ(answer.headers.find("X-Max-Hits"), "1000");
  const auto& newest = answer.json.at(0);
  EXPECT_EQ(newest.at("count"), "2");
  EXPECT_EQ(newest.at("userCount"), 2);
  EXPECT_EQ(newest.at("shortId"), "DEFAULT-2");
  EXPECT_EQ(newest.at("status"), "unresolved");
  EXPECT_EQ(newest.at("substatus"), "new");
  EXPECT_EQ(newest.at("level"), "error");
  EXPECT_EQ(newest.at("metadata").at("type"), "Newer");
  EXPECT_EQ(newest.at("project").at("slug"), json_text(first.project));
  EXPECT_EQ(newest.at("stats").at("24h").as_array().size(), 24U);
  EXPECT_EQ(newest.at("stats").at("24h").at(23).at(1), 2);
  EXPECT_EQ(titles(get(project_path("issues/"))), (Titles{"Newer", "Older"}));
}

TEST_F(IssuesTest, FiltersByWhatAnIssueSaysOfItself) {
  error("Alpha", R"(,"level":"warning","logger":"app.db","transaction":"/cart")");
  error("Beta", R"(,"level":"fatal")");
  error("Gamma");
  error("Gamma");
  EXPECT_EQ(listed("query=level:warning"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=!level:[warning,error]"), Titles{"Beta"});
  EXPECT_EQ(listed("query=logger:app.*"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=timesSeen:>1"), Titles{"Gamma"});
  EXPECT_EQ(listed("query=timesSeen:[1,5]"), (Titles{"Beta", "Alpha"}));
  EXPECT_EQ(listed("query=error.type:*m*a"), Titles{"Gamma"});
  EXPECT_EQ(listed("query=title:%22Beta:%20went%20wrong%22"), Titles{"Beta"});
  EXPECT_EQ(listed("query=culprit:/cart"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=transaction:/cart"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=platform:python+error.type:Beta"), Titles{"Beta"});
  EXPECT_EQ(listed("query=issue.priority:high"), (Titles{"Gamma", "Beta"}));
  EXPECT_EQ(listed("query=issue.category:error+!issue.type:error"), Titles{});
  EXPECT_EQ(listed("query=BETA"), Titles{"Beta"});
  EXPECT_EQ(listed("query=went+wrong"), (Titles{"Gamma", "Beta", "Alpha"}));
  EXPECT_EQ(listed("query=b*WRONG"), Titles{"Beta"});
  EXPECT_EQ(listed("query=%22wrong+went%22"), Titles{});
  EXPECT_EQ(listed("query=issue:DEFAULT-1"), Titles{"Alpha"});
}

TEST_F(IssuesTest, FiltersByTags) {
  error("Alpha", R"(,"release":"shop@1.2.0","environment":"prod","tags":{"color":"red"},"user":{"id":"7"})");
  error("Beta", R"(,"release":"shop@1.10.0","environment":"staging","tags":{"color":"dark red"})");
  error("Gamma", R"(,"tags":{"size":"5"})");
  EXPECT_EQ(listed("query=color:red"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=color:%22dark+red%22"), Titles{"Beta"});
  EXPECT_EQ(listed("query=color:*red"), (Titles{"Beta", "Alpha"}));
  EXPECT_EQ(listed("query=!color:red"), (Titles{"Gamma", "Beta"}));
  EXPECT_EQ(listed("query=has:color"), (Titles{"Beta", "Alpha"}));
  EXPECT_EQ(listed("query=!has:color"), Titles{"Gamma"});
  EXPECT_EQ(listed("query=color:%22%22"), Titles{"Gamma"});
  EXPECT_EQ(listed("query=tags[color]:[red,blue]"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=release:shop@1.2.0"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=release:latest"), Titles{"Beta"});
  EXPECT_EQ(listed("query=release.version:>1.2.0"), Titles{"Beta"});
  EXPECT_EQ(listed("query=release.version:<=1.2.0"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=release.package:shop"), (Titles{"Beta", "Alpha"}));
  EXPECT_EQ(listed("query=firstRelease:shop@1.2.0"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=environment:prod"), Titles{"Alpha"});
  EXPECT_EQ(listed("environment=prod&environment=staging&query="), (Titles{"Beta", "Alpha"}));
  EXPECT_EQ(listed("query=user.id:7"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=size:5"), Titles{"Gamma"});
}

TEST_F(IssuesTest, TagsAreFoundByPostingsAsTheyAreByLookups) {
  // More candidates than are looked at one by one.
  for (int i = 0; i < 500; ++i) {
    receive(R"({"exception":[{"type":"E)" + std::to_string(i) + R"(","value":"x"}],"tags":{"odd":")" + (i % 2 ? "yes" : "no") +
            R"(","shard":"s)" + std::to_string(i % 7) + "\"}}");
  }
  digest();
  const auto hits = [&](std::string_view query) { return std::string(get(organization_path("issues/?limit=1&query=" + std::string(query))).headers.find("X-Hits")); };
  EXPECT_EQ(hits("odd:yes"), "250");
  EXPECT_EQ(hits("!odd:yes"), "250");
  EXPECT_EQ(hits("odd:*"), "500");
  EXPECT_EQ(hits("has:shard"), "500");
  EXPECT_EQ(hits("shard:[s0,s1]"), "144");
  EXPECT_EQ(hits("shard:s*+odd:no"), "250");
  EXPECT_EQ(hits("odd:yes+shard:s3"), "36");
}

TEST_F(IssuesTest, FiltersByTime) {
  error("Old");
  clock_.advance(std::chrono::hours(48));
  error("New");
  EXPECT_EQ(listed("query=age:-24h"), Titles{"New"});
  EXPECT_EQ(listed("query=age:%2B24h"), Titles{"Old"});
  EXPECT_EQ(listed("query=firstSeen:-1h"), Titles{"New"});
  EXPECT_EQ(listed("query=lastSeen:>2023-11-16"), Titles{"New"});
  EXPECT_EQ(listed("query=lastSeen:2023-11-14"), Titles{"Old"});
  EXPECT_EQ(listed("query=timestamp:-24h"), Titles{"New"});
  EXPECT_EQ(listed("query=&statsPeriod=24h"), Titles{"New"});
  EXPECT_EQ(listed("query=&start=2023-11-14T00:00:00&end=2023-11-15T00:00:00"), Titles{"Old"});
}

TEST_F(IssuesTest, TheDefaultIsUnresolvedAndAnEmptyQueryIsAll) {
  error("Open");
  error("Closed");
  const auto answer = call("PUT", organization_path("issues/" + issue("Closed") + "/"), R"({"status":"resolved"})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  EXPECT_EQ(listed(""), Titles{"Open"});
  EXPECT_EQ(listed("query="), (Titles{"Closed", "Open"}));
  EXPECT_EQ(listed("query=is:resolved"), Titles{"Closed"});
  EXPECT_EQ(listed("query=!is:resolved"), Titles{"Open"});
}

TEST_F(IssuesTest, BadQueriesAreToldWhatIsWrong) {
  for (const auto* query : {"query=a+OR", "query=level:", "query=timesSeen:many", "query=is:wonderful", "query=level:loud",
                            "query=count():>5", "query=(", "sort=size", "cursor=x", "limit=x", "groupStatsPeriod=7d", "group=x",
                            "statsPeriod=soon", "start=2024-01-01", "start=2024-01-02&end=2024-01-01", "query=c:[a,+]"}) {
    const auto answer = get(organization_path("issues/?" + std::string(query)));
    EXPECT_EQ(answer.status, 400U) << query;
    ASSERT_TRUE(answer.json.is_object()) << query;
    EXPECT_TRUE(answer.json.as_object().contains("detail")) << query;
  }
}

TEST_F(IssuesTest, ABadQueryIsToldItsColumn) {
  EXPECT_EQ(get(organization_path("issues/?query=x+color:")).detail(), "Filter must have a value (column 3)");
  EXPECT_EQ(get(organization_path("issues/?query=x+OR+(timesSeen:many)")).detail(),
            "Invalid number. Expected number then optional k, m, or b suffix (e.g. 500k) (column 7)");
  EXPECT_EQ(get(organization_path("issues/?query=" + std::string(1000, '(') + "x" + std::string(1000, ')'))).detail(),
            "The query is nested more than 60 deep. (column 61)");
}

TEST_F(IssuesTest, ConditionsAreJoinedByAndOrAndParentheses) {
  error("Alpha", R"(,"tags":{"color":"red"})");
  error("Beta", R"(,"tags":{"color":"blue"},"level":"warning")");
  error("Gamma", R"(,"level":"warning")");
  EXPECT_EQ(listed("query=color:red+OR+level:warning"), (Titles{"Gamma", "Beta", "Alpha"}));
  EXPECT_EQ(listed("query=(color:red+OR+color:blue)+AND+!Alpha:x+level:warning"), Titles{"Beta"});
  EXPECT_EQ(listed("query=!(color:red+OR+color:blue)"), Titles{"Gamma"});
}

TEST_F(IssuesTest, ACursorOfAnotherQueryGivesAPageOfThisOne) {
  for (int i = 0; i < 6; ++i) error("E" + std::to_string(i), i % 2 == 0 ? R"(,"tags":{"color":"red"})" : "");
  const auto page = get(organization_path("issues/?query=&limit=2"));
  const std::string link(page.headers.find("Link"));
  const auto at = link.rfind("cursor=\"") + 8;
  const auto cursor = link.substr(at, link.find('"', at) - at);
  for (const auto* sort : {"date", "new", "freq", "user", "priority", "trends", "inbox"}) {
    for (const auto& title : listed("query=color:red&sort=" + std::string(sort) + "&cursor=" + cursor))
      EXPECT_TRUE(title == "E0" || title == "E2" || title == "E4") << sort << " " << title;
  }
}

TEST_F(IssuesTest, SortsByWhatIsAskedFor) {
  error("Rare", R"(,"user":{"id":"1"})");
  error("Often");
  error("Often");
  error("Often");
  error("Wide", R"(,"user":{"id":"1"})");
  error("Wide", R"(,"user":{"id":"2"})");
  error("Rare", R"(,"user":{"id":"1"})");
  EXPECT_EQ(listed("sort=date"), (Titles{"Rare", "Wide", "Often"}));
  EXPECT_EQ(listed("sort=new"), (Titles{"Wide", "Often", "Rare"}));
  EXPECT_EQ(listed("sort=freq"), (Titles{"Often", "Wide", "Rare"}));
  EXPECT_EQ(listed("sort=user"), (Titles{"Wide", "Rare", "Often"}));
  EXPECT_EQ(listed("sort=recommended").size(), 3U);
  EXPECT_EQ(listed("sort=priority").front(), "Often") << "of one priority and nearly one time";
  EXPECT_EQ(listed("sort=inbox"), (Titles{"Rare", "Wide", "Often"}));
}

TEST_F(IssuesTest, PagesGoForwardAndBackWithoutRepeating) {
  for (int i = 0; i < 7; ++i) error("E" + std::to_string(i));
  for (const std::string sort : {"date", "new", "freq", "user", "priority", "trends", "inbox"}) {
    auto target = organization_path("issues/?limit=3&sort=" + sort);
    std::vector<Titles> pages;
    std::vector<std::string> previous;
    for (;;) {
      const auto answer = get(target);
      pages.push_back(titles(answer));
      const auto link = answer.headers.find("Link");
      previous.push_back(relation(link, "previous").results);
      const auto next = relation(link, "next");
      ASSERT_TRUE(next.url.starts_with("http://picket.example:3000/api/0/"));
      if (next.results != "true") break;
      target = next.url.substr(std::string("http://picket.example:3000").size());
    }
    ASSERT_EQ(pages.size(), 3U) << sort;
    EXPECT_EQ(previous, (Titles{"false", "true", "true"})) << sort;
    EXPECT_EQ(pages[0], (Titles{"E6", "E5", "E4"})) << sort;
    EXPECT_EQ(pages[1], (Titles{"E3", "E2", "E1"})) << sort;
    EXPECT_EQ(pages[2], Titles{"E0"}) << sort;
    const auto back = relation(get(target).headers.find("Link"), "previous");
    const auto page = get(back.url.substr(std::string("http://picket.example:3000").size()));
    EXPECT_EQ(titles(page), (Titles{"E3", "E2", "E1"})) << sort;
    EXPECT_EQ(relation(page.headers.find("Link"), "next").results, "true");
    EXPECT_EQ(relation(page.headers.find("Link"), "previous").results, "true");
  }
}

TEST_F(IssuesTest, PagesStayStableWhileEventsArrive) {
  for (int i = 0; i < 6; ++i) error("E" + std::to_string(i));
  const auto page = get(organization_path("issues/?limit=2"));
  ASSERT_EQ(titles(page), (Titles{"E5", "E4"}));
  error("Brand");
  error("E5");
  const auto next = relation(page.headers.find("Link"), "next");
  EXPECT_EQ(titles(get(next.url.substr(std::string("http://picket.example:3000").size()))), (Titles{"E3", "E2"}));
}

TEST_F(IssuesTest, ASearchSeesTheNewestCommitAlways) {
  for (int i = 0; i < 20; ++i) {
    error("E" + std::to_string(i));
    ASSERT_EQ(listed("limit=1"), Titles{"E" + std::to_string(i)});
    ASSERT_EQ(std::string(get(organization_path("issues/")).headers.find("X-Hits")), std::to_string(i + 1));
  }
}

TEST_F(IssuesTest, AnEventIdAndAShortIdHitDirectly) {
  const auto id = error("Alpha");
  error("Beta");
  const auto by_event = get(organization_path("issues/?query=" + id));
  EXPECT_EQ(titles(by_event), Titles{"Alpha"});
  EXPECT_EQ(by_event.headers.find("X-Sentry-Direct-Hit"), "1");
  EXPECT_EQ(by_event.json.at(0).at("matchingEventId"), json_text(id));
  const auto by_short_id = get(organization_path("issues/?shortIdLookup=1&query=default-2"));
  EXPECT_EQ(titles(by_short_id), Titles{"Beta"});
  EXPECT_EQ(by_short_id.headers.find("X-Sentry-Direct-Hit"), "1");
  EXPECT_EQ(listed("query=" + event_id_text(999'999)), Titles{});
}

TEST_F(IssuesTest, GroupIdsAreListedWhateverTheirState) {
  error("Alpha");
  error("Beta");
  error("Gamma");
  const auto alpha = issue("Alpha");
  const auto beta = issue("Beta");
  call("PUT", organization_path("issues/" + alpha + "/"), R"({"status":"resolved"})");
  EXPECT_EQ(listed("group=" + alpha + "&group=" + beta + "&query=level:fatal"), (Titles{"Beta", "Alpha"}));
}

TEST_F(IssuesTest, StatsFollowThePeriodAskedFor) {
  error("Alpha");
  const auto stats = [&](std::string_view query) { return get(organization_path("issues/?" + std::string(query))).json.at(0).at("stats").as_object(); };
  EXPECT_EQ(stats("groupStatsPeriod=14d").at("14d").as_array().size(), 14U);
  EXPECT_EQ(stats("groupStatsPeriod=auto&statsPeriod=24h").at("auto").as_array().size(), 24U);
  EXPECT_EQ(stats("groupStatsPeriod=auto&statsPeriod=90d").at("auto").as_array().size(), 90U);
  EXPECT_TRUE(stats("groupStatsPeriod=").empty());
  EXPECT_TRUE(stats("collapse=stats").empty());
}

TEST_F(IssuesTest, OneTenantNeverSeesAnothersIssues) {
  error("Ours");
  const auto other = make_organization("other");
  schema::Project theirs;
  write([&](buffer::Batch& batch) {
    theirs = create_project(batch, {.organization = other, .slug = "theirs", .name = "Theirs", .platform = "", .team = 0}, clock_.now());
  });
  const auto event = error("Theirs", "", theirs.id());
  make_user("eve", other, "owner");
  EXPECT_EQ(listed("query="), Titles{"Ours"});
  EXPECT_EQ(listed("query=" + event), Titles{});
  // The second issue of all is theirs.
  EXPECT_EQ(get(organization_path("issues/2/")).status, 404U);
  EXPECT_EQ(get("/api/0/issues/2/").status, 404U);
  EXPECT_EQ(get("/api/0/organizations/other/issues/").status, 403U);
  EXPECT_EQ(get(organization_path("issues/?project=" + std::to_string(theirs.id()))).status, 403U);
  EXPECT_EQ(get(organization_path("shortids/THEIRS-1/")).status, 404U);
  EXPECT_EQ(get(organization_path("eventids/" + event + "/")).status, 404U);
  EXPECT_EQ(get(project_path("events/" + event + "/")).status, 404U);
  const auto changed = call("PUT", organization_path("issues/?id=2"), R"({"status":"resolved"})");
  EXPECT_EQ(changed.status, 204U);
  EXPECT_EQ(call("DELETE", organization_path("issues/2/")).status, 404U);
  EXPECT_EQ(call("DELETE", organization_path("issues/?id=2")).status, 204U);
  EXPECT_EQ(get("/api/0/issues/1/").status, 200U);
}

TEST_F(IssuesTest, AnIssueIsFoundByNumberAndByShortId) {
  error("Alpha", R"(,"release":"1.0","tags":{"color":"red"})");
  for (const std::string path : {"issues/1/", "issues/DEFAULT-1/", "issues/default-1/"}) {
    const auto answer = get(organization_path(path));
    ASSERT_EQ(answer.status, 200U) << path;
    EXPECT_EQ(answer["id"], "1");
  }
  const auto answer = get(organization_path("issues/1/"));
  EXPECT_EQ(answer["firstRelease"].at("version"), "1.0");
  EXPECT_EQ(answer["lastRelease"].at("version"), "1.0");
  EXPECT_EQ(answer["stats"].at("24h").as_array().size(), 24U);
  EXPECT_EQ(answer["stats"].at("30d").as_array().size(), 30U);
  EXPECT_EQ(answer["activity"].at(0).at("type"), "first_seen");
  EXPECT_EQ(get(organization_path("issues/DEFAULT-9/")).status, 404U);
  EXPECT_EQ(get(organization_path("issues/99/")).status, 404U);
  EXPECT_EQ(get(organization_path("issues/nonsense/")).status, 404U);
  const auto by_short_id = get(organization_path("shortids/DEFAULT-1/"));
  EXPECT_EQ(by_short_id["groupId"], "1");
  EXPECT_EQ(by_short_id["group"].at("title"), "Alpha: went wrong");
}

TEST_F(IssuesTest, HashesNameTheirLatestEvent) {
  error("Alpha");
  const auto latest = error("Alpha");
  const auto answer = get(organization_path("issues/1/hashes/"));
  ASSERT_EQ(answer.json.as_array().size(), 1U);
  EXPECT_EQ(text_of(answer.json.at(0).at("id")).size(), 32U);
  EXPECT_EQ(answer.json.at(0).at("latestEvent").at("eventID"), json_text(latest));
}

TEST_F(IssuesTest, ATableTooLargeForTheCacheIsWalkedInstead) {
  issues_api_.issue_search = std::make_shared<query::IssueSearch>(query::ColumnRoom{.bytes = 1});
  for (int i = 0; i < 5; ++i) error("E" + std::to_string(i), R"(,"tags":{"n":")" + std::to_string(i) + "\"}");
  error("E1");
  EXPECT_EQ(listed("query=&limit=3"), (Titles{"E1", "E4", "E3"}));
  EXPECT_EQ(listed("query=&sort=freq&limit=1"), Titles{"E1"});
  EXPECT_EQ(listed("query=n:3"), Titles{"E3"});
  EXPECT_EQ(std::string(get(organization_path("issues/?query=")).headers.find("X-Hits")), "5");
}

TEST_F(IssuesTest, ASearchPastItsDeadlineSaysSo) {
  error("Alpha");
  issues_api_.issue_search = std::make_shared<query::IssueSearch>(query::ColumnRoom{}, std::chrono::milliseconds(0));
  const auto answer = get(organization_path("issues/"));
  EXPECT_EQ(answer.status, 408U);
  EXPECT_NE(answer.detail().find("too long"), std::string::npos);
}

}  // namespace
}  // namespace picket::rest

// Aggregates by time, facets, equations, and what bounds a question.
#include "api/query/fact_search.h"
#include "api/query/fact_series.h"
#include "issue_fixture.h"

#include <map>

namespace picket::rest {
namespace {

class Timeseries : public IssuesTest {
 protected:
  std::string at(double seconds_ago) { return std::to_string(static_cast<double>(to_ms(clock_.now())) / 1000.0 - seconds_ago); }
  void transaction(std::string_view name, double seconds_ago, double ms, std::string_view status = "ok", std::string_view more = "") {
    receive(R"({"type":"transaction","transaction":")" + std::string(name) + R"(","start_timestamp":)" + at(seconds_ago) +
                ",\"timestamp\":" + at(seconds_ago - ms / 1000) +
                R"(,"contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"aaaaaaaaaaaaaaaa","status":")" +
                std::string(status) + "\"}}" + std::string(more) + "}",
            "transaction");
  }
  Answer series(std::string_view query) { return get(organization_path("events-timeseries/?" + std::string(query))); }
  Answer stats(std::string_view query) { return get(organization_path("events-stats/?" + std::string(query))); }
  // The numbers of one series of events-timeseries/.
  static std::vector<double> values(const boost::json::value& series) {
    std::vector<double> numbers;
    for (const auto& value : series.at("values").as_array()) numbers.push_back(value.at("value").to_number<double>());
    return numbers;
  }
  static double sum(const std::vector<double>& numbers) {
    double all = 0;
    for (const auto number : numbers) all += number;
    return all;
  }
  boost::json::value one_row(std::string_view query) {
    const auto answer = get(organization_path("events/?" + std::string(query)));
    EXPECT_EQ(answer.status, 200U) << answer.text;
    return answer.status == 200 && answer["data"].as_array().size() == 1 ? answer["data"].at(0) : boost::json::value();
  }
};

TEST_F(Timeseries, HasEveryBucketOfThePeriodWithZeroesWhereNothingWas) {
  transaction("/a", 90 * 60, 10);
  transaction("/a", 91 * 60, 10);
  transaction("/a", 5, 10);
  digest();
  const auto answer = series("dataset=transactions&interval=1h&statsPeriod=6h");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  ASSERT_EQ(answer["timeSeries"].as_array().size(), 1U);
  const auto& one = answer["timeSeries"].at(0);
  EXPECT_EQ(one.at("yAxis"), "count()");
  const auto& points = one.at("values").as_array();
  ASSERT_GE(points.size(), 6U);
  ASSERT_LE(points.size(), 7U);
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(points[i].at("timestamp").as_int64() % 3'600'000, 0);
    if (i == 0) continue;
    EXPECT_EQ(points[i].at("timestamp").as_int64() - points[i - 1].at("timestamp").as_int64(), 3'600'000);
  }
  EXPECT_EQ(sum(values(one)), 3);
  EXPECT_EQ(values(one).front(), 0);
  EXPECT_EQ(points.front().at("incomplete"), false);
  EXPECT_EQ(points.back().at("incomplete"), true);
  EXPECT_EQ(one.at("meta").at("interval"), 3'600'000);
  EXPECT_EQ(one.at("meta").at("valueType"), "integer");
  EXPECT_EQ(answer["meta"].at("dataset"), "transactions");
  EXPECT_EQ(answer["meta"].at("end").as_int64() - answer["meta"].at("start").as_int64(), 6 * 3'600'000);
}

TEST_F(Timeseries, ChartsSeveralFunctionsAndEquations) {
  transaction("/a", 60, 100);
  transaction("/a", 60, 300, "internal_error");
  digest();
  const auto answer = series("dataset=transactions&interval=1d&statsPeriod=2d&yAxis=count()&yAxis=avg(transaction.duration)"
                             "&yAxis=failure_rate()&yAxis=equation|failure_count()%2Fcount()*100&yAxis=epm()");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  std::map<std::string, double> sums;
  for (const auto& one : answer["timeSeries"].as_array()) sums[text_of(one.at("yAxis"))] = sum(values(one));
  EXPECT_EQ(sums["count()"], 2);
  EXPECT_NEAR(sums["avg(transaction.duration)"], 200, 0.01);
  EXPECT_EQ(sums["failure_rate()"], 0.5);
  EXPECT_EQ(sums["equation|failure_count()/count()*100"], 50);
  EXPECT_NEAR(sums["epm()"], 2.0 / 1440, 1e-9) << "by the minute of its bucket";
}

TEST_F(Timeseries, GivesTheTopGroupsTheirOwnSeriesAndTheOthersOne) {
  for (int i = 0; i < 5; ++i) transaction("/often", 100, 10);
  for (int i = 0; i < 3; ++i) transaction("/sometimes", 100, 10);
  transaction("/seldom", 100, 10);
  transaction("/once", 100, 10);
  digest();
  const std::string query = "dataset=transactions&interval=1d&statsPeriod=2d&groupBy=transaction&sort=-count()&topEvents=2";
  const auto answer = series(query);
  ASSERT_EQ(answer.status, 200U) << answer.text;
  const auto& shown = answer["timeSeries"].as_array();
  ASSERT_EQ(shown.size(), 3U);
  EXPECT_EQ(shown[0].at("groupBy").at(0).at("value"), "/often");
  EXPECT_EQ(shown[0].at("groupBy").at(0).at("key"), "transaction");
  EXPECT_EQ(sum(values(shown[0])), 5);
  EXPECT_EQ(shown[1].at("groupBy").at(0).at("value"), "/sometimes");
  EXPECT_EQ(sum(values(shown[1])), 3);
  EXPECT_EQ(shown[2].at("meta").at("isOther"), true);
  EXPECT_EQ(sum(values(shown[2])), 2);
  EXPECT_EQ(series(query + "&excludeOther=1")["timeSeries"].as_array().size(), 2U);
  // Sorted by what is not charted.
  EXPECT_EQ(series("dataset=transactions&interval=1d&statsPeriod=2d&groupBy=transaction&yAxis=epm()&sort=count()&topEvents=1&excludeOther=1")
                ["timeSeries"].at(0).at("yAxis"), "epm()");
}

TEST_F(Timeseries, CountsTheDistinctUsersOfAnIssueByHourByDayAndByTag) {
  const auto error = [&](std::string_view user, std::string_view shift, double seconds_ago) {
    receive(R"({"exception":{"values":[{"type":"KeyError","value":"went wrong"}]},"user":{"id":")" + std::string(user) +
            R"("},"tags":{"shift":")" + std::string(shift) + R"("},"timestamp":)" + at(seconds_ago) + "}");
  };
  const double hour = 3600;
  for (const auto* user : {"ann", "bob", "ann"}) error(user, "day", 5 * hour);
  for (const auto* user : {"ann", "cid"}) error(user, "night", 3 * hour);
  receive(R"({"exception":{"values":[{"type":"OtherError","value":"x"}]},"user":{"id":"dan"}})");
  digest();
  const auto issue = text_of(get(organization_path("issues/?query=error.type:KeyError")).json.at(0).at("shortId"));
  const std::string of = "dataset=errors&statsPeriod=24h&yAxis=count_unique(user)&query=issue:" + issue;
  auto by_hour = values(series(of + "&interval=1h")["timeSeries"].at(0));
  std::erase(by_hour, 0);
  EXPECT_EQ(by_hour, (std::vector<double>{2, 2}));
  auto by_day = values(series("dataset=errors&statsPeriod=3d&yAxis=count_unique(user)&interval=1d&query=issue:" + issue)["timeSeries"].at(0));
  std::erase(by_day, 0);
  EXPECT_GE(sum(by_day), 3) << "ann counts once a day, whenever midnight is";
  EXPECT_LE(sum(by_day), 4);
  const auto by_tag = get(organization_path("events/?dataset=errors&field=shift&field=count_unique(user)&field=count()&sort=shift&query=issue:" + issue));
  ASSERT_EQ(by_tag.status, 200U) << by_tag.text;
  ASSERT_EQ(by_tag["data"].as_array().size(), 2U);
  EXPECT_EQ(by_tag["data"].at(0).at("count_unique(user)"), 2);
  EXPECT_EQ(by_tag["data"].at(0).at("count()"), 3);
  EXPECT_EQ(by_tag["data"].at(1).at("shift"), "night");
  EXPECT_EQ(by_tag["data"].at(1).at("count_unique(user)"), 2);
}

TEST_F(Timeseries, ComparesWithTheTimeBefore) {
  transaction("/a", 3600, 10);
  transaction("/a", 3600 + 86'400, 10);
  transaction("/a", 3700 + 86'400, 10);
  digest();
  const auto answer = series("dataset=transactions&interval=1h&statsPeriod=12h&comparisonDelta=86400");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  double now = 0;
  double before = 0;
  for (const auto& value : answer["timeSeries"].at(0).at("values").as_array()) {
    now += value.at("value").to_number<double>();
    before += value.at("comparisonValue").to_number<double>();
  }
  EXPECT_EQ(now, 1);
  EXPECT_EQ(before, 2);
}

TEST_F(Timeseries, OlderClientsGetTheirShape) {
  for (int i = 0; i < 3; ++i) transaction("/a", 100, 10, "ok", R"(,"environment":"quay")");
  transaction("/b", 100, 10, "ok", R"(,"environment":"sea")");
  digest();
  const auto plain = stats("dataset=transactions&interval=1d&statsPeriod=2d");
  ASSERT_EQ(plain.status, 200U) << plain.text;
  std::int64_t total = 0;
  for (const auto& point : plain["data"].as_array()) total += point.at(1).at(0).at("count").as_int64();
  EXPECT_EQ(total, 4);
  EXPECT_EQ(plain["end"].as_int64() - plain["start"].as_int64(), 2 * 86'400);
  const auto several = stats("dataset=transactions&interval=1d&statsPeriod=2d&yAxis=count()&yAxis=p95(transaction.duration)");
  EXPECT_EQ(several["count()"].at("order"), 0);
  EXPECT_EQ(several["p95(transaction.duration)"].at("order"), 1);
  EXPECT_EQ(several["p95(transaction.duration)"].at("meta").at("units").at("p95(transaction.duration)"), "millisecond");
  const auto top = stats("dataset=transactions&interval=1d&statsPeriod=2d&topEvents=1&field=transaction&field=environment&field=count()&sort=-count()");
  ASSERT_EQ(top.status, 200U) << top.text;
  EXPECT_EQ(top["quay,/a"].at("order"), 0) << top.text;
  EXPECT_TRUE(top.json.as_object().contains("Other"));
  const auto both = stats("dataset=transactions&interval=1d&statsPeriod=2d&topEvents=1&field=transaction&sort=-count&yAxis=count()&yAxis=epm()");
  EXPECT_TRUE(both["/a"].at("epm()").at("data").is_array()) << both.text;
}

TEST_F(Timeseries, SaysWhatItCannotChart) {
  for (const auto* query : {"dataset=nonsense", "dataset=spans&yAxis=span.op", "dataset=spans&yAxis=frob()", "dataset=spans&topEvents=11",
                            "dataset=spans&topEvents=x", "dataset=spans&topEvents=3",
                            "dataset=spans&query=a:", "dataset=spans&comparisonDelta=x", "dataset=spans&statsPeriod=x"}) {
    const auto answer = series(query);
    EXPECT_EQ(answer.status, 400U) << query << ": " << answer.text;
    EXPECT_FALSE(answer.detail().empty());
  }
  EXPECT_EQ(series("dataset=spans&interval=junk&statsPeriod=1h")["timeSeries"].at(0).at("meta").at("interval"), 60'000);
  EXPECT_EQ(series("dataset=spans&interval=1s&statsPeriod=90d")["timeSeries"].at(0).at("meta").at("interval"), 86'400'000);
  EXPECT_EQ(series("dataset=uptime_results")["timeSeries"].as_array().size(), 1U);
}

TEST_F(Timeseries, EquationsAndApdexAreColumnsOfTheTable) {
  transaction("/a", 60, 100);
  transaction("/a", 60, 600);
  transaction("/a", 60, 5000);
  transaction("/b", 60, 10);
  digest();
  const auto row = one_row("dataset=transactions&query=transaction:/a&field=transaction&field=apdex(300)&field=equation|count_if(transaction.duration,greater,300)*100%2Fcount()");
  EXPECT_EQ(row.at("apdex(300)"), 0.5);
  EXPECT_NEAR(row.at("equation|count_if(transaction.duration,greater,300)*100/count()").as_double(), 200.0 / 3, 1e-9);
  const auto sorted = get(organization_path("events/?dataset=transactions&field=transaction&field=count()&field=equation|count()*-1&sort=-equation|count()*-1"));
  ASSERT_EQ(sorted.status, 200U) << sorted.text;
  EXPECT_EQ(sorted["data"].at(0).at("transaction"), "/b");
  EXPECT_EQ(sorted["data"].at(0).at("equation|count()*-1"), -1.0);
  EXPECT_EQ(sorted["meta"].at("fields").at("equation|count()*-1"), "number");
  // Of fields, row by row.
  const auto rows = get(organization_path("events/?dataset=transactions&field=transaction&field=equation|transaction.duration%2F1000&sort=-equation|transaction.duration%2F1000"));
  ASSERT_EQ(rows.status, 200U) << rows.text;
  ASSERT_EQ(rows["data"].as_array().size(), 4U);
  EXPECT_NEAR(rows["data"].at(0).at("equation|transaction.duration/1000").as_double(), 5, 0.001);
  EXPECT_TRUE(rows["data"].at(0).as_object().contains("id"));
  EXPECT_EQ(one_row("dataset=transactions&query=transaction:none&field=equation|count()%2Fcount()").at("equation|count()/count()"), nullptr);
}

TEST_F(Timeseries, FacetsCountTheTagsOfWhatIsFound) {
  error("One", R"(,"level":"fatal","environment":"quay","tags":{"shift":"night"})");
  error("Two", R"(,"environment":"quay","tags":{"shift":"day"})");
  error("Three", R"(,"environment":"sea","tags":{"shift":"day"})");
  const auto answer = get(organization_path("events-facets/?query=environment:quay"));
  ASSERT_EQ(answer.status, 200U) << answer.text;
  std::map<std::string, boost::json::value> facets;
  for (const auto& facet : answer.json.as_array()) facets[text_of(facet.at("key"))] = facet.at("topValues");
  EXPECT_EQ(answer.json.at(0).at("key"), "project");
  EXPECT_EQ(facets.at("project").at(0).at("count"), 2);
  EXPECT_EQ(facets.at("project").at(0).at("name"), boost::json::value(first.project));
  EXPECT_EQ(facets.at("environment").at(0).at("value"), "quay");
  EXPECT_EQ(facets.at("environment").at(0).at("count"), 2);
  EXPECT_EQ(facets.at("environment").as_array().size(), 1U);
  EXPECT_EQ(facets.at("shift").as_array().size(), 2U);
  EXPECT_EQ(facets.at("level").as_array().size(), 2U);
  EXPECT_FALSE(facets.contains("title"));
  EXPECT_FALSE(facets.contains("message"));
  EXPECT_EQ(get(organization_path("events-facets/?dataset=nonsense")).status, 400U);
}

TEST_F(Timeseries, AQuestionEndsAtItsDeadlineAndAtItsMemory) {
  for (int i = 0; i < 200; ++i) transaction("/path/" + std::to_string(i), 100, 10);
  digest();
  const auto snapshot = tables_->snapshot();
  query::FactRequest request;
  request.dataset = facts::Dataset::transactions;
  request.projects = {{first.project_id, first.project, first.project}};
  request.now = clock_.now();
  request.to_ms = to_ms(clock_.now()) + 60'000;
  for (const auto* name : {"transaction", "count()"}) request.fields.push_back(*query::parse_field_expression(name));
  ASSERT_TRUE(query::find_facts(snapshot, request));
  auto late = request;
  late.deadline = std::chrono::milliseconds(0);
  const auto cut = query::find_facts(snapshot, late);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().fault, Fault::unavailable);
  EXPECT_NE(cut.error().detail.find("Query timeout"), std::string::npos);
  auto hungry = request;
  hungry.most_bytes = 60'000;
  const auto refused = query::find_facts(snapshot, hungry);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::too_large);
  EXPECT_NE(refused.error().detail.find("memory"), std::string::npos);
  hungry.fields.erase(hungry.fields.begin() + 1);
  hungry.most_bytes = 40'000;
  EXPECT_FALSE(query::find_facts(snapshot, hungry)) << "lists, too";
  query::SeriesRequest charted;
  charted.facts = request;
  charted.facts.fields.erase(charted.facts.fields.begin());
  charted.interval_ms = 60'000;
  charted.facts.from_ms = charted.facts.to_ms - 9'000 * charted.interval_ms;
  charted.facts.most_bytes = 1'000'000;
  const auto series = query::find_series(snapshot, charted);
  ASSERT_FALSE(series);
  EXPECT_EQ(series.error().fault, Fault::too_large);
  charted.facts.most_bytes = query::most_answer_bytes;
  EXPECT_TRUE(query::find_series(snapshot, charted));
  charted.interval_ms = 1000;
  const auto fine = query::find_series(snapshot, charted);
  ASSERT_FALSE(fine);
  EXPECT_NE(fine.error().detail.find("too many results"), std::string::npos);
}

}  // namespace
}  // namespace picket::rest

// Release health: sessions/ and what releases show of it.
#include "issue_fixture.h"

#include "relay/protocol/envelope.h"

namespace picket::rest {
namespace {

class SessionsApi : public IssuesTest {
 protected:
  SessionsApi() { clock_.set(time_from_ms(1'700'000'000'000 / 3'600'000 * 3'600'000 + 60'000)); }

  void session(std::uint64_t number, std::string_view fields, std::string_view release = "app@1", std::string_view environment = "prod") {
    receive("{\"sid\":\"" + event_id_text(number) + "\",\"started\":\"" + relay::render_timestamp(to_ms(clock_.now())) + "\"" + std::string(fields) +
                ",\"attrs\":{\"release\":\"" + std::string(release) + "\",\"environment\":\"" + std::string(environment) + "\"}}",
            "session");
  }
  void some_sessions() {
    session(1, R"(,"status":"exited","did":"ada","duration":10)");
    session(2, R"(,"status":"crashed","did":"ada")");
    session(3, R"(,"status":"exited","did":"bob","errors":2,"duration":30)");
    session(4, R"(,"status":"exited","did":"eve","duration":20)", "app@2", "dev");
    digest();
  }
  Answer sessions(std::string_view query) { return get(organization_path("sessions/?statsPeriod=1d&" + std::string(query))); }
  static boost::json::value total(const Answer& answer, std::string_view field, std::size_t group = 0) {
    return answer["groups"].at(group).at("totals").at(field);
  }
};

TEST_F(SessionsApi, CountsSessionsAndUsers) {
  some_sessions();
  const auto answer = sessions("field=sum(session)&field=count_unique(user)&field=crash_free_rate(session)&field=crash_free_rate(user)&field=crash_rate(session)");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  ASSERT_EQ(answer["groups"].as_array().size(), 1U);
  EXPECT_EQ(total(answer, "sum(session)"), 4);
  EXPECT_EQ(total(answer, "count_unique(user)"), 3);
  EXPECT_DOUBLE_EQ(total(answer, "crash_free_rate(session)").to_number<double>(), 0.75);
  EXPECT_DOUBLE_EQ(total(answer, "crash_rate(session)").to_number<double>(), 0.25);
  EXPECT_NEAR(total(answer, "crash_free_rate(user)").to_number<double>(), 2.0 / 3, 1e-9);
  EXPECT_EQ(answer["intervals"].as_array().size(), answer["groups"].at(0).at("series").at("sum(session)").as_array().size());
  EXPECT_EQ(answer["query"], "");
}

TEST_F(SessionsApi, SumsOfTheSeriesAreTheTotals) {
  some_sessions();
  const auto answer = sessions("field=sum(session)&interval=1h");
  std::int64_t sum = 0;
  for (const auto& point : answer["groups"].at(0).at("series").at("sum(session)").as_array()) sum += point.to_number<std::int64_t>();
  EXPECT_EQ(sum, 4);
  EXPECT_EQ(text_of(answer["intervals"].at(0)).size(), 20U);
}

TEST_F(SessionsApi, GroupsByStatusReleaseAndEnvironment) {
  some_sessions();
  const auto by_status = sessions("field=sum(session)&field=count_unique(user)&groupBy=session.status");
  std::map<std::string, std::int64_t> counts;
  for (const auto& group : by_status["groups"].as_array())
    counts[text_of(group.at("by").at("session.status"))] = group.at("totals").at("sum(session)").to_number<std::int64_t>();
  EXPECT_EQ(counts, (std::map<std::string, std::int64_t>{{"healthy", 2}, {"errored", 1}, {"crashed", 1}, {"abnormal", 0}, {"unhandled", 0}}));
  const auto by_release = sessions("field=sum(session)&groupBy=release&groupBy=environment&orderBy=-sum(session)");
  ASSERT_EQ(by_release["groups"].as_array().size(), 2U);
  EXPECT_EQ(by_release["groups"].at(0).at("by").at("release"), "app@1");
  EXPECT_EQ(by_release["groups"].at(1).at("by").at("environment"), "dev");
  const auto by_project = sessions("field=sum(session)&groupBy=project");
  EXPECT_EQ(by_project["groups"].at(0).at("by").at("project").to_number<std::uint64_t>(), first.project_id);
}

TEST_F(SessionsApi, FiltersByQueryAndEnvironment) {
  some_sessions();
  EXPECT_EQ(total(sessions("field=sum(session)&query=release:app@2"), "sum(session)"), 1);
  EXPECT_EQ(total(sessions("field=sum(session)&query=!release:app@2"), "sum(session)"), 3);
  EXPECT_EQ(total(sessions("field=sum(session)&query=release:app*"), "sum(session)"), 4);
  EXPECT_EQ(total(sessions("field=sum(session)&environment=dev"), "sum(session)"), 1);
  EXPECT_EQ(total(sessions("field=sum(session)&query=release:none"), "sum(session)"), 0);
}

TEST_F(SessionsApi, TellsDurations) {
  some_sessions();
  const auto answer = sessions("field=avg(session.duration)&field=p50(session.duration)&field=max(session.duration)");
  EXPECT_DOUBLE_EQ(total(answer, "avg(session.duration)").to_number<double>(), 20'000);
  EXPECT_NEAR(total(answer, "p50(session.duration)").to_number<double>(), 20'000, 1'100);
  EXPECT_NEAR(total(answer, "max(session.duration)").to_number<double>(), 30'000, 1'600);
}

TEST_F(SessionsApi, RefusesWhatItCannotAnswer) {
  for (const auto* const query : {"", "field=sum(stars)", "field=sum(session)&groupBy=color", "field=sum(session)&interval=7h", "field=sum(session)&interval=1m",
                                  "field=sum(session)&interval=2d", "field=sum(session)&orderBy=-count_unique(user)", "field=crash_rate(session)&groupBy=session.status",
                                  "field=sum(session)&query=color:red", "field=sum(session)&query=text"}) {
    EXPECT_EQ(sessions(query).status, 400U) << query;
  }
  EXPECT_EQ(get(organization_path("sessions/?field=sum(session)&statsPeriod=3y&interval=1h")).status, 400U);
}

TEST_F(SessionsApi, IsEmptyWithoutSessions) {
  const auto answer = sessions("field=sum(session)&field=crash_free_rate(session)");
  EXPECT_EQ(total(answer, "sum(session)"), 0);
  EXPECT_TRUE(total(answer, "crash_free_rate(session)").is_null());
}

TEST_F(SessionsApi, ReleasesShowTheirHealthWhenAsked) {
  some_sessions();
  EXPECT_FALSE(get(organization_path("releases/app@1/"))["projects"].at(0).as_object().contains("healthData"));
  const auto release = get(organization_path("releases/app@1/?health=1&adoptionStages=1"));
  ASSERT_EQ(release.status, 200U) << release.text;
  const auto& project = release["projects"].at(0);
  EXPECT_EQ(project.at("hasHealthData"), true);
  const auto& health = project.at("healthData");
  EXPECT_EQ(health.at("totalSessions"), 3);
  EXPECT_EQ(health.at("totalUsers"), 2);
  EXPECT_EQ(health.at("sessionsCrashed"), 1);
  EXPECT_EQ(health.at("sessionsErrored"), 1);
  EXPECT_NEAR(health.at("crashFreeSessions").to_number<double>(), 66.67, 0.01);
  EXPECT_NEAR(health.at("crashFreeUsers").to_number<double>(), 50, 0.01);
  EXPECT_NEAR(health.at("sessionsAdoption").to_number<double>(), 75, 0.01);
  EXPECT_EQ(health.at("stats").at("24h").as_array().size(), 24U);
  EXPECT_EQ(release["adoptionStages"].at(first.project).at("stage"), "adopted");
  const auto list = get(organization_path("releases/?health=1"));
  EXPECT_EQ(list.json.at(0).at("projects").at(0).at("healthData").at("hasHealthData"), true);
}

}  // namespace
}  // namespace picket::rest

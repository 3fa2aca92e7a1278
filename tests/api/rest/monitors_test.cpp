// Monitors: what can be asked of them and changed about them.
#include "issue_fixture.h"

namespace picket::rest {
namespace {

class MonitorsApi : public IssuesTest {
 protected:
  static constexpr std::string_view nightly = R"({"project":"PROJECT","name":"Nightly backup","config":{"schedule_type":"crontab","schedule":"0 2 * * *","timezone":"Europe/Vienna","checkin_margin":5,"max_runtime":30}})";

  Answer create(std::string_view body) {
    std::string text(body);
    const auto at = text.find("PROJECT");
    if (at != std::string::npos) text.replace(at, 7, first.project);
    return call("POST", organization_path("monitors/"), text);
  }
  void check_in(std::string_view slug, std::string_view status, std::string_view fields = "") {
    receive("{\"check_in_id\":\"" + event_id_text(++check_ins_) + "\",\"monitor_slug\":\"" + std::string(slug) + "\",\"status\":\"" + std::string(status) + "\"" + std::string(fields) + "}", "check_in");
    digest();
  }
  Answer monitor(std::string_view rest = "") { return get(organization_path("monitors/nightly-backup/" + std::string(rest))); }

  std::uint64_t check_ins_ = 0;
};

TEST_F(MonitorsApi, AreCreatedListedChangedAndDeleted) {
  const auto created = create(nightly);
  ASSERT_EQ(created.status, 201U) << created.text;
  EXPECT_EQ(created["slug"], "nightly-backup");
  EXPECT_EQ(created["config"].at("schedule"), "0 2 * * *");
  EXPECT_EQ(created["config"].at("failure_issue_threshold"), nullptr);
  EXPECT_EQ(created["environments"].as_array().size(), 0U);
  EXPECT_EQ(get(organization_path("monitors/")).json.as_array().size(), 1U);
  EXPECT_EQ(get(organization_path("monitors/" + text_of(created["id"]) + "/"))["slug"], "nightly-backup");
  EXPECT_EQ(get(project_path("monitors/nightly-backup/"))["slug"], "nightly-backup");
  const auto changed = call("PUT", organization_path("monitors/nightly-backup/"),
                            R"({"name":"Backup","slug":"backup","status":"disabled","isMuted":true,"owner":"user:1","config":{"schedule_type":"interval","schedule":[2,"hour"]}})");
  ASSERT_EQ(changed.status, 200U) << changed.text;
  EXPECT_EQ(changed["config"].at("schedule").at(1), "hour");
  EXPECT_EQ(changed["config"].at("checkin_margin"), 5);
  EXPECT_EQ(changed["status"], "disabled");
  EXPECT_EQ(changed["isMuted"], true);
  EXPECT_EQ(changed["owner"].at("type"), "user");
  EXPECT_EQ(get(organization_path("monitors/nightly-backup/")).status, 404U);
  EXPECT_EQ(call("DELETE", project_path("monitors/backup/")).status, 202U);
  EXPECT_EQ(get(organization_path("monitors/")).json.as_array().size(), 0U);
}

TEST_F(MonitorsApi, RefuseWhatIsNoSchedule) {
  for (const auto* const body : {
           R"({})", R"({"project":"PROJECT","name":"x"})", R"({"project":"PROJECT","name":"x","config":{}})",
           R"({"project":"PROJECT","name":"x","config":{"schedule_type":"crontab","schedule":"61 * * * *"}})",
           R"({"project":"PROJECT","name":"x","config":{"schedule_type":"interval","schedule":[0,"day"]}})",
           R"({"project":"PROJECT","name":"x","config":{"schedule_type":"interval","schedule":[1,"eon"]}})",
           R"({"project":"PROJECT","name":"x","config":{"schedule_type":"crontab","schedule":"* * * * *","timezone":"Moon"}})",
           R"({"project":"PROJECT","name":"x","config":{"schedule_type":"crontab","schedule":"* * * * *","max_runtime":0}})",
           R"({"project":"nowhere","name":"x","config":{"schedule_type":"crontab","schedule":"* * * * *"}})",
           R"({"project":"PROJECT","name":"x","slug":"Not A Slug","config":{"schedule_type":"crontab","schedule":"* * * * *"}})",
           R"({"project":"PROJECT","name":"x","slug":"123","config":{"schedule_type":"crontab","schedule":"* * * * *"}})",
           R"({"project":"PROJECT","name":"x","owner":"user:99","config":{"schedule_type":"crontab","schedule":"* * * * *"}})"}) {
    EXPECT_EQ(create(body).status, 400U) << body;
  }
  EXPECT_EQ(get(organization_path("monitors/")).json.as_array().size(), 0U);
}

TEST_F(MonitorsApi, GiveASecondOfTheSameNameAnotherSlug) {
  create(nightly);
  EXPECT_EQ(create(nightly)["slug"], "nightly-backup-2");
  EXPECT_EQ(create(R"({"project":"PROJECT","name":"x","slug":"nightly-backup","config":{"schedule_type":"crontab","schedule":"* * * * *"}})").status, 400U);
}

TEST_F(MonitorsApi, ShowCheckInsAndEnvironments) {
  create(nightly);
  check_in("nightly-backup", "in_progress");
  clock_.advance(std::chrono::seconds(90));
  check_in("nightly-backup", "error", R"(,"environment":"staging","duration":1.5)");
  const auto shown = monitor();
  ASSERT_EQ(shown["environments"].as_array().size(), 2U);
  EXPECT_EQ(shown["environments"].at(0).at("name"), "production");
  EXPECT_EQ(shown["environments"].at(0).at("status"), "active");
  EXPECT_EQ(shown["environments"].at(1).at("status"), "error");
  EXPECT_TRUE(shown["environments"].at(1).at("activeIncident").is_object());
  EXPECT_EQ(text_of(shown["environments"].at(1).at("nextCheckIn")), "2023-11-15T01:00:00.000000Z");
  const auto list = monitor("checkins/");
  ASSERT_EQ(list.json.as_array().size(), 2U);
  EXPECT_EQ(list.json.at(0).at("status"), "error");
  EXPECT_EQ(list.json.at(0).at("duration"), 1500);
  EXPECT_EQ(list.json.at(0).at("groups").as_array().size(), 1U);
  EXPECT_EQ(list.json.at(1).at("status"), "in_progress");
  EXPECT_EQ(list.json.at(1).at("monitorConfig").at("schedule_type"), "crontab");
  EXPECT_EQ(monitor("checkins/?environment=staging").json.as_array().size(), 1U);
  const auto page = monitor("checkins/?per_page=1");
  EXPECT_EQ(page.json.as_array().size(), 1U);
  EXPECT_EQ(relation(page.headers.find("Link"), "next").results, "true");
  EXPECT_EQ(monitor("stats/?statsPeriod=1h").json.as_array().back().at("error"), 1);
  EXPECT_EQ(get(organization_path("monitors/?environment=staging")).json.as_array().size(), 1U);
  EXPECT_EQ(get(organization_path("monitors/?environment=moon")).json.as_array().size(), 0U);
  EXPECT_EQ(call("DELETE", organization_path("monitors/nightly-backup/?environment=staging")).status, 202U);
  EXPECT_EQ(monitor()["environments"].as_array().size(), 1U);
}

TEST_F(MonitorsApi, TheIssueOfAFailureIsShownLikeAnyOther) {
  create(nightly);
  check_in("nightly-backup", "error");
  const auto issues = get(organization_path("issues/?query=issue.category:cron"));
  ASSERT_EQ(issues.json.as_array().size(), 1U) << issues.text;
  EXPECT_EQ(issues.json.at(0).at("title"), "Cron failure: Nightly backup");
  EXPECT_EQ(issues.json.at(0).at("issueCategory"), "outage");
  EXPECT_EQ(issues.json.at(0).at("issueType"), "monitor_check_in_failure");
  EXPECT_EQ(get(organization_path("issues/?query=issue.category:error")).json.as_array().size(), 0U);
  const auto id = text_of(issues.json.at(0).at("id"));
  const auto event = get(organization_path("issues/" + id + "/events/latest/"));
  ASSERT_EQ(event.status, 200U) << event.text;
  EXPECT_EQ(event["title"], "Cron failure: Nightly backup");
  EXPECT_EQ(event["contexts"].at("monitor").at("slug"), "nightly-backup");
  EXPECT_EQ(event["groupID"], json_text(id));
  check_in("nightly-backup", "ok");
  EXPECT_EQ(get(organization_path("issues/" + id + "/"))["status"], "resolved");
}

TEST_F(MonitorsApi, OneEnvironmentCanBeMuted) {
  create(nightly);
  check_in("nightly-backup", "ok");
  const auto muted = call("PUT", project_path("monitors/nightly-backup/environments/production/"), R"({"isMuted":true})");
  ASSERT_EQ(muted.status, 200U) << muted.text;
  EXPECT_EQ(muted["environments"].at(0).at("isMuted"), true);
  check_in("nightly-backup", "error");
  EXPECT_EQ(get(organization_path("issues/")).json.as_array().size(), 0U);
  EXPECT_EQ(call("PUT", project_path("monitors/nightly-backup/environments/moon/"), R"({"isMuted":true})").status, 404U);
}

TEST_F(MonitorsApi, AskForTheRightScopes) {
  create(nightly);
  const auto reader = make_token({"alerts:read"});
  EXPECT_EQ(call("GET", organization_path("monitors/"), {}, reader).status, 200U);
  EXPECT_EQ(call("DELETE", organization_path("monitors/nightly-backup/"), {}, reader).status, 403U);
  EXPECT_EQ(get(organization_path("monitors/unknown/")).status, 404U);
  EXPECT_EQ(get(organization_path("monitors/999/")).status, 404U);
}

}  // namespace
}  // namespace picket::rest

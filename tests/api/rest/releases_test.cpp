#include "api/rest/release_version.h"
#include "api/rest/rest_fixture.h"

namespace picket::rest {
namespace {

TEST(ReleaseVersion, ReadsPackageNumbersPreAndBuild) {
  const auto version = parse_release_version("@acme/app@1.2.3-rc.1+build.7");
  EXPECT_EQ(version.package, "@acme/app");
  EXPECT_EQ(version.raw, "1.2.3-rc.1+build.7");
  ASSERT_TRUE(version.numbered);
  EXPECT_EQ(version.numbers, (std::array<std::uint32_t, 4>{1, 2, 3, 0}));
  EXPECT_EQ(version.components, 3U);
  EXPECT_EQ(version.pre, "rc.1");
  EXPECT_EQ(version.build, "build.7");
  EXPECT_EQ(describe(version), "1.2.3-rc.1 (build.7)");
}

TEST(ReleaseVersion, ReadsWhatIsNotSemanticToo) {
  EXPECT_EQ(describe(parse_release_version("1.0rc1")), "1.0rc1");
  EXPECT_TRUE(parse_release_version("10").numbered);
  EXPECT_EQ(parse_release_version("1.2.3.4").components, 4U);
  EXPECT_FALSE(parse_release_version("1.2.3.4.5").numbered);
  EXPECT_FALSE(parse_release_version("1.").numbered);
  EXPECT_FALSE(parse_release_version("99999999999.0").numbered);
  EXPECT_FALSE(parse_release_version("1.0+").numbered);
  EXPECT_FALSE(parse_release_version("1.0-").numbered);
  EXPECT_FALSE(parse_release_version("v1.0").numbered);
  EXPECT_EQ(parse_release_version("app@").raw, "app@");
  EXPECT_EQ(parse_release_version("@").raw, "@");
  const std::string hash = "3e90a5d9e767ebcfa70e921d7a7ff6c037461168";
  const auto commit = "backend@" + hash;
  EXPECT_EQ(parse_release_version(commit).build_hash, hash);
  EXPECT_EQ(describe(parse_release_version(commit)), "3e90a5d9e767");
}

class Releases : public Rest {
 protected:
  const std::string all = "/api/0/organizations/picket/releases/";
  Answer create(const std::string& body) { return call("POST", all, body); }
  std::string one(std::string_view version) { return all + http::percent_encode(version) + "/"; }
};

TEST_F(Releases, AnswerAsTheCommandLineClientExpects) {
  const auto made = create(
      R"({"version":"app@1.0","projects":["default"],"dateStarted":null,"dateReleased":null})");
  ASSERT_EQ(made.status, 201U) << made.text;
  EXPECT_EQ(made["version"], "app@1.0");
  EXPECT_EQ(made["dateCreated"], "2023-11-14T22:13:20.000000Z");
  EXPECT_TRUE(made["id"].is_int64());
  EXPECT_EQ(made["versionInfo"].at("package"), "app");
  EXPECT_EQ(made["projects"].at(0).at("slug"), "default");
  EXPECT_EQ(create(R"({"version":"app@1.0","projects":["default"]})").status, 208U);

  const auto finalized =
      call("PUT", one("app@1.0"),
           R"({"projects":["default"],"dateReleased":"2024-01-01T10:00:00Z","url":"http://x"})");
  EXPECT_EQ(finalized["dateReleased"], "2024-01-01T10:00:00.000000Z");
  EXPECT_EQ(create(R"({"version":"app@1.0","projects":[],"status":"archived"})")["status"],
            "archived");
  EXPECT_EQ(get(all + "?status=open").json.as_array().size(), 0U);
  EXPECT_EQ(create(R"({"version":"app@1.0","projects":[],"status":"open"})")["status"], "open");
  EXPECT_EQ(get(one("app@1.0"))["url"], "http://x");
  EXPECT_EQ(call("DELETE", one("app@1.0")).status, 204U);
  EXPECT_EQ(call("DELETE", one("app@1.0")).status, 404U);
  EXPECT_EQ(get(all).json.as_array().size(), 0U);
}

TEST_F(Releases, AddingAProjectToOneIsACreation) {
  call("POST", "/api/0/teams/picket/picket/projects/", R"({"name":"second"})");
  EXPECT_EQ(create(R"({"version":"2","projects":["default"]})").status, 201U);
  EXPECT_EQ(create(R"({"version":"2","projects":["default","second"]})").status, 201U);
  EXPECT_EQ(create(R"({"version":"2","projects":[1,"2"]})").status, 208U);
  EXPECT_EQ(get(one("2"))["projects"].as_array().size(), 2U);
}

TEST_F(Releases, MayHaveAnyNameButAFew) {
  for (const std::string version :
       {"a/b", "feature/x@1.0", "with space", "ü→1", "a+b&c=d", "%2e%2e", "..."}) {
    boost::json::object body{{"version", version}, {"projects", boost::json::array{"default"}}};
    ASSERT_EQ(create(boost::json::serialize(body)).status, 201U) << version;
    EXPECT_EQ(text_of(get(one(version))["version"]), version);
    EXPECT_EQ(call("DELETE", one(version)).status, 204U) << version;
  }
  const std::string too_long(201, 'x');
  for (const std::string& version :
       std::vector<std::string>{"", ".", "..", "latest", "LATEST", "a\nb", "a\tb", too_long}) {
    boost::json::object body{{"version", version}, {"projects", boost::json::array{"default"}}};
    EXPECT_EQ(create(boost::json::serialize(body)).status, 400U) << version;
  }
}

TEST_F(Releases, LongNamesThatDifferAtTheEndAreDifferent) {
  std::string wide;
  for (int i = 0; i < 199; ++i)
    wide += "ü";
  for (const std::string end : {"1", "2"}) {
    boost::json::object body{{"version", wide + end}, {"projects", boost::json::array{"default"}}};
    ASSERT_EQ(create(boost::json::serialize(body)).status, 201U);
  }
  EXPECT_EQ(get(all).json.as_array().size(), 2U);
  EXPECT_EQ(text_of(get(one(wide + "2"))["version"]), wide + "2");
  const auto project = get("/api/0/projects/picket/default/");
  EXPECT_EQ(text_of(project["latestRelease"].at("version")), wide + "2");
}

TEST_F(Releases, RefuseWhatIsWrong) {
  EXPECT_EQ(create(R"({"version":"1"})").text, R"({"projects":["This field is required."]})");
  EXPECT_EQ(create(R"({"version":"1","projects":["nowhere"]})").text,
            R"({"projects":["Invalid project ids or slugs"]})");
  EXPECT_EQ(create(R"({"version":"1","projects":"default"})").status, 400U);
  for (const std::string field :
       {R"("dateReleased":"tomorrow")", R"("dateReleased":true)", R"("status":"odd")",
        R"("commits":{})", R"("commits":[1])", R"("commits":[{"message":"no id"}])",
        R"("commits":[{"id":"a","message":5}])", R"("refs":"x")"}) {
    EXPECT_EQ(create(R"({"version":"1","projects":["default"],)" + field + "}").status, 400U)
        << field;
  }
  EXPECT_EQ(get(all).json.as_array().size(), 0U);
  EXPECT_EQ(call("PUT", one("none"), "{}").status, 404U);
}

TEST_F(Releases, AreListedNewestFirstAndPaged) {
  for (const std::string version : {"1.0", "2.0", "3.0"}) {
    create("{\"version\":\"" + version + "\",\"projects\":[\"default\"]}");
    clock_.advance(std::chrono::minutes(1));
  }
  call("PUT", one("1.0"), R"({"dateReleased":"2030-01-01T00:00:00Z"})");
  const auto list = get("/api/0/projects/picket/default/releases/?per_page=2");
  ASSERT_EQ(list.json.as_array().size(), 2U);
  EXPECT_EQ(list.json.at(0).at("version"), "1.0");
  EXPECT_EQ(list.json.at(1).at("version"), "3.0");
  const auto next = relation(list.headers.find("Link"), "next");
  EXPECT_EQ(next.results, "true");
  EXPECT_EQ(get("/api/0/projects/picket/default/releases/?per_page=2&cursor=" + next.cursor)
                .json.at(0)
                .at("version"),
            "2.0");
  EXPECT_EQ(get(all + "?query=2.").json.as_array().size(), 1U);
  EXPECT_EQ(get(all + "?query=release:2*").json.as_array().size(), 1U);
  EXPECT_EQ(get(all + "?project=99").status, 403U);
  EXPECT_EQ(get(all + "?project=1").json.as_array().size(), 3U);
}

TEST_F(Releases, OfAProjectAreOnlyThoseItHas) {
  call("POST", "/api/0/teams/picket/picket/projects/", R"({"name":"second"})");
  create(R"({"version":"1.0","projects":["default"]})");
  EXPECT_EQ(get("/api/0/projects/picket/default/releases/1.0/").status, 200U);
  EXPECT_EQ(get("/api/0/projects/picket/second/releases/1.0/").status, 404U);
  EXPECT_EQ(get("/api/0/projects/picket/second/releases/").json.as_array().size(), 0U);
  EXPECT_EQ(call("DELETE", "/api/0/projects/picket/second/releases/1.0/").status, 404U);
}

TEST_F(Releases, SumWhatTheDigestCounted) {
  create(R"({"version":"1.0","projects":["default"]})");
  write([&](buffer::Batch& batch) {
    schema::ReleaseProject row;
    row.set_new_issues(3);
    row.set_first_event_ms(1'700'000'000'000);
    row.set_last_event_ms(1'700'000'060'000);
    buffer::put_row(batch, buffer::Table::release_projects, buffer::Key().u64(1).text("1.0").u64(1),
                    row);
  });
  const auto release = get(one("1.0"));
  EXPECT_EQ(release["newGroups"], 3);
  EXPECT_EQ(release["firstEvent"], "2023-11-14T22:13:20.000000Z");
  EXPECT_EQ(release["lastEvent"], "2023-11-14T22:14:20.000000Z");
}

TEST_F(Releases, StayWhileAnIssueRefersToThem) {
  create(R"({"version":"1.0","projects":["default"]})");
  const auto issue_key = buffer::Key().u64(1);
  write([&](buffer::Batch& batch) {
    schema::ReleaseProject counts;
    counts.set_new_issues(1);
    buffer::put_row(batch, buffer::Table::release_projects, buffer::Key().u64(1).text("1.0").u64(1),
                    counts);
    schema::Issue issue;
    issue.set_id(1);
    issue.set_project(1);
    issue.set_first_release("1.0");
    buffer::put_row(batch, buffer::Table::issues, issue_key, issue);
  });
  const auto refused = call("DELETE", one("1.0"));
  EXPECT_EQ(refused.status, 400U);
  EXPECT_EQ(refused.detail(), "This release is referenced by active issues and cannot be removed.");
  write([&](buffer::Batch& batch) { batch.remove(buffer::Table::issues, issue_key); });
  EXPECT_EQ(call("DELETE", one("1.0")).status, 204U);
}

TEST_F(Releases, CarryCommitsAndDeploys) {
  create(R"({"version":"1.0","projects":["default"],"commits":[
            {"id":"abc","message":"feat: ✓","author_name":"Raj","author_email":"raj@x","repository":"r/r","timestamp":"2024-05-21T11:04:55Z",
             "patch_set":[{"path":"a.py","type":"M"}]},{"id":"def"}]})");
  const auto commits = get(one("1.0") + "commits/");
  ASSERT_EQ(commits.json.as_array().size(), 2U) << commits.text;
  EXPECT_EQ(commits.json.at(0).at("id"), "abc");
  EXPECT_EQ(commits.json.at(0).at("dateCreated"), "2024-05-21T11:04:55.000000Z");
  EXPECT_EQ(commits.json.at(0).at("author").at("email"), "raj@x");
  const auto release = get(one("1.0"));
  EXPECT_EQ(release["commitCount"], 2);
  EXPECT_EQ(release["lastCommit"].at("id"), "abc");
  EXPECT_EQ(release["authors"].as_array().size(), 1U);

  const auto deploy =
      call("POST", one("1.0") + "deploys/", R"({"environment":"production","name":"blue"})");
  ASSERT_EQ(deploy.status, 201U) << deploy.text;
  EXPECT_EQ(deploy["dateFinished"], "2023-11-14T22:13:20.000000Z");
  EXPECT_EQ(call("POST", one("1.0") + "deploys/", "{}").status, 400U);
  call("POST", one("1.0") + "deploys/", R"({"environment":"staging"})");
  const auto deploys = get(one("1.0") + "deploys/");
  EXPECT_EQ(deploys.json.at(0).at("environment"), "staging");
  EXPECT_EQ(get(one("1.0"))["deployCount"], 2);
  EXPECT_EQ(get(one("1.0"))["lastDeploy"].at("environment"), "staging");
}

TEST_F(Releases, KnowTheOneBeforeThatHasCommits) {
  create(R"({"version":"1.0","projects":["default"],"commits":[{"id":"abc"}]})");
  clock_.advance(std::chrono::minutes(1));
  create(R"({"version":"1.1","projects":["default"]})");
  clock_.advance(std::chrono::minutes(1));
  create(R"({"version":"2.0","projects":["default"]})");
  EXPECT_EQ(get(one("2.0") + "previous-with-commits/")["version"], "1.0");
  EXPECT_EQ(get(one("1.0") + "previous-with-commits/").text, "{}");
}

}  // namespace
}  // namespace picket::rest

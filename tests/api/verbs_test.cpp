#include "api/verbs.h"

#include "api/config.h"
#include "buffer/schema_number.h"
#include "support/temp_dir.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <sstream>

namespace picket::rest {
namespace {

class Verbs : public ::testing::Test {
 protected:
  struct Run {
    ExitCode code;
    std::string out;
    std::string err;
  };
  Run run(std::string_view name,
          std::map<std::string, std::string> options = {},
          std::vector<std::string> words = {}) {
    for (const auto& command : api_commands()) {
      if (command.name != name) continue;
      std::ostringstream out;
      std::ostringstream err;
      CommandLine line{std::move(words), std::move(options), storage_, out, err};
      const auto code = command.run(line);
      return {code, out.str(), err.str()};
    }
    ADD_FAILURE() << "no verb " << name;
    return {ExitCode::usage, {}, {}};
  }

  testing::TempDir dir_;
  std::filesystem::path storage_ = dir_ / "data/picket";
};

TEST_F(Verbs, EveryHelpHasAnExample) {
  for (const auto& command : api_commands()) {
    EXPECT_NE(command.help.find("\nexample: "), std::string_view::npos) << command.name;
    EXPECT_TRUE(command.help.ends_with("\n")) << command.name;
  }
}

TEST_F(Verbs, InitPrintsExactlyWhatScriptsRead) {
  const auto made = run("init", {{"json", ""}, {"public-url", "https://errors.example.com/"}});
  ASSERT_EQ(made.code, ExitCode::done) << made.err;
  const auto json = boost::json::parse(made.out).as_object();
  EXPECT_EQ(json.size(), 6U);
  EXPECT_EQ(json.at("organization"), "picket");
  EXPECT_EQ(json.at("project_id"), 1);
  EXPECT_TRUE(std::string(json.at("dsn").as_string()).starts_with("https://"));
  EXPECT_EQ(run("init", {{"json", ""}, {"public-url", "https://errors.example.com"}}).out,
            made.out);
  struct stat status {};
  ASSERT_EQ(::stat(storage_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0007, 0U) << "nobody else looks in";
}

TEST_F(Verbs, InitShowsAPersonWhatToDoButNotTheToken) {
  const auto json = boost::json::parse(run("init", {{"json", ""}}).out);
  const auto shown = run("init");
  EXPECT_NE(shown.out.find("curl"), std::string::npos);
  EXPECT_NE(shown.out.find(std::string(json.at("dsn").as_string())), std::string::npos);
  EXPECT_EQ(shown.out.find(std::string(json.at("token").as_string())), std::string::npos);
}

TEST_F(Verbs, RefuseAnAddressThatIsNone) {
  for (const std::string url :
       {"localhost:3000", "ftp://x", "http://", "http://a/b", "http://key@host", "http://:3000"}) {
    EXPECT_EQ(run("init", {{"public-url", url}}).code, ExitCode::usage) << url;
  }
  EXPECT_FALSE(std::filesystem::exists(storage_));
}

TEST_F(Verbs, SayThatThereIsNoDataYet) {
  for (const std::string_view name : {"dsn", "token ls", "project ls"}) {
    const auto failed = run(name);
    EXPECT_EQ(failed.code, ExitCode::configuration) << name;
    EXPECT_NE(failed.err.find("picket init"), std::string::npos) << name;
  }
}

TEST_F(Verbs, SayWhyTheDataFolderCannotBeMade) {
  storage_ = "/proc/picket";
  const auto failed = run("init");
  EXPECT_EQ(failed.code, ExitCode::configuration);
  EXPECT_NE(failed.err.find("/proc/picket"), std::string::npos);
}

TEST_F(Verbs, DsnListsEnabledKeysOfOneOrAllProjects) {
  const auto dsn =
      std::string(boost::json::parse(run("init", {{"json", ""}}).out).at("dsn").as_string());
  EXPECT_EQ(run("dsn").out, "picket/default  " + dsn + "\n");
  EXPECT_EQ(run("dsn", {{"project", "default"}}).out, dsn + "\n");
  EXPECT_EQ(run("dsn", {{"project", "1"}}).out, dsn + "\n");
  const auto none = run("dsn", {{"project", "nowhere"}});
  EXPECT_EQ(none.code, ExitCode::no);
  EXPECT_NE(none.err, "");
  EXPECT_EQ(boost::json::parse(run("dsn", {{"json", ""}}).out).at(0).at("project"), "default");
  EXPECT_EQ(run("dsn", {}, {"extra"}).code, ExitCode::usage);
}

TEST_F(Verbs, TokensAreShownOnceListedByTheirEndAndRevoked) {
  run("init");
  const auto made = run("token create", {{"label", "ci"}, {"scopes", "org:write,event:read"}});
  ASSERT_EQ(made.code, ExitCode::done) << made.err;
  const auto token = made.out.substr(0, made.out.size() - 1);
  EXPECT_TRUE(token.starts_with("sntryu_"));
  const auto listed = run("token ls");
  EXPECT_EQ(listed.out.find(token), std::string::npos);
  EXPECT_NE(listed.out.find(token.substr(token.size() - 4)), std::string::npos);
  const auto json = boost::json::parse(run("token", {{"json", ""}}).out).as_array();
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(json[1].at("scopes"), (boost::json::array{"org:read", "org:write", "event:read"}));

  EXPECT_EQ(run("token revoke", {}, {"2"}).code, ExitCode::done);
  EXPECT_EQ(run("token revoke", {}, {"2"}).code, ExitCode::no);
  EXPECT_EQ(run("token revoke", {}, {"all"}).code, ExitCode::usage);
  EXPECT_EQ(run("token revoke").code, ExitCode::usage);
  EXPECT_EQ(boost::json::parse(run("token ls", {{"json", ""}}).out).as_array().size(), 1U);
}

TEST_F(Verbs, TokenCreateNamesTheScopesThereAre) {
  run("init");
  const auto failed = run("token create", {{"scopes", "org:read,everything"}});
  EXPECT_EQ(failed.code, ExitCode::usage);
  EXPECT_NE(failed.err.find("project:releases"), std::string::npos);
  EXPECT_EQ(run("token create", {{"scopes", ","}}).code, ExitCode::usage);
  EXPECT_EQ(run("token create", {{"organization", "nobody"}}).code, ExitCode::no);
  EXPECT_EQ(run("token", {}, {"foo"}).code, ExitCode::usage);
}

TEST_F(Verbs, ProjectsAreMadeWithADsn) {
  run("init");
  const auto made = run("project create", {{"platform", "go"}, {"json", ""}}, {"Pump Station"});
  ASSERT_EQ(made.code, ExitCode::done) << made.err;
  EXPECT_EQ(boost::json::parse(made.out).at("project"), "pump-station");
  EXPECT_EQ(run("project create", {}, {"pump station"}).code, ExitCode::no);
  EXPECT_EQ(run("project create", {}, {}).code, ExitCode::usage);
  EXPECT_EQ(run("project create", {}, {"\xff"}).code, ExitCode::usage);
  EXPECT_NE(run("project ls").out.find("picket/pump-station"), std::string::npos);
}

TEST_F(Verbs, DataThatNeedANewerVersionAreNeitherReadNorWritten) {
  run("init");
  {
    const auto tables = buffer::Tables::open({.path = storage_ / "tables.mdb"});
    ASSERT_TRUE(buffer::raise_minimum_reader(**tables, buffer::schema_number + 1));
  }
  for (const auto* const verb : {"init", "dsn", "token ls", "token create", "project ls"}) {
    const auto said = run(verb);
    EXPECT_EQ(said.code, ExitCode::configuration) << verb;
    EXPECT_NE(said.err.find("needs schema"), std::string::npos) << verb << ": " << said.err;
  }
}

TEST(ApiConfig, TakesOnlyAnAddressWithoutPath) {
  EXPECT_EQ(*parse_public_url("http://localhost:3000/"), "http://localhost:3000");
  EXPECT_EQ(*parse_public_url("https://[::1]:3000"), "https://[::1]:3000");
  EXPECT_FALSE(parse_public_url(""));
  EXPECT_FALSE(parse_public_url("https://x/y"));
  EXPECT_FALSE(parse_public_url("https://x>y"));
}

}  // namespace
}  // namespace picket::rest

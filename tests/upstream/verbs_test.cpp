#include "verbs_fixture.h"

#include "buffer/schema_number.h"

namespace picket::upstream {
namespace {

TEST_F(VerbsTest, ListsDestinationsWithTheirBacklog) {
  post_many(2);
  upstream.answer_with({.status = 503});
  start();
  ASSERT_TRUE(soon([&] { return !row().last_error().empty(); }));
  const auto said = run("upstream ls", {});
  EXPECT_EQ(said.code, ExitCode::done) << said.err;
  EXPECT_NE(said.out.find("hub"), std::string::npos);
  EXPECT_NE(said.out.find("retrying"), std::string::npos);
  EXPECT_NE(said.out.find("answer 503"), std::string::npos);
  const auto json = run("upstream ls", {}, {{"json", ""}});
  EXPECT_TRUE(json.out.starts_with("[{\"name\":\"hub\",\"state\":\"retrying\"")) << json.out;
}

TEST_F(VerbsTest, PausesAndResumes) {
  start();
  ASSERT_TRUE(soon([&] { return cursor() == 1; }));
  EXPECT_EQ(run("upstream pause", {"hub"}).code, ExitCode::done);
  EXPECT_TRUE(row().paused());
  EXPECT_NE(run("upstream ls", {}).out.find("paused"), std::string::npos);
  EXPECT_EQ(run("upstream resume", {"hub"}).code, ExitCode::done);
  EXPECT_FALSE(row().paused());
  EXPECT_EQ(row().retry_generation(), 1U);
}

TEST_F(VerbsTest, SaysWhichDestinationsThereAre) {
  start();
  ASSERT_TRUE(soon([&] { return cursor() == 1; }));
  const auto said = run("upstream pause", {"hob"});
  EXPECT_EQ(said.code, ExitCode::no);
  EXPECT_NE(said.err.find("there are: hub"), std::string::npos) << said.err;
  EXPECT_EQ(run("upstream pause", {}).code, ExitCode::usage);
}

TEST_F(VerbsTest, SaysWhatToDoWithoutAStorageFolder) {
  storage = folder / "nowhere";
  const auto said = run("upstream ls", {});
  EXPECT_EQ(said.code, ExitCode::configuration);
  EXPECT_NE(said.err.find("--storage"), std::string::npos);
}

TEST_F(VerbsTest, ListsRetriesAndPurgesTheQuarantine) {
  upstream.answer_with({.status = 413, .body = R"({"detail":"too much"})"});
  post_many(3);
  start();
  ASSERT_TRUE(all_written());
  const auto listed = run("upstream quarantine", {});
  EXPECT_NE(listed.out.find("413"), std::string::npos);
  EXPECT_NE(listed.out.find("too much"), std::string::npos);
  EXPECT_NE(run("upstream quarantine", {"hub"}, {{"json", ""}}).out.find("\"sequence\":3"), std::string::npos);

  EXPECT_EQ(run("upstream quarantine", {"hub"}, {{"purge", "2"}}).code, ExitCode::done);
  EXPECT_EQ(quarantine().size(), 2U);
  EXPECT_EQ(run("upstream quarantine", {"hub"}, {{"purge", "2"}}).code, ExitCode::no);
  EXPECT_EQ(run("upstream quarantine", {"hub"}, {{"retry", "many"}}).code, ExitCode::usage);
  EXPECT_EQ(run("upstream quarantine", {}, {{"retry", "all"}}).code, ExitCode::usage);

  EXPECT_EQ(run("upstream quarantine", {"hub"}, {{"retry", "all"}}).code, ExitCode::done);
  upstream.answer_with({});
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  ASSERT_TRUE(soon([&] { return quarantine().empty(); }));
  EXPECT_EQ(row().quarantined(), 1U);
  EXPECT_EQ(run("upstream quarantine", {}).out, "nothing is in quarantine\n");
}

TEST_F(VerbsTest, DataThatNeedANewerVersionAreNeitherReadNorWritten) {
  start();
  ASSERT_TRUE(soon([&] { return cursor() == 1; }));
  ASSERT_TRUE(buffer::raise_minimum_reader(*tables, buffer::schema_number + 1));
  for (const auto* const verb : {"upstream pause", "upstream ls"}) {
    const auto said = run(verb, verb == std::string_view("upstream ls") ? std::vector<std::string>() : std::vector<std::string>{"hub"});
    EXPECT_EQ(said.code, ExitCode::configuration) << verb;
    EXPECT_NE(said.err.find("needs schema"), std::string::npos) << said.err;
  }
  EXPECT_FALSE(row().paused());
}

TEST_F(VerbsTest, GivesEveryVerbAHelpWithAnExample) {
  for (const Command& command : upstream_commands()) {
    EXPECT_NE(command.help.find("usage: picket " + std::string(command.name)), std::string::npos) << command.name;
    EXPECT_NE(command.help.find("example: picket "), std::string::npos) << command.name;
  }
}

}  // namespace
}  // namespace picket::upstream

#include "upstream/credentials_verb.h"

#include "relay/protocol/relay_identity.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace picket::upstream {
namespace {

struct Said {
  ExitCode code;
  std::string out;
  std::string err;
};

Said run_credentials(std::vector<std::string> words, std::map<std::string, std::string> options = {}) {
  std::ostringstream out;
  std::ostringstream err;
  CommandLine line{std::move(words), std::move(options), {}, out, err};
  const ExitCode code = credentials_command().run(line);
  return {code, out.str(), err.str()};
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(CredentialsVerb, MakesAFileForItsOwnerAndShowsWhatIsNoSecret) {
  const testing::TempDir folder;
  const auto file = (folder / "credentials.json").string();
  const auto made = run_credentials({"generate", file});
  ASSERT_EQ(made.code, ExitCode::done) << made.err;
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto identity = relay::RelayIdentity::parse(text_of(file));
  ASSERT_TRUE(identity);
  const auto shown = run_credentials({"show", file});
  EXPECT_EQ(shown.code, ExitCode::done);
  for (const auto& said : {made, shown, run_credentials({"show", file}, {{"json", ""}})}) {
    EXPECT_NE(said.out.find(identity->id()), std::string::npos);
    EXPECT_NE(said.out.find(identity->public_key()), std::string::npos);
    EXPECT_EQ((said.out + said.err).find("secret"), std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(file + ".new"));
}

TEST(CredentialsVerb, ReplacesNothingUnlessItIsToldTo) {
  const testing::TempDir folder;
  const auto file = (folder / "credentials.json").string();
  run_credentials({"generate", file});
  const auto before = text_of(file);
  EXPECT_EQ(run_credentials({"generate", file}).code, ExitCode::no);
  EXPECT_EQ(text_of(file), before);
  EXPECT_EQ(run_credentials({"generate", file}, {{"overwrite", ""}}).code, ExitCode::done);
  EXPECT_NE(text_of(file), before);
}

TEST(CredentialsVerb, SaysWhatIsWrong) {
  const testing::TempDir folder;
  const auto file = (folder / "credentials.json").string();
  EXPECT_EQ(run_credentials({"show", file}).code, ExitCode::io);
  std::ofstream(file) << "{}";
  EXPECT_EQ(run_credentials({"show", file}).code, ExitCode::no);
  EXPECT_EQ(run_credentials({"generate", (folder / "no folder/credentials.json").string()}).code, ExitCode::io);
  for (const auto& words : {std::vector<std::string>{}, {"show"}, {"remove", file}, {"show", file, file}}) {
    EXPECT_EQ(run_credentials(words).code, ExitCode::usage);
  }
}

}  // namespace
}  // namespace picket::upstream

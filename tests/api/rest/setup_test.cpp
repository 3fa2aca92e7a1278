#include "api/rest/setup.h"

#include "api/rest/rest_fixture.h"

#include <sys/stat.h>

#include <fstream>
#include <thread>

namespace picket::rest {
namespace {

class FirstSetup : public Rest {
 protected:
  rest::Setup again() {
    auto setup = ensure_first(*tables_, {.storage = dir_.path(), .public_url = api_.public_url},
                              clock_.now());
    EXPECT_TRUE(setup);
    return *std::move(setup);
  }
};

TEST_F(FirstSetup, MakesEverythingThatAFirstEventNeeds) {
  EXPECT_EQ(first.organization, "picket");
  EXPECT_EQ(first.project, "default");
  EXPECT_EQ(first.project_id, 1U);
  EXPECT_EQ(first.public_key.size(), 32U);
  EXPECT_EQ(first.dsn, "http://" + first.public_key + "@picket.example:3000/1");
  EXPECT_TRUE(first.created);
  EXPECT_EQ(first.token.size(), 7U + 64U);
  EXPECT_TRUE(first.token.starts_with("sntryu_"));
}

TEST_F(FirstSetup, ChangesNothingTheSecondTime) {
  const auto before = tables_->use().last_transaction;
  const auto second = again();
  EXPECT_FALSE(second.created);
  EXPECT_EQ(second.token, first.token);
  EXPECT_EQ(second.dsn, first.dsn);
  EXPECT_EQ(tables_->use().last_transaction, before);
}

TEST_F(FirstSetup, KeepsTheTokenToItsOwnerAndOnlyItsHashInTheTables) {
  struct stat status {};
  ASSERT_EQ(::stat((dir_ / "token").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  std::ifstream file(dir_ / "tables.mdb", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(bytes.find(first.token), std::string::npos);
  EXPECT_EQ(bytes.find(first.token.substr(7)), std::string::npos);
  EXPECT_NE(bytes.find(sha256(first.token)), std::string::npos);
}

TEST_F(FirstSetup, MakesANewTokenWhenTheFileIsGoneOrDamaged) {
  std::filesystem::remove(dir_ / "token");
  const auto second = again();
  EXPECT_NE(second.token, first.token);
  EXPECT_EQ(call("GET", "/api/0/organizations/", {}, second.token).status, 200U);
  std::ofstream(dir_ / "token") << "sntryu_half";
  std::ofstream(dir_ / "token.new") << "left behind";
  const auto third = again();
  EXPECT_NE(third.token, second.token);
  EXPECT_EQ(again().token, third.token);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "token.new"));
}

TEST_F(FirstSetup, NeverFollowsALinkWhenItWritesTheToken) {
  const auto victim = dir_ / "victim";
  std::ofstream(victim) << "precious";
  std::filesystem::remove(dir_ / "token");
  std::filesystem::create_symlink(victim, dir_ / "token.new");
  again();
  std::string text;
  std::ifstream(victim) >> text;
  EXPECT_EQ(text, "precious");
}

TEST_F(FirstSetup, WritesNothingWhenTheTokenCannotBeStored) {
  std::filesystem::remove(dir_ / "token");
  std::filesystem::create_directory(dir_ / "token");
  const auto before = tables_->snapshot().entries(buffer::Table::tokens);
  const auto setup = ensure_first(*tables_, {.storage = dir_.path()}, clock_.now());
  EXPECT_FALSE(setup);
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::tokens), before);
}

TEST_F(FirstSetup, RespectsWhatPeopleRenamedOrMade) {
  call("PUT", "/api/0/organizations/picket/", R"({"slug":"outpost"})");
  call("PUT", "/api/0/projects/outpost/default/", R"({"slug":"mine"})");
  const auto second = again();
  EXPECT_FALSE(second.created);
  EXPECT_EQ(second.organization, "outpost");
  EXPECT_EQ(second.project, "mine");
}

TEST_F(FirstSetup, NamesAKeyThatIsEnabledIfThereIsOne) {
  call("PUT", "/api/0/projects/picket/default/keys/" + first.public_key + "/",
       R"({"isActive":false})");
  EXPECT_EQ(again().public_key, first.public_key) << "a disabled key is not replaced";
  const auto made = call("POST", "/api/0/projects/picket/default/keys/", "{}");
  EXPECT_EQ(again().public_key, text_of(made["id"]));
}

TEST_F(FirstSetup, TwoAtOnceMakeOneOfEach) {
  testing::TempDir dir;
  auto tables =
      *buffer::Tables::open({.path = dir / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
  std::vector<rest::Setup> setups(4);
  {
    std::vector<std::jthread> threads;
    for (auto& setup : setups) {
      threads.emplace_back(
          [&] { setup = *ensure_first(*tables, {.storage = dir.path()}, clock_.now()); });
    }
  }
  for (const auto& setup : setups)
    EXPECT_EQ(setup.token, setups[0].token);
  EXPECT_EQ(tables->snapshot().entries(buffer::Table::tokens), 1U);
  EXPECT_EQ(tables->snapshot().entries(buffer::Table::projects), 1U);
}

TEST(Slugs, AreNeverNumbersAndNeverLong) {
  EXPECT_TRUE(is_slug("a-b_c9"));
  EXPECT_TRUE(is_slug("9a"));
  for (const std::string_view bad : {"", "9", "A", "a b", "a.b", "ü", "a/b", "a\n"})
    EXPECT_FALSE(is_slug(bad)) << bad;
  EXPECT_TRUE(is_slug(std::string(50, 'a')));
  EXPECT_FALSE(is_slug(std::string(51, 'a')));
}

TEST(RandomHex, DoesNotRepeat) {
  EXPECT_EQ(random_hex(16).size(), 32U);
  EXPECT_NE(random_hex(16), random_hex(16));
}

}  // namespace
}  // namespace picket::rest

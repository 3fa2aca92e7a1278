#include "relay/ingest/project_directory.h"

#include "relay/ingest/desk.h"

namespace picket::ingest {
namespace {

using namespace std::chrono_literals;

class ProjectDirectoryTest : public ::testing::Test {
 protected:
  ProjectDirectoryTest() { tables = *buffer::Tables::open({.path = folder / "tables.mdb"}); }
  static relay::ProjectKey key(std::string_view hex) { return *relay::parse_project_key(hex); }

  testing::TempDir folder;
  std::unique_ptr<buffer::Tables> tables;
  std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
};

TEST_F(ProjectDirectoryTest, FindsTheProjectOfAKey) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5);
  const ProjectDirectory directory(*tables);

  const auto answer = directory.find(key(good_key));

  EXPECT_TRUE(answer.known);
  EXPECT_EQ(answer.entry.project, 5U);
  EXPECT_TRUE(answer.entry.usable());
}

TEST_F(ProjectDirectoryTest, KnowsAKeyThatWasMadeAMomentAgo) {
  const ProjectDirectory directory(*tables);
  EXPECT_FALSE(directory.find(key(good_key)).known);

  put_project(*tables, 5);
  put_key(*tables, good_key, 5);

  EXPECT_TRUE(directory.find(key(good_key)).known);
}

TEST_F(ProjectDirectoryTest, KnowsAKeyEnabledAgainAtOnce) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5, false);
  const ProjectDirectory directory(*tables);
  EXPECT_FALSE(directory.find(key(good_key)).entry.usable());

  put_key(*tables, good_key, 5, true);

  EXPECT_TRUE(directory.find(key(good_key)).entry.usable());
}

TEST_F(ProjectDirectoryTest, NoticesADisabledKeyWithTheNextGeneration) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5);
  ProjectDirectory directory(*tables);

  put_key(*tables, good_key, 5, false);
  directory.refresh(now);
  EXPECT_TRUE(directory.find(key(good_key)).entry.usable());
  raise_generation(*tables, 1);
  directory.refresh(now);

  EXPECT_TRUE(directory.find(key(good_key)).known);
  EXPECT_FALSE(directory.find(key(good_key)).entry.key_enabled);
}

TEST_F(ProjectDirectoryTest, NoticesChangesWithoutAGenerationAfterAWhile) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5);
  ProjectDirectory directory(*tables);

  put_project(*tables, 5, false);
  directory.refresh(now + 1s);
  EXPECT_TRUE(directory.find(key(good_key)).entry.usable());
  directory.refresh(std::chrono::steady_clock::now() + ProjectDirectory::reread_after);

  EXPECT_FALSE(directory.find(key(good_key)).entry.project_enabled);
}

TEST_F(ProjectDirectoryTest, DoesNotKnowAKeyWhoseProjectIsGone) {
  put_key(*tables, good_key, 99);
  const ProjectDirectory directory(*tables);
  EXPECT_FALSE(directory.find(key(good_key)).known);
}

TEST_F(ProjectDirectoryTest, DoesNotGrowWithHostileKeys) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5);
  const ProjectDirectory directory(*tables);

  for (int i = 0; i < 10'000; ++i) {
    auto hex = std::string(32, '0') + std::to_string(i);
    EXPECT_FALSE(directory.find(key(hex.substr(hex.size() - 32))).known);
  }

  EXPECT_EQ(directory.size(), 1U);
}

TEST_F(ProjectDirectoryTest, AnswersWhileItIsBeingRefreshed) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5);
  ProjectDirectory directory(*tables);
  std::atomic<bool> done{false};
  std::thread refresher([&] {
    for (std::uint64_t generation = 1; generation < 50; ++generation) {
      raise_generation(*tables, generation);
      directory.refresh(now);
    }
    done = true;
  });

  while (!done)
    ASSERT_TRUE(directory.find(key(good_key)).entry.usable());
  refresher.join();
}

}  // namespace
}  // namespace picket::ingest

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
  testing::FakeClock clock;
  std::unique_ptr<buffer::Tables> tables;
  std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
};

TEST_F(ProjectDirectoryTest, FindsTheProjectOfAKey) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5);
  const ProjectDirectory directory(*tables, clock);

  const auto answer = directory.find(key(good_key));

  EXPECT_TRUE(answer.known);
  EXPECT_EQ(answer.entry.project, 5U);
  EXPECT_TRUE(answer.entry.usable());
}

TEST_F(ProjectDirectoryTest, KnowsAKeyThatWasMadeAMomentAgo) {
  const ProjectDirectory directory(*tables, clock);
  EXPECT_FALSE(directory.find(key(good_key)).known);

  put_project(*tables, 5);
  put_key(*tables, good_key, 5);

  EXPECT_TRUE(directory.find(key(good_key)).known);
}

TEST_F(ProjectDirectoryTest, KnowsAKeyEnabledAgainAtOnce) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5, false);
  const ProjectDirectory directory(*tables, clock);
  EXPECT_FALSE(directory.find(key(good_key)).entry.usable());

  put_key(*tables, good_key, 5, true);

  EXPECT_TRUE(directory.find(key(good_key)).entry.usable());
}

TEST_F(ProjectDirectoryTest, NoticesADisabledKeyWithTheNextGeneration) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5);
  ProjectDirectory directory(*tables, clock);

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
  ProjectDirectory directory(*tables, clock);

  put_project(*tables, 5, false);
  directory.refresh(now + 1s);
  EXPECT_TRUE(directory.find(key(good_key)).entry.usable());
  directory.refresh(std::chrono::steady_clock::now() + ProjectDirectory::reread_after);

  EXPECT_FALSE(directory.find(key(good_key)).entry.project_enabled);
}

TEST_F(ProjectDirectoryTest, DoesNotKnowAKeyWhoseProjectIsGone) {
  put_key(*tables, good_key, 99);
  const ProjectDirectory directory(*tables, clock);
  EXPECT_FALSE(directory.find(key(good_key)).known);
}

TEST_F(ProjectDirectoryTest, DoesNotGrowWithHostileKeys) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5);
  const ProjectDirectory directory(*tables, clock);

  for (int i = 0; i < 10'000; ++i) {
    auto hex = std::string(32, '0') + std::to_string(i);
    EXPECT_FALSE(directory.find(key(hex.substr(hex.size() - 32))).known);
  }

  EXPECT_EQ(directory.size(), 1U);
}

TEST_F(ProjectDirectoryTest, AnswersWhileItIsBeingRefreshed) {
  put_project(*tables, 5);
  put_key(*tables, good_key, 5);
  ProjectDirectory directory(*tables, clock);
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

schema::Project project_with(std::uint64_t id, std::string options) {
  schema::Project project;
  project.set_id(id);
  project.set_organization(1);
  project.set_options_json(std::move(options));
  return project;
}
void store(buffer::Tables& tables, const schema::Project& project, std::uint64_t generation) {
  const auto written = tables.write([&](buffer::Batch& batch) {
    buffer::put_row(batch, buffer::Table::projects, buffer::Key().u64(project.id()), project);
    batch.put(buffer::Table::meta, "projects_generation", buffer::Key().u64(generation));
  });
  ASSERT_TRUE(written);
}

TEST_F(ProjectDirectoryTest, CompilesSettingsOncePerChange) {
  put_project(*tables, 5);
  put_project(*tables, 6);
  put_key(*tables, good_key, 5);
  put_key(*tables, other_key, 6);
  ProjectDirectory directory(*tables, clock);
  const auto before = directory.find(key(good_key)).entry.settings;
  ASSERT_TRUE(before);
  EXPECT_TRUE(before->filters.empty());

  store(*tables, project_with(6, R"({"options":{"filters:localhost":true}})"), 1);
  directory.refresh(now);

  EXPECT_EQ(directory.find(key(good_key)).entry.settings, before) << "nothing of it has changed";
  EXPECT_FALSE(directory.find(key(other_key)).entry.settings->filters.empty());
}

TEST_F(ProjectDirectoryTest, AWrongSettingLeavesTheOthersInForce) {
  put_key(*tables, good_key, 5);
  store(*tables,
        project_with(5, R"({"relayPiiConfig":"{nonsense","allowedDomains":["shop.example"],
          "options":{"filters:releases":"[bad","filters:localhost":true}})"),
        1);
  const ProjectDirectory directory(*tables, clock);
  const auto settings = directory.find(key(good_key)).entry.settings;
  ASSERT_TRUE(settings);
  EXPECT_FALSE(settings->filters.empty());
  EXPECT_EQ(settings->allowed_domains, std::vector<std::string>{"shop.example"});
}

TEST_F(ProjectDirectoryTest, TakesAKeysRateLimitAndConfiguredQuotas) {
  put_project(*tables, 5);
  put_project(*tables, 6);
  put_key(*tables, other_key, 6);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    schema::ProjectKey row;
    row.set_public_key(std::string(good_key));
    row.set_project(5);
    row.set_rate_limit_count(7);
    row.set_rate_limit_window_s(30);
    buffer::put_row(batch, buffer::Table::project_keys, good_key, row);
  }));
  filter::Quota everywhere;
  everywhere.id = "a";
  filter::Quota of_five;
  of_five.id = "b";
  const ProjectDirectory directory(*tables, clock, {{0, everywhere}, {5, of_five}});

  const auto five = directory.find(key(good_key)).entry;
  ASSERT_TRUE(five.key_quota);
  EXPECT_EQ(five.key_quota->limit, 7U);
  EXPECT_EQ(five.key_quota->window, 30s);
  EXPECT_EQ(five.settings->quotas.size(), 2U);
  const auto six = directory.find(key(other_key)).entry;
  EXPECT_FALSE(six.key_quota);
  EXPECT_EQ(six.settings->quotas.size(), 1U);
}

TEST_F(ProjectDirectoryTest, MeasuresSpikesByTheLastSevenDays) {
  put_key(*tables, good_key, 5);
  const auto hour = to_ms(clock.now()) / 3'600'000 * 3'600'000;
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    const auto count = [&](std::int64_t hours_ago, std::uint8_t category, std::uint8_t outcome,
                           std::uint64_t quantity) {
      schema::Count row;
      row.set_quantity(quantity);
      const auto key = buffer::Key()
                           .u64(5)
                           .u64(static_cast<std::uint64_t>(hour - hours_ago * 3'600'000))
                           .u8(category)
                           .u8(outcome)
                           .text("")
                           .raw(std::string(16, '\0'));
      buffer::put_row(batch, buffer::Table::outcomes, key, row);
    };
    count(0, 1, 0, 1'000'000);    // this hour is not over
    count(1, 1, 0, 1'000);        // errors
    count(10, 2, 0, 4'000);       // transactions
    count(2, 12, 0, 1'000'000);   // spans do not count
    count(3, 1, 2, 1'000'000);    // nor what was not accepted
    count(200, 1, 0, 1'000'000);  // nor what is older
  }));
  store(*tables, project_with(5, R"({"options":{"quotas:spike-protection-disabled":false}})"), 1);
  ProjectDirectory directory(*tables, clock);

  const auto quotas = directory.find(key(good_key)).entry.settings->quotas;
  ASSERT_EQ(quotas.size(), 1U);
  EXPECT_EQ(quotas[0].limit, 5'000U) << "ten times 5,000 in ten hours";
  EXPECT_EQ(quotas[0].reason, "smart_rate_limit");

  clock.advance(std::chrono::hours(1));
  directory.refresh(now);
  EXPECT_GT(directory.find(key(good_key)).entry.settings->quotas[0].limit, 100'000U)
      << "the busy hour counts once it is over";
}

}  // namespace
}  // namespace picket::ingest

#include "buffer/settings.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>

namespace picket {
namespace {

struct Sample {
  std::string listen = "127.0.0.1:3000";
  std::uint64_t threads = 2;
  std::uint64_t size = 1024;
  Duration age{1000};
  bool on = false;
  std::vector<std::string> names{"a"};
  std::vector<std::pair<std::string, std::string>> projects;
};

void bind(Settings& settings, Sample& sample) {
  settings.text("listen", sample.listen);
  settings.number("threads", sample.threads, 1, 64);
  settings.bytes("size", sample.size, 1, 1ULL << 40);
  settings.duration("age", sample.age, Duration(1), Duration(1LL << 50));
  settings.flag("on", sample.on);
  settings.list("names", sample.names);
  settings.map("projects", sample.projects);
}

struct Loaded {
  Sample sample;
  std::vector<std::string> problems;
};

Loaded load(const std::string& toml, Configuration::Environment environment = {}) {
  const testing::TempDir folder;
  std::ofstream(folder / "picket.toml") << toml;
  auto configuration = Configuration::load(folder / "picket.toml", std::move(environment));
  if (!configuration) return {{}, {configuration.error().detail}};
  Loaded loaded;
  configuration->section("server", [&](Settings& settings) { bind(settings, loaded.sample); });
  loaded.problems = configuration->problems();
  return loaded;
}

TEST(Configuration, ReadsEveryKindOfValue) {
  const auto loaded = load(R"([server]
listen = "0.0.0.0:80"
threads = 4
size = "10GiB"
age = "90d"
on = true
names = ["x", "y"]
[server.projects]
"1" = "http://k@h/7"
)");
  EXPECT_TRUE(loaded.problems.empty()) << loaded.problems[0];
  EXPECT_EQ(loaded.sample.listen, "0.0.0.0:80");
  EXPECT_EQ(loaded.sample.threads, 4U);
  EXPECT_EQ(loaded.sample.size, 10ULL << 30);
  EXPECT_EQ(loaded.sample.age, std::chrono::hours(24 * 90));
  EXPECT_TRUE(loaded.sample.on);
  EXPECT_EQ(loaded.sample.names, (std::vector<std::string>{"x", "y"}));
  ASSERT_EQ(loaded.sample.projects.size(), 1U);
  EXPECT_EQ(loaded.sample.projects[0].second, "http://k@h/7");
}

TEST(Configuration, NamesTheNearestKeyForAnUnknownOne) {
  const auto loaded = load("[server]\nlistn = \"x\"\n");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_NE(loaded.problems[0].find(":2:1: unknown key \"listn\" in [server]; did you mean \"listen\"?"), std::string::npos)
      << loaded.problems[0];
}

TEST(Configuration, NamesTheNearestSectionForAnUnknownOne) {
  const auto loaded = load("[sever]\nlisten = \"x\"\n");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_NE(loaded.problems[0].find("unknown section [sever]; did you mean \"server\"?"), std::string::npos);
}

TEST(Configuration, TheEnvironmentWinsOverTheFile) {
  const auto loaded = load("[server]\nlisten = \"file\"\n", {{"PICKET_SERVER_LISTEN", "environment"},
                                                               {"PICKET_SERVER_NAMES", "p,q"},
                                                               {"PICKET_SERVER_PROJECTS_3", "dsn"}});
  EXPECT_TRUE(loaded.problems.empty());
  EXPECT_EQ(loaded.sample.listen, "environment");
  EXPECT_EQ(loaded.sample.names, (std::vector<std::string>{"p", "q"}));
  ASSERT_EQ(loaded.sample.projects.size(), 1U);
  EXPECT_EQ(loaded.sample.projects[0].first, "3");
}

TEST(Configuration, RefusesAnUnknownVariableOfAKnownSection) {
  const auto loaded = load("", {{"PICKET_SERVER_LISTN", "x"}});
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_NE(loaded.problems[0].find("PICKET_SERVER_LISTN; did you mean \"listen\"?"), std::string::npos);
}

TEST(Configuration, SaysWhichValueIsOutOfBoundsOrOfTheWrongKind) {
  EXPECT_EQ(load("[server]\nthreads = 65\n").problems.size(), 1U);
  EXPECT_EQ(load("[server]\nthreads = -1\n").problems.size(), 1U);
  EXPECT_EQ(load("[server]\nsize = \"many\"\n").problems.size(), 1U);
  EXPECT_EQ(load("[server]\nsize = \"99999999999TiB\"\n").problems.size(), 1U);
  EXPECT_EQ(load("[server]\nage = \"soon\"\n").problems.size(), 1U);
  EXPECT_EQ(load("[server]\non = \"perhaps\"\n").problems.size(), 1U);
  EXPECT_EQ(load("[server]\nlisten = [1]\n").problems.size(), 1U);
  EXPECT_EQ(load("server = 1\n").problems.size(), 1U);
}

TEST(Configuration, SaysWhereTheFileDoesNotParse) {
  const auto loaded = load("[server\n");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_NE(loaded.problems[0].find("picket.toml:1:"), std::string::npos);
}

TEST(Configuration, CountsTheElementsOfAListInFileAndEnvironment) {
  const testing::TempDir folder;
  std::ofstream(folder / "picket.toml") << "[[upstream]]\nlisten = \"one\"\n";
  auto configuration = Configuration::load(folder / "picket.toml", {{"PICKET_UPSTREAM_1_LISTEN", "two"}});
  ASSERT_TRUE(configuration);
  ASSERT_EQ(configuration->count("upstream"), 2U);
  std::vector<Sample> samples(2);
  for (std::size_t i = 0; i < 2; ++i) {
    configuration->element("upstream", i, [&](Settings& settings) { bind(settings, samples[i]); });
  }
  EXPECT_TRUE(configuration->problems().empty());
  EXPECT_EQ(samples[0].listen, "one");
  EXPECT_EQ(samples[1].listen, "two");
}

TEST(Configuration, SaysThatAListIsNotASection) {
  const testing::TempDir folder;
  std::ofstream(folder / "picket.toml") << "[upstream]\nlisten = \"one\"\n";
  auto configuration = Configuration::load(folder / "picket.toml", {});
  ASSERT_TRUE(configuration);
  EXPECT_EQ(configuration->count("upstream"), 0U);
  ASSERT_EQ(configuration->problems().size(), 1U);
  EXPECT_NE(configuration->problems()[0].find("write [[upstream]]"), std::string::npos);
}

TEST(ParseBytes, KnowsBinaryAndDecimalUnits) {
  EXPECT_EQ(*parse_bytes("64MiB"), 64ULL << 20);
  EXPECT_EQ(*parse_bytes("500kB"), 500'000U);
  EXPECT_EQ(*parse_bytes("12"), 12U);
  EXPECT_FALSE(parse_bytes("12 parsecs"));
  EXPECT_FALSE(parse_bytes(""));
}

}  // namespace
}  // namespace picket

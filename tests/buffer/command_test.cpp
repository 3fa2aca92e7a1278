#include "buffer/command.h"

#include <gtest/gtest.h>

#include <sstream>

namespace picket {
namespace {

const std::vector<Command> commands = {
    {"serve", "runs", "help of serve", {}, {"listen"}, nullptr},
    {"journal ls", "lists", "help of journal ls", {"json"}, {"from"}, nullptr},
};

struct Parsed {
  Result<void> result;
  std::vector<std::string> words;
  std::map<std::string, std::string> options;
};

Parsed parse(const std::vector<std::string>& words) {
  std::ostringstream ignored;
  CommandLine line{{}, {}, {}, ignored, ignored};
  auto result = parse_words(commands[1], words, line);
  return {std::move(result), line.words, line.options};
}

TEST(FindCommand, PrefersTwoWordsOverOne) {
  EXPECT_EQ(find_command(commands, {"journal", "ls", "x"}), &commands[1]);
  EXPECT_EQ(find_command(commands, {"serve", "ls"}), &commands[0]);
  EXPECT_EQ(find_command(commands, {"journal"}), nullptr);
  EXPECT_EQ(find_command(commands, {}), nullptr);
}

TEST(FindCommand, SuggestsTheNearest) {
  EXPECT_EQ(nearest_command(commands, {"serv"}), "serve");
  EXPECT_EQ(nearest_command(commands, {"journal", "list"}), "journal ls");
}

TEST(ParseWords, SortsOptionsAndWords) {
  const auto parsed = parse({"one", "--json", "--from=3", "--storage", "dir", "--", "--two"});
  ASSERT_TRUE(parsed.result);
  EXPECT_EQ(parsed.words, (std::vector<std::string>{"one", "--two"}));
  EXPECT_EQ(parsed.options.at("from"), "3");
  EXPECT_EQ(parsed.options.at("storage"), "dir");
  EXPECT_TRUE(parsed.options.contains("json"));
}

TEST(ParseWords, RefusesWhatTheCommandDoesNotKnow) {
  EXPECT_FALSE(parse({"--form", "3"}).result);
  EXPECT_FALSE(parse({"--from"}).result);
  EXPECT_FALSE(parse({"--json=yes"}).result);
}

TEST(RenderHelp, NamesEveryCommand) {
  const std::string text = render_help(commands);
  EXPECT_NE(text.find("serve"), std::string::npos);
  EXPECT_NE(text.find("journal ls"), std::string::npos);
}

}  // namespace
}  // namespace picket

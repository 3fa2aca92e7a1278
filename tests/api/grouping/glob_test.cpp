#include "api/grouping/glob.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace picket::grouping {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
  return Glob(pattern, GlobKind::text).matches(text);
}
bool path_matches(std::string_view pattern, std::string_view path) {
  return Glob(pattern, GlobKind::path).matches(path_key(path));
}

TEST(Glob, MatchesTheWholeText) {
  EXPECT_TRUE(matches("main", "main"));
  EXPECT_FALSE(matches("main", "main2"));
  EXPECT_FALSE(matches("main", "Main"));
  EXPECT_TRUE(matches("", ""));
}

TEST(Glob, StarsCrossEverythingInText) {
  EXPECT_TRUE(matches("std::*", "std::a/b"));
  EXPECT_TRUE(matches("*::pay", "shop::cart::pay"));
  EXPECT_TRUE(matches("*cart*", "shop::cart::pay"));
  EXPECT_TRUE(matches("a*b*c", "a1b2b3c"));
  EXPECT_FALSE(matches("a*b*c", "a1b2b3"));
  EXPECT_TRUE(matches("*", ""));
}

TEST(Glob, KnowsSetsAndSingleCharacters) {
  EXPECT_TRUE(matches("?at", "cat"));
  EXPECT_FALSE(matches("?at", "at"));
  EXPECT_TRUE(matches("[a-c]at", "bat"));
  EXPECT_FALSE(matches("[!a-c]at", "bat"));
  EXPECT_TRUE(matches("__*[[]Cart*", "__41-[Cart pay]"));
  EXPECT_TRUE(matches("[]]", "]"));
  EXPECT_TRUE(matches("[unclosed", "[unclosed"));
}

TEST(Glob, KnowsChoices) {
  EXPECT_TRUE(matches("{malloc,free}", "free"));
  EXPECT_FALSE(matches("{malloc,free}", "freed"));
  EXPECT_TRUE(matches("a{b,c}{d,e}", "ace"));
  EXPECT_TRUE(matches("{{closure}}", "{{closure}}"));
  EXPECT_TRUE(matches("{open", "{open"));
  EXPECT_TRUE(matches("{,x}y", "y"));
}

TEST(Glob, TakesWhatIsEscapedAsItIs) {
  EXPECT_TRUE(matches("\\*", "*"));
  EXPECT_FALSE(matches("\\*", "a"));
  EXPECT_TRUE(matches("\\{\\[\\*\\?\\]\\}", "{[*?]}"));
}

TEST(Glob, PathsAreComparedWithoutCaseAndAcrossSystems) {
  EXPECT_TRUE(path_matches("**/system32/**", "C:\\Windows\\System32\\ntdll.dll"));
  EXPECT_TRUE(path_matches("?:/Windows/**", "c:\\windows\\x.dll"));
}

TEST(Glob, StarsStopAtFoldersOfPaths) {
  EXPECT_TRUE(path_matches("/usr/lib/*.so", "/usr/lib/libc.so"));
  EXPECT_FALSE(path_matches("/usr/lib/*.so", "/usr/lib/x/libc.so"));
  EXPECT_TRUE(path_matches("/usr/lib/**", "/usr/lib/x/libc.so"));
  EXPECT_TRUE(path_matches("**/vendor/**", "vendor/a/b.php"));
  EXPECT_TRUE(path_matches("**/vendor/**", "/srv/vendor/b.php"));
  EXPECT_FALSE(path_matches("**/vendor/**", "/srv/myvendor/b.php"));
  EXPECT_TRUE(path_matches("/a/**/z", "/a/b/c/z"));
  EXPECT_TRUE(path_matches("/a/**/z", "/a/z"));
  EXPECT_TRUE(path_matches("**x/*/y", "/1/2x/3/y"));
}

TEST(Glob, IsBounded) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  std::string text(500, 'a');
  text += 'b';
  EXPECT_FALSE(matches(pattern, text));
  std::string choices;
  for (int i = 0; i < 40; ++i) choices += "{a,b}";
  EXPECT_FALSE(matches(choices, "a"));
}

}  // namespace
}  // namespace picket::grouping

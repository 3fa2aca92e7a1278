#include "relay/protocol/glob.h"

#include "buffer/processor_time.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

namespace picket::relay {
namespace {

bool matches(std::string_view pattern, std::string_view text, GlobKind kind = GlobKind::caseless_text) {
  const auto glob = Glob::parse(pattern, kind);
  EXPECT_TRUE(glob) << pattern << ": " << (glob ? "" : glob.error().detail);
  return glob && glob->matches(text);
}
bool matches_exactly(std::string_view pattern, std::string_view text) {
  return Glob::lenient(pattern, GlobKind::text).matches(text);
}
bool path_matches(std::string_view pattern, std::string_view path) {
  return Glob::lenient(pattern, GlobKind::path).matches(path);
}

TEST(Glob, MatchesTheWholeTextWhateverTheCase) {
  EXPECT_TRUE(matches("hello", "HeLLo"));
  EXPECT_FALSE(matches("hello", "hello!"));
  EXPECT_FALSE(matches("hello", "hell"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "x"));
}

TEST(Glob, OrByTheLetterWhereThatIsWanted) {
  EXPECT_TRUE(matches_exactly("main", "main"));
  EXPECT_FALSE(matches_exactly("main", "main2"));
  EXPECT_FALSE(matches_exactly("main", "Main"));
  EXPECT_FALSE(matches_exactly("[A-C]", "b"));
  EXPECT_TRUE(matches_exactly("", ""));
}

TEST(Glob, AStarIsAnyNumberOfCharacters) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("**", "any\nthing"));
  EXPECT_TRUE(matches("*b*", "abc"));
  EXPECT_TRUE(matches("a*c", "ac"));
  EXPECT_TRUE(matches("a*b*c", "a.b.b.c"));
  EXPECT_FALSE(matches("a*b*c", "a.c.b"));
  EXPECT_TRUE(matches("*error", "an error error"));
  EXPECT_TRUE(matches("1.*", "1.2.3"));
  EXPECT_FALSE(matches("1.*", "2.1."));
  EXPECT_FALSE(matches("ab*ba", "aba")) << "the two ends do not overlap";
  EXPECT_TRUE(matches_exactly("std::*", "std::a/b"));
  EXPECT_TRUE(matches_exactly("*::pay", "shop::cart::pay"));
  EXPECT_TRUE(matches_exactly("a*b*c", "a1b2b3c"));
  EXPECT_FALSE(matches_exactly("a*b*c", "a1b2b3"));
}

TEST(Glob, AQuestionMarkIsOneCharacterOfAnyLength) {
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_TRUE(matches("a?c", "aüc"));
  EXPECT_TRUE(matches("*?", "日"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_FALSE(matches("?", "日本"));
  EXPECT_TRUE(matches("*??", "x日本"));
  EXPECT_FALSE(matches("*??", "日")) << "half a character is none";
  EXPECT_TRUE(matches("???", "\x80\xff\xc3")) << "a byte that begins none is one";
}

TEST(Glob, SetsNameCharactersAndRanges) {
  EXPECT_TRUE(matches("v[0-9]", "v7"));
  EXPECT_TRUE(matches("[A-C]x", "bX"));
  EXPECT_TRUE(matches("[!0-9]x", "ax"));
  EXPECT_TRUE(matches("[^0-9]x", "ax"));
  EXPECT_FALSE(matches("[!0-9]x", "1x"));
  EXPECT_TRUE(matches("[]]", "]"));
  EXPECT_TRUE(matches("[a\\-z]", "-"));
  EXPECT_FALSE(matches("[a\\-z]", "m"));
  EXPECT_TRUE(matches("[a-]", "-"));
  EXPECT_TRUE(matches("[ä-ü]", "ö"));
  EXPECT_TRUE(matches_exactly("__*[[]Cart*", "__41-[Cart pay]"));
}

TEST(Glob, BracesNameAlternatives) {
  EXPECT_TRUE(matches("*/health{/,}", "/api/health"));
  EXPECT_TRUE(matches("*/health{/,}", "/api/health/"));
  EXPECT_FALSE(matches("*/health{/,}", "/api/healthy"));
  EXPECT_TRUE(matches("{a,b}{c,d}*", "bd-rest"));
  EXPECT_FALSE(matches("{a,b}{c,d}", "ab"));
  EXPECT_TRUE(matches("x{*,?}y", "x123y"));
  EXPECT_TRUE(matches("{a\\,b,[,}]}", "a,b"));
  EXPECT_TRUE(matches("{a\\,b,[,}]}", "}"));
  EXPECT_TRUE(matches("{only}", "only"));
}

TEST(Glob, ABackslashTakesTheMeaningAway) {
  EXPECT_TRUE(matches("a\\*b", "a*b"));
  EXPECT_FALSE(matches("a\\*b", "axb"));
  EXPECT_TRUE(matches("\\{x\\}", "{x}"));
  EXPECT_TRUE(matches("x\\", "x\\"));
  EXPECT_TRUE(matches_exactly("\\{\\[\\*\\?\\]\\}", "{[*?]}"));
}

TEST(Glob, SaysWhatIsWrong) {
  const auto wrong = [](std::string_view pattern) { return Glob::parse(pattern, GlobKind::caseless_text).error(); };
  EXPECT_EQ(wrong("[a").detail, "a bracket is not closed");
  EXPECT_EQ(wrong("{a").detail, "a brace is not closed");
  EXPECT_EQ(wrong("{a,{b}}").detail, "braces within braces");
  EXPECT_EQ(wrong("[z-a]").detail, "a range runs backwards");
  EXPECT_EQ(wrong(std::string(longest_pattern + 1, 'x')).fault, Fault::too_large);
  EXPECT_EQ(wrong("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}").fault, Fault::too_large);
  EXPECT_NE(GlobSet::parse({"fine", "[bad"}).error().detail.find("\"[bad\""), std::string::npos);
}

TEST(Glob, OrTakesItAsItIsWritten) {
  EXPECT_TRUE(matches_exactly("[unclosed", "[unclosed"));
  EXPECT_TRUE(matches_exactly("{{closure}}", "{{closure}}"));
  EXPECT_TRUE(matches_exactly("{open", "{open"));
  EXPECT_TRUE(matches_exactly("{{a,b}", "{b"));
  EXPECT_FALSE(matches_exactly("[z-a]", "m"));
  EXPECT_TRUE(matches_exactly("{malloc,free}", "free"));
  EXPECT_FALSE(matches_exactly("{malloc,free}", "freed"));
  EXPECT_TRUE(matches_exactly("{,x}y", "y"));
  std::string many;
  for (int i = 0; i < 40; ++i) many += "{a,b}";
  EXPECT_TRUE(matches_exactly(many, many));
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
  EXPECT_FALSE(path_matches("/a?b", "/a/b"));
  EXPECT_FALSE(path_matches("/a[/x]b", "/a/b"));
  EXPECT_TRUE(path_matches("*/*", "a/b"));
  EXPECT_FALSE(path_matches("*/*", "a/b/c"));
}

// Slow and plain: what a pattern without braces means.
bool means(std::string_view pattern, std::string_view text, bool path) {
  if (pattern.empty()) return text.empty();
  const auto rest = pattern.substr(1);
  if (pattern.front() == '*') {
    const auto after = pattern.substr(std::min(pattern.find_first_not_of('*'), pattern.size()));
    if (!path) return means(after, text, path) || (!text.empty() && means(pattern, text.substr(1), path));
    const bool doubled = pattern.size() - after.size() > 1;
    if (doubled) {
      for (std::size_t at = 0; at <= text.size(); ++at) {
        if (means(after, text.substr(at), path)) return true;
      }
      return false;
    }
    for (std::size_t at = 0; at <= text.size(); ++at) {
      if (means(after, text.substr(at), path)) return true;
      if (at < text.size() && text[at] == '/') return false;
    }
    return false;
  }
  if (text.empty()) return false;
  if (pattern.front() == '?') return (!path || text.front() != '/') && means(rest, text.substr(1), path);
  if (pattern.front() == '[') return text.front() == 'a' && means(pattern.substr(3), text.substr(1), path);  // [a]
  return pattern.front() == text.front() && means(rest, text.substr(1), path);
}

TEST(Glob, MeansWhatItsPartsMean) {
  std::mt19937 random(11);
  const auto made_of = [&](std::initializer_list<std::string_view> parts, std::size_t most) {
    std::string out;
    for (auto left = random() % (most + 1); left > 0; --left) out += parts.begin()[random() % parts.size()];
    return out;
  };
  int matched = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto pattern = made_of({"a", "b", "?", "*", "[a]", "ab"}, 7);
    const auto text = made_of({"a", "b"}, 9);
    const bool expected = means(pattern, text, false);
    matched += expected;
    ASSERT_EQ(matches_exactly(pattern, text), expected) << pattern << " " << text;
    // "**/" is left to its own test: it is more than its parts.
    const auto path_pattern = made_of({"a", "b", "?", "*", "/", "**a", "[a]"}, 7);
    if (path_pattern.find("**/") != std::string::npos) continue;
    const auto path = made_of({"a", "b", "/"}, 9);
    ASSERT_EQ(path_matches(path_pattern, path), means(path_pattern, path, true)) << path_pattern << " " << path;
  }
  EXPECT_GT(matched, 1'000);
}

TEST(Glob, StaysFastWhereBacktrackingWouldNot) {
  // A fourth of what is looked at: under the sanitizers a step takes half a microsecond.
  const std::string text(longest_matched / 4, 'a');
  const auto repeated = [](std::string_view part, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += part;
    return out;
  };
  for (const auto kind : {GlobKind::text, GlobKind::caseless_text, GlobKind::path}) {
    for (const auto& pattern : {repeated("*a*?", 100) + "b", repeated("**a*", 100) + "[b]", repeated("**[a]*a", 100) + "[b]",
                                "*" + std::string(500, 'a') + "[b]" + std::string(500, 'a') + "*", repeated("*[!b]", 150) + "[b]"}) {
      const auto glob = Glob::lenient(pattern, kind);
      const auto began = thread_processor_time();
      EXPECT_FALSE(glob.matches(text));
      EXPECT_LT(thread_processor_time() - began, std::chrono::seconds(1)) << pattern.substr(0, 20);
    }
  }
  const auto deep = repeated("a/", static_cast<int>(longest_matched / 8));
  const auto glob = Glob::lenient(repeated("**/a*/", 100) + "b", GlobKind::path);
  const auto began = thread_processor_time();
  EXPECT_FALSE(glob.matches(deep + "b/"));
  EXPECT_LT(thread_processor_time() - began, std::chrono::seconds(1));
}

TEST(GlobSet, MatchesWhenAnyDoes) {
  const auto set = GlobSet::parse({"a*", "*z"});
  ASSERT_TRUE(set);
  EXPECT_TRUE(set->matches("abc"));
  EXPECT_TRUE(set->matches("xyz"));
  EXPECT_FALSE(set->matches("b"));
  EXPECT_FALSE(GlobSet().matches(""));
}

}  // namespace
}  // namespace picket::relay

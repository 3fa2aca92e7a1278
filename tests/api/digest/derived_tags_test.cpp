#include "api/digest/derived_tags.h"

#include "api/digest/user_agent.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace picket::digest {
namespace {

std::map<std::string, std::string> tags(std::string_view json) {
  const auto event = parse_event(json);
  EXPECT_TRUE(event) << json;
  TextArena arena;
  std::map<std::string, std::string> found;
  for (const auto& tag : tags_of(*event, arena)) {
    EXPECT_TRUE(found.emplace(tag.key, tag.value).second) << tag.key;
  }
  return found;
}

TEST(DerivedTags, FollowFromTheFieldsOfAnEvent) {
  const auto found =
      tags(R"({"level":"fatal","environment":"prod","release":"1","dist":"d","server_name":"s",
    "logger":"l","transaction":"/t","request":{"url":"https://x/"},"user":{"id":"5"},
    "exception":[{"type":"A","mechanism":{"type":"m","handled":false}}],
    "contexts":{"browser":{"name":"Firefox","version":"120.0"},"os":{"name":"Linux","version":"6.1"},
      "runtime":{"name":"CPython","version":"3.12"},"device":{"model":"Pixel","family":"Pi"}},
    "tags":{"own":"yes"}})");
  const std::map<std::string, std::string> want = {{"level", "fatal"},
                                                   {"environment", "prod"},
                                                   {"release", "1"},
                                                   {"dist", "d"},
                                                   {"server_name", "s"},
                                                   {"logger", "l"},
                                                   {"transaction", "/t"},
                                                   {"url", "https://x/"},
                                                   {"user", "id:5"},
                                                   {"handled", "no"},
                                                   {"mechanism", "m"},
                                                   {"browser", "Firefox 120.0"},
                                                   {"browser.name", "Firefox"},
                                                   {"os", "Linux 6.1"},
                                                   {"os.name", "Linux"},
                                                   {"runtime", "CPython 3.12"},
                                                   {"runtime.name", "CPython"},
                                                   {"device", "Pixel"},
                                                   {"device.family", "Pi"},
                                                   {"own", "yes"}};
  EXPECT_EQ(found, want);
}

TEST(DerivedTags, WinOverTagsOfTheSameName) {
  EXPECT_EQ(tags(R"({"level":"info","tags":{"level":"mine","color":"2"}})"),
            (std::map<std::string, std::string>{{"level", "info"}, {"color", "2"}}));
}

TEST(DerivedTags, NameTheUserByTheFirstThingKnown) {
  TextArena arena;
  EXPECT_EQ(user_tag({.id = "1", .email = "e", .username = "u", .ip = "i"}, arena), "id:1");
  EXPECT_EQ(user_tag({.id = "", .email = "e", .username = "u", .ip = "i"}, arena), "username:u");
  EXPECT_EQ(user_tag({.id = "", .email = "e", .username = "", .ip = "i"}, arena), "email:e");
  EXPECT_EQ(user_tag({.id = "", .email = "", .username = "", .ip = "::1"}, arena), "ip:::1");
  EXPECT_EQ(user_tag({}, arena), "");
}

TEST(DerivedTags, AreOneLineAndAtMostTwoHundredCharacters) {
  const auto found =
      tags("{\"tags\":{\"a b\":\" x\\ny \",\"long\":\"" + std::string(400, 'v') +
           "\",\"blank\":\"  \"},\"request\":{\"url\":\"" + std::string(290, 'u') + "\"}}");
  EXPECT_EQ(found.at("a-b"), "x y");
  EXPECT_EQ(found.at("long").size(), 200U);
  EXPECT_EQ(found.at("url").size(), 200U);
  EXPECT_FALSE(found.contains("blank"));
}

TEST(DerivedTags, ReadBrowserAndSystemFromTheUserAgent) {
  const auto found = tags(R"({"request":{"headers":{"User-Agent":
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"}}})");
  EXPECT_EQ(found.at("browser"), "Chrome 120.0.0");
  EXPECT_EQ(found.at("browser.name"), "Chrome");
  EXPECT_EQ(found.at("client_os.name"), "Windows");
  EXPECT_EQ(found.at("client_os"), "Windows 10");
}

TEST(DerivedTags, PreferWhatTheContextsSay) {
  const auto found =
      tags(R"({"contexts":{"browser":{"name":"Brave"}},"request":{"headers":{"User-Agent":
    "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"}}})");
  EXPECT_EQ(found.at("browser"), "Brave");
  EXPECT_EQ(found.at("client_os"), "Linux");
}

TEST(UserAgent, KnowsTheUsualFamilies) {
  const auto named = [](std::string_view header) {
    const auto agent = read_user_agent(header);
    return std::string(agent.browser) + "|" + std::string(agent.browser_version) + "|" +
           std::string(agent.os) + "|" + std::string(agent.os_version);
  };
  EXPECT_EQ(named("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, "
                  "like Gecko) Version/17.1 Safari/605.1.15"),
            "Safari|17.1|Mac OS X|");
  EXPECT_EQ(named("Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605 "
                  "Version/17.1 Mobile/15E148 Safari/604.1"),
            "Safari|17.1|iOS|17");
  EXPECT_EQ(named("Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 Chrome/116.0.0.0 "
                  "Mobile Safari/537.36"),
            "Chrome|116.0.0|Android|13");
  EXPECT_EQ(named("Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36 "
                  "Edg/120.0.2210.61"),
            "Edge|120.0.2210|Windows|7");
  EXPECT_EQ(named("curl/8.4.0"), "|||");
  EXPECT_EQ(named(""), "|||");
}

}  // namespace
}  // namespace picket::digest

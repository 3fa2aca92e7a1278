#include "relay/scrub/detectors.h"

#include "buffer/processor_time.h"
#include "relay/scrub/pattern.h"
#include "relay/scrub/word_set.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace picket::scrub {
namespace {

std::string marked(Detector detector, const std::string& text) {
  std::string out;
  std::size_t at = 0;
  for (const auto& span : find_all(detector, text)) {
    out += text.substr(at, span.begin - at) + "\x01" +
           text.substr(span.begin, span.end - span.begin) + "\x02";
    at = span.end;
  }
  return out + text.substr(at);
}

void check(Detector detector, const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    std::string plain;
    for (const char c : text) {
      if (c != '\x01' && c != '\x02') plain += c;
    }
    EXPECT_EQ(marked(detector, plain), text);
    if (text != plain) {
      EXPECT_TRUE(may_find(detector, traits_of(plain))) << plain;
    }
  }
}

TEST(Detectors, FindCardNumbersThatPassLuhn) {
  check(Detector::creditcard, {"\x01"
                               "4111111111111111\x02",
                               "card \x01"
                               "4111 1111 1111 1111\x02, ok",
                               "\x01"
                               "5555-5555-5555-4444\x02",
                               "\x01"
                               "378282246310005\x02",
                               "\x01"
                               "3782 822463 10005\x02",
                               "\x01"
                               "6011000990139424\x02",
                               "4111111111111112", "41111111111111111", "x4111111111111111",
                               "9111111111111111", "4111 1111 1111", "1590000000000000000",
                               "\x01"
                               "4111111111111111\x02 and \x01"
                               "5555555555554444\x02"});
}

TEST(Detectors, FindIbansWithTheirCheckDigits) {
  check(Detector::iban,
        {"\x01"
         "DE89370400440532013000\x02",
         "to \x01GB29NWBK60161331926819\x02.", "\x01NO9386011117947\x02", "DE89370400440532013001",
         "de89370400440532013000", "DE8937040044", "XDE89370400440532013000"});
}

TEST(Detectors, FindMailAddresses) {
  check(Detector::email, {"\x01jane.doe+x@mail.example.com\x02",
                          "<\x01"
                          "a@b.io\x02>",
                          "to:\x01me@host.example\x02, you", "user@localhost", "@example.com", "a@",
                          "git@\x01"
                          "b@c.de\x02"});
}

TEST(Detectors, FindIpAddresses) {
  check(Detector::ip, {"\x01"
                       "127.0.0.1\x02",
                       "from \x01"
                       "10.1.2.3\x02:80",
                       "256.1.1.1", "1.2.3", "\x01::1\x02",
                       "[\x01"
                       "2001:db8::8a2e:370:7334\x02]",
                       "at 12:34:56", "std::vector", " :: ",
                       "\x01"
                       "fe80::1%eth0\x02",
                       "\x01::ffff:1.2.3.4\x02", "beef"});
}

TEST(Detectors, FindNumbersOfDevicesAndPeople) {
  check(Detector::us_ssn, {"\x01"
                           "078-05-1120\x02",
                           "x 078-05-11201", "2026-01-0101", "1078-05-1120"});
  check(Detector::imei, {"\x01"
                         "356938035643809\x02",
                         "\x01"
                         "35-693803-564380-9\x02",
                         "35693803564380"});
  check(Detector::mac, {"\x01"
                        "4a:00:04:10:9b:50\x02",
                        "\x01"
                        "4A-00-04-10-9B-50\x02",
                        "4a:00:04:10:9b", "zz:00:04:10:9b:50"});
  check(Detector::uuid, {"\x01"
                         "ceee0822-ed8f-4622-b2a3-789e73e75cd1\x02",
                         "\x01"
                         "ceee0822ed8f4622b2a3789e73e75cd1\x02",
                         "ceee0822-ed8f-4622-b2a3-789e73e75cd"});
}

TEST(Detectors, FindSecretsOfUrls) {
  check(Detector::url_password,
        {"redis://user:\x01p4ss\x02@host/0", "redis://user@host", "//u:\x01p$w!\x02@h",
         "http://host/a:b@c", "https://[Filtered]@host"});
  check(Detector::url_auth,
        {"redis://\x01user:p4ss\x02@host/0", "redis://\x01user\x02@host", "mailto:a@b.c"});
}

TEST(Detectors, FindKeys) {
  check(Detector::pemkey,
        {"-----BEGIN RSA PRIVATE KEY-----\n\x01MIIE\nabc\x02\n-----END RSA PRIVATE KEY-----",
         "-----BEGIN PRIVATE KEY-----\x01MIIE\x02-----END PRIVATE KEY----- x",
         "-----BEGIN PUBLIC KEY-----\n\x01"
         "cut off\x02",
         "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----"});
}

TEST(Detectors, FindBearerTokens) {
  check(Detector::bearer, {"\x01"
                           "Bearer abc.def\x02 x",
                           "auth=\x01"
                           "bearer  t\x02",
                           "forbearer x", "bearer"});
}

TEST(Detectors, FindUsersInPaths) {
  check(Detector::userpath, {"/home/\x01jane\x02/x.py", "C:\\Users\\\x01Jane Doe\x02\\AppData",
                             "C:\\\\Users\\\\\x01jane\x02\\\\x", "/Users/\x01jane\x02",
                             "C:/Documents and Settings/\x01jane\x02/x", "/srv/home-run/x",
                             "D:\\srv\\Profiles\\\x01jane\x02\\x", "/homes/x"});
}

// Each detector gets texts that would be slow for one that looks back or ahead too often.
TEST(Detectors, AreLinear) {
  const std::size_t bytes = 1 << 18;
  for (const std::string part :
       {"@", "a@", "//", "//a:", "-----BEGIN RSA PRIVATE KEY-----", "-----END", "4111-", "4 ",
        "::", "1.", "AT12", "bearer ", "/home/", "users\\", "a-", "aaaaaaaa-", "profiles/"}) {
    std::string text;
    while (text.size() < bytes)
      text += part;
    for (int detector = 0; detector <= static_cast<int>(Detector::bearer); ++detector) {
      const auto start = thread_processor_time();
      find_all(static_cast<Detector>(detector), text);
      EXPECT_LT(thread_processor_time() - start, std::chrono::seconds(2))
          << part << " " << detector;
    }
  }
}

TEST(WordSet, FindsWordsWithoutCase) {
  const WordSet words({{"password", 1}, {"auth", 2}, {"api_key", 1}});
  EXPECT_EQ(words.groups_in("PassWord"), 1U);
  EXPECT_EQ(words.groups_in("my authority"), 2U);
  EXPECT_EQ(words.groups_in("xapi_keyauth"), 3U);
  EXPECT_EQ(words.groups_in("passwor"), 0U);
  EXPECT_EQ(words.groups_in("aut"), 0U);
  EXPECT_EQ(words.groups_in(""), 0U);
  EXPECT_EQ(WordSet().groups_in("password"), 0U);
}

TEST(WordSet, AgreesWithASearchForEachWord) {
  const std::vector<std::string> list = {"a", "ab", "bca", "cabca", "ccccc", "x y"};
  const std::string letters = "abcx y";
  for (std::size_t first = 0; first < list.size(); ++first) {
    std::vector<WordSet::Word> words;
    for (std::size_t i = first; i < list.size(); ++i)
      words.push_back({list[i], 1U << i});
    const WordSet set(words);
    std::uint32_t state = 7;
    for (int round = 0; round < 2000; ++round) {
      std::string text;
      state = state * 1664525U + 1013904223U;
      for (std::uint32_t length = state >> 28U; length > 0; --length) {
        state = state * 1664525U + 1013904223U;
        text += letters[(state >> 16U) % letters.size()];
      }
      std::uint32_t expected = 0;
      for (std::size_t i = first; i < list.size(); ++i) {
        if (text.find(list[i]) != std::string::npos) expected |= 1U << i;
      }
      ASSERT_EQ(set.groups_in(text), expected) << text;
    }
  }
}

TEST(Pattern, FindsTheGroupsOfAllMatches) {
  const auto pattern = Pattern::compile("k=(\\w+);v=(\\w*)", false, Pattern::Text::utf8);
  ASSERT_TRUE(pattern);
  EXPECT_EQ(pattern->find_all("k=a;v=b k=c;v=", {1, 2}),
            (std::vector<Span>{{2, 3}, {6, 7}, {10, 11}}));
  EXPECT_EQ(pattern->find_all("k=a;v=b", {0}), (std::vector<Span>{{0, 7}}));
  EXPECT_TRUE(pattern->find_all("k=a;v=b", {7}).empty());
}

TEST(Pattern, SurvivesEmptyMatches) {
  const auto pattern = Pattern::compile("x*", false, Pattern::Text::utf8);
  ASSERT_TRUE(pattern);
  EXPECT_EQ(pattern->find_all("\xC3\xA9xx\xC3\xA9x", {0}), (std::vector<Span>{{2, 4}, {6, 7}}));
}

TEST(Pattern, GivesUpOnWhatIsNotLinearAndTakesTheRest) {
  const auto pattern = Pattern::compile("a(.*b)?", false, Pattern::Text::utf8);
  ASSERT_TRUE(pattern);
  const std::string text(1 << 18, 'a');
  const auto start = thread_processor_time();
  const auto spans = pattern->find_all(text, {0});
  EXPECT_LT(thread_processor_time() - start, std::chrono::seconds(5));
  ASSERT_FALSE(spans.empty());
  EXPECT_EQ(spans.back().end, text.size());
}

TEST(Pattern, SaysWhatIsWrongWithIt) {
  const auto pattern = Pattern::compile("(", false, Pattern::Text::utf8);
  ASSERT_FALSE(pattern);
  EXPECT_NE(pattern.error().detail.find("missing )"), std::string::npos) << pattern.error().detail;
}

}  // namespace
}  // namespace picket::scrub

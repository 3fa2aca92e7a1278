#include "api/digest/grouping.h"

#include "api/digest/parametrise.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::digest {
namespace {

GroupingHash hash_of(std::string_view json) {
  auto event = parse_event(json);
  EXPECT_TRUE(event) << json;
  const auto hashes = hashes_of(*event);
  EXPECT_EQ(hashes.size(), 1U);
  return hashes.at(0);
}

std::string error(std::string_view type, std::string_view value, std::string_view frames) {
  return "{\"exception\":[{\"type\":\"" + std::string(type) + "\",\"value\":\"" +
         std::string(value) + "\",\"stacktrace\":{\"frames\":[" + std::string(frames) + "]}}]}";
}

TEST(Grouping, IsTheSameEachTime) {
  EXPECT_EQ(hash_of(R"({"message":"a"})"), hash_of(R"({"message":"a"})"));
  EXPECT_EQ(render_hash(md5_of("")), "d41d8cd98f00b204e9800998ecf8427e");
}

TEST(Grouping, FollowsTheClientsFingerprint) {
  const auto one = hash_of(R"({"fingerprint":["a","b"],"message":"x"})");
  EXPECT_EQ(one, hash_of(R"({"fingerprint":["a","b"],"message":"y"})"));
  EXPECT_NE(one, hash_of(R"({"fingerprint":["b","a"],"message":"x"})"));
  EXPECT_NE(one, hash_of(R"({"fingerprint":["ab"],"message":"x"})"));
}

TEST(Grouping, ExpandsTheDefaultWithinAFingerprint) {
  const auto plain = hash_of(R"({"message":"x"})");
  EXPECT_EQ(plain, hash_of(R"({"fingerprint":["{{ default }}"],"message":"x"})"));
  EXPECT_EQ(plain, hash_of(R"({"fingerprint":["{{default}}"],"message":"x"})"));
  EXPECT_EQ(plain, hash_of(R"({"fingerprint":[],"message":"x"})"));
  const auto extended = hash_of(R"({"fingerprint":["{{ default }}","eu"],"message":"x"})");
  EXPECT_NE(plain, extended);
  EXPECT_NE(extended, hash_of(R"({"fingerprint":["{{ default }}","eu"],"message":"y"})"));
  EXPECT_NE(extended, hash_of(R"({"fingerprint":["{{ default }}","us"],"message":"x"})"));
}

TEST(Grouping, ExpandsVariablesWithinAFingerprint) {
  const auto of = [](std::string_view name, std::string_view rest) {
    return hash_of("{\"fingerprint\":[\"{{ " + std::string(name) + " }}\"]," + std::string(rest) +
                   "}");
  };
  EXPECT_EQ(of("transaction", R"("transaction":"/a","message":"x")"),
            of("transaction", R"("transaction":"/a","message":"y")"));
  EXPECT_NE(of("transaction", R"("transaction":"/a")"), of("transaction", R"("transaction":"/b")"));
  EXPECT_NE(of("error.type", R"("exception":[{"type":"A"}])"),
            of("error.type", R"("exception":[{"type":"B"}])"));
  EXPECT_NE(of("tags.color", R"("tags":{"color":"red"})"),
            of("tags.color", R"("tags":{"color":"blue"})"));
  EXPECT_EQ(of("unheard.of", R"("message":"x")"), of("unheard.of", R"("message":"y")"));
}

TEST(Grouping, GoesByTypeAndInAppFrames) {
  const auto base = hash_of(error(
      "A", "v1",
      R"({"module":"lib","function":"l"},{"module":"m","function":"f","in_app":true,"lineno":3})"));
  EXPECT_EQ(
      base,
      hash_of(error(
          "A", "v2",
          R"({"module":"other","function":"o"},{"module":"m","function":"f","in_app":true,"lineno":9})")));
  EXPECT_NE(base, hash_of(error("B", "v1", R"({"module":"m","function":"f","in_app":true})")));
  EXPECT_NE(base, hash_of(error("A", "v1", R"({"module":"m","function":"g","in_app":true})")));
  EXPECT_NE(base, hash_of(error("A", "v1", R"({"module":"n","function":"f","in_app":true})")));
}

TEST(Grouping, TakesAllFramesWhenNoneIsInApp) {
  const auto base =
      hash_of(error("A", "", R"({"module":"x","function":"f"},{"module":"y","function":"g"})"));
  EXPECT_NE(base, hash_of(error("A", "",
                                R"({"module":"z","function":"f"},{"module":"y","function":"g"})")));
  EXPECT_EQ(base,
            hash_of(error(
                "A", "",
                R"({"module":"x","function":"f","in_app":false},{"module":"y","function":"g"})")));
}

TEST(Grouping, PutsFileAndFunctionOfAFrameInOrder) {
  EXPECT_NE(
      hash_of(error("A", "", R"({"module":"x","function":"f"},{"module":"y","function":"g"})")),
      hash_of(error("A", "", R"({"module":"y","function":"g"},{"module":"x","function":"f"})")));
}

TEST(Grouping, CountsRecursionOnce) {
  EXPECT_EQ(
      hash_of(error("A", "", R"({"module":"m","function":"f"})")),
      hash_of(error(
          "A", "",
          R"({"module":"m","function":"f","lineno":1},{"module":"m","function":"f","lineno":2})")));
}

TEST(Grouping, IgnoresWhereAFileIsInstalledAndWhichBuildItIs) {
  const auto base = hash_of(error("A", "", R"({"filename":"/srv/1/app.js","function":"f"})"));
  EXPECT_EQ(base,
            hash_of(error("A", "", R"({"filename":"https://cdn/x/App.js?v=2","function":"f"})")));
  EXPECT_EQ(base, hash_of(error("A", "", R"({"filename":"C:\\srv\\app.js","function":"f"})")));
  EXPECT_EQ(hash_of(error("A", "", R"({"filename":"main.0a1b2c3d4e.js","function":"f"})")),
            hash_of(error("A", "", R"({"filename":"main.ffee99aa01.js","function":"f"})")));
  EXPECT_EQ(hash_of(error("A", "", R"({"module":"com.Foo$$Lambda$12","function":"f"})")),
            hash_of(error("A", "", R"({"module":"com.Foo$$Lambda$345","function":"f"})")));
}

TEST(Grouping, KeepsChainedExceptionsApartFromTheirCause) {
  const auto chained = hash_of(R"({"exception":[{"type":"Cause"},{"type":"Outer"}]})");
  EXPECT_NE(chained, hash_of(R"({"exception":[{"type":"Outer"}]})"));
  EXPECT_NE(chained, hash_of(R"({"exception":[{"type":"Outer"},{"type":"Cause"}]})"));
}

TEST(Grouping, GoesByTheValueWhenThereIsNoStack) {
  const auto of = [](std::string_view value) {
    return hash_of("{\"exception\":[{\"type\":\"A\",\"value\":\"" + std::string(value) + "\"}]}");
  };
  EXPECT_EQ(of("order 17 failed"), of("order 18 failed"));
  EXPECT_NE(of("order 17 failed"), of("order 17 rejected"));
}

TEST(Grouping, IgnoresTheTypeOfSyntheticExceptions) {
  const auto of = [](std::string_view type) {
    return hash_of(
        "{\"exception\":[{\"type\":\"" + std::string(type) +
        R"(","mechanism":{"synthetic":true},"stacktrace":{"frames":[{"module":"m","function":"f"}]}}]})");
  };
  EXPECT_EQ(of("SIGSEGV"), of("SIGBUS"));
}

TEST(Grouping, GoesByTheStackOfTheCrashedThread) {
  const auto of = [](std::string_view function) {
    return hash_of(
        R"({"threads":[{"crashed":true,"stacktrace":{"frames":[{"module":"m","function":")" +
        std::string(function) + "\"}]}}]}");
  };
  EXPECT_EQ(of("f"), of("f"));
  EXPECT_NE(of("f"), of("g"));
}

TEST(Grouping, GoesByTheTemplateOfAMessageWithParameters) {
  EXPECT_EQ(hash_of(R"({"logentry":{"message":"user %s","params":["a"],"formatted":"user a"}})"),
            hash_of(R"({"logentry":{"message":"user %s","params":["b"],"formatted":"user b"}})"));
  EXPECT_NE(hash_of(R"({"logentry":{"message":"user %s","params":["a"]}})"),
            hash_of(R"({"logentry":{"message":"group %s","params":["a"]}})"));
}

TEST(Grouping, GoesByDirectiveAndOriginOfASecurityReport) {
  const auto of = [](std::string_view uri) {
    return hash_of(R"({"csp":{"effective_directive":"img-src","blocked_uri":")" + std::string(uri) +
                   "\"}}");
  };
  EXPECT_EQ(of("https://evil.example/a.png"), of("https://evil.example/b.png?x"));
  EXPECT_NE(of("https://evil.example/a.png"), of("https://other.example/a.png"));
}

TEST(Grouping, PutsEventsThatSayNothingTogether) {
  EXPECT_EQ(hash_of("{}"), hash_of(R"({"extra":{"a":1}})"));
  EXPECT_EQ(hash_of(error("", "", "{}")), hash_of(error("", "", "{},{}")));
}

struct Parametrised {
  std::string_view text;
  std::string_view want;
};
class Parametrise : public ::testing::TestWithParam<Parametrised> {};

TEST_P(Parametrise, ReplacesWhatVaries) {
  EXPECT_EQ(parametrised(GetParam().text), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Messages,
    Parametrise,
    ::testing::Values(
        Parametrised{"", ""},
        Parametrised{"nothing varies here", "nothing varies here"},
        Parametrised{"order 17 of 20000", "order <int> of <int>"},
        Parametrised{"took 1.5s", "took <float>s"},
        Parametrised{"load -3.25", "load -<float>"},
        Parametrised{"worker12 died", "worker<int> died"},
        Parametrised{"id 7d444840-9dc0-11d1-b245-5ffdce74fad2.", "id <uuid>."},
        Parametrised{"at 0x7ffee4 and 0XAB", "at <hex> and <hex>"},
        Parametrised{"commit 9fda7c2237db910e41d6a712e9a2139b352e558b", "commit <hex>"},
        Parametrised{"feedface is a word, deadbeef too", "feedface is a word, deadbeef too"},
        Parametrised{"peer 10.0.0.12:8080", "peer <ip>:<int>"},
        Parametrised{"version 1.2.3.4.5", "version <float>.<float>.<int>"},
        Parametrised{"peer fe80::1%eth0", "peer <ip>%eth<int>"},
        Parametrised{"peer 2001:db8:0:0:1:0:0:1 gone", "peer <ip> gone"},
        Parametrised{"mail ada.l+x@example.co.uk!", "mail <email>!"},
        Parametrised{"not @mention", "not @mention"},
        Parametrised{"GET https://a.example/b?c=1 failed", "GET <url> failed"},
        Parametrised{"open postgresql+psycopg://u:p@h/db now", "open <url> now"},
        Parametrised{"on 2024-01-31", "on <date>"},
        Parametrised{"on 2024-01-31T10:20:30.123Z x", "on <date> x"},
        Parametrised{"on 2024-01-31 10:20:30+02:00 x", "on <date> x"},
        Parametrised{"at 10:20:30,123 x", "at <date> x"},
        Parametrised{"no column 'price' in \"order\"", "no column <quoted> in <quoted>"},
        Parametrised{"can't and won't", "can't and won't"},
        Parametrised{"unclosed 'quote", "unclosed 'quote"},
        Parametrised{"caf\xc3\xa9"
                     "7 \xe2\x98\x83 8",
                     "caf\xc3\xa9<int> \xe2\x98\x83 <int>"},
        Parametrised{"''", "''"}));

TEST(Parametrise, TakesLinearTime) {
  for (const auto* unit :
       {"a", "1", "'", "a.", "a@", "0x", "::", "http://", "' ", "1.1.", "aaaaaaaa-"}) {
    std::string text;
    while (text.size() < 8392)
      text += unit;
    EXPECT_LE(parametrised(text).size(), text.size() * 8) << unit;
  }
}

}  // namespace
}  // namespace picket::digest

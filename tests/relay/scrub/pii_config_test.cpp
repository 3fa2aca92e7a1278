// Sentry's advanced data scrubbing: rules, redactions, remarks.

#include "relay/scrub/scrubbing.h"

#include <vector>

namespace picket::scrub {
namespace {

std::string extra(const std::string& selector, const std::string& rule, const std::string& text) {
  const auto out =
      without_meta(scrubbed(applied(selector, rule), R"({"extra":{"a":")" + text + R"("}})"));
  return out.substr(15, out.size() - 15 - 3);
}

TEST(BuiltInRules, HaveTheirRedactions) {
  struct Case {
    std::string rule;
    std::string text;
    std::string after;
  };
  const std::vector<Case> cases = {
      {"@ip", "at 10.0.0.1.", "at [ip]."},
      {"@ip:mask", "at 10.0.0.1.", "at ********."},
      {"@ip:remove", "at 10.0.0.1.", "at ."},
      {"@ip:hash", "at 10.0.0.1.", "at F467564A4BA6F6D7D00E4534D5DCB601B1FA220D."},
      {"@email", "a@b.example", "[email]"},
      {"@email:mask", "a@b.example", "***********"},
      {"@creditcard", "4111111111111111", "[creditcard]"},
      {"@creditcard:filter", "4111111111111111", "[Filtered]"},
      {"@iban", "DE89370400440532013000", "[iban]"},
      {"@imei", "356938035643809", "[imei]"},
      {"@mac", "4a:00:04:10:9b:50", "*****************"},
      {"@mac:replace", "4a:00:04:10:9b:50", "[mac]"},
      {"@uuid", "ceee0822-ed8f-4622-b2a3-789e73e75cd1", "************************************"},
      {"@uuid:replace", "ceee0822-ed8f-4622-b2a3-789e73e75cd1", "[uuid]"},
      {"@usssn", "078-05-1120", "***********"},
      {"@usssn:replace", "078-05-1120", "[us-ssn]"},
      {"@urlauth", "x://u:p@h", "x://[auth]@h"},
      {"@urlauth:legacy", "x://u:p@h", "x://u:[Filtered]@h"},
      {"@userpath", "/home/jane/x", "/home/[user]/x"},
      {"@userpath:mask", "/home/jane/x", "/home/****/x"},
      {"@pemkey", "-----BEGIN PRIVATE KEY-----abc-----END PRIVATE KEY-----",
       "-----BEGIN PRIVATE KEY-----[pemkey]-----END PRIVATE KEY-----"},
      {"@bearer", "Bearer abc", "[token]"},
      {"@anything", "text", "[Filtered]"},
      {"@anything:mask", "t\xC3\xA9xt", "****"},
      {"@password:replace", "my password", "[password]"},
      {"@common", "a@b.example 10.0.0.1", "[email] [ip]"},
      {"@nonsense", "text", "text"},
      {"@ip:nonsense", "10.0.0.1", "10.0.0.1"},
  };
  for (const auto& test : cases)
    EXPECT_EQ(extra("$string", test.rule, test.text), test.after) << test.rule;
}

TEST(BuiltInRules, RemoveWholeValues) {
  EXPECT_EQ(
      scrubbed(applied("extra.a", "@anything:remove"), R"({"extra":{"a":{"b":[1]},"c":1}})"),
      R"({"extra":{"a":null,"c":1},"_meta":{"extra":{"a":{"":{"rem":[["@anything:remove","x"]]}}}}})");
  EXPECT_EQ(
      scrubbed(applied("$object && extra.*", "@anything:mask"),
               R"({"extra":{"a":{"b":[1]},"c":1}})"),
      R"({"extra":{"a":null,"c":1},"_meta":{"extra":{"a":{"":{"rem":[["@anything:mask","x"]]}}}}})");
  EXPECT_EQ(
      scrubbed(applied("$string", "@password"), R"({"extra":{"password":"x"}})"),
      R"({"extra":{"password":null},"_meta":{"extra":{"password":{"":{"rem":[["@password","x"]]}}}}})");
  EXPECT_EQ(
      scrubbed(applied("$number", "@anything:remove"), R"({"extra":{"a":1,"b":true,"c":"d"}})"),
      R"({"extra":{"a":null,"b":true,"c":"d"},"_meta":{"extra":{"a":{"":{"rem":[["@anything:remove","x"]]}}}}})");
}

TEST(PiiConfig, AppliesRulesOfItsOwn) {
  const auto settings = advanced(R"json({
    "rules": {
      "device": {"type": "pattern", "pattern": "d/([a-f0-9]{4})", "replaceGroups": [1], "redaction": {"method": "replace", "text": "ID"}},
      "whole": {"type": "pattern", "pattern": "w/\\d+", "redaction": {"method": "mask"}},
      "hashed": {"type": "ip", "redaction": {"method": "hash"}},
      "pair": {"type": "redact_pair", "keyPattern": "(?i)zip"},
      "later": {"type": "of_a_later_version"},
      "method": {"type": "ip", "redaction": {"method": "of_a_later_version"}},
      "default": {"type": "email"}
    },
    "vars": {"hashKey": "DEADBEEF"},
    "applications": {"$string": ["device", "whole", "hashed", "pair", "later", "method", "default", "unknown"]}
  })json");
  const auto after = scrubbed(
      settings,
      R"({"extra":{"a":"d/12ab d/ffff w/123","b":"10.0.0.1","ZIP":"x","c":"my zip","d":"to a@b.example!"}})");
  EXPECT_EQ(
      without_meta(after),
      R"({"extra":{"a":"d/ID d/ID *****","b":"462F4C4B02E88E84D25D58D11F6554BCF0CAE31A","ZIP":null,"c":"","d":"to !"}})");
  EXPECT_EQ(
      meta_of(after),
      R"({"extra":{"ZIP":{"":{"rem":[["pair","x"]]}},"a":{"":{"rem":[["device","s",2,4],["device","s",7,9],["whole","m",10,15]],"len":19}},"b":{"":{"rem":[["hashed","p",0,40]],"len":8}},"c":{"":{"rem":[["pair","x",0,0]],"len":6}},"d":{"":{"rem":[["default","x",3,3]],"len":15}}}})");
}

TEST(PiiConfig, FollowsAliasesAndLists) {
  const auto settings = [](const std::string& rules) {
    return advanced(R"({"rules":)" + rules + R"(,"applications":{"$string":["r"]}})");
  };
  const std::string before = R"({"extra":{"a":"a@b.example 10.0.0.1"}})";
  EXPECT_EQ(
      scrubbed(settings(R"({"r":{"type":"alias","rule":"@email"}})"), before),
      R"({"extra":{"a":"[email] 10.0.0.1"},"_meta":{"extra":{"a":{"":{"rem":[["@email","s",0,7]],"len":20}}}}})");
  EXPECT_EQ(
      scrubbed(
          settings(
              R"({"r":{"type":"multiple","rules":["@email","@ip"],"hideInner":true,"redaction":{"method":"replace","text":"*"}}})"),
          before),
      R"({"extra":{"a":"* *"},"_meta":{"extra":{"a":{"":{"rem":[["r","s",0,1],["r","s",2,3]],"len":20}}}}})");
  EXPECT_EQ(
      scrubbed(
          settings(
              R"({"r":{"type":"alias","rule":"s"},"s":{"type":"multiple","rules":["r","@ip"]}})"),
          before),
      R"({"extra":{"a":"a@b.example [ip]"},"_meta":{"extra":{"a":{"":{"rem":[["@ip","s",12,16]],"len":20}}}}})");
}

TEST(PiiConfig, TakesPrecedenceOverSafeFields) {
  Settings settings;
  settings.safe_fields = {"a"};
  settings.pii_config_json = R"({"applications":{"$string":["@ip"]}})";
  EXPECT_EQ(without_meta(scrubbed(settings, R"({"extra":{"a":"10.0.0.1"}})")),
            R"({"extra":{"a":"[ip]"}})");
}

TEST(PiiConfig, SelectsPartsOfAnEvent) {
  struct Case {
    std::string selector;
    std::string before;
    std::string after;
  };
  const std::vector<Case> cases = {
      {"$user.email", R"({"user":{"email":"x","id":"y"}})",
       R"({"user":{"email":"[Filtered]","id":"y"}})"},
      {"$error.value", R"({"exception":[{"value":"x","type":"y"}]})",
       R"({"exception":[{"value":"[Filtered]","type":"y"}]})"},
      {"exception.values.0.value", R"({"exception":{"value":"x"}})",
       R"({"exception":{"value":"[Filtered]"}})"},
      {"exception.values.1.value", R"({"exception":{"values":[{"value":"x"},{"value":"y"}]}})",
       R"({"exception":{"values":[{"value":"x"},{"value":"[Filtered]"}]}})"},
      {"$message", R"({"message":"x"})", R"({"message":"[Filtered]"})"},
      {"$logentry.formatted", R"({"message":"x"})", R"({"message":"[Filtered]"})"},
      {"$breadcrumb.message", R"({"breadcrumbs":[{"message":"x"}]})",
       R"({"breadcrumbs":[{"message":"[Filtered]"}]})"},
      {"$http.headers.accept", R"({"request":{"headers":[["Accept","x"],["B","y"]]}})",
       R"({"request":{"headers":[["Accept","[Filtered]"],["B","y"]]}})"},
      {"$http.query_string.q", R"({"request":{"query_string":"q=x&r=y"}})",
       R"({"request":{"query_string":"q=[Filtered]&r=y"}})"},
      {"$http.url", R"({"request":{"url":"https://x/y"}})", R"({"request":{"url":"[Filtered]"}})"},
      {"$frame.vars.x",
       R"({"exception":{"values":[{"stacktrace":{"frames":[{"vars":{"x":"1","y":"2"}}]}}]}})",
       R"({"exception":{"values":[{"stacktrace":{"frames":[{"vars":{"x":"[Filtered]","y":"2"}}]}}]}})"},
      {"tags.x", R"({"tags":[["x","1"],["y","2"]]})", R"({"tags":[["x","[Filtered]"],["y","2"]]})"},
      {"tags.x", R"({"tags":{"x":"1","y":"2"}})", R"({"tags":{"x":"[Filtered]","y":"2"}})"},
      {"$string", R"({"tags":{"x":"1"},"culprit":"x"})", R"({"tags":{"x":"1"},"culprit":"x"})"},
      {"$span.description", R"({"spans":[{"description":"x"}]})",
       R"({"spans":[{"description":"[Filtered]"}]})"},
      {"contexts.device.name", R"({"contexts":{"device":{"name":"x"}}})",
       R"({"contexts":{"device":{"name":"[Filtered]"}}})"},
      {"server_name", R"({"server_name":"x"})", R"({"server_name":"[Filtered]"})"},
      {"event_id", R"({"event_id":"x"})", R"({"event_id":"x"})"},
      {"extra.**", R"({"extra":{"a":{"b":"x"}}})", R"({"extra":{"a":null}})"},
      {"extra.** && $string", R"({"extra":{"a":{"b":"x"}}})",
       R"({"extra":{"a":{"b":"[Filtered]"}}})"},
      {"freeform", R"({"extra":{"a":"x"}})", R"({"extra":{"a":"[Filtered]"}})"},
  };
  for (const auto& test : cases)
    EXPECT_EQ(without_meta(scrubbed(applied(test.selector, "@anything"), test.before)), test.after)
        << test.selector;
}

TEST(PiiConfig, SeesAttributesAsObjects) {
  const std::string before =
      R"({"items":[{"attributes":{"a":{"type":"string","value":"x"},"b":{"type":"string","value":"y"}}}]})";
  EXPECT_EQ(
      without_meta(scrubbed(applied("a.value", "@anything"), before, "span")),
      R"({"items":[{"attributes":{"a":{"type":"string","value":"[Filtered]"},"b":{"type":"string","value":"y"}}})");
  EXPECT_EQ(without_meta(scrubbed(applied("attributes.a", "@anything:remove"), before, "span")),
            R"({"items":[{"attributes":{"a":null,"b":{"type":"string","value":"y"}}})");
  EXPECT_EQ(without_meta(
                scrubbed(applied("$log.body", "@anything"), R"({"items":[{"body":"x"}]})", "log")),
            R"({"items":[{"body":"[Filtered]"})");
}

TEST(PiiConfig, KeepsTheLastPartOfPaths) {
  const auto frame = [](const std::string& path) {
    return R"({"stacktrace":{"frames":[{"abs_path":")" + path + R"("}]}})";
  };
  EXPECT_EQ(
      without_meta(scrubbed(applied("$frame.abs_path", "@userpath"), frame("/home/jane/x.py"))),
      frame("/home/[user]/x.py"));
  EXPECT_EQ(
      without_meta(scrubbed(applied("$frame.abs_path", "@anything"), frame("/home/jane/x.py"))),
      frame("[Filtered]/x.py"));
  EXPECT_EQ(without_meta(
                scrubbed(applied("$frame.abs_path", "@anything:remove"), frame("/home/jane/x.py"))),
            frame("x.py"));
  EXPECT_EQ(without_meta(scrubbed(applied("$frame.abs_path", "@anything"), frame("x.py"))),
            frame("x.py"));
}

TEST(PiiConfig, SaysWhatIsWrongWithIt) {
  struct Case {
    std::string json;
    std::string why;
  };
  const std::vector<Case> cases = {
      {"{", "not JSON"},
      {"[]", "not a JSON object"},
      {R"({"rules":[]})", "rules is not an object"},
      {R"({"rules":{"r":1}})", "rule \"r\": it is not an object"},
      {R"({"rules":{"r":{}}})", "rule \"r\": it has no type"},
      {R"({"rules":{"r":{"type":"pattern"}}})", "rule \"r\": it has no pattern"},
      {R"({"rules":{"r":{"type":"pattern","pattern":"("}}})",
       "rule \"r\": the pattern does not parse: missing )"},
      {R"({"rules":{"r":{"type":"pattern","pattern":"a","replaceGroups":["x"]}}})",
       "rule \"r\": replaceGroups"},
      {R"({"rules":{"r":{"type":"redact_pair"}}})", "rule \"r\": it has no keyPattern"},
      {R"({"rules":{"r":{"type":"multiple"}}})", "rule \"r\": it has no rules"},
      {R"({"rules":{"r":{"type":"alias"}}})", "rule \"r\": it has no rule"},
      {R"({"rules":{"r":{"type":"ip","redaction":{}}}})",
       "rule \"r\": its redaction has no method"},
      {R"({"applications":{"a b":[]}})", "selector \"a b\": unexpected character"},
      {R"({"applications":{"a":1}})", "applications of \"a\": its rules are not a list"},
      {R"({"applications":{"a":[1]}})", "applications of \"a\": its rules are not all names"},
  };
  for (const auto& test : cases) {
    const auto scrubber = Scrubber::make(advanced(test.json));
    ASSERT_FALSE(scrubber) << test.json;
    EXPECT_EQ(scrubber.error().fault, Fault::malformed);
    EXPECT_NE(scrubber.error().detail.find(test.why), std::string::npos) << scrubber.error().detail;
  }
  Settings large;
  large.pii_config_json = std::string(max_settings_bytes + 1, ' ');
  EXPECT_EQ(Scrubber::make(large).error().fault, Fault::too_large);
}

TEST(Meta, IsMergedWithWhatCame) {
  EXPECT_EQ(
      scrubbed(
          {},
          R"({"extra":{"b":"4111111111111111","p":"secret=1"},"_meta":{"extra":{"a":{"":{"err":["x"]}},"b":{"":{"len":99,"val":"4111111111111111"}}},"tags":{"":{"rem":[["r","x"]]}}},"release":"1"})"),
      R"({"extra":{"b":"[Filtered]","p":"[Filtered]"},"_meta":{"extra":{"a":{"":{"err":["x"]}},"b":{"":{"rem":[["@creditcard:filter","s",0,10]],"len":99}},"p":{"":{"rem":[["@password:filter","s",0,10]],"len":8}}},"tags":{"":{"rem":[["r","x"]]}}},"release":"1"})");
  EXPECT_EQ(
      meta_of(scrubbed({}, R"({"exception":[{"mechanism":{"data":{"a.b":["x","password=1"]}}}]})")),
      R"({"exception":{"0":{"mechanism":{"data":{"a.b":{"1":{"":{"rem":[["@password:filter","s",0,10]],"len":10}}}}}}}})");
  EXPECT_EQ(meta_of(scrubbed({}, R"({"extra":{"password":"x"},"_meta":null})")),
            R"({"extra":{"password":{"":{"rem":[["@password:filter","s",0,10]],"len":1}}}})");
}

TEST(Meta, ProtectsWhatWasRedactedBefore) {
  const std::string before =
      R"({"extra":{"a":"hash 12AB of 10.0.0.1"},"_meta":{"extra":{"a":{"":{"rem":[["r","p",5,9]],"len":9}}}}})";
  EXPECT_EQ(
      scrubbed(
          advanced(
              R"({"rules":{"hex":{"type":"pattern","pattern":"[0-9A-F]+","redaction":{"method":"mask"}}},"applications":{"$string":["hex"]}})"),
          before),
      R"({"extra":{"a":"hash 12AB of **.*.*.*"},"_meta":{"extra":{"a":{"":{"rem":[["r","p",5,9],["hex","m",13,15],["hex","m",16,17],["hex","m",18,19],["hex","m",20,21]],"len":9}}}}})");
}

TEST(Meta, CountsCharactersAndPointsToBytes) {
  EXPECT_EQ(
      meta_of(scrubbed(applied("$string", "@ip"), R"({"extra":{"a":"\u00e9\u00e9 10.0.0.1 x"}})")),
      R"({"extra":{"a":{"":{"rem":[["@ip","s",5,9]],"len":13}}}})");
}

}  // namespace
}  // namespace picket::scrub

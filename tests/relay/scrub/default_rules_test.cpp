// What the default rules and the older settings do to an event.

#include "relay/protocol/json_index.h"
#include "relay/scrub/scrubbing.h"

#include <vector>

namespace picket::scrub {
namespace {

struct Case {
  std::string before;
  std::string after;  // "" for unchanged
};

void check(const Settings& settings,
           const std::vector<Case>& cases,
           const std::string& type = "event") {
  for (const auto& test : cases) {
    EXPECT_EQ(without_meta(scrubbed(settings, test.before, type)),
              test.after.empty() ? test.before : test.after);
  }
}

TEST(DefaultRules, FilterValuesUnderSensitiveKeys) {
  check(
      {},
      {{R"({"extra":{"password":"hunter2"}})", R"({"extra":{"password":"[Filtered]"}})"},
       {R"({"extra":{"my_Api-Key":"x","apikey":"y"}})",
        R"({"extra":{"my_Api-Key":"[Filtered]","apikey":"[Filtered]"}})"},
       {R"({"extra":{"authToken":"x","otp":"1","two_factor":"2","otpx":"3"}})",
        R"({"extra":{"authToken":"[Filtered]","otp":"[Filtered]","two_factor":"[Filtered]","otpx":"3"}})"},
       {R"({"extra":{"pass\u0077ord":"hunter2"}})", R"({"extra":{"pass\u0077ord":"[Filtered]"}})"},
       {R"({"extra":{"password":17,"secret":[1,2],"credentials":{"a":1}}})",
        R"({"extra":{"password":null,"secret":null,"credentials":null}})"},
       {R"({"extra":{"password":null,"secret":true,"passwd":"","mysql_pwd":"null"}})", ""},
       {R"({"extra":{"list":[["password","x"],["name","y"]]}})",
        R"({"extra":{"list":[["password","[Filtered]"],["name","y"]]}})"},
       {R"({"extra":{"list":[["secret",{"a":1}],["a",["secret",["x"]]]]}})",
        R"({"extra":{"list":[["secret",null],["a",["[Filtered]",["x"]]]]}})"}});
}

TEST(DefaultRules, TakeAListOfTwoForAPairOnlyAmongPairs) {
  check({}, {{R"({"extra":{"argv":["--password=hunter2","x"]}})", R"({"extra":{"argv":["[Filtered]","x"]}})"},
             {R"({"extra":{"list":["my secret",{"a":1}]}})", R"({"extra":{"list":["[Filtered]",{"a":1}]}})"},
             {R"({"extra":{"list":[["secret","x"],"y"]}})", R"({"extra":{"list":[["[Filtered]","x"],"y"]}})"},
             {R"({"extra":{"list":[["secret","x"],[]]}})", R"({"extra":{"list":[["[Filtered]","x"],[]]}})"}});
}

TEST(DefaultRules, FilterTextsThatNameASecret) {
  check({}, {{R"({"breadcrumbs":{"values":[{"message":"login with password=1"}]}})",
              R"({"breadcrumbs":{"values":[{"message":"[Filtered]"}]}})"},
             {R"({"extra":{"a":"next token please","b":"token=abc"}})",
              R"({"extra":{"a":"next token please","b":"[Filtered]"}})"},
             {R"({"extra":{"a":"otp","b":"the otp"}})",
              R"({"extra":{"a":"[Filtered]","b":"the otp"}})"}});
}

TEST(DefaultRules, FilterWhatLooksSensitive) {
  check(
      {},
      {{R"({"extra":{"a":"card 4111 1111 1111 1111!","b":"4111 1111 1111 1112"}})",
        R"({"extra":{"a":"card [Filtered]!","b":"4111 1111 1111 1112"}})"},
       {R"({"extra":{"a":"DE89370400440532013000"}})", R"({"extra":{"a":"[Filtered]"}})"},
       {R"({"extra":{"a":"078-05-1120"}})", R"({"extra":{"a":"[Filtered]"}})"},
       {R"({"extra":{"a":"pg://me:hunter2@db/x"}})",
        R"({"extra":{"a":"pg://me:[Filtered]@db/x"}})"},
       {R"({"extra":{"a":"-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----"}})",
        R"({"extra":{"a":"-----BEGIN EC PRIVATE KEY-----\u000a[Filtered]\u000a-----END EC PRIVATE KEY-----"}})"},
       {R"({"extra":{"h":"x: Bearer abc.def y"}})", R"({"extra":{"h":"x: [Filtered] y"}})"},
       {R"({"extra":{"mail":"a@b.example","path":"/home/jane/x","ip":"10.0.0.1"}})", ""}});
}

TEST(DefaultRules, ReachEveryPartOfAnEventThatMayHoldSecrets) {
  const std::string card = "4111111111111111";
  for (const auto& [before, after] : std::vector<std::pair<std::string, std::string>>{
           {R"({"breadcrumbs":[{"data":{"x":"C"}}]})", ""},
           {R"({"breadcrumbs":{"values":[{"message":"C"}]}})", ""},
           {R"({"exception":{"values":[{"stacktrace":{"frames":[{"vars":{"x":"C"}}]}}]}})", ""},
           {R"({"exception":[{"stacktrace":{"frames":[{"vars":{"x":"C"}}]}}]})", ""},
           {R"({"exception":{"stacktrace":{"frames":[{"vars":{"x":["C"]}}]}}})", ""},
           {R"({"threads":{"values":[{"stacktrace":{"frames":[{"vars":{"x":"C"}}]}}]}})", ""},
           {R"({"sentry.interfaces.Http":{"data":"C"}})", ""},
           {R"({"request":{"data":{"x":{"y":"C"}}}})", ""},
           {R"({"request":{"headers":[["X-Card","C"]]}})", ""},
           {R"({"request":{"headers":{"X-Card":"C"}}})", ""},
           {R"({"request":{"env":{"X":"C"}}})", ""},
           {R"({"user":{"id":"C","custom":"C"}})", ""},
           {R"({"contexts":{"mine":{"x":"C"}}})", ""},
           {R"({"contexts":{"response":{"data":{"x":"C"}}}})", ""},
           {R"({"contexts":{"trace":{"data":{"x":"C"}}}})", ""},
           {R"({"contexts":{"r":{"type":"response","headers":[["a","C"]]}}})", ""},
           {R"({"spans":[{"data":{"x":"C"}}]})", ""},
           {R"({"logentry":{"params":["C"]}})", ""},
           {R"({"server_name":"C"})", ""},
           {R"({"csp":{"document_uri":"https://x/C"}})", ""},
           {R"({"unknown":{"x":"C"}})", ""},
       }) {
    std::string with_card = before;
    std::string filtered = before;
    for (std::size_t at = 0; (at = with_card.find("C\"", at)) != std::string::npos;
         at += card.size())
      with_card.replace(at, 1, card);
    for (std::size_t at = 0; (at = filtered.find("C\"", at)) != std::string::npos; at += 10)
      filtered.replace(at, 1, "[Filtered]");
    EXPECT_EQ(without_meta(scrubbed({}, with_card)), filtered);
  }
}

TEST(DefaultRules, LeaveWhatAnEventIsAbout) {
  check(
      {},
      {{R"({"exception":{"values":[{"type":"AuthError","value":"bad password"}]}})", ""},
       {R"({"exception":{"values":[{"stacktrace":{"frames":[{"function":"auth","filename":"/auth/x.py","abs_path":"/secret/x.py","context_line":"password = 1","module":"auth"}]}}]}})",
        ""},
       {R"({"debug_meta":{"images":[{"code_file":"/auth/a.so"}]}})", ""},
       {R"({"request":{"headers":{"User-Agent":"auth/1.0"},"url":"https://x/auth"}})", ""},
       {R"({"tags":{"auth":"x"},"transaction":"auth","logger":"auth"})", ""},
       {R"({"contexts":{"feedback":{"message":"my password does not work","contact_email":"a@b.example"}}})",
        ""},
       {R"({"spans":[{"description":"SELECT token FROM auth","data":{"gen_ai.usage.input_tokens":17}}]})",
        ""}});
  const std::string meta =
      R"({"event_id":"auth","release":"auth@1","_meta":{"extra":{"password":{"":{"err":["x"]}}}}})";
  EXPECT_EQ(scrubbed({}, meta), meta);
}

TEST(DefaultRules, OnlyReplaceWithinMessages) {
  check({}, {{R"({"logentry":{"formatted":"bad password of a@b.example with 4111111111111111"}})",
              R"({"logentry":{"formatted":"bad password of [email] with [creditcard]"}})"},
             {R"({"message":"Bearer abc failed"})", R"({"message":"[token] failed"})"},
             {R"({"logentry":{"message":"mail a@b.example"}})",
              R"({"logentry":{"message":"mail [email]"}})"},
             {R"({"logentry":{"message":"mail a@b.example","formatted":"x"}})", ""}});
}

TEST(DefaultRules, FilterCookiesOfSessionsAndHeaders) {
  check({},
        {{R"({"request":{"cookies":{"sessionid":"x","color":"red"}}})",
          R"({"request":{"cookies":{"sessionid":"[Filtered]","color":"red"}}})"},
         {R"({"request":{"cookies":[["csrf","x"],["color","red"]]}})",
          R"({"request":{"cookies":[["csrf","[Filtered]"],["color","red"]]}})"},
         {R"({"request":{"cookies":"color=red; PHPSESSID=abc;  auth_token=def"}})",
          R"({"request":{"cookies":"color=red; PHPSESSID=[Filtered];  auth_token=[Filtered]"}})"},
         {R"({"request":{"headers":{"Cookie":"color=red; sessionid=abc"}}})",
          R"({"request":{"headers":{"Cookie":"color=red; sessionid=[Filtered]"}}})"},
         {R"({"request":{"headers":[["Authorization","Basic abc"],["Accept","*/*"]]}})",
          R"({"request":{"headers":[["Authorization","[Filtered]"],["Accept","*/*"]]}})"}});
}

TEST(DefaultRules, FilterQueries) {
  check({}, {{R"({"request":{"query_string":"?page=2&access_token=abc&x=4111111111111111"}})",
              R"({"request":{"query_string":"?page=2&access_token=[Filtered]&x=[Filtered]"}})"},
             {R"({"request":{"query_string":{"password":"x","q":"y"}}})",
              R"({"request":{"query_string":{"password":"[Filtered]","q":"y"}}})"},
             {R"({"request":{"query_string":[["password","x"]]}})",
              R"({"request":{"query_string":[["password","[Filtered]"]]}})"},
             {R"({"request":{"url":"https://x/y?secret=1&q=2#access_token=3"}})",
              R"({"request":{"url":"https://x/y?secret=[Filtered]&q=2#[Filtered]"}})"},
             {R"({"request":{"query_string":"pass%77ord=x&a=%34111111111111111"}})",
              R"({"request":{"query_string":"pass%77ord=[Filtered]&a=[Filtered]"}})"}});
}

TEST(DefaultRules, FilterBodiesWithinTexts) {
  check(
      {},
      {{R"({"request":{"data":"{\"password\": \"x\",\"n\":1.50,\"user\":{\"secret\":2}}"}})",
        R"({"request":{"data":"{\"password\": \"[Filtered]\",\"n\":1.50,\"user\":{\"secret\":null}}"}})"},
       {R"({"request":{"data":"name=jane&password=x"}})",
        R"({"request":{"data":"name=jane&password=[Filtered]"}})"},
       {R"({"request":{"data":"{not json, password"}})", R"({"request":{"data":"[Filtered]"}})"}});
}

TEST(DefaultRules, ReachItemsOfOtherTypes) {
  const auto spans = scrubbed(
      {},
      R"({"version":2,"items":[{"name":"auth","attributes":{"password":{"type":"string","value":"x"},"n":{"type":"integer","value":1}}},{"attributes":{"card":{"type":"string","value":"4111111111111111"},"sentry.release":{"value":"password"}}}]})",
      "span");
  EXPECT_EQ(
      spans,
      R"({"version":2,"items":[{"name":"auth","attributes":{"password":{"type":"string","value":"[Filtered]"},"n":{"type":"integer","value":1}},"_meta":{"attributes":{"password":{"value":{"":{"rem":[["@password:filter","s",0,10]],"len":1}}}}}},{"attributes":{"card":{"type":"string","value":"[Filtered]"},"sentry.release":{"value":"password"}},"_meta":{"attributes":{"card":{"value":{"":{"rem":[["@creditcard:filter","s",0,10]],"len":16}}}}}}]})");
  check({},
        {{R"({"data":{"password":"x"},"op":"auth"})",
          R"({"data":{"password":"[Filtered]"},"op":"auth"})"}},
        "span");
  check({},
        {{R"({"urls":["https://x/?token=1"],"error_ids":["auth"]})",
          R"({"urls":["[Filtered]"],"error_ids":["auth"]})"}},
        "replay_event");
  check({},
        {{R"({"csp-report":{"document-uri":"https://x/?token=1"}})",
          R"({"csp-report":{"document-uri":"[Filtered]"}})"}},
        "raw_security");
  check({}, {{R"({"extra":{"password":"x"}})", ""}}, "client_report");
  check({}, {{R"({"extra":{"password":"x"}})", R"({"extra":{"password":"[Filtered]"}})"}},
        "transaction");
  check({}, {{R"({"extra":{"password":"x"}})", R"({"extra":{"password":"[Filtered]"}})"}},
        "feedback");
}

TEST(DefaultRules, ScrubLogs) {
  const auto log = scrubbed(
      {},
      R"({"items":[{"body":"auth of a@b.example","level":"info","attributes":{"token":{"value":"x","type":"string"}}}]})",
      "log");
  EXPECT_EQ(
      log,
      R"({"items":[{"body":"auth of [email]","level":"info","attributes":{"token":{"value":"[Filtered]","type":"string"}},"_meta":{"attributes":{"token":{"value":{"":{"rem":[["@password:filter","s",0,10]],"len":1}}}},"body":{"":{"rem":[["@email:replace","s",8,15]],"len":19}}}}]})");
}

TEST(Settings, CanBeOff) {
  Settings off;
  off.scrub_data = false;
  off.sensitive_fields = {"custom"};
  EXPECT_FALSE(Scrubber::make(off)->does_anything());
  check(off, {{R"({"extra":{"password":"x","custom":"y"}})", ""}});
  Settings no_defaults;
  no_defaults.scrub_defaults = false;
  no_defaults.sensitive_fields = {" Custom ", ""};
  check(
      no_defaults,
      {{R"({"extra":{"password":"x","my_custom_one":"y","z":"a CUSTOM text","n":{"custom":1}}})",
        R"({"extra":{"password":"x","my_custom_one":"[Filtered]","z":"[Filtered]","n":{"custom":null}}})"}});
}

TEST(Settings, SafeFieldsAreLeftAlone) {
  Settings settings;
  settings.sensitive_fields = {"zip"};
  settings.safe_fields = {"password", "extra.keep.**", "odd key!", " "};
  check(settings, {{R"({"extra":{"password":"x","secret":"y","zip":"1"}})",
                    R"({"extra":{"password":"x","secret":"[Filtered]","zip":"[Filtered]"}})"},
                   {R"({"extra":{"keep":{"secret":"y","zip":"1"}}})", ""},
                   {R"({"extra":{"odd key!":"token=1"}})", ""}});
}

TEST(Settings, IpAddressesGoWhenAsked) {
  Settings settings;
  settings.scrub_ip_addresses = true;
  check(
      settings,
      {{R"({"user":{"ip_address":"10.0.0.1","id":"7"},"extra":{"a":"from 10.0.0.1 and ::1"}})",
        R"({"user":{"ip_address":null,"id":"7"},"extra":{"a":"from [ip] and [ip]"}})"},
       {R"({"request":{"env":{"REMOTE_ADDR":"10.0.0.1"},"headers":{"User-Agent":"Chrome/90.0.4430.212"}},"sdk":{"client_ip":"::1"}})",
        R"({"request":{"env":{"REMOTE_ADDR":null},"headers":{"User-Agent":"Chrome/90.0.4430.212"}},"sdk":{"client_ip":null}})"}});
  check(settings,
        {{R"({"sid":"x","attrs":{"ip_address":"10.0.0.1","release":"1.2.3.4"}})",
          R"({"sid":"x","attrs":{"ip_address":null,"release":"1.2.3.4"}})"}},
        "session");
  EXPECT_EQ(
      without_meta(scrubbed(
          settings, R"({"items":[{"attributes":{"client.address":{"value":"host"}}}]})", "span")),
      R"({"items":[{"attributes":{"client.address":{"value":null}}})");
  Settings without_data = settings;
  without_data.scrub_data = false;
  check(without_data, {{R"({"user":{"ip_address":"10.0.0.1"},"extra":{"password":"x"}})",
                        R"({"user":{"ip_address":null},"extra":{"password":"x"}})"}});
}

TEST(Scrubber, LeavesMalformedJsonAlone) {
  for (const std::string text :
       {"", "{", "[", "nonsense", "{\"extra\":{\"password\":\"x\"}",
        "{\"extra\":{\"password\":\"x\"}}}", "{\"extra\":{\"pass\x80word\":1}}",
        "{\"extra\":{\"password\" \"x\"}}", "{\"extra\":{\"password\":\"x\",}}",
        "{\"extra\":{\"password\":x}}", "{\"a\":1 \"extra\":{\"password\":\"x\"}}",
        "{\"extra\":{\"colour\":\"\\x\"}}", "{\"extra\":{\"colour\":NaN}}", "\"password\"", "{\"extra\"", "{\"extra\":", "[[[[",
        "{\"extra\":[\"a\",", "{\"exception\":{\"values\":[{"}) {
    EXPECT_EQ(scrubbed({}, text), text);
  }
}

// Whoever reads such a payload later mends it and shows it (digest/json_shape.h).
TEST(Scrubber, MendsWhatIsNotQuiteJsonWhenSomethingInItMatches) {
  const std::string filtered = R"("password":"[Filtered]")";
  for (const std::string rest : {"NaN", "-Infinity", "1e999", "\"\x80\"", "\"\\x\"", "\"\\ud800\"", "\"\x01\""}) {
    const auto after = scrubbed({}, R"({"extra":{"password":"hunter2","a":)" + rest + "}}");
    EXPECT_NE(after.find(filtered), std::string::npos) << after;
    EXPECT_EQ(after.find("hunter2"), std::string::npos) << after;
    EXPECT_TRUE(relay::is_json(after)) << after;
  }
  EXPECT_NE(scrubbed({}, "{\"extra\":{\"password\":\"\x80\"}}").find(filtered), std::string::npos);
  EXPECT_NE(scrubbed({}, "{\"extra\":{\"password\":\"\\x\"}}").find(filtered), std::string::npos);
}

}  // namespace
}  // namespace picket::scrub

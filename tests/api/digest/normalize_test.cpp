#include "normalize_fixture.h"

#include <algorithm>

namespace picket::digest {
namespace {

TEST_P(Normalizes, FieldByField) {
  const auto& each = GetParam();
  EXPECT_EQ(at(normalized(each.payload, from_event(each.item_type)), each.pointer), each.want);
}

using Case = NormalizeCase;

INSTANTIATE_TEST_SUITE_P(
    Legacy,
    Normalizes,
    ::testing::Values(
        Case{R"({"sentry.interfaces.Exception":[{"type":"A"}]})", "/exception/values/0/type", R"("A")"},
        Case{R"({"sentry.interfaces.Exception":[{"type":"A"}]})", "/sentry.interfaces.Exception", ""},
        Case{R"({"exception":{"type":"A","value":"b"}})", "/exception/values/0/value", R"("b")"},
        Case{R"({"exception":["boom"]})", "/exception/values/0", R"({"value":"boom"})"},
        Case{R"({"message":"plain"})", "/logentry", R"({"formatted":"plain"})"},
        Case{R"({"message":"kept","logentry":{}})", "/logentry/formatted", R"("kept")"},
        Case{R"({"message":"lost","logentry":{"message":"won"}})", "/logentry/formatted", R"("won")"},
        Case{R"({"sentry.interfaces.Message":{"message":"old"}})", "/logentry/formatted", R"("old")"},
        Case{R"({"sentry.interfaces.User":{"id":1}})", "/user/id", R"("1")"},
        Case{R"({"user":"ada"})", "/user/id", R"("ada")"},
        Case{R"({"request":[{"url":"u"}]})", "/request/url", R"("u")"},
        Case{R"({"breadcrumbs":[{"message":"m"}]})", "/breadcrumbs/values/0/message", R"("m")"},
        Case{R"({"exception":[{"type":"A"}],"stacktrace":[{"function":"f"}]})", "/exception/values/0/stacktrace/frames/0/function", R"("f")"},
        Case{R"({"exception":[{"type":"A"}],"stacktrace":[{"function":"f"}]})", "/stacktrace", ""}));

INSTANTIATE_TEST_SUITE_P(
    Fields,
    Normalizes,
    ::testing::Values(
        Case{"{}", "/type", R"("default")"},
        Case{"{}", "/level", R"("error")"},
        Case{"{}", "/level", R"("info")", "transaction"},
        Case{R"({"level":"critical"})", "/level", R"("fatal")"},
        Case{R"({"level":"loud"})", "/errors/0/name", R"("level")"},
        Case{"{}", "/platform", R"("other")"},
        Case{"{}", "/timestamp", "1.7000001E9"},
        Case{R"({"release":" 1.0\n"})", "/release", R"("1.0")"},
        Case{R"({"release":20240131})", "/release", R"("20240131")"},
        Case{R"({"release":"a/b"})", "/release", ""},
        Case{R"({"release":"a/b"})", "/errors/0", R"({"type":"invalid_data","name":"release","value":"a/b","reason":"invalid release"})"},
        Case{R"({"release":"a/b"})", "/_meta/release//err/0/0", R"("invalid_data")"},
        Case{R"({"release":"a/b"})", "/_meta/release//val", R"("a/b")"},
        Case{R"({"release":"latest"})", "/release", ""},
        Case{R"({"release":".."})", "/release", ""},
        Case{R"({"release":{"a":1}})", "/errors/0/reason", R"("expected a string")"},
        Case{R"({"environment":"None"})", "/environment", ""},
        Case{R"({"environment":" prod "})", "/environment", R"("prod")"},
        Case{R"({"environment":"a\nb"})", "/environment", ""},
        Case{R"({"environment":""})", "/errors", ""},
        Case{R"({"dist":"b 1"})", "/dist", ""},
        Case{R"({"dist":"b-1"})", "/dist", R"("b-1")"},
        Case{R"({"request":5})", "/request", ""},
        Case{R"({"request":5})", "/errors/0/reason", R"("expected an object")"},
        Case{R"({"anything":{"else":1}})", "/anything/else", "1"},
        Case{R"({"errors":[{"type":"x"}],"release":"a/b"})", "/errors/1/name", R"("release")"},
        Case{R"({"_meta":{"message":{"":{"rem":[["@ip","s"]]}}},"release":"a/b"})", "/_meta/message//rem/0/0", R"("@ip")"},
        Case{R"({"fingerprint":"one"})", "/fingerprint", R"(["one"])"},
        Case{R"({"fingerprint":["a",2,null,["x"],true]})", "/fingerprint", R"(["a","2","true"])"}));

INSTANTIATE_TEST_SUITE_P(
    User,
    Normalizes,
    ::testing::Values(
        Case{R"({"user":{"ip_address":"{{auto}}"}})", "/user/ip_address", R"("203.0.113.9")"},
        Case{R"({"user":{"ip_address":"::1"}})", "/user/ip_address", R"("::1")"},
        Case{R"({"user":{"ip_address":"nowhere"}})", "/user/ip_address", ""},
        Case{R"({"user":{"ip_address":"nowhere"}})", "/errors/0/name", R"("user.ip_address")"},
        Case{R"({"request":{"env":{"REMOTE_ADDR":"10.0.0.1"}}})", "/user/ip_address", R"("10.0.0.1")"},
        Case{R"({"request":{"env":{"REMOTE_ADDR":"{{auto}}"}}})", "/request/env/REMOTE_ADDR", R"("203.0.113.9")"},
        Case{R"({"user":{"ip_address":"10.0.0.2"},"request":{"env":{"REMOTE_ADDR":"10.0.0.1"}}})", "/user/ip_address", R"("10.0.0.2")"},
        Case{R"({"platform":"javascript"})", "/user/ip_address", R"("203.0.113.9")"},
        Case{R"({"platform":"cocoa"})", "/user/ip_address", R"("203.0.113.9")"},
        Case{R"({"platform":"python"})", "/user", ""},
        Case{R"({"platform":"python","sdk":{"settings":{"infer_ip":"auto"}}})", "/user/ip_address", R"("203.0.113.9")"},
        Case{R"({"platform":"javascript","sdk":{"settings":{"infer_ip":"never"}}})", "/user", ""},
        Case{R"({"user":{"ip_address":"{{auto}}"},"sdk":{"settings":{"infer_ip":"never"}}})", "/user/ip_address", ""},
        Case{R"({"user":{"id":7,"plan":"gold"}})", "/user/data/plan", R"("gold")"},
        Case{R"({"user":{"id":7,"email":"a@b"}})", "/user/sentry_user", R"("id:7")"},
        Case{R"({"user":{"email":"a@b"}})", "/user/sentry_user", R"("email:a@b")"},
        Case{R"({"user":{"id":{"a":1}}})", "/errors/0/name", R"("user.id")"}));

INSTANTIATE_TEST_SUITE_P(
    Message,
    Normalizes,
    ::testing::Values(
        Case{R"({"logentry":{"message":"pump %s of %(all)s","params":["7"]}})", "/logentry/formatted", R"("pump 7 of %(all)s")"},
        Case{R"({"logentry":{"message":"hi {name}","params":{"name":"ada"}}})", "/logentry/formatted", R"("hi ada")"},
        Case{R"({"logentry":{"message":"hi {name}","params":{"name":"ada"}}})", "/logentry/message", R"("hi {name}")"},
        Case{R"({"logentry":{"message":"hi {}","params":[1]}})", "/logentry/params", "[1]"},
        Case{R"({"logentry":{"message":"same","formatted":"same"}})", "/logentry", R"({"formatted":"same"})"},
        Case{R"({"logentry":{"params":[1]}})", "/logentry", ""},
        Case{R"({"breadcrumbs":[{"level":"loud"},null,5]})", "/breadcrumbs/values", R"([{"level":"info","type":"default"}])"},
        Case{R"({"breadcrumbs":[{"timestamp":"2023-11-14T22:13:20.123456Z"}]})", "/breadcrumbs/values/0/timestamp", "1.700000000123456E9"},
        Case{R"({"breadcrumbs":{"values":[]}})", "/breadcrumbs", ""},
        Case{R"({"debug_meta":{"images":[{"type":"elf"},{"debug_id":"x"},null]}})", "/debug_meta/images", R"([{"type":"elf"}])"}));

INSTANTIATE_TEST_SUITE_P(
    Tags,
    Normalizes,
    ::testing::Values(
        Case{R"({"tags":{"a":1,"b":"","c":null,"d":true}})", "/tags", R"([["a","1"],["d","true"]])"},
        Case{R"({"tags":[["a","1"],["a","2"]]})", "/tags", R"([["a","1"]])"},
        Case{R"({"tags":{" a b ":"v"}})", "/tags", R"([["a-b","v"]])"},
        Case{R"({"tags":{"ä":"v"}})", "/tags", ""},
        Case{R"({"tags":{"ä":"v"}})", "/errors/0/type", R"("invalid_data")"},
        Case{R"({"tags":{"a":"two\nlines"}})", "/tags", R"([["a","two lines"]])"},
        Case{R"({"tags":{"environment":"prod"}})", "/environment", R"("prod")"},
        Case{R"({"tags":{"environment":"prod"},"environment":"dev"})", "/environment", R"("dev")"},
        Case{R"({"tags":{"environment":"prod","release":"1","user":"x","keep":"y"}})", "/tags", R"([["keep","y"]])"},
        Case{R"({"server_name":"web-1","tags":{"server_name":"other"}})", "/tags", R"([["server_name","web-1"]])"},
        Case{R"({"server_name":"web-1"})", "/server_name", ""},
        Case{R"({"contexts":{"device":{"family":"iPhone","processor_frequency":2500}}})", "/tags", R"([["device.class","2"]])"},
        Case{R"({"contexts":{"device":{"processor_frequency":1500,"processor_count":8,"memory_size":8589934592}}})", "/tags", R"([["device.class","1"]])"},
        Case{R"({"contexts":{"device":{"processor_frequency":3000,"processor_count":8,"memory_size":8589934592}}})", "/tags", R"([["device.class","3"]])"},
        Case{R"({"contexts":{"device":{"model":"x"}}})", "/tags", ""}));

INSTANTIATE_TEST_SUITE_P(
    Exceptions,
    Normalizes,
    ::testing::Values(
        Case{R"({"exception":[{"value":"TypeError: x is undefined"}]})", "/exception/values/0/type", R"("TypeError")"},
        Case{R"({"exception":[{"value":"TypeError: x is undefined"}]})", "/exception/values/0/value", R"("x is undefined")"},
        Case{R"({"exception":[{"value":"see https://x"}]})", "/exception/values/0/type", ""},
        Case{R"({"exception":[{}]})", "/exception", ""},
        Case{R"({"exception":[{}]})", "/errors/0/type", R"("missing_attribute")"},
        Case{R"({"exception":[{"type":"E","mechanism":"onerror"}]})", "/exception/values/0/mechanism", R"({"type":"onerror"})"},
        Case{R"({"exception":[{"type":"E","mechanism":{"type":"x","handled":"false"}}]})", "/exception/values/0/mechanism/handled", "false"},
        Case{R"({"exception":[{"type":"E","mechanism":{"type":"x","meta":{"errno":{"number":2}}}}]})", "/exception/values/0/mechanism/meta/errno/name", R"("ENOENT")"},
        Case{R"({"exception":[{"type":"E","mechanism":{"type":"x","meta":{"signal":{"number":11}}}}]})", "/exception/values/0/mechanism/meta/signal/name", R"("SIGSEGV")"},
        Case{R"({"platform":"cocoa","exception":[{"type":"E","mechanism":{"type":"x","meta":{"signal":{"number":10}}}}]})", "/exception/values/0/mechanism/meta/signal/name", R"("SIGBUS")"},
        Case{R"({"exception":[{"type":"E","mechanism":{"type":"x","posix_signal":{"signal":1,"name":"S"}}}]})", "/exception/values/0/mechanism/meta/signal/name", R"("S")"},
        Case{R"({"exception":[{"type":"E","mechanism":{"type":"x","mach_exception":{"exception":1}}}]})", "/exception/values/0/mechanism/meta/mach_exception/name", R"("EXC_BAD_ACCESS")"},
        Case{R"({"exception":[{"type":"E","stacktrace":{"frames":[{"abs_path":"https://x/a/app.js?v=1","function":"?"}]}}]})",
             "/exception/values/0/stacktrace/frames/0", R"({"abs_path":"https://x/a/app.js?v=1","filename":"/a/app.js"})"},
        Case{R"({"exception":[{"type":"E","stacktrace":[{"filename":"a.py","lineno":"3","in_app":1}]}]})",
             "/exception/values/0/stacktrace/frames/0", R"({"filename":"a.py","lineno":3,"in_app":true,"abs_path":"a.py"})"},
        Case{R"({"exception":[{"type":"E","stacktrace":{"frames":[]}}]})", "/exception/values/0/stacktrace", ""},
        Case{R"({"threads":[{"id":1,"crashed":"true","stacktrace":{"frames":[{"function":"f"}]}}]})", "/threads/values/0/crashed", "true"}));

INSTANTIATE_TEST_SUITE_P(
    Client,
    Normalizes,
    ::testing::Values(
        Case{R"({"platform":"javascript","request":{"headers":{"User-Agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0"}}})",
             "/contexts/browser", R"({"type":"browser","name":"Firefox","version":"120.0","browser":"Firefox 120.0"})"},
        Case{R"({"platform":"javascript","request":{"headers":{"User-Agent":"Mozilla/5.0 (Windows NT 10.0; rv:120.0) Firefox/120.0"}}})", "/contexts/os/name", R"("Windows")"},
        Case{R"({"platform":"python","contexts":{"os":{"name":"Linux"}},"request":{"headers":{"User-Agent":"Mozilla/5.0 (Windows NT 10.0) Firefox/120.0"}}})",
             "/contexts/client_os/name", R"("Windows")"},
        Case{R"({"platform":"javascript","contexts":{"browser":{"name":"Own"}},"request":{"headers":{"User-Agent":"Firefox/120.0"}}})", "/contexts/browser/name", R"("Own")"},
        Case{R"({"platform":"javascript","request":{"headers":{"User-Agent":"Mozilla/5.0 (Linux; Android 10; SM-G973F Build/QP1A) AppleWebKit/537.36 Chrome/120.0.0.0 Mobile"}}})",
             "/contexts/device", R"({"type":"device","model":"SM-G973F","family":"SM-G973F","brand":"Samsung"})"},
        Case{R"({"request":{"headers":[["Sec-CH-UA","\"Not_A Brand\";v=\"8\", \"Chromium\";v=\"120\", \"Google Chrome\";v=\"120\""],["Sec-CH-UA-Platform","\"macOS\""],["Sec-CH-UA-Platform-Version","\"13.1.0\""]]}})",
             "/contexts/browser/browser", R"("Google Chrome 120")"},
        Case{R"({"request":{"headers":[["Sec-CH-UA-Platform","\"macOS\""],["Sec-CH-UA-Platform-Version","\"13.1.0\""]]}})", "/contexts/client_os/os", R"("macOS 13.1.0")"},
        Case{R"({"contexts":{"os":{"raw_description":"Microsoft Windows 10.0.19042"}}})", "/contexts/os/os", R"("Windows 10.0.19042")"},
        Case{R"({"contexts":{"os":{"raw_description":"Linux 5.10.0-8-amd64 #1 SMP"}}})", "/contexts/os/kernel_version", R"("5.10.0-8-amd64")"},
        Case{R"({"contexts":{"runtime":{"raw_description":".NET Core 3.1.4"}}})", "/contexts/runtime/runtime", R"(".NET Core 3.1.4")"},
        Case{R"({"contexts":{"runtime":{"name":".NET Framework","build":"528040"}}})", "/contexts/runtime/version", R"("4.8")"},
        Case{R"({"contexts":{"odd":5,"ok":{"a":1}}})", "/contexts", R"({"ok":{"type":"ok","a":1}})"}));

INSTANTIATE_TEST_SUITE_P(
    Request,
    Normalizes,
    ::testing::Values(
        Case{R"({"request":{"url":"https://x/p?a=1&b=%20c#top"}})", "/request/url", R"("https://x/p")"},
        Case{R"({"request":{"url":"https://x/p?a=1&b=%20c#top"}})", "/request/query_string", R"([["a","1"],["b"," c"]])"},
        Case{R"({"request":{"url":"https://x/p?a=1#top"}})", "/request/fragment", R"("top")"},
        Case{R"({"request":{"url":"https://x/p?a=1","query_string":"b=2"}})", "/request/query_string", R"([["b","2"]])"},
        Case{R"({"request":{"query_string":{"a":1}}})", "/request/query_string", R"([["a",1]])"},
        Case{R"({"request":{"method":"post"}})", "/request/method", R"("POST")"},
        Case{R"({"request":{"method":"not a word"}})", "/request/method", ""},
        Case{R"({"request":{"headers":{"content-type":"text/plain","x-list":["a","b"]}}})", "/request/headers", R"([["Content-Type","text/plain"],["X-List","a,b"]])"},
        Case{R"({"request":{"headers":{"Cookie":"a=b; c=d"}}})", "/request/cookies", R"([["a","b"],["c","d"]])"},
        Case{R"({"request":{"data":"{\"a\":1}"}})", "/request/data/a", "1"},
        Case{R"({"request":{"data":"{\"a\":1}"}})", "/request/inferred_content_type", R"("application/json")"},
        Case{R"({"request":{"data":"a=1&b=2"}})", "/request/data/b", R"("2")"},
        Case{R"({"request":{"data":"a=1&b=2"}})", "/request/inferred_content_type", R"("application/x-www-form-urlencoded")"},
        Case{R"({"request":{"data":"just text"}})", "/request/data", R"("just text")"},
        Case{R"({"request":{"headers":{"Content-Type":"text/plain; charset=x"},"data":"{\"a\":1}"}})", "/request/inferred_content_type", R"("text/plain")"}));

INSTANTIATE_TEST_SUITE_P(
    Security,
    Normalizes,
    ::testing::Values(
        Case{R"({"csp-report":{"document-uri":"http://shop/","violated-directive":"script-src 'self'","blocked-uri":"http://evil/"}})", "/csp/effective_directive", R"("script-src")"},
        Case{R"({"csp-report":{"document-uri":"http://shop/","violated-directive":"script-src 'self'","blocked-uri":"http://evil/"}})", "/type", R"("csp")"},
        Case{R"({"csp-report":{"document-uri":"http://shop/","violated-directive":"img-src"}})", "/request/url", R"("http://shop/")"},
        Case{R"({"type":"csp-violation","url":"http://shop/","body":{"effectiveDirective":"img-src","blockedURL":"data"}})", "/csp/blocked_uri", R"("data")"},
        Case{R"({"expect-ct-report":{"date-time":"x","hostname":"h"}})", "/expectct/hostname", R"("h")"}));

INSTANTIATE_TEST_SUITE_P(
    Transactions,
    Normalizes,
    ::testing::Values(
        Case{R"({"transaction":"/user/123/cart"})", "/transaction", R"("/user/*/cart")", "transaction"},
        Case{R"({"transaction":"/user/123/cart"})", "/transaction", R"("/user/123/cart")", "event"},
        Case{R"({"transaction":"/user/123","transaction_info":{"source":"route"}})", "/transaction", R"("/user/123")", "transaction"},
        Case{R"({"transaction":"/a/fc6d8c0c-43fc-4630-ad85-0ee518f1b9d0/b","transaction_info":{"source":"url"}})", "/transaction", R"("/a/*/b")", "transaction"},
        Case{R"({"transaction":"/a/123","transaction_info":{"source":"url"}})", "/transaction_info/source", R"("sanitized")", "transaction"},
        Case{R"({"transaction":"/v1/orders"})", "/transaction", R"("/v1/orders")", "transaction"},
        Case{"{}", "/transaction", R"("<unlabeled transaction>")", "transaction"},
        Case{R"({"start_timestamp":1700000002,"timestamp":1700000001})", "/errors/0/reason", R"("end timestamp is smaller than start timestamp")", "transaction"},
        // As the Rust SDK writes them, for what took some microseconds.
        Case{R"({"start_timestamp":1700000000.499771,"timestamp":"2023-11-14T22:13:20.499805883Z","contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef"}}})",
             "/errors", "", "transaction"},
        Case{R"({"start_timestamp":1700000000.499771,"timestamp":"2023-11-14T22:13:20.499805883Z","contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef"}},"spans":[]})",
             "/contexts/trace/exclusive_time", "0E0", "transaction"},
        Case{R"({"start_timestamp":1700000000,"timestamp":1700000001,"contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"a"}},
                 "spans":[{"span_id":"b","parent_span_id":"a","start_timestamp":1700000000.25,"timestamp":1700000000.5}]})",
             "/contexts/trace/exclusive_time", "7.5E2", "transaction"},
        Case{R"({"start_timestamp":1700000000,"timestamp":1700000001,"spans":[{"start_timestamp":1700000000.25,"timestamp":1700000000.5}]})", "/spans/0/op", R"("default")", "transaction"},
        Case{R"({"spans":[{"op":"db.query","start_timestamp":1700000000,"timestamp":1700000000.5},{"op":"db","start_timestamp":1700000000.25,"timestamp":1700000001}]})",
             "/breakdowns/span_ops/ops.db/value", "1E3", "transaction"},
        Case{R"({"contexts":{"trace":{"trace_id":"0123456789abcdef0123456789abcdef"}}})", "/contexts/trace/status", R"("unknown")", "transaction"},
        Case{R"({"contexts":{"trace":{"trace_id":"short"}}})", "/errors/0/name", R"("contexts.trace.trace_id")"},
        Case{R"({"measurements":{"LCP":{"value":4.5},"mine":{"value":1,"unit":"second"}}})", "/measurements", R"({"lcp":{"value":4.5E0,"unit":"millisecond"},"mine":{"value":1E0,"unit":"second"}})", "transaction"},
        Case{R"({"measurements":{"lcp":{"value":4.5}}})", "/measurements", "", "event"},
        Case{R"({"measurements":{"frames_total":{"value":10},"frames_slow":{"value":1}}})", "/measurements/frames_slow_rate/value", "1E-1", "transaction"},
        Case{R"({"measurements":{"app_start_cold":{"value":200000}}})", "/measurements", "", "transaction"},
        Case{R"({"measurements":{"x":{"value":"no"}}})", "/errors/1/name", R"("measurements.x")", "transaction"}));

std::string repeated(std::size_t count, std::string_view text) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST(Normalize, CutsTextAndSaysSo) {
  const auto event = normalized("{\"message\":\"" + repeated(9000, "x") + "\",\"logger\":\"" + repeated(70, "é") + "\"}", from_event());
  EXPECT_EQ(event.at("logentry").at("formatted").as_string().size(), 8192U);
  EXPECT_EQ(at(event, "/_meta/logentry/formatted/"), R"({"rem":[["!limit","s",8189,8192]],"len":9000})");
  EXPECT_EQ(at(event, "/_meta/logger//len"), "70");
  EXPECT_EQ(event.at("logger").as_string().size(), 61 * 2 + 3U);
}

TEST(Normalize, BagsKeepWithinDepthAndBytes) {
  const auto event = normalized("{\"extra\":{\"deep\":" + repeated(200, "[") + repeated(200, "]") + ",\"long\":\"" + repeated(20'000, "y") + "\"},\"contexts\":{\"c\":{\"v\":\"" +
                                    repeated(9'000, "z") + "\"}}}",
                                from_event());
  EXPECT_LE(at(event, "/extra/long").size(), 16'390U);
  EXPECT_EQ(at(event, "/_meta/extra/long//len"), "20000");
  EXPECT_TRUE(event.at("extra").at("deep").at(0).at(0).at(0).at(0).at(0).at(0).is_string());
  EXPECT_LE(at(event, "/contexts/c").size(), 8'250U);
}

TEST(Normalize, ExtraAsAWholeIsBounded) {
  std::string extra;
  for (int i = 0; i < 1000; ++i) extra += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":\"" + repeated(1000, "x") + "\"";
  const auto event = normalized("{\"extra\":{" + extra + "}}", from_event());
  EXPECT_LE(at(event, "/extra").size(), 265'000U);
  EXPECT_EQ(at(event, "/_meta/extra//len"), "1000");
}

TEST(Normalize, KeepsTheNewestAndOldestFramesAndDetailsOfFifty) {
  std::string frames;
  for (int i = 0; i < 1000; ++i) frames += (i ? ",{\"function\":\"f" : "{\"function\":\"f") + std::to_string(i) + "\",\"vars\":{\"a\":1}}";
  const auto event = normalized("{\"exception\":[{\"type\":\"A\",\"stacktrace\":{\"frames\":[" + frames + "]}}]}", from_event());
  const auto& trace = event.at("exception").at("values").at(0).at("stacktrace");
  const auto& kept = trace.at("frames").as_array();
  ASSERT_EQ(kept.size(), 250U);
  EXPECT_EQ(at(trace.as_object(), "/frames_omitted"), "[50,800]");
  EXPECT_EQ(kept[50].at("function"), "f800");
  EXPECT_EQ(std::ranges::count_if(kept, [](const auto& frame) { return frame.as_object().contains("vars"); }), 50);
}

TEST(Normalize, ShiftsEveryTimestampByTheDriftOfTheClock) {
  EventSource source = from_event("transaction");
  source.sent_at_ms = received_at - 2 * 3600 * 1000;
  const auto event = normalized(R"({"timestamp":1699992900,"start_timestamp":1699992890.5,"breadcrumbs":[{"timestamp":1699992880}],
      "spans":[{"start_timestamp":"2023-11-14T20:14:51Z","timestamp":1699992892}]})",
                                source);
  EXPECT_EQ(event.at("timestamp"), 1700000100.0);
  EXPECT_EQ(event.at("start_timestamp"), 1700000090.5);
  EXPECT_EQ(event.at("breadcrumbs").at("values").at(0).at("timestamp"), 1700000080.0);
  EXPECT_EQ(event.at("spans").at(0).at("start_timestamp"), 1700000091.0);
  EXPECT_EQ(event.at("spans").at(0).at("timestamp"), 1700000092.0);
  EXPECT_EQ(at(event, "/errors/0/type"), R"("clock_drift")");
  EXPECT_EQ(at(event, "/errors/0/server_time"), R"("2023-11-14T22:15:00.000Z")");
}

struct TimeCase {
  std::int64_t offset_ms;  // of the event's timestamp to the time it was received
  std::string_view kind;
};
class Timestamps : public ::testing::TestWithParam<TimeCase> {};

TEST_P(Timestamps, OutOfRangeAreTheTimeOfReceipt) {
  const auto [offset, kind] = GetParam();
  const auto event = normalized("{\"timestamp\":" + std::to_string((received_at + offset) / 1000) + "}", from_event());
  EXPECT_EQ(at(event, "/errors/0/type"), kind.empty() ? "" : "\"" + std::string(kind) + "\"");
  const auto want = kind.empty() ? received_at + offset : received_at;
  EXPECT_EQ(event.at("timestamp"), static_cast<double>(want) / 1000);
}
INSTANTIATE_TEST_SUITE_P(Normalize,
                         Timestamps,
                         ::testing::Values(TimeCase{0, ""}, TimeCase{59'000, ""}, TimeCase{61'000, "future_timestamp"}, TimeCase{-89LL * 86'400'000, ""},
                                           TimeCase{-91LL * 86'400'000, "past_timestamp"}));

TEST(Normalize, ToleratesYearsZeroAnd9999) {
  for (const std::string_view time : {"\"0000-01-01T00:00:00Z\"", "\"9999-12-31T23:59:59Z\"", "-62167219200", "253402300799", "1e300", "-1e300", "\"x\"", "[]"}) {
    const auto event = normalized("{\"timestamp\":" + std::string(time) + ",\"breadcrumbs\":[{\"message\":\"m\",\"timestamp\":" + std::string(time) + "}]}", from_event());
    EXPECT_EQ(event.at("timestamp"), static_cast<double>(received_at) / 1000) << time;
    EXPECT_EQ(event.at("breadcrumbs").at("values").at(0).at("message"), "m") << time;
  }
}

TEST(Normalize, IsBoundedForWideAndBadEvents) {
  std::string tags;
  for (int i = 0; i < 50'000; ++i) tags += (i ? ",\"ä" : "\"ä") + std::to_string(i) + "\":1,\"t" + std::to_string(i) + "\":\"v\"";
  const auto event = normalized("{\"tags\":{" + tags + "},\"user\":{" + tags + "},\"contexts\":{" + tags + "}}", from_event());
  EXPECT_EQ(event.at("tags").as_array().size(), 200U);
  EXPECT_LE(event.at("errors").as_array().size(), 200U);
  EXPECT_LE(boost::json::serialize(event).size(), 100'000U);
}

TEST(Normalize, TheLastOfMembersOfOneNameCounts) {
  EXPECT_EQ(at(normalized(R"({"logger":"a","logger":"b"})", from_event()), "/logger"), R"("b")");
}

TEST(Normalize, KeepsNulCharactersAndMendsBrokenText) {
  EXPECT_EQ(at(normalized("{\"message\":\"a\\u0000b\"}", from_event()), "/logentry/formatted"), R"("a\u0000b")");
  const auto made = normalize("{\"message\":\"caf\xe9\"}", from_event(), nullptr);
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->repaired);
  EXPECT_EQ(made->event.at("logentry").at("formatted"), "caf\xef\xbf\xbd");
}

TEST(Normalize, RefusesWhatTheDigestCannotReadEither) {
  for (const auto* json : {"", "[]", "3", "{", "<html>"}) {
    EXPECT_FALSE(normalize(json, from_event(), nullptr)) << json;
    EXPECT_FALSE(parse_event(json)) << json;
  }
}

TEST(Normalize, IsIdempotent) {
  const auto once = normalized(R"({"message":"m","tags":{"a":"b"},"user":{"id":1,"x":2},"request":{"url":"http://h/p?q=1#f","headers":{"a":"b"}},
      "exception":[{"type":"E","stacktrace":[{"filename":"http://h/a.js"}]}],"contexts":{"os":{"raw_description":"iOS 17.1"}}})",
                               from_event());
  const auto twice = normalized(boost::json::serialize(once), from_event());
  EXPECT_TRUE(twice == once) << boost::json::serialize(once) << "\n" << boost::json::serialize(twice);
}

}  // namespace
}  // namespace picket::digest

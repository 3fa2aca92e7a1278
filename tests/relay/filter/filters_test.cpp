#include "relay/filter/filters.h"

#include <gtest/gtest.h>

#include <functional>

namespace picket::filter {
namespace {

std::string judge(const FilterOptions& options,
                  std::string_view payload,
                  std::string_view type = "event",
                  const Sent& sent = {}) {
  const auto filters = Filters::make(options);
  EXPECT_TRUE(filters) << (filters ? "" : filters.error().detail);
  relay::Item item;
  item.type = type;
  item.payload = payload;
  return filters ? std::string(filters->judge(item, sent)) : "";
}

std::string error_of(std::string_view type, std::string_view value) {
  return R"({"exception":{"values":[{"type":")" + std::string(type) + R"(","value":")" +
         std::string(value) + "\"}]}}";
}
std::string agent(std::string_view user_agent) {
  return R"({"request":{"headers":{"User-Agent":")" + std::string(user_agent) + "\"}}}";
}

constexpr std::string_view chrome_110 =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/110.0.0.0 "
    "Safari/537.36";
constexpr std::string_view chrome_120 =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
    "Safari/537.36";

TEST(Filters, LetEverythingPassUnlessAskedNotTo) {
  const auto filters = Filters::make({});
  ASSERT_TRUE(filters);
  EXPECT_TRUE(filters->empty());
  EXPECT_EQ(judge({}, agent("Googlebot/2.1")), "");
}

TEST(Filters, RecogniseExtensionsByMessageAndBySource) {
  FilterOptions options{.browser_extensions = true};
  EXPECT_EQ(judge(options, error_of("Error", "Extension context invalidated.")),
            "browser-extensions");
  EXPECT_EQ(judge(options, error_of("Error", "card reader unplugged")), "");
  const auto thrown_in = [](std::string_view path) {
    return R"({"exception":[{"type":"E","value":"v","stacktrace":{"frames":[
      {"abs_path":"https://shop.example/app.js"},{"abs_path":")" +
           std::string(path) + R"("},{"filename":"<anonymous>"}]}}]})";
  };
  EXPECT_EQ(judge(options, thrown_in("chrome-extension://abc/content.js")), "browser-extensions");
  EXPECT_EQ(judge(options, thrown_in("safari-web-extension://abc/x.js")), "browser-extensions");
  EXPECT_EQ(judge(options, thrown_in("https://connect.facebook.net/en_US/sdk.js")),
            "browser-extensions");
  EXPECT_EQ(judge(options, thrown_in("https://shop.example/extensions/own.js")), "");
}

TEST(Filters, RecogniseLocalhostWhereverItShows) {
  FilterOptions options{.localhost = true};
  for (const std::string_view payload :
       {R"({"user":{"ip_address":"127.0.0.1"}})", R"({"user":{"ip_address":"::1"}})",
        R"({"request":{"url":"http://localhost:3000/x"}})",
        R"({"request":{"url":"https://127.0.0.1/x"}})",
        R"({"request":{"url":"http://app.localhost/"}})", R"({"request":{"url":"file:///C:/a.html"}})",
        R"({"request":{"headers":[["Host","localhost:8000"]]}})",
        R"({"request":{"headers":{"X-Forwarded-Host":"localhost"}}})"}) {
    EXPECT_EQ(judge(options, payload), "localhost") << payload;
  }
  EXPECT_EQ(judge(options, R"({"request":{"url":"https://notlocalhost.example/"}})"), "");
  EXPECT_EQ(judge(options, R"({"user":{"ip_address":"192.0.2.1"}})"), "");
}

TEST(Filters, RecogniseCrawlersButNotWhatPeopleAskedFor) {
  FilterOptions options{.web_crawlers = true};
  for (const std::string_view name :
       {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0)", "facebookexternalhit/1.1", "SomeSpider/3",
        "GPTBot/1.0", "ELB-HealthChecker/2.0", "Better Uptime Bot", "tinybots",
        "Mozilla/5.0 (compatible; PetalBot;+https://example)"}) {
    EXPECT_EQ(judge(options, agent(name)), "web-crawlers") << name;
  }
  for (const std::string_view name :
       {chrome_120, std::string_view("Slackbot 1.0 (+https://api.slack.com/robots)"),
        std::string_view("SentryUptimeBot/1.0"), std::string_view("ChatGPT-User/1.0; +bot"),
        std::string_view("bottle-client/0.12")}) {
    EXPECT_EQ(judge(options, agent(name)), "") << name;
  }
}

TEST(Filters, KnowEverySubfilterOfLegacyBrowsers) {
  const std::pair<std::string, std::pair<std::string, std::string>> cases[] = {
      {"ie", {"Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko", ""}},
      {"ie11",
       {"Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko",
        "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1)"}},
      {"ie10",
       {"Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1)",
        "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1)"}},
      {"ie9",
       {"Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1)",
        "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.0)"}},
      {"ie_pre_9",
       {"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.0)",
        "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1)"}},
      {"chrome", {std::string(chrome_110), std::string(chrome_120)}},
      {"edge",
       {"Mozilla/5.0 AppleWebKit/537.36 Chrome/110.0 Safari/537.36 Edg/110.0.1587.41",
        "Mozilla/5.0 AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0.1"}},
      {"edge_pre_79",
       {"Mozilla/5.0 AppleWebKit/537.36 Chrome/64.0 Safari/537.36 Edge/18.17763",
        "Mozilla/5.0 AppleWebKit/537.36 Chrome/110.0 Safari/537.36 Edg/110.0.1587.41"}},
      {"firefox",
       {"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/110.0",
        "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/111.0"}},
      {"safari",
       {"Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/15.6 Safari/605.1.15",
        "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/16.0 Safari/605.1.15"}},
      {"safari_pre_6",
       {"Mozilla/5.0 (Macintosh) AppleWebKit/534 Version/5.1.7 Safari/534.57.2",
        "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/6.0 Safari/605.1.15"}},
      {"opera",
       {"Mozilla/5.0 AppleWebKit/537.36 Chrome/112.0 Safari/537.36 OPR/99.0",
        "Mozilla/5.0 AppleWebKit/537.36 Chrome/114.0 Safari/537.36 OPR/100.0"}},
      {"opera_pre_15",
       {"Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.16",
        "Mozilla/5.0 AppleWebKit/537.36 Chrome/112.0 Safari/537.36 OPR/99.0"}},
      {"opera_mini",
       {"Opera/9.80 (Android; Opera Mini/34.0/35.5; U; en) Presto/2.8.119 Version/11.10",
        "Opera/9.80 (Android; Opera Mini/36.2/35.5; U; en) Presto/2.8.119 Version/11.10"}},
      {"opera_mini_pre_8",
       {"Opera/9.80 (J2ME/MIDP; Opera Mini/7.1/35.5; U; en) Presto/2.8.119 Version/11.10",
        "Opera/9.80 (Android; Opera Mini/8.0/35.5; U; en) Presto/2.8.119 Version/11.10"}},
      {"android",
       {"Mozilla/5.0 (Linux; U; Android 3.2; en) AppleWebKit/534 Version/4.0 Safari/534.13",
        "Mozilla/5.0 (Linux; U; Android 4.0; en) AppleWebKit/534 Version/4.0 Safari/534.13"}},
      {"android_pre_4",
       {"Mozilla/5.0 (Linux; U; Android 2.3; en) AppleWebKit/533 Version/4.0 Safari/533.1",
        "Mozilla/5.0 (Linux; U; Android 4.4; en) AppleWebKit/534 Version/4.0 Safari/534.13"}},
      {"default",
       {"Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1)",
        "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1)"}},
  };
  for (const auto& [name, agents] : cases) {
    FilterOptions options{.legacy_browsers = {name}};
    EXPECT_EQ(judge(options, agent(agents.first)), "legacy-browsers") << name;
    EXPECT_EQ(judge(options, agent(agents.second)), "") << name;
  }
  EXPECT_FALSE(Filters::make({.legacy_browsers = {"netscape"}}));
}

TEST(Filters, RecogniseHealthChecksInTransactionsOnly) {
  FilterOptions options{.filtered_transactions = true};
  for (const std::string_view name :
       {"GET /health", "/api/v1/healthz/", "/livez", "POST /ping", "/healthcheck/deep",
        "my.heartbeat", "/readiness"}) {
    const auto payload = R"({"transaction":")" + std::string(name) + "\"}";
    EXPECT_EQ(judge(options, payload, "transaction"), "filtered-transaction") << name;
    EXPECT_EQ(judge(options, payload, "event"), "") << name;
  }
  for (const std::string_view name : {"/healthy-food", "/backup", "/pingpong", "up", "/live/stream"})
    EXPECT_EQ(judge(options, R"({"transaction":")" + std::string(name) + "\"}", "transaction"), "")
        << name;
}

TEST(Filters, MatchMessagesByTypeValueAndBoth) {
  FilterOptions options{.error_messages = {"TypeError: *undefined*", "quota exceeded", "*secret*"}};
  EXPECT_EQ(judge(options, error_of("TypeError", "x is undefined")), "error-message");
  EXPECT_EQ(judge(options, error_of("RangeError", "x is undefined")), "");
  EXPECT_EQ(judge(options, error_of("Any", "Quota Exceeded")), "error-message");
  EXPECT_EQ(judge(options, R"({"message":"a secret thing"})"), "error-message");
  EXPECT_EQ(judge(options, R"({"logentry":{"message":"%s","formatted":"the secret"}})"),
            "error-message");
  EXPECT_EQ(judge(options, R"({"sentry.interfaces.Message":{"message":"quota exceeded"}})"),
            "error-message")
      << "a legacy name";
  EXPECT_EQ(judge(options, R"({"message":"a secret thing"})", "transaction"), "");
}

TEST(Filters, MatchReleases) {
  FilterOptions options{.releases = {"1.*", "[!0-9]*-beta"}};
  EXPECT_EQ(judge(options, R"({"release":"1.2.3"})"), "release-version");
  EXPECT_EQ(judge(options, R"({"release":"shop-beta"})", "transaction"), "release-version");
  EXPECT_EQ(judge(options, R"({"release":"2.0"})"), "");
  EXPECT_EQ(judge(options, R"({"sid":"x","attrs":{"release":"1.0"}})", "session"),
            "release-version");
}

TEST(Filters, MatchTheSendersAddress) {
  FilterOptions options{.addresses = {"192.0.2.7", "10.0.0.0/8", "2001:db8::/32"}};
  for (const std::string_view address : {"192.0.2.7", "10.255.0.1", "2001:db8::1", "::ffff:10.1.1.1"})
    EXPECT_EQ(judge(options, "{}", "event", {.client_address = address}), "ip-address") << address;
  for (const std::string_view address : {"192.0.2.8", "11.0.0.1", "2001:db9::1", "", "nonsense"})
    EXPECT_EQ(judge(options, "{}", "event", {.client_address = address}), "") << address;
  EXPECT_EQ(judge(options, "{}", "log", {.client_address = "10.0.0.1"}), "ip-address");
  EXPECT_EQ(judge(options, "{}", "client_report", {.client_address = "10.0.0.1"}), "");
  EXPECT_FALSE(Filters::make({.addresses = {"10.0.0.0/33"}}));
  EXPECT_FALSE(Filters::make({.addresses = {"host.example"}}));
}

TEST(Filters, MatchTheSourcesOfCspReports) {
  FilterOptions options{.csp_sources = {"*.ads.example", "chrome-extension", "https://cdn.example:8443",
                                        "data://*"}};
  const auto report = [](std::string_view blocked) {
    return R"({"csp-report":{"blocked-uri":")" + std::string(blocked) + "\"}}";
  };
  EXPECT_EQ(judge(options, report("https://x.ads.example/a.js"), "raw_security"), "invalid-csp");
  EXPECT_EQ(judge(options, report("https://ads.example/a.js"), "raw_security"), "");
  EXPECT_EQ(judge(options, report("https://cdn.example:8443/"), "raw_security"), "invalid-csp");
  EXPECT_EQ(judge(options, report("https://cdn.example/"), "raw_security"), "");
  EXPECT_EQ(judge(options, R"({"type":"csp-violation","body":{"sourceFile":"http://q.ads.example"}})",
                  "raw_security"),
            "invalid-csp");
}

TEST(Filters, KnowReactsHydrationErrors) {
  FilterOptions options{.hydration_errors = true};
  EXPECT_EQ(judge(options, error_of("Error", "Minified React error #418; visit "
                                             "https://reactjs.org/docs/error-decoder.html?invariant=418 for")),
            "react-hydration-errors");
  EXPECT_EQ(judge(options, error_of("Error", "see https://react.dev/errors/425?args[]=x")),
            "react-hydration-errors");
  EXPECT_EQ(judge(options, error_of("Error", "see https://react.dev/errors/31")), "");
  EXPECT_EQ(judge(options, error_of("Error", "see https://react.dev/errors/4181")), "");
  EXPECT_EQ(judge(options, error_of("Error", "Hydration failed because the initial UI does not match")),
            "react-hydration-errors");
}

TEST(Filters, KnowChunksThatDoNotLoad) {
  FilterOptions options{.chunk_load_errors = true};
  EXPECT_EQ(judge(options, error_of("ChunkLoadError", "Loading chunk 3 failed.")), "chunk-load-error");
  EXPECT_EQ(judge(options, error_of("Error", "Uncaught Error: ChunkLoadError: Loading chunk 12")),
            "chunk-load-error");
  EXPECT_EQ(judge(options, error_of("Error", "Loading chunk 552 failed. (timeout)")),
            "chunk-load-error");
  EXPECT_EQ(judge(options, error_of("Error", "a chunk failed")), "");
}

TEST(Filters, TakeGenericConditionsUnderTheirId) {
  FilterOptions options;
  options.generic = {{"no-staging", R"({"op":"eq","name":"event.environment","value":"staging"})"},
                     {"no-debug", R"({"op":"eq","name":"log.level","value":"debug"})"}};
  EXPECT_EQ(judge(options, R"({"environment":"staging"})"), "no-staging");
  EXPECT_EQ(judge(options, R"({"environment":"prod"})"), "");
  EXPECT_EQ(judge(options, R"({"level":"debug"})", "log"), "no-debug");
  options.generic = {{"bad", "{}"}};
  EXPECT_EQ(Filters::make(options).error().detail, "generic filter bad: a condition has no op");
}

TEST(Filters, ReportTheFirstThatHolds) {
  FilterOptions options;
  options.localhost = true;
  options.web_crawlers = true;
  options.error_messages = {"*gone*"};
  const std::string_view payload =
      R"({"message":"it is gone","request":{"url":"http://localhost/","headers":{"User-Agent":"Googlebot"}}})";
  EXPECT_EQ(judge(options, payload), "error-message");
  options.error_messages.clear();
  EXPECT_EQ(judge(options, payload), "localhost");
  options.localhost = false;
  EXPECT_EQ(judge(options, payload), "web-crawlers");
}

TEST(Filters, ReadWhatIsBrokenAsFarAsItGoes) {
  FilterOptions options{.browser_extensions = true,
                        .localhost = true,
                        .web_crawlers = true,
                        .error_messages = {"*x*"}};
  for (const std::string_view payload :
       {"", "{", "null", "[]", "{\"exception\":", R"({"exception":{"values":[{"type":)",
        R"({"exception":7,"message":{},"request":[],"user":"me"})",
        R"({"exception":{"values":{"type":"x"}}})", R"({"request":{"headers":[["User-Agent"],7,[]]}})",
        "{\"message\":\"\xff\xfe\"}", R"({"message":null,"logentry":{"message":null}})"}) {
    judge(options, payload);
  }
  EXPECT_EQ(judge(options, std::string(100'000, '[')), "");
}

}  // namespace
}  // namespace picket::filter

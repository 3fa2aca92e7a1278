// What browsers fetch from ingest: the error page's dialog and the JavaScript loader.
#include "relay/ingest/small_endpoints.h"

#include <fstream>

namespace picket::ingest {
namespace {

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

class ErrorPage : public SmallEndpointTest {
 protected:
  static std::string page(std::string_view more = {},
                          std::string_view key = good_key,
                          std::string_view project = "1") {
    return "/api/embed/error-page/?dsn=" +
           http::percent_encode("https://" + std::string(key) + "@picket.example/" +
                                std::string(project)) +
           "&eventId=" + std::string(some_id) + std::string(more);
  }
  http::Response get(const std::string& target) { return ask(make_request("GET", target)); }
};

TEST_F(ErrorPage, IsAScript) {
  const auto response = get(page());
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(response.headers.find("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(response.headers.find("X-Content-Type-Options"), "nosniff");
  EXPECT_TRUE(response.body.ends_with("})({});\n"));
}

TEST_F(ErrorPage, ShowsTheTextsOfThePageAndNothingElse) {
  const auto response = get(page("&name=J%C3%BCrg&title=A%26B&unknown=x&labelClose="));
  EXPECT_TRUE(response.body.ends_with("})({\"name\":\"J\xc3\xbcrg\",\"title\":\"A\\u0026B\"});\n"))
      << response.body.substr(response.body.size() - 80);
}

TEST_F(ErrorPage, LetsNobodyOutOfTheTexts) {
  const auto hostile = http::percent_encode("\"});alert(1);//</script><img src=x>\\\n\xe2\x80\xa8\xff");
  const auto response = get(page("&title=" + hostile));
  const auto given = response.body.substr(response.body.rfind("})("));
  EXPECT_EQ(given, "})({\"title\":\"\\\"});alert(1);//\\u003c/script\\u003e\\u003cimg src=x\\u003e"
                   "\\\\\\u000a\\u2028\xef\xbf\xbd\"});\n");
}

TEST_F(ErrorPage, NeedsAnEventAndADsnOfOurs) {
  EXPECT_EQ(get("/api/embed/error-page/?dsn=x").status, 400U);
  EXPECT_EQ(get("/api/embed/error-page/?eventId=" + std::string(some_id)).status, 404U);
  EXPECT_EQ(get("/api/embed/error-page/?dsn=x&eventId=" + std::string(some_id)).status, 404U);
  EXPECT_EQ(get(page("", unknown_key)).status, 404U);
  EXPECT_EQ(get(page("", disabled_key)).status, 404U);
  EXPECT_EQ(get(page("", good_key, "2")).status, 404U);
}

TEST_F(ErrorPage, TakesTheReport) {
  const auto response = post(page(), "name=J%C3%BCrg+M&email=a%40b.example&comments=it+%22broke%22%0A",
                             typed("application/x-www-form-urlencoded"));
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, "{}");
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(kept()[0].type, "user_report");
  EXPECT_EQ(kept()[0].payload, R"({"event_id":")" + std::string(some_id) +
                                   "\",\"name\":\"J\xc3\xbcrg M\"," +
                                   R"("email":"a@b.example","comments":"it \"broke\""})");
  EXPECT_EQ(relay::render_event_id(*relay::event_id_from_raw(meta_of(only_record()).event_id())),
            some_id);
}

TEST_F(ErrorPage, RefusesReportsWithoutAName) {
  for (const auto* body : {"", "name=a&email=b", "name=+&email=b&comments=c", "name=a&comments=c"})
    EXPECT_EQ(post(page(), body).status, 400U) << body;
  EXPECT_EQ(post("/api/embed/error-page/", "name=a&email=b&comments=c").status, 401U);
  EXPECT_EQ(post(page("", unknown_key), "name=a&email=b&comments=c").status, 403U);
  EXPECT_EQ(post("/api/embed/error-page/?dsn=x", "name=a&email=b&comments=c").status, 400U);
  EXPECT_TRUE(kept_nothing());
}

TEST_F(ErrorPage, AllowsItsMethods) {
  EXPECT_EQ(ask(make_request("OPTIONS", page())).status, 200U);
  const auto response = ask(make_request("DELETE", page()));
  EXPECT_EQ(response.status, 405U);
  EXPECT_EQ(response.headers.find("Allow"), "GET, HEAD, POST, OPTIONS");
}

class JsLoader : public SmallEndpointTest {
 protected:
  JsLoader() : SmallEndpointTest(configured()) {}
  explicit JsLoader(const IngestConfig& config) : SmallEndpointTest(config) {}
  static IngestConfig configured() {
    IngestConfig config;
    config.js_sdk_url = "https://cdn.example/bundle.js";
    return config;
  }
  http::Response get(const std::string& target, std::string host = "picket.example:3000") {
    return ask(make_request("GET", target, {{"Host", std::move(host)}}));
  }
  static std::string loader(std::string_view key) {
    return "/js-sdk-loader/" + std::string(key) + ".js";
  }
};

TEST_F(JsLoader, KnowsTheDsnAndTheBundle) {
  for (const auto& target : {loader(good_key), loader(std::string(good_key) + ".min")}) {
    const auto response = get(target);
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.content_type, "text/javascript; charset=utf-8");
    EXPECT_TRUE(response.body.ends_with("})(\"http://" + std::string(good_key) +
                                        "@picket.example:3000/1\", "
                                        "\"https://cdn.example/bundle.js\");\n"))
        << response.body.substr(response.body.size() - 160);
  }
  const auto behind_proxy = ask(make_request(
      "GET", loader(good_key), {{"Host", "picket.example"}, {"X-Forwarded-Proto", "https"}}));
  EXPECT_TRUE(holds(behind_proxy.body, "\"https://" + std::string(good_key) + "@picket.example/1\""));
}

TEST_F(JsLoader, SaysWhatIsMissing) {
  for (const auto& target : {loader(unknown_key), loader(disabled_key), loader(sleeping_key),
                             loader("x"), std::string("/js-sdk-loader/x")}) {
    const auto response = get(target);
    EXPECT_EQ(response.status, 404U) << target;
    EXPECT_EQ(response.content_type, "text/javascript; charset=utf-8");
    EXPECT_TRUE(response.body.starts_with("/* Picket has no SDK to load here: "));
  }
}

TEST_F(JsLoader, LetsNobodyIntoTheScript) {
  for (const auto* host : {"", "a\"b", "a/b", "a b", "a@b", "*/alert(1)//"})
    EXPECT_EQ(get(loader(good_key), host).status, 404U) << host;
}

TEST_F(JsLoader, TakesNothingIn) {
  const auto response = post(loader(good_key), "x");
  EXPECT_EQ(response.status, 405U);
  EXPECT_EQ(response.headers.find("Allow"), "GET, HEAD, OPTIONS");
}

class UnconfiguredLoader : public JsLoader {
 protected:
  UnconfiguredLoader() : JsLoader(IngestConfig{}) {}
};

TEST_F(UnconfiguredLoader, NamesTheSettings) {
  const auto response = get(loader(good_key));
  EXPECT_EQ(response.status, 404U);
  EXPECT_TRUE(holds(response.body, "js_sdk_file"));
  EXPECT_EQ(get("/js-sdk-bundle/bundle.js").status, 404U);
}

TEST_F(UnconfiguredLoader, ServesTheFileThatIsConfigured) {
  std::ofstream(folder / "bundle.js") << "window.Sentry = {};";
  IngestConfig config;
  config.js_sdk_file = folder / "bundle.js";
  ingest = std::make_unique<Ingest>(journal, *tables, clock, config);
  EXPECT_TRUE(holds(get(loader(good_key)).body, "\"http://picket.example:3000/js-sdk-bundle/bundle.js\""));
  const auto bundle = get("/js-sdk-bundle/bundle.js");
  EXPECT_EQ(bundle.status, 200U);
  EXPECT_EQ(bundle.body, "window.Sentry = {};");
}

TEST_F(UnconfiguredLoader, DoesNotStartWithoutItsFile) {
  IngestConfig config;
  config.js_sdk_file = folder / "nowhere.js";
  EXPECT_THROW(Ingest(journal, *tables, clock, config), std::runtime_error);
}

}  // namespace
}  // namespace picket::ingest

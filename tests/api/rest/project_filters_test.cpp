#include "api/rest/rest_fixture.h"

namespace picket::rest {
namespace {

constexpr std::string_view project = "/api/0/projects/picket/default/";
constexpr std::string_view filters = "/api/0/projects/picket/default/filters/";
constexpr std::string_view spikes = "/api/0/organizations/picket/spike-protections/";

class Filters : public Rest {
 protected:
  Answer put(std::string_view target, std::string body) {
    return call("PUT", target, std::move(body));
  }
  Answer put_filter(std::string_view id, std::string body) {
    return put(std::string(filters) + std::string(id) + "/", std::move(body));
  }
  boost::json::value active(std::string_view id) {
    const auto answer = get(filters);
    for (const auto& filter : answer.json.as_array()) {
      if (filter.at("id") == boost::json::string(id)) return filter.at("active");
    }
    return nullptr;
  }
};

TEST_F(Filters, AreListedAndOffAtFirst) {
  const auto list = get(filters);
  ASSERT_EQ(list.status, 200U);
  EXPECT_EQ(list.json.as_array().size(), 7U);
  for (const auto& filter : list.json.as_array())
    EXPECT_EQ(filter.at("active"), false) << filter;
}

TEST_F(Filters, AreSwitchedOneByOneAndIntakeIsTold) {
  const auto before = generation();
  EXPECT_EQ(put_filter("localhost", R"({"active":true})").status, 204U);
  EXPECT_EQ(put_filter("web-crawlers", R"({"active":true})").status, 204U);
  EXPECT_EQ(active("localhost"), true);
  EXPECT_EQ(active("web-crawlers"), true);
  EXPECT_EQ(active("browser-extensions"), false);
  EXPECT_EQ(put_filter("localhost", R"({"active":false})").status, 204U);
  EXPECT_EQ(active("localhost"), false);
  EXPECT_EQ(active("web-crawlers"), true);
  EXPECT_EQ(generation(), before + 3);
}

TEST_F(Filters, TakeLegacyBrowsersByName) {
  EXPECT_EQ(put_filter("legacy-browsers", R"({"subfilters":["ie9","safari"]})").status, 204U);
  EXPECT_EQ(active("legacy-browsers"), (boost::json::array{"ie9", "safari"}));
  EXPECT_EQ(put_filter("legacy-browser", R"({"subfilters":[]})").status, 204U);
  EXPECT_EQ(active("legacy-browsers"), false);
  EXPECT_EQ(put_filter("legacy-browsers", R"({"active":true})").status, 204U);
  EXPECT_EQ(active("legacy-browsers"), true);
  EXPECT_EQ(put_filter("legacy-browsers", R"({"subfilters":["netscape"]})").text,
            R"({"subfilters":["\"netscape\" is not a valid choice."]})");
}

TEST_F(Filters, RefuseWhatIsWrong) {
  EXPECT_EQ(put_filter("unheard-of", R"({"active":true})").status, 404U);
  EXPECT_EQ(put_filter("localhost", "{}").text, R"({"active":["This field is required."]})");
  EXPECT_EQ(put_filter("localhost", R"({"active":"perhaps"})").text,
            R"({"active":["Must be a valid boolean."]})");
  const auto reader = make_token({"project:read"});
  EXPECT_EQ(call("PUT", std::string(filters) + "localhost/", R"({"active":true})", reader).status,
            403U);
}

TEST_F(Filters, OptionsAreMergedEntryByEntry) {
  ASSERT_EQ(put(project, R"({"options":{"filters:releases":"1.*","filters:error_messages":"*x*"}})")
                .status,
            200U);
  ASSERT_EQ(put_filter("localhost", R"({"active":true})").status, 204U);
  const auto answer =
      put(project, R"({"options":{"filters:releases":null,"filters:blacklisted_ips":"10.0.0.0/8"}})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  const auto options = get(project)["options"].as_object();
  EXPECT_FALSE(options.contains("filters:releases"));
  EXPECT_EQ(options.at("filters:error_messages"), "*x*");
  EXPECT_EQ(options.at("filters:blacklisted_ips"), "10.0.0.0/8");
  EXPECT_EQ(options.at("filters:localhost"), true);
}

TEST_F(Filters, SettingsThatIntakeCouldNotUseAreRefused) {
  for (const std::string body :
       {R"({"options":{"filters:releases":"[1"}})", R"({"options":{"filters:blacklisted_ips":"host"}})",
        R"({"options":{"picket:quotas":[{"id":"x"}]}})",
        R"({"options":{"picket:sampling":{"rules":[{}]}}})", R"({"relayPiiConfig":"{nonsense"})",
        R"({"relayPiiConfig":"{\"applications\":{\"$string\":[\"no-such-rule\"]},\"rules\":{\"a\":{\"type\":\"pattern\",\"pattern\":\"(\"}}}"})",
        R"({"allowedDomains":[]})", R"({"allowedDomains":[7.5]})", R"({"sensitiveFields":[{}]})",
        R"({"dataScrubber":"perhaps"})"}) {
    EXPECT_EQ(put(project, body).status, 400U) << body;
  }
  EXPECT_EQ(put(project, R"({"allowedDomains":[""]})").text,
            R"({"allowedDomains":["Empty value will block all requests, use * to accept from all domains"]})");
  EXPECT_TRUE(get(project)["relayPiiConfig"].is_null());
}

TEST_F(Filters, ScrubbingIsOnUnlessSwitchedOff) {
  EXPECT_EQ(get(project)["dataScrubber"], true);
  EXPECT_EQ(get(project)["dataScrubberDefaults"], true);
  const auto answer = put(project,
                          R"({"dataScrubber":false,"sensitiveFields":["pin"],"scrubIPAddresses":true,
            "relayPiiConfig":"{\"applications\":{\"$string\":[\"@email:mask\"]}}"})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  EXPECT_EQ(get(project)["dataScrubber"], false);
  EXPECT_EQ(get(project)["sensitiveFields"].at(0), "pin");
}

TEST_F(Filters, AnOrganizationsScrubbingReachesIntake) {
  const auto before = generation();
  EXPECT_EQ(put("/api/0/organizations/picket/", R"({"scrubIPAddresses":true})").status, 200U);
  EXPECT_GT(generation(), before);
  EXPECT_EQ(put("/api/0/organizations/picket/", R"({"relayPiiConfig":"{nonsense"})").status, 400U);
}

TEST_F(Filters, SpikeProtectionIsSwitchedForSomeProjectsOrAll) {
  const auto disabled = [this] {
    const auto shown = get(project);
    const auto* value =
        shown["options"].as_object().if_contains("quotas:spike-protection-disabled");
    return value == nullptr ? boost::json::value(nullptr) : *value;
  };
  EXPECT_TRUE(disabled().is_null());
  EXPECT_EQ(call("POST", spikes, R"({"projects":["default"]})").status, 201U);
  EXPECT_EQ(disabled(), false);
  EXPECT_EQ(call("DELETE", spikes, R"({"projects":["$all"]})").status, 200U);
  EXPECT_EQ(disabled(), true);
  EXPECT_EQ(call("POST", spikes, R"({"projects":["nobody","default"]})").text,
            R"({"projects":["Invalid project slugs: nobody"]})");
  EXPECT_EQ(call("POST", spikes, "{}").text, R"({"projects":["This field is required."]})");
  EXPECT_EQ(disabled(), true);
}

}  // namespace
}  // namespace picket::rest

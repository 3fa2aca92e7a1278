#include "api/rest/rest_fixture.h"

namespace picket::rest {
namespace {

constexpr std::string_view sampled_organization = "/api/0/organizations/picket/";
constexpr std::string_view sampled_project = "/api/0/projects/picket/default/";
constexpr std::string_view project_rates = "/api/0/organizations/picket/sampling/project-rates/";

class SamplingRates : public Rest {
 protected:
  boost::json::array biases() { return get(sampled_project)["dynamicSamplingBiases"].as_array(); }
};

TEST_F(SamplingRates, KeepEverythingAtFirst) {
  EXPECT_EQ(get(sampled_organization)["targetSampleRate"], 1.0);
  EXPECT_EQ(get(sampled_organization)["samplingMode"], "organization");
  EXPECT_EQ(get(sampled_organization)["isDynamicallySampled"], false);
  EXPECT_EQ(get(sampled_project)["isDynamicallySampled"], false);
  EXPECT_EQ(get(project_rates).json, (boost::json::array{boost::json::object{{"id", 1}, {"sampleRate", 1.0}}}));
}

TEST_F(SamplingRates, OfTheOrganizationHoldForItsProjects) {
  const auto before = generation();
  EXPECT_EQ(call("PUT", sampled_organization, R"({"targetSampleRate":0.25})")["targetSampleRate"], 0.25);
  EXPECT_GT(generation(), before) << "intake is told";
  EXPECT_EQ(get(sampled_organization)["isDynamicallySampled"], true);
  EXPECT_EQ(get(sampled_project)["isDynamicallySampled"], true);
  EXPECT_EQ(call("PUT", sampled_organization, R"({"samplingMode":"project"})").status, 200U);
  EXPECT_EQ(get(sampled_project)["isDynamicallySampled"], false) << "its own rate is 1";
  EXPECT_EQ(call("PUT", sampled_organization, R"({"targetSampleRate":null})")["targetSampleRate"], 1.0);
}

TEST_F(SamplingRates, OfProjectsAreWrittenTogether) {
  const auto before = generation();
  const auto answer = call("PUT", project_rates, R"([{"id":1,"sampleRate":0.5}])");
  EXPECT_EQ(answer.status, 200U) << answer.text;
  EXPECT_GT(generation(), before);
  EXPECT_EQ(get(project_rates).json.at(0).at("sampleRate"), 0.5);
  EXPECT_EQ(get(sampled_project)["isDynamicallySampled"], false) << "until the organization leaves it to its projects";
  call("PUT", sampled_organization, R"({"samplingMode":"project"})");
  EXPECT_EQ(get(sampled_project)["isDynamicallySampled"], true);
}

TEST_F(SamplingRates, BiasesAreSwitchedByName) {
  EXPECT_EQ(biases().size(), 3U);
  const auto changed =
      call("PUT", sampled_project, R"({"dynamicSamplingBiases":[{"id":"ignoreHealthChecks","active":false}]})");
  EXPECT_EQ(changed.status, 200U) << changed.text;
  for (const auto& bias : biases())
    EXPECT_EQ(bias.at("active"), bias.at("id") != "ignoreHealthChecks") << bias;
  EXPECT_EQ(call("PUT", sampled_project, R"({"dynamicSamplingBiases":null})").status, 200U);
  for (const auto& bias : biases()) EXPECT_EQ(bias.at("active"), true) << bias;
}

TEST_F(SamplingRates, RefuseWhatIsWrong) {
  for (const std::string wrong : {"-0.1", "1.1", "\"1\"", "[]", "true"}) {
    EXPECT_EQ(call("PUT", sampled_organization, "{\"targetSampleRate\":" + wrong + "}").status, 400U) << wrong;
    EXPECT_EQ(call("PUT", project_rates, "[{\"id\":1,\"sampleRate\":" + wrong + "}]").status, 400U) << wrong;
  }
  EXPECT_EQ(call("PUT", sampled_organization, R"({"samplingMode":"total"})").status, 400U);
  EXPECT_EQ(call("PUT", project_rates, R"({"id":1})").status, 400U);
  EXPECT_EQ(call("PUT", project_rates, R"([7,{"id":"1","sampleRate":1}])").text,
            R"([{"id":["A valid integer is required."],"sampleRate":["Must be a number from 0 to 1."]},)"
            R"({"id":["A valid integer is required."]}])");
  EXPECT_EQ(call("PUT", project_rates, R"([{"id":1,"sampleRate":0.5},{"id":99,"sampleRate":1}])").status, 403U);
  EXPECT_EQ(get(project_rates).json.at(0).at("sampleRate"), 1.0) << "all or nothing";
  for (const std::string wrong : {R"({"id":"boostLatestRelease","active":true})", R"({"id":"boostReplayId"})", "7"}) {
    const auto answer = call("PUT", sampled_project, "{\"dynamicSamplingBiases\":[" + wrong + "]}");
    EXPECT_EQ(answer.status, 400U) << wrong;
    EXPECT_TRUE(answer.json.as_object().contains("dynamicSamplingBiases")) << answer.text;
  }
}

TEST_F(SamplingRates, AreForThoseWhoMayWriteTheOrganization) {
  const auto reader = make_token({"org:read", "project:read"});
  EXPECT_EQ(call("GET", project_rates, {}, reader).status, 200U);
  EXPECT_EQ(call("PUT", project_rates, R"([{"id":1,"sampleRate":0.5}])", reader).status, 403U);
}

}  // namespace
}  // namespace picket::rest

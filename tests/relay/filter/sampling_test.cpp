#include "relay/filter/sampling.h"

#include <gtest/gtest.h>

#include <map>

namespace picket::filter {
namespace {

const Time now = time_from_ms(1'700'000'000'000);

Sampling make(std::string_view rules) {
  auto sampling = Sampling::parse(R"({"version":2,"rules":[)" + std::string(rules) + "]}");
  EXPECT_TRUE(sampling) << (sampling ? "" : sampling.error().detail);
  return sampling ? *sampling : Sampling();
}
std::string rule(std::string_view id, std::string_view value, std::string_view more = {}) {
  return R"({"id":)" + std::string(id) + R"(,"type":"trace","samplingValue":)" + std::string(value) +
         std::string(more) + "}";
}
std::string trace(double drawn, std::string_view more = {}) {
  return R"({"trace_id":"771a43a4192642f0b136d5159a501700","sample_rand":")" + std::to_string(drawn) +
         "\"" + std::string(more) + "}";
}
std::string judge(const Sampling& sampling, std::string_view dsc, Time when = now) {
  return sampling.judge("event", R"({"transaction":"/pay"})", dsc, when,
                        [](std::uint32_t, std::uint64_t) { return false; });
}

TEST(Sampling, KeepsWhatNoRuleSpeaksOf) {
  EXPECT_EQ(judge(make(""), trace(0.99)), "");
  EXPECT_EQ(judge(make(rule("1", R"({"type":"sampleRate","value":0})",
                            R"(,"condition":{"op":"eq","name":"trace.release","value":"x"})")),
                  trace(0.99)),
            "");
}

TEST(Sampling, DropsAboveTheRate) {
  const auto sampling = make(rule("1000", R"({"type":"sampleRate","value":0.25})"));
  EXPECT_EQ(judge(sampling, trace(0.24)), "");
  EXPECT_EQ(judge(sampling, trace(0.26)), "Sampled:1000");
}

TEST(Sampling, MultipliesFactorsAndRaisesToMinima) {
  const auto sampling = make(rule("1", R"({"type":"factor","value":2})") + "," +
                             rule("2", R"({"type":"minimumSampleRate","value":0.2})") + "," +
                             rule("3", R"({"type":"sampleRate","value":0.1})"));
  EXPECT_EQ(judge(sampling, trace(0.39)), "");
  EXPECT_EQ(judge(sampling, trace(0.41)), "Sampled:1,2,3");
}

TEST(Sampling, CountsWhatTheClientSampledAlready) {
  const auto sampling = make(rule("1", R"({"type":"sampleRate","value":0.1})"));
  EXPECT_EQ(judge(sampling, trace(0.49, R"(,"sample_rate":"0.2")")), "");
  EXPECT_EQ(judge(sampling, trace(0.51, R"(,"sample_rate":0.2)")), "Sampled:1");
  EXPECT_EQ(judge(sampling, trace(0.99, R"(,"sample_rate":"0.05")")), "");
}

TEST(Sampling, KeepsToTimeRangesAndDecays) {
  const std::string range =
      R"(,"timeRange":{"start":"2023-11-14T22:00:00Z","end":"2023-11-14T23:00:00Z"})";
  const auto start = time_from_ms(1'699'999'200'000);
  const auto half = start + std::chrono::minutes(30);
  const auto plain = make(rule("1", R"({"type":"sampleRate","value":0})", range));
  EXPECT_EQ(judge(plain, trace(0.5), start - std::chrono::seconds(1)), "");
  EXPECT_EQ(judge(plain, trace(0.5), half), "Sampled:1");
  EXPECT_EQ(judge(plain, trace(0.5), start + std::chrono::hours(1)), "");
  const auto decaying = make(rule("1", R"({"type":"sampleRate","value":1.0})",
                                  range + R"(,"decayingFn":{"type":"linear","decayedValue":0})"));
  EXPECT_EQ(judge(decaying, trace(0.45), half), "");
  EXPECT_EQ(judge(decaying, trace(0.55), half), "Sampled:1");
}

TEST(Sampling, FillsReservoirsFirst) {
  const auto sampling = make(rule("7", R"({"type":"reservoir","limit":2})") + "," +
                             rule("8", R"({"type":"sampleRate","value":0})"));
  std::map<std::uint32_t, std::uint64_t> counts;
  const auto reservoir = [&](std::uint32_t id, std::uint64_t limit) { return counts[id]++ < limit; };
  int kept = 0;
  for (int i = 0; i < 5; ++i)
    kept += sampling.judge("event", "{}", trace(0.5), now, reservoir).empty() ? 1 : 0;
  EXPECT_EQ(kept, 2);
}

TEST(Sampling, ReadsThePayloadToo) {
  const auto sampling =
      make(rule("1002", R"({"type":"sampleRate","value":0})",
                R"(,"condition":{"op":"glob","name":"event.transaction","value":["/p*"]})"));
  EXPECT_EQ(judge(sampling, trace(0.5)), "Sampled:1002");
}

TEST(Sampling, DrawsEvenlyAndAlwaysTheSameFromATraceId) {
  int below = 0;
  constexpr int traces = 20'000;
  for (int i = 0; i < traces; ++i) {
    char id[33];
    std::snprintf(id, sizeof id, "%016llx%016llx", 0x9e3779b97f4a7c15ULL * static_cast<unsigned>(i + 1),
                  0xbf58476d1ce4e5b9ULL * static_cast<unsigned>(i + 7));
    const auto number = number_of_trace(id);
    ASSERT_TRUE(number);
    ASSERT_GE(*number, 0.0);
    ASSERT_LT(*number, 1.0);
    EXPECT_EQ(number, number_of_trace(id));
    below += *number < 0.25 ? 1 : 0;
  }
  EXPECT_NEAR(below, traces / 4, traces / 50);
  EXPECT_FALSE(number_of_trace("nonsense"));
}

TEST(Sampling, KeepsWhatHasNoTrace) {
  const auto sampling = make(rule("1", R"({"type":"sampleRate","value":0})"));
  EXPECT_EQ(judge(sampling, ""), "");
}

TEST(Sampling, SaysWhatIsWrong) {
  const auto wrong = [](std::string_view json) {
    const auto sampling = Sampling::parse(json);
    return sampling ? std::string() : sampling.error().detail;
  };
  EXPECT_EQ(wrong("[]"), "sampling is not a JSON object");
  EXPECT_EQ(wrong(R"({"rules":{}})"), "rules is not a list");
  EXPECT_EQ(wrong(R"({"rules":[{"type":"trace"}]})"), "rule 1: id must be a whole number");
  EXPECT_EQ(wrong(R"({"rules":[{"id":1,"type":"span"}]})"),
            "rule 1: type is one of trace, transaction, project");
  EXPECT_EQ(wrong(R"({"rules":[{"id":1,"type":"trace","samplingValue":{"type":"sampleRate","value":2}}]})"),
            "rule 1: a sample rate is at most 1");
  EXPECT_EQ(wrong("{}"), "");
}

}  // namespace
}  // namespace picket::filter

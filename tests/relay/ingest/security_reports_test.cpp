#include "relay/ingest/small_endpoints.h"

namespace picket::ingest {
namespace {

class SecurityReports : public SmallEndpointTest {
 protected:
  http::Response report(std::string body, std::string type, std::string_view more = {}) {
    return post(address("security/", more), std::move(body), typed(std::move(type)));
  }
};

constexpr std::string_view csp =
    R"({"csp-report": {"document-uri": "https://shop.example/", "violated-directive": "img-src"}})";
constexpr std::string_view violation =
    R"({"type":"csp-violation","url":"https://shop.example/","body":{"effectiveDirective":"img-src"}})";

TEST_F(SecurityReports, AreKeptAsTheyCame) {
  const auto response = report(std::string(csp), "application/csp-report");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(response.headers.find("Access-Control-Allow-Origin"), "*");
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(kept()[0].type, "raw_security");
  EXPECT_EQ(kept()[0].payload, csp);
  EXPECT_EQ(meta_of(only_record()).event_id().size(), 16U);
}

TEST_F(SecurityReports, AreTakenUnderBothNames) {
  for (const auto* endpoint : {"security/", "security", "csp-report/", "csp-report"}) {
    EXPECT_EQ(post(address(endpoint), std::string(csp), typed("application/csp-report")).status,
              200U)
        << endpoint;
  }
}

TEST_F(SecurityReports, KnowEveryKind) {
  for (const std::string_view body :
       {csp, violation, std::string_view(R"({"expect-ct-report":{}})"),
        std::string_view(R"({"expect-staple-report":{}})"),
        std::string_view(R"({"hostname":"shop.example","known-pins":[]})")}) {
    report(std::string(body), "application/json");
  }
  EXPECT_EQ(journal.records().size(), 5U);
}

TEST_F(SecurityReports, OfAnArrayBecomeOneItemEach) {
  const auto body = "[" + std::string(violation) + ", " + std::string(violation) + "]";
  EXPECT_EQ(report(body, "application/reports+json").status, 200U);
  ASSERT_EQ(kept().size(), 2U);
  EXPECT_EQ(kept()[1].payload, violation);
}

TEST_F(SecurityReports, KeepReleaseAndEnvironmentOfTheAddress) {
  report(std::string(csp), "application/csp-report",
         "&sentry_release=shop%401.0%22&sentry_environment=edge");
  EXPECT_NE(kept()[0].header.find(R"("sentry_release":"shop@1.0\"")"), std::string::npos)
      << kept()[0].header;
  EXPECT_NE(kept()[0].header.find(R"("sentry_environment":"edge")"), std::string::npos);
}

TEST_F(SecurityReports, AreRefusedWithAnotherContentType) {
  for (const auto* type : {"text/plain", "application/x-www-form-urlencoded", "",
                           "application/x-sentry-envelope"}) {
    EXPECT_EQ(report(std::string(csp), type).status, 415U) << type;
  }
  for (const auto* type :
       {"application/csp-report; charset=utf-8", "Application/JSON", "application/reports+json",
        "application/expect-ct-report+json", "application/expect-ct-report",
        "application/expect-staple-report", "application/expect-staple-report+json"}) {
    EXPECT_EQ(report(std::string(csp), type).status, 200U) << type;
  }
}

TEST_F(SecurityReports, AreRefusedWhenTheyAreNoJson) {
  for (const auto* body : {"", "x", "[", "[{}", "{\"csp-report\":", "7"}) {
    EXPECT_EQ(report(body, "application/json").status, 400U) << body;
  }
  EXPECT_TRUE(kept_nothing());
}

TEST_F(SecurityReports, OfOtherKindsAreDroppedBesideTheOthers) {
  const auto body = R"([{"type":"deprecation","body":{}}, 7, )" + std::string(violation) + "]";
  EXPECT_EQ(report(body, "application/reports+json").status, 200U);
  EXPECT_EQ(kept().size(), 1U);
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "security_report_type"), 2U);
  EXPECT_EQ(ingest->counters().received(relay::DataCategory::security), 3U);
  ASSERT_EQ(outcomes().size(), 1U);
  EXPECT_EQ(outcomes()[0].quantity(), 2U);
}

TEST_F(SecurityReports, AreCountedWhenNoneIsKept) {
  EXPECT_EQ(report("[{}]", "application/reports+json").status, 200U);
  EXPECT_TRUE(kept_nothing());
  EXPECT_EQ(ingest->counters().dropped(relay::Outcome::invalid, "security_report_type"), 1U);
}

TEST_F(SecurityReports, NeedAKeyThatIsKnown) {
  EXPECT_EQ(post("/api/1/security/", std::string(csp), typed("application/csp-report")).status,
            401U);
  EXPECT_EQ(post("/api/2/security/?sentry_key=" + std::string(good_key), std::string(csp),
                 typed("application/csp-report"))
                .status,
            403U);
}

TEST_F(SecurityReports, AreLimitedLikeEvents) {
  const auto large = R"({"csp-report":")" + std::string(std::size_t{1} << 20, 'x') + "\"}";
  EXPECT_EQ(report(large, "application/csp-report").status, 413U);
  std::string many = "[1";
  for (int i = 0; i < 200; ++i)
    many += ",1";
  EXPECT_EQ(report(many + "]", "application/reports+json").status, 413U);
}

TEST_F(SecurityReports, MayHearThatTheDiskIsFull) {
  journal.set_full(true);
  EXPECT_EQ(report(std::string(csp), "application/csp-report").status, 429U);
}

}  // namespace
}  // namespace picket::ingest

#include "relay/ingest/coded.h"
#include "relay/ingest/desk.h"

namespace picket::ingest {
namespace {

class Auth : public DeskTest {
 protected:
  http::Response with(Fields fields, std::string_view target = "/api/1/envelope/") {
    return post(target, event_envelope(), std::move(fields));
  }
  static std::string dsn_envelope(std::string_view dsn) {
    return R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","dsn":")" + std::string(dsn) +
           "\"}\n" + item("event", "{}");
  }
  static std::string dsn(std::string_view key, std::string_view project) {
    return "https://" + std::string(key) + "@picket.example/" + std::string(project);
  }
  void expect_refused(const http::Response& response, unsigned status, std::string_view word) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_NE(response.body.find(word), std::string::npos) << response.body;
    EXPECT_FALSE(response.headers.find("X-Sentry-Error").empty());
    EXPECT_TRUE(journal.records().empty());
  }
  // Refused before its body was read?
  bool admitted(const Fields& fields, std::string_view target = "/api/1/envelope/") {
    return std::holds_alternative<http::ReadBody>(
        ingest->admit(make_request("POST", target, fields).head));
  }
};

TEST_F(Auth, IsTakenFromEveryPlaceSdksPutIt) {
  const std::string key(good_key);
  EXPECT_EQ(with({{"X-Sentry-Auth", auth(key)}}).status, 200U);
  EXPECT_EQ(with({{"x-sentry-auth", "sentry_key=" + key + ",sentry_version=5"}}).status, 200U);
  EXPECT_EQ(with({{"Authorization", auth(key)}}).status, 200U);
  EXPECT_EQ(with({{"Authorization", "Basic " + encode_base64(key + ":")}}).status, 200U);
  EXPECT_EQ(with({}, "/api/1/envelope/?sentry_version=7&sentry_key=" + key).status, 200U);
  EXPECT_EQ(with({}, "/api/1/envelope?sentry_key=" + key + "&sentry_client=a%2F1").status, 200U);
  EXPECT_EQ(with({{"X-Sentry-Auth", "Sentry sentry_key=" + key + ".no-cache"}}).status, 200U);
  EXPECT_EQ(post("/api/1/envelope/", dsn_envelope(dsn(key, "1"))).status, 200U);
  EXPECT_EQ(journal.records().size(), 8U);
  for (const auto& record : journal.records())
    EXPECT_EQ(record.project, 1U);
}

TEST_F(Auth, IsTakenByStoreWithAndWithoutProject) {
  const Fields fields{{"X-Sentry-Auth", auth(other_key)}};
  EXPECT_EQ(post("/api/2/store/", "{}", fields).status, 200U);
  EXPECT_EQ(post("/api/store/", "{}", fields).status, 200U);
  EXPECT_EQ(post("/api/store", "{}", fields).status, 200U);
  for (const auto& record : journal.records())
    EXPECT_EQ(record.project, 2U);
}

TEST_F(Auth, LetsATunnelNameTheKeyInTheEnvelopeEvenBehindAProxysOwnCredentials) {
  const auto body = dsn_envelope(dsn(good_key, "1"));
  EXPECT_EQ(post("/api/1/envelope/", body, {{"Authorization", "Bearer proxys-own"}}).status, 200U);
  EXPECT_EQ(
      post("/api/1/envelope/", body, {{"Authorization", "Basic " + encode_base64("proxy:word")}})
          .status,
      200U);
  EXPECT_EQ(decoded(journal.records().back()), body);
}

TEST_F(Auth, IsMissed) {
  expect_refused(with({}), 401, "missing authorization");
  expect_refused(post("/api/1/store/", "{}"), 401, "missing authorization");
  expect_refused(post("/api/store/", "{}"), 401, "missing authorization");
  EXPECT_FALSE(admitted({}, "/api/1/store/"));
  EXPECT_TRUE(admitted({}));
}

TEST_F(Auth, GivenTwiceIsRefused) {
  expect_refused(with({{"X-Sentry-Auth", auth(good_key)}, {"Authorization", auth(good_key)}}), 401,
                 "multiple");
  expect_refused(with({{"X-Sentry-Auth", auth(good_key)}},
                      "/api/1/envelope/?sentry_key=" + std::string(good_key)),
                 401, "multiple");
  EXPECT_FALSE(admitted({{"X-Sentry-Auth", auth(good_key)}, {"Authorization", auth(good_key)}}));
}

TEST_F(Auth, WithAMalformedKeyIsRefused) {
  for (const auto* key :
       {"short", "", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "a1b2c3d4e5f60718293a4b5c6d7e8f900"}) {
    expect_refused(with({{"X-Sentry-Auth", auth(key)}}), 400, "");
  }
  expect_refused(post("/api/1/envelope/", dsn_envelope("https://nothing")), 400, "dsn");
  expect_refused(with({{"X-Sentry-Auth", "Sentry sentry_version=7"}}), 401, "");
}

TEST_F(Auth, OfANewerProtocolIsRefused) {
  expect_refused(
      with({{"X-Sentry-Auth", "Sentry sentry_version=8, sentry_key=" + std::string(good_key)}}),
      400, "version");
}

TEST_F(Auth, ForAProjectThatIsNoNumberIsRefused) {
  for (const auto* target :
       {"/api/shop/envelope/", "/api/1x/store/", "/api/99999999999999999999/envelope/"}) {
    expect_refused(with({{"X-Sentry-Auth", auth(good_key)}}, target), 400, "project id");
  }
}

TEST_F(Auth, WithAnUnknownKeyIsRefusedUnread) {
  expect_refused(with({{"X-Sentry-Auth", auth(unknown_key)}}), 403, "event rejected");
  EXPECT_FALSE(admitted({{"X-Sentry-Auth", auth(unknown_key)}}));
  expect_refused(post("/api/1/envelope/", dsn_envelope(dsn(unknown_key, "1"))), 403,
                 "event rejected");
  EXPECT_TRUE(outcomes().empty());
  EXPECT_GE(ingest->counters().dropped(relay::Outcome::invalid, "project_state"), 3U);
}

TEST_F(Auth, WithADisabledKeyOrProjectIsRefusedAndAccountedFor) {
  expect_refused(with({{"X-Sentry-Auth", auth(disabled_key)}}), 403, "key is disabled");
  expect_refused(with({{"X-Sentry-Auth", auth(sleeping_key)}}, "/api/3/envelope/"), 403,
                 "project is disabled");

  const auto sums = outcomes();
  ASSERT_EQ(sums.size(), 2U);
  EXPECT_EQ(sums[0].project(), 1U);
  EXPECT_EQ(sums[1].project(), 3U);
  EXPECT_EQ(sums[0].reason(), "project_state");
  EXPECT_EQ(sums[0].quantity(), 1U);
}

TEST_F(Auth, WithTheKeyOfAnotherProjectIsRefused) {
  expect_refused(with({{"X-Sentry-Auth", auth(other_key)}}), 403, "another project");
  ASSERT_EQ(outcomes().size(), 1U);
}

TEST_F(Auth, ThatTheEnvelopesDsnContradictsIsRefused) {
  const Fields fields{{"X-Sentry-Auth", auth(good_key)}};
  expect_refused(post("/api/1/envelope/", dsn_envelope(dsn(other_key, "1")), fields), 400,
                 "dsn mismatch");
  expect_refused(post("/api/1/envelope/", dsn_envelope(dsn(good_key, "2")), fields), 400,
                 "dsn mismatch");
  expect_refused(post("/api/1/envelope/", dsn_envelope(dsn(other_key, "2"))), 400, "dsn mismatch");
  expect_refused(post("/api/1/envelope/", dsn_envelope("nonsense"), fields), 400, "dsn");
  for (const auto& sum : outcomes())
    EXPECT_EQ(sum.category(), 1U);
}

TEST_F(Auth, ThatTheEnvelopesDsnRepeatsPassesWhateverHostItNames) {
  const auto body =
      dsn_envelope("https://" + std::string(good_key) + "@elsewhere.example:8443/prefix/1");
  EXPECT_EQ(post("/api/1/envelope/", body, {{"X-Sentry-Auth", auth(good_key)}}).status, 200U);
}

TEST_F(Auth, WorksWithAKeyMadeAMomentAgo) {
  put_key(*tables, unknown_key, 2);
  EXPECT_EQ(with({{"X-Sentry-Auth", auth(unknown_key)}}, "/api/2/envelope/").status, 200U);
}

}  // namespace
}  // namespace picket::ingest

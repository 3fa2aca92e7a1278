#include "relay/protocol/auth.h"

#include <gtest/gtest.h>

namespace picket::relay {
namespace {

const std::string key = "0123456789abcdef0123456789abcdef";
// base64 of the key and of the key with ':' and a password
const std::string key_base64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const std::string key_password_base64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY6cHc=";

AuthSources header(std::string_view value) {
  AuthSources sources;
  sources.x_sentry_auth = value;
  return sources;
}
AuthSources authorization(std::string_view value) {
  AuthSources sources;
  sources.authorization = value;
  return sources;
}
AuthSources query(std::string_view value) {
  AuthSources sources;
  sources.query = value;
  return sources;
}

void expect_found(const AuthSources& sources, int version = 7, std::string_view client = {}) {
  const auto found = find_auth(sources);
  const auto* const auth = std::get_if<Auth>(&found);
  ASSERT_NE(auth, nullptr) << std::get<AuthError>(found).detail;
  EXPECT_EQ(auth->key.hex, key);
  EXPECT_EQ(auth->version, version);
  EXPECT_EQ(auth->client, client);
}

void expect_refused(const AuthSources& sources, AuthFault fault, unsigned status) {
  const auto found = find_auth(sources);
  const auto* const error = std::get_if<AuthError>(&found);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->fault, fault) << error->detail;
  EXPECT_EQ(error->status(), status);
  EXPECT_FALSE(error->detail.empty());
}

TEST(FindAuth, ReadsTheSentryHeader) {
  const auto value =
      "Sentry sentry_key=" + key + ", sentry_version=7, sentry_client=sentry.python/2.1.0";
  expect_found(header(value), 7, "sentry.python/2.1.0");
  expect_found(authorization(value), 7, "sentry.python/2.1.0");
}

TEST(FindAuth, ReadsTheSentryHeaderInEveryOldSpelling) {
  expect_found(
      header("sentry sentry_version=5,sentry_client=raven/1,sentry_timestamp=1,sentry_key=" + key +
             ",sentry_secret=s"),
      5, "raven/1");
  expect_found(header("  SENTRY\tsentry_key = \"" + key + "\" ,, sentry_version=\"2.0\" , junk"),
               2);
  expect_found(header("sentry_key=" + key));
  expect_found(header("Sentry sentry_key=" + key + ".no-cache.x"));
  expect_found(header("Sentry sentry_key=0123456789ABCDEF0123456789ABCDEF"));
}

TEST(FindAuth, ReadsTheQuery) {
  expect_found(query("sentry_key=" + key +
                     "&sentry_version=7&sentry_client=sentry.javascript.browser%2F8.0.0"),
               7, "sentry.javascript.browser/8.0.0");
  expect_found(query("a=b&&c&sentry_client=x+y&sentry_key=" + key), 7, "x y");
}

TEST(FindAuth, ReadsBasicCredentials) {
  expect_found(authorization("Basic " + key_base64));
  expect_found(authorization("basic  " + key_password_base64));
}

TEST(FindAuth, ReadsTheKeyOfThePath) {
  AuthSources sources;
  sources.path_key = key;
  expect_found(sources);
}

TEST(FindAuth, ReadsTheDsnOfTheEnvelopeWhenNothingElseIsThere) {
  AuthSources sources;
  const auto dsn = "https://" + key + "@h/42";
  sources.envelope_dsn = dsn;
  const auto found = find_auth(sources);
  ASSERT_TRUE(std::holds_alternative<Auth>(found));
  EXPECT_EQ(std::get<Auth>(found).key.hex, key);
  EXPECT_EQ(std::get<Auth>(found).project, 42U);
}

TEST(FindAuth, PrefersAnyOtherSourceToTheDsn) {
  const auto pair = "sentry_key=" + key;
  auto sources = query(pair);
  sources.envelope_dsn = "https://ffffffffffffffffffffffffffffffff@h/42";
  const auto found = find_auth(sources);
  ASSERT_TRUE(std::holds_alternative<Auth>(found));
  EXPECT_EQ(std::get<Auth>(found).key.hex, key);
  EXPECT_EQ(std::get<Auth>(found).project, 0U);
}

TEST(FindAuth, RefusesARequestThatNamesNoKey) {
  expect_refused({}, AuthFault::missing, 401);
  expect_refused(query("sentry_version=7&sentry_client=x"), AuthFault::missing, 401);
  expect_refused(authorization("Bearer " + key), AuthFault::missing, 401);
  expect_refused(header("   "), AuthFault::missing, 401);
  EXPECT_EQ(std::get<AuthError>(find_auth({})).detail, "missing authorization information");
}

TEST(FindAuth, RefusesMoreThanOneSourceEvenWhenTheyAgree) {
  const auto sentry = "Sentry sentry_key=" + key;
  const auto pair = "sentry_key=" + key;
  const auto basic = "Basic " + key_base64;
  AuthSources both = header(sentry);
  both.query = pair;
  expect_refused(both, AuthFault::multiple, 401);
  both = header(sentry);
  both.authorization = sentry;
  expect_refused(both, AuthFault::multiple, 401);
  both = header(sentry);
  both.authorization = basic;
  expect_refused(both, AuthFault::multiple, 401);
  both = query(pair);
  both.path_key = key;
  expect_refused(both, AuthFault::multiple, 401);
  expect_refused(query(pair + "&" + pair), AuthFault::multiple, 401);
  expect_refused(header(sentry + "," + pair), AuthFault::multiple, 401);
  EXPECT_EQ(std::get<AuthError>(find_auth(both)).detail,
            "multiple authorization payloads detected");
}

TEST(FindAuth, LeavesForeignCredentialsToTheProxyTheyAreMeantFor) {
  const auto pair = "sentry_key=" + key;
  auto sources = query(pair);
  sources.authorization = "Basic YWxpY2U6c2VjcmV0";
  expect_found(sources);
  const auto sentry = "Sentry " + pair;
  sources = header(sentry);
  sources.authorization = "Bearer abc";
  expect_found(sources);
}

TEST(FindAuth, RefusesAnAuthHeaderWithoutAKey) {
  expect_refused(header("Sentry sentry_version=7"), AuthFault::malformed, 401);
  expect_refused(header("garbage"), AuthFault::malformed, 401);
  expect_refused(authorization("Sentry"), AuthFault::malformed, 401);
}

TEST(FindAuth, RefusesAProtocolNewerThanItKnows) {
  for (const std::string version :
       {"8", "100", "99999999999999999999", "-1", "7.x", "x", "7.", ".7"}) {
    const auto value = "Sentry sentry_key=" + key + ",sentry_version=" + version;
    expect_refused(header(value), AuthFault::bad_version, 400);
  }
  expect_found(header("Sentry sentry_key=" + key + ",sentry_version="));
}

TEST(FindAuth, RefusesAKeyThatIsNone) {
  for (const std::string bad :
       {"", "abc", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0",
        ".0123456789abcdef0123456789abcdef"}) {
    const auto value = "Sentry sentry_key=" + bad;
    expect_refused(header(value), AuthFault::bad_key, 400);
    const auto pair = "sentry_key=" + bad;
    expect_refused(query(pair), AuthFault::bad_key, 400);
  }
  expect_refused(authorization("Basic YWxpY2U6c2VjcmV0"), AuthFault::bad_key, 400);
  expect_refused(authorization("Basic !!!"), AuthFault::bad_key, 400);
  expect_refused(authorization("Basic"), AuthFault::bad_key, 400);
  AuthSources sources;
  sources.envelope_dsn = "nonsense";
  expect_refused(sources, AuthFault::bad_key, 400);
}

TEST(FindAuth, KeepsNothingOfTheClientThatCouldExtendAHeader) {
  expect_found(query("sentry_key=" + key + "&sentry_client=a%0d%0ab%2csentry_key%3dx%00%ff"), 7,
               "absentry_key=x");
  expect_found(query("sentry_key=" + key + "&sentry_client=" + std::string(500, 'c')), 7,
               std::string(128, 'c'));
}

TEST(FindAuth, TakesBrokenPercentEscapesLiterally) {
  expect_found(query("sentry_key=" + key + "&sentry_client=a%zz%2"), 7, "a%zz%2");
}

TEST(ParseAuthKey, CutsOffFlagsAfterDots) {
  EXPECT_EQ(parse_auth_key(key + ".no-cache")->hex, key);
  EXPECT_FALSE(parse_auth_key(key + "0.no-cache"));
  EXPECT_FALSE(parse_auth_key(""));
}

}  // namespace
}  // namespace picket::relay

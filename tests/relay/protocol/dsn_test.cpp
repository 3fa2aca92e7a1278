#include "relay/protocol/dsn.h"

#include <gtest/gtest.h>

namespace picket::relay {
namespace {

const std::string key = "0123456789abcdef0123456789abcdef";

std::string detail_of(std::string_view text) {
  const auto dsn = parse_dsn(text);
  return dsn ? "parsed" : dsn.error().detail;
}

TEST(Dsn, ReadsItsParts) {
  const auto dsn = parse_dsn("https://" + key + "@sentry.example.com:8443/a/b/42");
  ASSERT_TRUE(dsn) << dsn.error().detail;
  EXPECT_EQ(dsn->scheme, "https");
  EXPECT_EQ(dsn->key.hex, key);
  EXPECT_EQ(dsn->host, "sentry.example.com");
  EXPECT_EQ(dsn->port, 8443);
  EXPECT_EQ(dsn->path, "/a/b");
  EXPECT_EQ(dsn->project, 42U);
}

TEST(Dsn, IsRenderedAsItWasWritten) {
  for (const std::string& text :
       {"http://" + key + "@localhost:3000/1",
        "https://" + key + "@sentry.example.com/9223372036854775807",
        "https://" + key + "@h/prefix/7", "http://" + key + "@[::1]:9000/3",
        "http://" + key + "@[2001:db8::1]/x/3", "http://" + key + "@10.0.0.1/1",
        "http://" + key + "@o1_a.ingest-x.io/a.b/c~d/2"}) {
    const auto dsn = parse_dsn(text);
    ASSERT_TRUE(dsn) << text << ": " << dsn.error().detail;
    EXPECT_EQ(render_dsn(*dsn), text);
  }
}

TEST(Dsn, NormalisesWhatHasSeveralSpellings) {
  const auto dsn = parse_dsn(
      "HTTPS://0123456789ABCDEF0123456789abcdef:SECRET@Sentry.Example.COM//7/?verify_ssl=0");
  ASSERT_TRUE(dsn) << dsn.error().detail;
  EXPECT_EQ(render_dsn(*dsn), "https://" + key + "@sentry.example.com/7");
}

TEST(Dsn, DropsTheLegacySecret) {
  const auto dsn = parse_dsn("https://" + key + ":0000secret@h/1");
  ASSERT_TRUE(dsn);
  EXPECT_EQ(render_dsn(*dsn).find("secret"), std::string::npos);
}

TEST(Dsn, RendersTheOriginWithoutKeyAndProject) {
  EXPECT_EQ(render_origin(*parse_dsn("https://" + key + "@h:1/p/2")), "https://h:1/p");
  EXPECT_EQ(render_origin(*parse_dsn("http://" + key + "@[::1]/2")), "http://[::1]");
}

TEST(Dsn, SaysWhatIsWrong) {
  EXPECT_EQ(detail_of(""), "DSN has no scheme: expected http:// or https://");
  EXPECT_EQ(detail_of("ftp://" + key + "@h/1"), "DSN has a scheme other than http and https");
  EXPECT_EQ(detail_of("http://h/1"), "DSN has no public key: expected key@host");
  EXPECT_EQ(detail_of("http://abc@h/1"), "DSN: public key is not 32 hex digits");
  EXPECT_EQ(detail_of("http://@h/1"), "DSN: public key is not 32 hex digits");
  EXPECT_EQ(detail_of("http://" + key + "@/1"), "DSN has no host");
  EXPECT_EQ(detail_of("http://" + key + "@:80/1"), "DSN has no host");
  EXPECT_EQ(detail_of("http://" + key + "@h"), "DSN has no project id");
  EXPECT_EQ(detail_of("http://" + key + "@h/"), "DSN has no project id");
  EXPECT_EQ(detail_of("http://" + key + "@h/my-project"), "DSN: project id is not a number");
  EXPECT_EQ(detail_of("http://" + key + "@h/0"), "DSN: project id starts with 0");
  EXPECT_EQ(detail_of("http://" + key + "@h:0/1"),
            "DSN has a port that is not a number from 1 to 65535");
  EXPECT_EQ(detail_of("http://" + key + "@h:/1"),
            "DSN has a port that is not a number from 1 to 65535");
  EXPECT_EQ(detail_of("http://" + key + "@h:65536/1"),
            "DSN has a port that is not a number from 1 to 65535");
  EXPECT_EQ(detail_of("http://" + key + "@[::1/1"), "DSN has an IPv6 host without ']'");
  EXPECT_EQ(detail_of("http://" + key + "@[host]/1"),
            "DSN has brackets around a host that is not an IPv6 address");
  EXPECT_EQ(detail_of("http://" + key + "@[::1]x/1"),
            "DSN has unexpected characters after the host");
}

TEST(Dsn, RefusesCharactersThatWouldChangeItsMeaning) {
  for (const std::string text : {"@h st/1", "@h\n/1", "@h#/1", "@h%41/1", "@h/a b/1",
                                 "@h/a\r\nHost: x/1", "@h/a#b/1", "@h\\x/1", "@h/a@b/1"}) {
    EXPECT_FALSE(parse_dsn("http://" + key + text)) << text;
  }
}

TEST(Dsn, NeverRepeatsTheKeyInAnError) {
  EXPECT_EQ(detail_of("http://" + key.substr(1) + "@h/1").find(key.substr(1)), std::string::npos);
}

TEST(Dsn, RefusesMoreThanTwoKilobytes) {
  EXPECT_FALSE(parse_dsn("http://" + key + "@h/" + std::string(3000, 'a') + "/1"));
}

TEST(ProjectId, IsAPositiveNumber) {
  EXPECT_EQ(*parse_project_id("1"), 1U);
  EXPECT_EQ(*parse_project_id("4505281256090153"), 4505281256090153U);
  EXPECT_EQ(*parse_project_id("9223372036854775807"), 9223372036854775807U);
  for (const std::string text :
       {"", "0", "01", "-1", "+1", "1a", "a", " 1", "1 ", "1.0", "9223372036854775808",
        "18446744073709551616", "99999999999999999999999"}) {
    EXPECT_FALSE(parse_project_id(text)) << text;
  }
}

TEST(ProjectKey, IsReadInAnyCaseAndKeptInLower) {
  EXPECT_EQ(parse_project_key("0123456789ABCDEF0123456789abcdef")->hex, key);
  for (const std::string& text : {std::string(), key.substr(1), key + "0", "g" + key.substr(1),
                                  key + ".no-cache", " " + key.substr(1)}) {
    EXPECT_FALSE(parse_project_key(text)) << text;
  }
}

TEST(ProjectKey, GoesThroughItsRawBytes) {
  const auto parsed = parse_project_key("00ff0123456789abcdef0123456789ab");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(raw_bytes(*parsed).size(), 16U);
  EXPECT_EQ(*project_key_from_raw(raw_bytes(*parsed)), *parsed);
  EXPECT_FALSE(project_key_from_raw("short"));
}

}  // namespace
}  // namespace picket::relay

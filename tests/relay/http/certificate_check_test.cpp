#include "relay/http/certificate_check.h"

#include "support/certificate.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace picket::http {
namespace {

class CertificateCheck : public ::testing::Test {
 protected:
  CertificateCheck() {
    config.certificate_file = folder / "cert.pem";
    config.key_file = folder / "key.pem";
    key = testing::write_key(config.key_file);
    ::chmod(config.key_file.c_str(), 0600);
  }
  std::vector<Finding> check() const { return check_certificate(config, SystemClock().now()); }

  testing::TempDir folder;
  ServerConfig config;
  testing::Key key{nullptr, EVP_PKEY_free};
};

constexpr long day = 86'400;

TEST_F(CertificateCheck, IsWellWhileThereIsTime) {
  testing::write_certificate(config.certificate_file, key.get(), -60, 90 * day);
  const auto findings = check();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].grade, Grade::ok);
  EXPECT_NE(findings[0].words.find("89 more days"), std::string::npos) << findings[0].words;
}

TEST_F(CertificateCheck, WarnsAMonthBeforeAndFailsOnceItHasExpired) {
  testing::write_certificate(config.certificate_file, key.get(), -60, 20 * day);
  EXPECT_EQ(check().at(0).grade, Grade::warn);
  EXPECT_FALSE(check().at(0).to_do.empty());
  testing::write_certificate(config.certificate_file, key.get(), -20 * day, -3 * day);
  EXPECT_EQ(check().at(0).grade, Grade::fail);
  EXPECT_NE(check().at(0).words.find("expired 3 days ago"), std::string::npos) << check().at(0).words;
}

TEST_F(CertificateCheck, FailsWhenItIsNotValidYet) {
  testing::write_certificate(config.certificate_file, key.get(), 2 * day, 90 * day);
  EXPECT_EQ(check().at(0).grade, Grade::fail);
  EXPECT_NE(check().at(0).words.find("not valid yet"), std::string::npos);
}

TEST_F(CertificateCheck, FailsWhenTheKeyIsAnotherOnesOrMissing) {
  const auto other = testing::write_key(folder / "other.pem");
  testing::write_certificate(config.certificate_file, other.get(), -60, 90 * day);
  EXPECT_EQ(check().at(0).grade, Grade::fail);
  config.certificate_file = folder / "nowhere.pem";
  EXPECT_EQ(check().at(0).grade, Grade::fail);
  EXPECT_NE(check().at(0).words.find("nowhere.pem"), std::string::npos);
}

TEST_F(CertificateCheck, WarnsWhenEverybodyCanReadTheKey) {
  testing::write_certificate(config.certificate_file, key.get(), -60, 90 * day);
  ::chmod(config.key_file.c_str(), 0644);
  const auto findings = check();
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[1].grade, Grade::warn);
}

TEST_F(CertificateCheck, WithoutOneOnlyTheLoopbackIsFine) {
  config.certificate_file.clear();
  config.listen = "127.0.0.1:3000";
  EXPECT_EQ(check().at(0).grade, Grade::ok);
  config.listen = "[::1]:3000";
  EXPECT_EQ(check().at(0).grade, Grade::ok);
  config.listen = "0.0.0.0:3000";
  EXPECT_EQ(check().at(0).grade, Grade::warn);
}

}  // namespace
}  // namespace picket::http

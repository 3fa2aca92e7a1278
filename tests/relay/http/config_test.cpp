#include "relay/http/config.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace picket::http {
namespace {

// Notes every key, and that the default lies within its bounds.
class KeyList final : public Settings {
 public:
  std::set<std::string> keys;

  void text(std::string_view key, std::string& /*field*/) override { note(key); }
  void flag(std::string_view key, bool& /*field*/) override { note(key); }
  void number(std::string_view key,
              std::uint64_t& field,
              std::uint64_t least,
              std::uint64_t most) override {
    note(key);
    EXPECT_TRUE(field >= least && field <= most) << key;
  }
  void bytes(std::string_view key,
             std::uint64_t& field,
             std::uint64_t least,
             std::uint64_t most) override {
    number(key, field, least, most);
  }
  void duration(std::string_view key, Duration& field, Duration least, Duration most) override {
    note(key);
    EXPECT_TRUE(field >= least && field <= most) << key;
  }
  void list(std::string_view key, std::vector<std::string>& /*field*/) override { note(key); }
  void map(std::string_view key,
           std::vector<std::pair<std::string, std::string>>& /*field*/) override {
    note(key);
  }

 private:
  void note(std::string_view key) { EXPECT_TRUE(keys.emplace(key).second) << key << " twice"; }
};

Result<ServerOptions> options_for(const std::string& listen) {
  ServerConfig config;
  config.listen = listen;
  return options_of(config);
}

TEST(ServerConfig, BindsEveryKeyOnceWithinItsBounds) {
  ServerConfig config;
  KeyList keys;
  bind(keys, config);
  EXPECT_TRUE(keys.keys.contains("listen"));
  EXPECT_EQ(keys.keys.size(), 14U);
}

TEST(OptionsOf, DefaultsAgreeWithTheServers) {
  const auto options = options_of(ServerConfig{});
  ASSERT_TRUE(options);
  const ServerOptions defaults;
  EXPECT_EQ(options->address, defaults.address);
  EXPECT_EQ(options->port, defaults.port);
  EXPECT_EQ(options->max_connections, defaults.max_connections);
  EXPECT_EQ(options->idle_timeout, defaults.idle_timeout);
  EXPECT_EQ(options->body_idle_timeout, defaults.body_idle_timeout);
  EXPECT_GE(options->io_threads, 1U);
}

TEST(OptionsOf, ReadsTheFormsOfListen) {
  EXPECT_EQ(options_for("0.0.0.0:0")->port, 0);
  EXPECT_EQ(options_for("localhost:65535")->address, "localhost");
  const auto v6 = options_for("[::1]:8080");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->address, "::1");
  EXPECT_EQ(v6->port, 8080);
}

TEST(OptionsOf, RejectsEveryOtherListenAndNamesIt) {
  for (const char* listen :
       {"", "3000", ":3000", "host", "host:", "host:x", "host:70000", "host:-1", "::1:3000",
        "[::1]", "[]:1", "[::1:3000", "host:3000 ", "http://h:1"}) {
    const auto options = options_for(listen);
    ASSERT_FALSE(options) << listen;
    EXPECT_NE(options.error().detail.find("server.listen"), std::string::npos);
  }
}

TEST(OptionsOf, WantsCertificateAndKeyTogether) {
  ServerConfig config;
  config.certificate_file = "/some/where.pem";
  EXPECT_FALSE(options_of(config));
  config.key_file = "/some/where.key";
  EXPECT_TRUE(options_of(config));
}

TEST(LocalOrigin, WhereItListensIsReachedFromHere) {
  ServerOptions options;
  options.port = 3000;
  options.address = "0.0.0.0";
  EXPECT_EQ(local_origin(options), "http://127.0.0.1:3000");
  options.address = "::";
  EXPECT_EQ(local_origin(options), "http://[::1]:3000");
  options.address = "198.51.100.7";
  options.certificate_file = "box.pem";
  EXPECT_EQ(local_origin(options), "https://198.51.100.7:3000");
}

TEST(UsualOrigin, IsWhatPeopleWrite) {
  ServerOptions options;
  options.port = 4000;
  for (const auto* here : {"127.0.0.1", "0.0.0.0", "::", "::1"}) {
    options.address = here;
    EXPECT_EQ(usual_origin(options), "http://localhost:4000");
  }
  options.address = "2001:db8::7";
  options.certificate_file = "box.pem";
  EXPECT_EQ(usual_origin(options), "https://[2001:db8::7]:4000");
  options.address = "198.51.100.7";
  EXPECT_EQ(usual_origin(options), "https://198.51.100.7:4000");
}

}  // namespace
}  // namespace picket::http

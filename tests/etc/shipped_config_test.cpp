// etc/picket.toml is the defaults: every key with the value that the code has, and every key there.
#include "api/config.h"
#include "api/digest/config.h"
#include "buffer/config.h"
#include "buffer/settings.h"
#include "relay/http/config.h"
#include "relay/ingest/config.h"
#include "upstream/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace picket {
namespace {

// Writes down what each key's field holds.
class Recorder final : public Settings {
 public:
  void text(std::string_view key, std::string& field) override { note(key, field); }
  void flag(std::string_view key, bool& field) override { note(key, field ? "true" : "false"); }
  void number(std::string_view key, std::uint64_t& field, std::uint64_t, std::uint64_t) override { note(key, std::to_string(field)); }
  void bytes(std::string_view key, std::uint64_t& field, std::uint64_t, std::uint64_t) override { note(key, std::to_string(field)); }
  void duration(std::string_view key, Duration& field, Duration, Duration) override { note(key, std::to_string(field.count())); }
  void list(std::string_view key, std::vector<std::string>& field) override { note(key, std::to_string(field.size())); }
  void map(std::string_view key, std::vector<std::pair<std::string, std::string>>& field) override { note(key, std::to_string(field.size())); }

  std::map<std::string, std::string> values;

 private:
  void note(std::string_view key, std::string value) { values.emplace(key, std::move(value)); }
};

template <class Config>
std::map<std::string, std::string> recorded(Config config) {
  Recorder recorder;
  bind(recorder, config);
  return recorder.values;
}

std::string shipped_text() {
  std::ifstream file(PICKET_SHIPPED_CONFIG);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class Config>
void expect_defaults(Configuration& document, const std::string& section) {
  Config loaded;
  document.section(section, [&](Settings& settings) { bind(settings, loaded); });
  EXPECT_EQ(recorded(loaded), recorded(Config{})) << section;
  const std::string text = shipped_text();
  for (const auto& [key, value] : recorded(Config{})) {
    EXPECT_NE(text.find("\n" + key + " = "), std::string::npos) << section << "." << key << " is not in the shipped file";
  }
}

TEST(ShippedConfig, EqualsTheDefaultsAndNamesEveryKey) {
  auto document = Configuration::load(PICKET_SHIPPED_CONFIG, {});
  ASSERT_TRUE(document);
  expect_defaults<http::ServerConfig>(*document, "server");
  expect_defaults<buffer::StorageConfig>(*document, "storage");
  expect_defaults<ingest::IngestConfig>(*document, "ingest");
  expect_defaults<digest::DigestConfig>(*document, "digest");
  expect_defaults<digest::GeoipConfig>(*document, "geoip");
  expect_defaults<rest::ApiConfig>(*document, "api");
  std::string level;
  document->section("log", [&](Settings& settings) { settings.text("level", level); });
  EXPECT_EQ(level, "info");
  EXPECT_EQ(document->count("upstream"), 0U);
  EXPECT_TRUE(document->problems().empty()) << document->problems()[0];
}

TEST(ShippedConfig, NamesEveryKeyOfAQuotaInItsComments) {
  const std::string text = shipped_text();
  for (const auto& [key, value] : recorded(ingest::QuotaConfig{}))
    EXPECT_NE(text.find("\n# " + key + " = "), std::string::npos) << key;
}

TEST(ShippedConfig, NamesEveryKeyOfADestinationInItsComments) {
  const std::string text = shipped_text();
  for (const auto& [key, value] : recorded(upstream::DestinationConfig{})) {
    const bool named = text.find("\n# " + key + " = ") != std::string::npos || text.find("[upstream." + key + "]") != std::string::npos;
    EXPECT_TRUE(named) << key;
  }
}

}  // namespace
}  // namespace picket

// Real events with the hashes that Sentry gives them, where the shared data is at hand.
#include "api/digest/grouping.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace picket::digest {
namespace {

namespace json = boost::json;

std::filesystem::path cases() {
  const char* named = std::getenv("PICKET_SHARED_DATA");
  const auto data = named != nullptr
                        ? std::filesystem::path(named)
                        : std::filesystem::path(PICKET_SOURCE_DIR) / ".." / "shared" / "data";
  return data / "grouping";
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool missing() {
  std::error_code failed;
  if (std::filesystem::is_directory(cases(), failed)) return false;
  std::cout << "grouping_cases_test: skipped, no " << cases() << "\n";
  return true;
}

// "app <hash>" a line, in the order of names; "-" for a variant that does not count.
std::string wanted(const json::object& hashes) {
  std::string text;
  for (const std::string_view name : {"app", "system", "default", "custom-fingerprint", "fallback"}) {
    const auto* hash = hashes.if_contains(name);
    if (hash != nullptr) text.append(name).append(" ").append(hash->is_null() ? "-" : std::string(hash->as_string())).append("\n");
  }
  return text;
}

std::string made(const grouping::Grouping& of) {
  json::object hashes;
  for (const auto& variant : of.variants)
    hashes[variant.name] = variant.hash ? json::value(render_hash(*variant.hash)) : json::value(nullptr);
  return wanted(hashes);
}

TEST(GroupingCases, EveryHashIsSentrys) {
  if (missing()) GTEST_SKIP();
  const auto expected = json::parse(contents(cases() / "expected.json"));
  std::size_t equal = 0;
  for (const auto& [name, want] : expected.as_object()) {
    const auto payload = contents(cases() / "inputs" / (std::string(name) + ".json"));
    const auto event = parse_event(payload);
    ASSERT_TRUE(event) << name;
    std::string rules;
    const auto source = json::parse(payload);
    if (const auto* given = source.as_object().if_contains("_grouping")) rules = given->at("enhancements").as_string();
    const auto config = grouping::Config::make(rules, "");
    ASSERT_TRUE(config) << name << ": " << config.error().detail;
    const auto of = grouping::group(evidence_of(*event), *config, grouping::Detail::explanation);
    const auto want_text = wanted(want.at("hashes").as_object());
    const auto have_text = made(of);
    equal += want_text == have_text ? 1 : 0;
    EXPECT_EQ(have_text, want_text) << name;
  }
  std::cout << "grouping_cases_test: " << equal << " of " << expected.as_object().size() << " events as Sentry groups them\n";
  EXPECT_GE(equal, expected.as_object().size() * 95 / 100);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '\\';
    out += c;
  }
  return out + '"';
}

// A rule as people write it.
std::string rule_text(const json::value& rule) {
  std::string text;
  for (const auto& matcher : rule.at("matchers").as_array())
    text += std::string(matcher.at(0).as_string()) + ":" + quoted(matcher.at(1).as_string()) + " ";
  text += "-> ";
  for (const auto& part : rule.at("fingerprint").as_array())
    text += quoted(part.as_string()) + ", ";
  text.resize(text.size() - 2);
  const auto* attributes = rule.as_object().if_contains("attributes");
  if (attributes == nullptr) return text;
  for (const auto& [name, value] : attributes->as_object())
    text += " " + std::string(name) + "=" + quoted(value.as_string());
  return text;
}

// The entries of a YAML list under "custom-fingerprint: … values:"; empty when there is none.
std::vector<std::string> listed_values(const std::string& yaml) {
  std::vector<std::string> values;
  auto at = yaml.find("  custom-fingerprint:");
  at = at == std::string::npos ? at : yaml.find("    values:\n", at);
  if (at == std::string::npos) return values;
  at += std::string_view("    values:\n").size();
  while (yaml.compare(at, 6, "    - ") == 0) {
    const auto end = yaml.find('\n', at);
    auto value = yaml.substr(at + 6, end - at - 6);
    if (value.size() > 1 && value.front() == '\'') value = value.substr(1, value.size() - 2);
    values.push_back(value);
    at = end + 1;
  }
  return values;
}

TEST(GroupingCases, FingerprintRulesGiveSentrysValues) {
  if (missing()) GTEST_SKIP();
  const auto expected = json::parse(contents(cases() / "fingerprint_expected.json"));
  std::size_t equal = 0;
  for (const auto& [name, want] : expected.as_object()) {
    const auto payload = contents(cases() / "fingerprint_inputs" / (std::string(name) + ".json"));
    const auto event = parse_event(payload);
    ASSERT_TRUE(event) << name;
    std::string rules;
    const auto source = json::parse(payload);
    for (const auto& rule : source.at("_fingerprinting_rules").as_array())
      rules += rule_text(rule) + "\n";
    const auto config = grouping::Config::make("", rules);
    ASSERT_TRUE(config) << name << ": " << config.error().detail << "\n" << rules;
    const auto of = grouping::group(evidence_of(*event), *config, grouping::Detail::explanation);
    const std::string yaml(want.as_string());
    const auto values = listed_values(yaml);
    const auto have = of.matched_rule.empty() ? std::vector<std::string>{} : of.fingerprint;
    EXPECT_EQ(have, values) << name;
    const bool title_fits = !of.title || yaml.find("\ntitle: " + *of.title + "\n") != std::string::npos;
    EXPECT_TRUE(title_fits) << name << ": " << of.title.value_or("");
    equal += have == values && title_fits ? 1 : 0;
  }
  std::cout << "grouping_cases_test: " << equal << " of " << expected.as_object().size() << " fingerprint rules as Sentry applies them\n";
  EXPECT_GE(equal, expected.as_object().size());
}

}  // namespace
}  // namespace picket::digest

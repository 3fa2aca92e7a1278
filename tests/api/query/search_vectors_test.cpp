// Sentry's own queries, where the shared data is at hand: what it reads we read, what it finds invalid
// we refuse.
#include "api/query/search.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

namespace picket::query {
namespace {

namespace json = boost::json;

std::filesystem::path vectors() {
  const char* named = std::getenv("PICKET_SHARED_DATA");
  const auto data = named != nullptr ? std::filesystem::path(named) : std::filesystem::path(PICKET_SOURCE_DIR) / ".." / "shared" / "data";
  return data / "search";
}

// What only discover's configuration of the language refuses, or reads as an aggregate.
bool is_about_something_else(std::string_view file) {
  return file.find("disallow_wildcard") != std::string_view::npos || file.find("supported_tags") != std::string_view::npos;
}

bool expects_refusal(const json::object& vector) {
  if (const auto* raises = vector.if_contains("raisesError"); raises && raises->is_bool() && raises->get_bool()) return true;
  const auto* terms = vector.if_contains("result");
  if (!terms || !terms->is_array()) return false;
  for (const auto& term : terms->get_array()) {
    const auto* object = term.if_object();
    if (!object) continue;
    if (const auto* invalid = object->if_contains("invalid"); invalid && !invalid->is_null()) return true;
    const auto* filter = object->if_contains("filter");
    if (filter && filter->is_string() && filter->get_string().starts_with("aggregate")) return true;
  }
  return false;
}

void expect_terms(const json::object& vector, const std::vector<SearchTerm>& terms, const std::string& query) {
  std::size_t at = 0;
  for (const auto& each : vector.at("result").as_array()) {
    const auto& object = each.as_object();
    const auto type = object.at("type").as_string();
    if (type == "spaces") continue;
    if (type != "filter" && type != "freeText") continue;
    ASSERT_LT(at, terms.size()) << query;
    const auto& term = terms[at++];
    if (type == "freeText") {
      EXPECT_EQ(term.kind, TermKind::free_text) << query;
      continue;
    }
    EXPECT_EQ(term.negated, object.at("negated").as_bool()) << query;
    if (object.at("filter").as_string() == "has") {
      EXPECT_EQ(term.kind, TermKind::has) << query;
      continue;
    }
    EXPECT_EQ(term.kind, TermKind::filter) << query;
    const auto& key = object.at("key").as_object();
    const bool tag = key.at("type").as_string() == "keyExplicitTag";
    const auto& name = tag ? key.at("key").as_object() : key;
    EXPECT_EQ(term.explicit_tag, tag) << query;
    EXPECT_EQ(json::value(term.key), name.at("value")) << query;
    const auto* items = object.at("value").as_object().if_contains("items");
    if (items) {
      EXPECT_EQ(term.values.size(), items->as_array().size()) << query;
    }
  }
  EXPECT_EQ(at, terms.size()) << query;
}

TEST(SearchVectors, AreReadAsSentryReadsThem) {
  std::error_code missing;
  if (!std::filesystem::is_directory(vectors(), missing)) {
    std::cout << "search_vectors_test: skipped, no " << vectors() << "\n";
    GTEST_SKIP();
  }
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator(vectors())) {
    if (is_about_something_else(file.path().filename().string())) continue;
    std::ifstream stream(file.path());
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    const auto parsed = json::parse(text);
    for (const auto& each : parsed.as_array()) {
      const auto& vector = each.as_object();
      const std::string query(vector.at("query").as_string());
      const auto terms = parse_search(query);
      ++count;
      if (expects_refusal(vector)) {
        EXPECT_FALSE(terms) << file.path().filename() << ": " << query;
        continue;
      }
      EXPECT_TRUE(terms) << file.path().filename() << ": " << query << ": " << (terms ? "" : terms.error().detail);
      if (terms) expect_terms(vector, *terms, query);
    }
  }
  std::cout << "search_vectors_test: " << count << " queries\n";
  EXPECT_GT(count, 50);
}

}  // namespace
}  // namespace picket::query

// Sentry's own queries with the trees Sentry makes of them, where the shared data is at hand: every
// node of every tree must be ours.
#include "api/query/search.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace picket::query {
namespace {

namespace json = boost::json;

// When the trees were made, as the examples in their messages tell: 2017-10-17 02:41.
const Time made_at = time_from_ms(1'508'208'080'000);

std::filesystem::path vectors() {
  const char* named = std::getenv("PICKET_SHARED_DATA");
  const auto data = named != nullptr ? std::filesystem::path(named) : std::filesystem::path(PICKET_SOURCE_DIR) / ".." / "shared" / "data";
  return data / "search";
}

constexpr std::pair<InvalidKind, std::string_view> invalid_words[] = {
    {InvalidKind::free_text_not_allowed, "free-text-not-allowed"},
    {InvalidKind::wildcard_not_allowed, "wildcard-not-allowed"},
    {InvalidKind::must_be_quoted, "must-be-quoted"},
    {InvalidKind::filter_must_have_value, "filter-must-have-value"},
    {InvalidKind::invalid_boolean, "invalid-boolean"},
    {InvalidKind::invalid_file_size, "invalid-file-size"},
    {InvalidKind::invalid_number, "invalid-number"},
    {InvalidKind::empty_value_in_list, "empty-value-in-list-not-allowed"},
    {InvalidKind::empty_parameter, "empty-parameter-not-allowed"},
    {InvalidKind::invalid_key, "invalid-key"},
    {InvalidKind::invalid_duration, "invalid-duration"},
    {InvalidKind::invalid_date_format, "invalid-date-format"},
};
constexpr std::string_view filter_words[] = {
    "text", "textIn", "numeric", "numericIn", "date", "specificDate", "relativeDate", "duration", "size", "boolean",
    "aggregateDuration", "aggregateSize", "aggregateNumeric", "aggregatePercentage", "aggregateDate", "aggregateRelativeDate", "has", "is"};
constexpr std::string_view operator_words[] = {"=", "!=", "<", "<=", ">", ">="};
constexpr std::string_view literal_words[] = {"valueText", "valueNumber", "valueIso8601Date", "valueRelativeDate",
                                              "valueDuration", "valueSize", "valuePercentage", "valueBoolean"};
constexpr std::string_view key_words[] = {"keySimple", "keyExplicitTag", "keyExplicitStringTag", "keyExplicitNumberTag",
                                          "keyExplicitBooleanTag", "keyExplicitArrayTag", "keyExplicitFlag",
                                          "keyExplicitStringFlag", "keyExplicitNumberFlag", "keyAggregate"};

template <class Enum, std::size_t Count>
json::string word(const std::string_view (&words)[Count], Enum which) {
  return json::string(words[static_cast<std::size_t>(which)]);
}

std::string render_date(std::int64_t ms) {
  const auto days = std::chrono::floor<std::chrono::days>(std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(ms)));
  const std::chrono::year_month_day date(days);
  const auto rest = ms - std::chrono::duration_cast<std::chrono::milliseconds>(days.time_since_epoch()).count();
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(rest / 3'600'000), static_cast<int>(rest / 60'000 % 60),
                static_cast<int>(rest / 1000 % 60), static_cast<int>(rest % 1000));
  return text;
}

json::value render(const Literal& literal) {
  if (!literal.there) return nullptr;
  json::object shown{{"type", word(literal_words, literal.kind)}, {"value", literal.text}};
  json::value parsed = literal.number;
  switch (literal.kind) {
    case LiteralKind::text: shown["quoted"] = literal.quoted; return shown;
    case LiteralKind::date:
      shown["date"] = literal.date;
      if (!literal.time.empty()) shown["time"] = literal.time;
      if (!literal.zone.empty()) shown["tz"] = literal.zone;
      parsed = json::string(render_date(literal.ms));
      break;
    case LiteralKind::relative_date:
      shown["sign"] = json::string(1, literal.sign);
      parsed = json::string(render_date(literal.ms));
      break;
    case LiteralKind::boolean: parsed = literal.number != 0; break;
    case LiteralKind::number:
    case LiteralKind::duration:
    case LiteralKind::size:
    case LiteralKind::percentage: break;
  }
  const bool has_unit = literal.kind != LiteralKind::percentage && literal.kind != LiteralKind::boolean;
  if (has_unit && !literal.unit.empty()) shown["unit"] = literal.unit;
  shown["parsed"] = json::object{{"value", parsed}};
  return shown;
}

json::object spaces(std::string_view text) {
  return {{"type", "spaces"}, {"value", json::string(text)}};
}

json::object render(const SearchKey& key) {
  json::object name{{"type", "keySimple"}, {"value", key.name}, {"quoted", key.quoted}};
  if (key.form == KeyForm::simple) return name;
  json::object shown{{"type", word(key_words, key.form)}};
  if (key.form != KeyForm::aggregate) {
    const bool flag = key.form == KeyForm::flag || key.form == KeyForm::string_flag || key.form == KeyForm::number_flag;
    shown["prefix"] = flag ? "flags" : "tags";
    shown["key"] = std::move(name);
    return shown;
  }
  shown["name"] = std::move(name);
  shown["argsSpaceBefore"] = spaces(key.space_before);
  shown["argsSpaceAfter"] = spaces(key.space_after);
  if (key.arguments.empty()) return shown;
  json::array arguments;
  for (const auto& argument : key.arguments) {
    json::object entry{{"separator", argument.separator}};
    if (argument.there) {
      entry["value"] = json::object{{"type", "keyAggregateParam"}, {"value", argument.text}, {"quoted", argument.quoted}};
    }
    arguments.push_back(std::move(entry));
  }
  shown["args"] = json::object{{"type", "keyAggregateArgs"}, {"args", std::move(arguments)}};
  return shown;
}

json::array render(const std::vector<SearchNode>& nodes);

json::object render(const SearchNode& node) {
  json::object shown;
  if (node.invalid) {
    json::object invalid{{"reason", node.invalid->reason}};
    for (const auto& [kind, name] : invalid_words) {
      if (kind == node.invalid->kind) invalid["type"] = json::string(name);
    }
    if (!node.invalid->expected.empty()) {
      json::array expected;
      for (const auto kind : node.invalid->expected) expected.push_back(word(filter_words, kind));
      invalid["expectedType"] = std::move(expected);
    }
    shown["invalid"] = std::move(invalid);
  }
  switch (node.kind) {
    case NodeKind::spaces: return spaces(node.text);
    case NodeKind::logic: shown["type"] = "logicBoolean"; shown["value"] = node.text; return shown;
    case NodeKind::group: shown["type"] = "logicGroup"; shown["inner"] = render(node.inner); return shown;
    case NodeKind::free_text:
      shown["type"] = "freeText";
      shown["value"] = node.text;
      shown["quoted"] = node.quoted;
      return shown;
    case NodeKind::filter: break;
  }
  shown["type"] = "filter";
  shown["filter"] = word(filter_words, node.filter);
  shown["negated"] = node.negated;
  shown["key"] = render(node.key);
  shown["operator"] = node.op ? word(operator_words, *node.op) : json::string();
  if (node.filter != FilterKind::text_in && node.filter != FilterKind::numeric_in) {
    shown["value"] = render(node.values.front());
    return shown;
  }
  json::array items;
  for (const auto& value : node.values) items.push_back(json::object{{"separator", value.separator}, {"value", render(value)}});
  shown["value"] = json::object{{"type", node.filter == FilterKind::text_in ? "valueTextList" : "valueNumberList"}, {"items", std::move(items)}};
  return shown;
}

json::array render(const std::vector<SearchNode>& nodes) {
  json::array shown;
  for (const auto& node : nodes) shown.push_back(render(node));
  return shown;
}

// Members that are null say nothing; numbers are numbers.
json::value plain(const json::value& value) {
  if (const auto* object = value.if_object()) {
    std::map<std::string, json::value> sorted;
    for (const auto& [name, member] : *object) {
      if (!member.is_null()) sorted.emplace(name, plain(member));
    }
    json::object all;
    for (auto& [name, member] : sorted) all.emplace(name, std::move(member));
    return all;
  }
  if (const auto* array = value.if_array()) {
    json::array all;
    for (const auto& each : *array) all.push_back(plain(each));
    return all;
  }
  if (value.is_number()) return value.to_number<double>();
  return value;
}

// The data set that a vector describes; what it asks for and is not known here fails the test.
SearchLanguage language_of(const json::object& vector) {
  auto language = common_language();
  const auto* config = vector.if_contains("additionalConfig");
  if (config == nullptr) return language;
  const auto& wanted = config->as_object();
  const auto on = [&](std::string_view name) { return wanted.contains(name) && wanted.at(name).as_bool(); };
  static const std::set<std::string_view> known = {"disallowWildcard", "disallowFreeText", "validateKeys", "supportedTags", "invalidMessages"};
  for (const auto& member : wanted) EXPECT_TRUE(known.contains(member.key())) << member.key();
  language.wildcards = !on("disallowWildcard");
  language.free_text = !on("disallowFreeText");
  if (on("validateKeys")) {
    language.only.emplace();
    for (const auto& tag : wanted.at("supportedTags").as_object()) language.only->emplace(tag.key());
  }
  if (const auto* messages = wanted.if_contains("invalidMessages")) {
    for (const auto& [kind, name] : invalid_words) {
      if (const auto* text = messages->as_object().if_contains(name)) language.words[kind] = std::string(text->as_string());
    }
  }
  return language;
}

bool expects_refusal(const json::object& vector) {
  const auto* raises = vector.if_contains("raisesError");
  return (raises && raises->is_bool() && raises->get_bool()) || !vector.contains("result") || vector.at("result").is_null();
}

TEST(SearchVectors, GiveSentrysTrees) {
  std::error_code missing;
  if (!std::filesystem::is_directory(vectors(), missing)) {
    std::cout << "search_vectors_test: skipped, no " << vectors() << "\n";
    GTEST_SKIP();
  }
  int files = 0;
  int queries = 0;
  for (const auto& file : std::filesystem::directory_iterator(vectors())) {
    std::ifstream stream(file.path());
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    const auto parsed = json::parse(text);
    ++files;
    for (const auto& each : parsed.as_array()) {
      ++queries;
      const auto& vector = each.as_object();
      const std::string query(vector.at("query").as_string());
      const auto where = file.path().filename().string() + ": " + query;
      const auto tree = parse_search(query, language_of(vector), made_at);
      if (expects_refusal(vector)) {
        EXPECT_FALSE(tree) << where;
        continue;
      }
      if (!tree) {
        ADD_FAILURE() << where << ": " << tree.error().detail;
        continue;
      }
      EXPECT_EQ(json::serialize(plain(render(tree->nodes))), json::serialize(plain(vector.at("result")))) << where;
    }
  }
  std::cout << "search_vectors_test: " << queries << " queries of " << files << " files\n";
  EXPECT_GE(files, 43);
  EXPECT_GE(queries, 126);
}

}  // namespace
}  // namespace picket::query

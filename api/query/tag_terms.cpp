#include "api/query/tag_terms.h"

#include "api/digest/issue_state.h"
#include "api/query/search_values.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::query {
namespace {

using buffer::Key;
using buffer::Table;

// Fields of an event that are kept as the tag of another name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> tag_names = {{
    {"user.id", "user"},
    {"user.email", "user"},
    {"user.username", "user"},
    {"user.ip", "user"},
    {"http.url", "url"},
    {"error.mechanism", "mechanism"},
    {"device.name", "device"},
    {"device.model", "device"},
    {"release.version", "release"},
    {"release.build", "release"},
    {"release.package", "release"},
    {"release.stage", "release"},
}};

struct ReleaseParts {
  std::string_view package;
  std::string_view version;
  std::string_view build;
  std::string_view stage;  // the pre-release, "" for a final one
};

// package@version[-stage][+build]
ReleaseParts split_release(std::string_view text) {
  ReleaseParts parts;
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    parts.package = text.substr(0, at);
    text = text.substr(at + 1);
  }
  if (const auto plus = text.find('+'); plus != std::string_view::npos) {
    parts.build = text.substr(plus + 1);
    text = text.substr(0, plus);
  }
  parts.version = text;
  if (const auto dash = text.find('-'); dash != std::string_view::npos) parts.stage = text.substr(dash + 1);
  return parts;
}

bool holds(Operator op, int order) {
  switch (op) {
    case Operator::equal:
    case Operator::not_equal: return order == 0;
    case Operator::less: return order < 0;
    case Operator::less_or_equal: return order <= 0;
    case Operator::greater: return order > 0;
    case Operator::greater_or_equal: return order >= 0;
  }
  std::abort();
}

std::function<bool(std::string_view)> release_matcher(const Condition& term) {
  std::vector<Pattern> patterns;
  for (const auto& value : term.values) patterns.emplace_back(value.text, false);
  if (term.field.name == "release.package") {
    return [patterns](std::string_view release) { return any_matches(patterns, split_release(release).package); };
  }
  if (term.field.name == "release.stage") {
    return [patterns](std::string_view release) { return any_matches(patterns, split_release(release).stage); };
  }
  if (term.field.name == "release.build") {
    return [patterns, values = term.values, op = term.op](std::string_view release) {
      const auto build = split_release(release).build;
      if (op == Operator::equal || op == Operator::not_equal) return any_matches(patterns, build);
      // Build numbers compare as numbers where both are.
      return std::any_of(values.begin(), values.end(), [&](const SearchValue& value) {
        const auto order = digest::compare_versions("0." + std::string(build), "0." + value.text);
        return order && holds(op, *order);
      });
    };
  }
  return [patterns, values = term.values, op = term.op](std::string_view release) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (patterns[i].has_wildcard()) {
        if (patterns[i].matches(split_release(release).version)) return true;
        continue;
      }
      const auto order = digest::compare_versions(release, values[i].text);
      if (order && holds(op, *order)) return true;
    }
    return false;
  };
}

// Values of a tag as numbers or durations; others match no comparison.
std::function<bool(std::string_view)> number_matcher(const Condition& term) {
  const auto number_of = [](std::string_view text) {
    const auto number = parse_number(text);
    return number ? number : parse_duration(text);
  };
  std::vector<double> wanted;
  for (const auto& value : term.values) {
    if (const auto number = number_of(value.text)) wanted.push_back(*number);
  }
  return [wanted = std::move(wanted), number_of, op = term.op](std::string_view text) {
    const auto number = number_of(text);
    return number && std::ranges::any_of(wanted, [&](double each) {
             return holds(op, *number < each ? -1 : *number > each ? 1 : 0);
           });
  };
}

std::string user_prefix(std::string_view key) {
  if (!key.starts_with("user.")) return {};
  return std::string(key.substr(5)) + ":";
}

}  // namespace

std::string tag_of_key(std::string_view key) {
  for (const auto& [field, tag] : tag_names) {
    if (field == key) return std::string(tag);
  }
  return std::string(key);
}

std::string latest_release(const buffer::Reader& reader, const SearchScope& scope) {
  std::string latest;
  std::int64_t latest_ms = -1;
  const auto prefix = Key().u64(scope.organization);
  auto cursor = reader.cursor(Table::releases);
  for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix.view()); more = cursor.next()) {
    const auto release = buffer::parse_row<schema::Release>(cursor.value());
    const auto at = release.released_ms() != 0 ? release.released_ms() : release.created_ms();
    if (at <= latest_ms) continue;
    const bool in_scope = std::any_of(scope.projects.begin(), scope.projects.end(), [&](std::uint64_t project) {
      return reader.get(Table::release_projects, Key().u64(scope.organization).text(release.version()).u64(project)).has_value();
    });
    if (!in_scope) continue;
    latest = release.version();
    latest_ms = at;
  }
  return latest;
}

TagTest tag_test(const buffer::Reader& reader, const SearchScope& scope, const Condition& term, bool& negate) {
  TagTest test;
  test.key = term.field.explicit_tag ? term.field.name : tag_of_key(term.field.name);
  const bool asks_unset = std::any_of(term.values.begin(), term.values.end(), [](const SearchValue& value) { return value.text.empty(); });
  if (asks_unset && term.values.size() == 1) {
    negate = !negate;
    return test;
  }
  if (!term.field.explicit_tag && test.key == "release" && term.field.name != "release") {
    test.matches = release_matcher(term);
    return test;
  }
  if (term.op != Operator::equal && term.op != Operator::not_equal) {
    test.matches = number_matcher(term);
    return test;
  }
  const auto prefix = term.field.explicit_tag ? std::string() : user_prefix(term.field.name);
  std::vector<Pattern> patterns;
  for (const auto& value : term.values) {
    auto text = prefix + value.text;
    if (test.key == "release" && text == "latest" && !value.quoted) text = latest_release(reader, scope);
    Pattern pattern(text, false);
    if (pattern.has_wildcard()) {
      patterns.push_back(std::move(pattern));
    } else {
      test.exact.push_back(pattern.plain());
    }
  }
  if (!patterns.empty()) {
    test.matches = [patterns = std::move(patterns), exact = std::exchange(test.exact, {})](std::string_view value) {
      return any_matches(patterns, value) || std::find(exact.begin(), exact.end(), value) != exact.end();
    };
  }
  return test;
}

}  // namespace picket::query

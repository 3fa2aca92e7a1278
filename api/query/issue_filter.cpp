#include "api/query/issue_filter.h"

#include "api/digest/event.h"
#include "api/digest/issue_state.h"
#include "api/query/issue_names.h"
#include "api/query/issue_states.h"
#include "api/query/people.h"
#include "api/query/search_values.h"
#include "api/query/tag_terms.h"
#include "api/query/time_terms.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <bitset>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

namespace picket::query {
namespace {

// A term being compiled into the filter. Handlers return the words of a 400, or nothing.
struct Compiler {
  const buffer::Reader& reader;
  const SearchScope& scope;
  IssueFilter& filter;
};
using Refusal = std::optional<Error>;
using Handler = Refusal (*)(Compiler&, const SearchTerm&);

bool negated(const SearchTerm& term) {
  return term.negated != (term.op == Operator::not_equal);
}

void add_column(Compiler& compiler, bool negate, ColumnTest test) {
  if (!negate) return compiler.filter.columns.push_back(std::move(test));
  compiler.filter.columns.push_back([test = std::move(test)](const ColumnSet& set, const IssueColumn& issue) {
    return !test(set, issue);
  });
}

void add_constant(Compiler& compiler, bool passes) {
  if (!passes) compiler.filter.columns.push_back([](const ColumnSet&, const IssueColumn&) { return false; });
}

std::vector<Pattern> patterns_of(const SearchTerm& term, bool ignore_case) {
  std::vector<Pattern> patterns;
  patterns.reserve(term.values.size());
  for (const auto& value : term.values) patterns.emplace_back(value.text, ignore_case);
  return patterns;
}

// A column that holds one of a few known numbers, named by words.
Refusal match_numbers(Compiler& compiler, const SearchTerm& term, std::uint8_t IssueColumn::*field,
                      std::optional<std::uint32_t> (*parse)(std::string_view)) {
  std::bitset<256> wanted;
  for (const auto& value : term.values) {
    const auto number = parse(value.text);
    if (!number) return Error{Fault::malformed, term.key + ": '" + value.text + "' is not one of its values"};
    if (*number < wanted.size()) wanted.set(*number);
  }
  add_column(compiler, negated(term), [field, wanted](const ColumnSet&, const IssueColumn& issue) {
    return wanted.test(issue.*field);
  });
  return std::nullopt;
}

Refusal match_word(Compiler& compiler, const SearchTerm& term, std::uint32_t IssueColumn::*field) {
  auto patterns = patterns_of(term, false);
  add_column(compiler, negated(term), [field, patterns = std::move(patterns)](const ColumnSet& set, const IssueColumn& issue) {
    return any_matches(patterns, set.word(issue.*field));
  });
  return std::nullopt;
}

Refusal match_text(Compiler& compiler, const SearchTerm& term, TextField field) {
  auto patterns = patterns_of(term, true);
  add_column(compiler, negated(term), [field, patterns = std::move(patterns)](const ColumnSet& set, const IssueColumn& issue) {
    const auto text = set.text(issue, field);
    return std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& pattern) { return pattern.matches_lower(text); });
  });
  return std::nullopt;
}

// Anywhere in the texts, ignoring case.
Refusal match_message(Compiler& compiler, const SearchTerm& term) {
  auto patterns = patterns_of(term, true);
  add_column(compiler, negated(term), [patterns = std::move(patterns)](const ColumnSet& set, const IssueColumn& issue) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const Pattern& pattern) { return pattern.found_in_lower(set.texts(issue)); });
  });
  return std::nullopt;
}

bool compare(Operator op, double left, double right) {
  switch (op) {
    case Operator::equal:
    case Operator::not_equal: return left == right;
    case Operator::less: return left < right;
    case Operator::less_or_equal: return left <= right;
    case Operator::greater: return left > right;
    case Operator::greater_or_equal: return left >= right;
  }
  std::abort();
}

Refusal match_count(Compiler& compiler, const SearchTerm& term, double (*read)(const IssueColumn&)) {
  std::vector<double> wanted;
  for (const auto& value : term.values) wanted.push_back(parse_number(value.text).value_or(std::nan("")));
  add_column(compiler, negated(term), [op = term.op, wanted = std::move(wanted), read](const ColumnSet&, const IssueColumn& issue) {
    return std::any_of(wanted.begin(), wanted.end(),
                       [&](double each) { return compare(op, read(issue), each); });
  });
  return std::nullopt;
}

Refusal match_time(Compiler& compiler, const SearchTerm& term, std::int64_t IssueColumn::*field) {
  const auto range = time_range(term, compiler.scope.now);
  if (!range) return range.error();
  add_column(compiler, negated(term), [field, range = *range](const ColumnSet&, const IssueColumn& issue) {
    return range.contains(issue.*field);
  });
  return std::nullopt;
}

// Some event of the issue lies in the range.
Refusal match_event_time(Compiler& compiler, const SearchTerm& term) {
  const auto range = time_range(term, compiler.scope.now);
  if (!range) return range.error();
  compiler.filter.rows.push_back([range = *range, negate = negated(term)](const buffer::Reader& reader, const Candidate& issue) {
    if (range.contains(issue.last_seen_ms) || range.contains(issue.first_seen_ms)) return !negate;
    if (issue.last_seen_ms < range.from_ms || issue.first_seen_ms >= range.to_ms) return negate;
    auto cursor = reader.cursor(buffer::Table::events_by_issue);
    const auto from = static_cast<std::uint64_t>(std::max<std::int64_t>(range.from_ms, 0));
    if (!cursor.seek(buffer::Key().u64(issue.id).u64(from))) return negate;
    buffer::KeyReader key(cursor.key());
    const bool there = key.u64() == issue.id && range.contains(static_cast<std::int64_t>(key.u64()));
    return there != negate;
  });
  return std::nullopt;
}

Refusal match_handled(Compiler& compiler, const SearchTerm& term) {
  const bool asks_unhandled = term.key == "error.unhandled";
  bool wanted = true;
  for (const auto& value : term.values) wanted = parse_boolean(value.text).value_or(true);
  add_column(compiler, negated(term), [unhandled = wanted == asks_unhandled](const ColumnSet&, const IssueColumn& issue) {
    return unhandled ? issue.unhandled : !issue.unhandled;
  });
  return std::nullopt;
}

Refusal match_issue_id(Compiler& compiler, const SearchTerm& term) {
  return match_count(compiler, term, [](const IssueColumn& issue) { return static_cast<double>(issue.id); });
}

Refusal match_issue_set(Compiler& compiler, const SearchTerm& term, std::set<std::uint64_t> ids) {
  add_column(compiler, negated(term), [ids = std::move(ids)](const ColumnSet&, const IssueColumn& issue) {
    return ids.contains(issue.id);
  });
  return std::nullopt;
}

Refusal match_short_id(Compiler& compiler, const SearchTerm& term) {
  std::set<std::uint64_t> ids;
  for (const auto& value : term.values) {
    if (const auto id = find_short_id(compiler.reader, compiler.scope.projects, value.text)) ids.insert(*id);
  }
  return match_issue_set(compiler, term, std::move(ids));
}

Refusal match_event_id(Compiler& compiler, const SearchTerm& term) {
  std::set<std::uint64_t> ids;
  for (const auto& value : term.values) {
    for (const auto id : issues_of_event(compiler.reader, compiler.scope.projects, value.text)) ids.insert(id);
  }
  return match_issue_set(compiler, term, std::move(ids));
}

Refusal match_project(Compiler& compiler, const SearchTerm& term) {
  std::set<std::uint64_t> wanted;
  for (const auto project : compiler.scope.projects) {
    const auto row = buffer::find_row<schema::Project>(compiler.reader, buffer::Table::projects, buffer::Key().u64(project));
    if (!row) continue;
    for (const auto& value : term.values) {
      if (Pattern(value.text, false).matches(row->slug()) || value.text == std::to_string(project)) wanted.insert(project);
    }
  }
  add_column(compiler, negated(term), [wanted = std::move(wanted)](const ColumnSet&, const IssueColumn& issue) {
    return wanted.contains(issue.project);
  });
  return std::nullopt;
}

// Errors, feedback and monitors; the words of other products match nothing.
Refusal match_category(Compiler& compiler, const SearchTerm& term) {
  std::set<std::string, std::less<>> wanted;
  for (const auto& value : term.values) wanted.insert(value.text == "cron" ? "outage" : value.text);
  const bool by_type = term.key == "issue.type";
  add_column(compiler, negated(term), [wanted = std::move(wanted), by_type](const ColumnSet& set, const IssueColumn& issue) {
    const std::string_view type = set.word(issue.issue_type);
    if (by_type) return wanted.contains(type.empty() ? std::string_view("error") : type);
    return wanted.contains(digest::category_of_type(type));
  });
  return std::nullopt;
}

Refusal match_assigned(Compiler& compiler, const SearchTerm& term) {
  auto owners = find_owners(compiler.reader, compiler.scope, term.values);
  add_column(compiler, negated(term), [owners = std::move(owners)](const ColumnSet&, const IssueColumn& issue) {
    return owners.own(issue.assigned_user, issue.assigned_team);
  });
  return std::nullopt;
}

Refusal match_mark(Compiler& compiler, const SearchTerm& term) {
  const auto owners = find_owners(compiler.reader, compiler.scope, term.values);
  const bool bookmarks = term.key == "bookmarks";
  compiler.filter.rows.push_back([users = owners.users, bookmarks, negate = negated(term)](const buffer::Reader& reader, const Candidate& issue) {
    const bool marked = std::any_of(users.begin(), users.end(), [&](std::uint64_t user) {
      const auto mark = buffer::find_row<schema::IssueMark>(reader, buffer::Table::issue_marks,
                                                            buffer::Key().u64(issue.id).u64(user));
      return mark && (bookmarks ? mark->bookmarked() : mark->subscribed());
    });
    return marked != negate;
  });
  return std::nullopt;
}

Refusal match_tag(Compiler& compiler, const SearchTerm& term) {
  for (auto& test : tag_tests(compiler.reader, compiler.scope, term)) compiler.filter.tags.push_back(std::move(test));
  return std::nullopt;
}

std::optional<std::uint32_t> level_number(std::string_view word) {
  const auto level = digest::parse_level(word);
  return level ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(*level)) : std::nullopt;
}

std::optional<std::uint32_t> priority_number(std::string_view word) {
  const auto priority = digest::parse_priority(word);
  return priority ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(*priority)) : std::nullopt;
}

// Columns for what every issue says of itself; everything else is a tag.
Refusal match_has(Compiler& compiler, const SearchTerm& term) {
  const auto add_word = [&](std::uint32_t IssueColumn::*field) {
    add_column(compiler, term.negated, [field](const ColumnSet& set, const IssueColumn& issue) { return !set.word(issue.*field).empty(); });
    return std::nullopt;
  };
  if (term.key == "assigned" || term.key == "assigned_to" || term.key == "assigned_or_suggested") {
    add_column(compiler, term.negated, [](const ColumnSet&, const IssueColumn& issue) {
      return issue.assigned_user != 0 || issue.assigned_team != 0;
    });
    return std::nullopt;
  }
  if (term.key == "platform" || term.key == "platform.name") return add_word(&IssueColumn::platform);
  if (term.key == "logger") return add_word(&IssueColumn::logger);
  if (term.key == "first_release" || term.key == "firstRelease" || term.key == "first-release") {
    return add_word(&IssueColumn::first_release);
  }
  if (term.key == "error.type" || term.key == "error.value" || term.key == "culprit") {
    const auto field = term.key == "error.type" ? TextField::error_type
                       : term.key == "culprit"  ? TextField::culprit
                                                : TextField::error_value;
    add_column(compiler, term.negated, [field](const ColumnSet& set, const IssueColumn& issue) { return !set.text(issue, field).empty(); });
    return std::nullopt;
  }
  static const std::set<std::string, std::less<>> always = {
      "level", "status", "title", "message", "issue", "issue.id", "id", "project", "issue.category", "issue.type",
      "age", "first_seen", "firstSeen", "last_seen", "lastSeen", "times_seen", "timesSeen", "event.type", "issue.priority"};
  if (always.contains(term.key)) {
    add_constant(compiler, !term.negated);
    return std::nullopt;
  }
  TagTest test;
  test.key = tag_of_key(term.key);
  test.negated = term.negated;
  compiler.filter.tags.push_back(std::move(test));
  return std::nullopt;
}

Refusal match_is(Compiler& compiler, const SearchTerm& term) {
  std::vector<StateTest> tests;
  for (const auto& value : term.values) {
    const auto test = parse_state(value.text);
    if (!test) {
      return Error{Fault::malformed, "Invalid value for \"is\" search: '" + value.text + "'. Valid values are " + state_words() + "."};
    }
    tests.push_back(test);
  }
  add_column(compiler, negated(term), [tests = std::move(tests), now = compiler.scope.now](const ColumnSet&, const IssueColumn& issue) {
    return std::any_of(tests.begin(), tests.end(), [&](StateTest test) { return test(issue, now); });
  });
  return std::nullopt;
}

Refusal match_release_word(Compiler& compiler, const SearchTerm& term) {
  auto named = term;
  for (auto& value : named.values) {
    if (value.text != "latest" || value.quoted) continue;
    value.text = latest_release(compiler.reader, compiler.scope);
  }
  return match_word(compiler, named, &IssueColumn::first_release);
}

Handler handler_of(std::string_view key) {
  using Pair = std::pair<std::string_view, Handler>;
  static const std::vector<Pair> handlers = {
      {"assigned", match_assigned}, {"assigned_to", match_assigned}, {"assigned_or_suggested", match_assigned},
      {"bookmarks", match_mark}, {"subscribed", match_mark},
      {"first_release", match_release_word}, {"firstRelease", match_release_word}, {"first-release", match_release_word},
      {"age", [](Compiler& c, const SearchTerm& t) { return match_time(c, t, &IssueColumn::first_seen_ms); }},
      {"first_seen", [](Compiler& c, const SearchTerm& t) { return match_time(c, t, &IssueColumn::first_seen_ms); }},
      {"firstSeen", [](Compiler& c, const SearchTerm& t) { return match_time(c, t, &IssueColumn::first_seen_ms); }},
      {"last_seen", [](Compiler& c, const SearchTerm& t) { return match_time(c, t, &IssueColumn::last_seen_ms); }},
      {"lastSeen", [](Compiler& c, const SearchTerm& t) { return match_time(c, t, &IssueColumn::last_seen_ms); }},
      {"date", match_event_time}, {"timestamp", match_event_time}, {"event.timestamp", match_event_time},
      {"times_seen", [](Compiler& c, const SearchTerm& t) {
         return match_count(c, t, [](const IssueColumn& issue) { return static_cast<double>(issue.times_seen); });
       }},
      {"timesSeen", [](Compiler& c, const SearchTerm& t) {
         return match_count(c, t, [](const IssueColumn& issue) { return static_cast<double>(issue.times_seen); });
       }},
      {"level", [](Compiler& c, const SearchTerm& t) { return match_numbers(c, t, &IssueColumn::level, level_number); }},
      {"issue.priority", [](Compiler& c, const SearchTerm& t) { return match_numbers(c, t, &IssueColumn::priority, priority_number); }},
      {"status", match_is}, {"logger", [](Compiler& c, const SearchTerm& t) { return match_word(c, t, &IssueColumn::logger); }},
      {"platform", [](Compiler& c, const SearchTerm& t) { return match_word(c, t, &IssueColumn::platform); }},
      {"platform.name", [](Compiler& c, const SearchTerm& t) { return match_word(c, t, &IssueColumn::platform); }},
      {"event.type", [](Compiler& c, const SearchTerm& t) { return match_word(c, t, &IssueColumn::type); }},
      {"message", match_message},
      {"title", [](Compiler& c, const SearchTerm& t) { return match_text(c, t, TextField::title); }},
      {"culprit", [](Compiler& c, const SearchTerm& t) { return match_text(c, t, TextField::culprit); }},
      {"error.type", [](Compiler& c, const SearchTerm& t) { return match_text(c, t, TextField::error_type); }},
      {"error.value", [](Compiler& c, const SearchTerm& t) { return match_text(c, t, TextField::error_value); }},
      {"error.handled", match_handled}, {"error.unhandled", match_handled},
      {"issue", match_short_id}, {"issue.id", match_issue_id}, {"id", match_event_id}, {"event_id", match_event_id}, {"event.id", match_event_id},
      {"issue.category", match_category}, {"issue.type", match_category},
      {"project", match_project}, {"project.name", match_project}, {"project.id", match_project}, {"project_id", match_project},
  };
  const auto found = std::find_if(handlers.begin(), handlers.end(), [&](const Pair& each) { return each.first == key; });
  return found == handlers.end() ? match_tag : found->second;
}

}  // namespace

bool any_matches(const std::vector<Pattern>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& pattern) { return pattern.matches(text); });
}

Result<IssueFilter> make_issue_filter(const buffer::Reader& reader,
                                      const SearchScope& scope,
                                      const std::vector<SearchTerm>& terms) {
  IssueFilter filter;
  Compiler compiler{reader, scope, filter};
  for (const auto& term : terms) {
    Refusal refusal;
    switch (term.kind) {
      case TermKind::free_text: refusal = match_message(compiler, term); break;
      case TermKind::is: refusal = match_is(compiler, term); break;
      case TermKind::has: refusal = match_has(compiler, term); break;
      case TermKind::filter:
        refusal = term.explicit_tag ? match_tag(compiler, term) : handler_of(term.key)(compiler, term);
        break;
    }
    if (refusal) return *refusal;
  }
  return filter;
}

}  // namespace picket::query

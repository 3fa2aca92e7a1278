#include "api/query/issue_filter.h"

#include "api/digest/event.h"
#include "api/digest/issue_state.h"
#include "api/query/issue_free_text.h"
#include "api/query/issue_names.h"
#include "api/query/issue_stack_terms.h"
#include "api/query/issue_states.h"
#include "api/query/people.h"
#include "api/query/search_values.h"
#include "api/query/tag_terms.h"
#include "api/query/time_terms.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <bitset>
#include <set>
#include <utility>

namespace picket::query {
namespace {

struct Compiler {
  const buffer::Reader& reader;
  const SearchScope& scope;
};
using Made = Result<IssueTest>;
using Handler = Made (*)(const Compiler&, const Condition&);

IssueTest by_column(bool negate, ColumnTest test) {
  return {.kind = IssueTest::Kind::column, .negated = negate, .column = std::move(test)};
}
using TextsTest = std::function<bool(const IssueTexts&)>;

// `may_hold` says without decoding that a row cannot pass; none: it may.
IssueTest by_texts(bool negate, TextsTest test, std::function<bool(std::string_view)> may_hold = {}) {
  auto made = by_column(negate, [test](const ColumnSet& set, const IssueColumn& issue) { return test(set.texts(issue)); });
  made.row = [test, may_hold = std::move(may_hold)](const buffer::Reader& reader, const Candidate& candidate) {
    const auto bytes = reader.get(buffer::Table::issues, buffer::Key().u64(candidate.id));
    if (!bytes || (may_hold && !may_hold(*bytes))) return false;
    return test(IssueTexts(render_texts(buffer::parse_row<schema::Issue>(*bytes))));
  };
  return made;
}

IssueTest by_row(bool negate, RowTest test) {
  return {.kind = IssueTest::Kind::row, .negated = negate, .row = std::move(test)};
}
IssueTest by_tag(bool negate, TagTest test) {
  return {.kind = IssueTest::Kind::tag, .negated = negate, .tag = std::move(test)};
}
IssueTest constant(bool passes) {
  return {.kind = IssueTest::Kind::all, .negated = !passes};
}

std::vector<Pattern> patterns_of(const Condition& term, bool ignore_case) {
  std::vector<Pattern> patterns;
  patterns.reserve(term.values.size());
  for (const auto& value : term.values) patterns.emplace_back(value.text, ignore_case);
  return patterns;
}

// A column that holds one of a few known numbers, named by words.
Made match_numbers(const Compiler&, const Condition& term, std::uint8_t IssueColumn::*field,
                      std::optional<std::uint32_t> (*parse)(std::string_view)) {
  std::bitset<256> wanted;
  for (const auto& value : term.values) {
    const auto number = parse(value.text);
    if (!number) return Error{Fault::malformed, term.field.name + ": '" + value.text + "' is not one of its values"};
    if (*number < wanted.size()) wanted.set(*number);
  }
  return by_column(term.asks_not(), [field, wanted](const ColumnSet&, const IssueColumn& issue) {
    return wanted.test(issue.*field);
  });
}

Made match_word(const Compiler&, const Condition& term, std::uint32_t IssueColumn::*field) {
  auto patterns = patterns_of(term, false);
  return by_column(term.asks_not(), [field, patterns = std::move(patterns)](const ColumnSet& set, const IssueColumn& issue) {
    return any_matches(patterns, set.word(issue.*field));
  });
}

Made match_text(const Compiler&, const Condition& term, TextField field) {
  auto patterns = patterns_of(term, true);
  return by_texts(term.asks_not(), [field, patterns = std::move(patterns)](const IssueTexts& texts) {
    const auto text = texts.field(field);
    return std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& pattern) { return pattern.matches_lower(text); });
  });
}

// Anywhere in the texts, ignoring case.
Made match_message(const Compiler&, const Condition& term) {
  auto patterns = patterns_of(term, true);
  std::vector<std::string> runs;
  for (const auto& pattern : patterns) runs.push_back(pattern.has_wildcard() ? std::string() : plain_run(pattern.plain()));
  auto may_hold = [runs = std::move(runs)](std::string_view row) {
    const auto lower = lower_ascii(row);
    return std::ranges::any_of(runs, [&](const std::string& run) { return lower.find(run) != std::string::npos; });
  };
  auto test = [patterns = std::move(patterns)](const IssueTexts& texts) {
    return std::ranges::any_of(patterns, [&](const Pattern& pattern) { return pattern.found_in_lower(texts.all()); });
  };
  return by_texts(term.asks_not(), std::move(test), std::move(may_hold));
}

Made match_free_text(const Compiler& compiler, const Condition& term) {
  auto in_texts = match_message(compiler, term);
  if (!in_texts) return in_texts;
  in_texts->negated = false;
  return free_text_test(compiler.reader, compiler.scope, term, *std::move(in_texts));
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

Made match_count(const Compiler&, const Condition& term, double (*read)(const IssueColumn&)) {
  std::vector<double> wanted;
  for (const auto& value : term.values) {
    const auto number = parse_number(value.text);
    if (!number) return Error{Fault::malformed, term.field.name + ": '" + value.text + "' is not a number"};
    wanted.push_back(*number);
  }
  return by_column(term.asks_not(), [op = term.op, wanted = std::move(wanted), read](const ColumnSet&, const IssueColumn& issue) {
    return std::any_of(wanted.begin(), wanted.end(),
                       [&](double each) { return compare(op, read(issue), each); });
  });
}

Made match_time(const Compiler& compiler, const Condition& term, std::int64_t IssueColumn::*field) {
  const auto range = time_range(term, compiler.scope.now);
  if (!range) return range.error();
  return by_column(term.asks_not(), [field, range = *range](const ColumnSet&, const IssueColumn& issue) {
    return range.contains(issue.*field);
  });
}

// Some event of the issue lies in the range.
Made match_event_time(const Compiler& compiler, const Condition& term) {
  const auto range = time_range(term, compiler.scope.now);
  if (!range) return range.error();
  return by_row(term.asks_not(), [range = *range](const buffer::Reader& reader, const Candidate& issue) {
    if (range.contains(issue.last_seen_ms) || range.contains(issue.first_seen_ms)) return true;
    if (issue.last_seen_ms < range.from_ms || issue.first_seen_ms >= range.to_ms) return false;
    auto cursor = reader.cursor(buffer::Table::events_by_issue);
    const auto from = static_cast<std::uint64_t>(std::max<std::int64_t>(range.from_ms, 0));
    if (!cursor.seek(buffer::Key().u64(issue.id).u64(from))) return false;
    buffer::KeyReader key(cursor.key());
    return key.u64() == issue.id && range.contains(static_cast<std::int64_t>(key.u64()));
  });
}

Made match_handled(const Compiler&, const Condition& term) {
  const bool asks_unhandled = term.field.name == "error.unhandled";
  const auto wanted = parse_boolean(term.values.front().text);
  if (!wanted || term.values.size() > 1) return Error{Fault::malformed, term.field.name + ": one of true, 1, false and 0 is expected"};
  return by_column(term.asks_not(), [unhandled = *wanted == asks_unhandled](const ColumnSet&, const IssueColumn& issue) {
    return unhandled ? issue.unhandled : !issue.unhandled;
  });
}

Made match_issue_id(const Compiler& compiler, const Condition& term) {
  return match_count(compiler, term, [](const IssueColumn& issue) { return static_cast<double>(issue.id); });
}

Made match_issue_set(const Compiler&, const Condition& term, std::set<std::uint64_t> ids) {
  return by_column(term.asks_not(), [ids = std::move(ids)](const ColumnSet&, const IssueColumn& issue) {
    return ids.contains(issue.id);
  });
}

Made match_short_id(const Compiler& compiler, const Condition& term) {
  std::set<std::uint64_t> ids;
  for (const auto& value : term.values) {
    if (const auto id = find_short_id(compiler.reader, compiler.scope.projects, value.text)) ids.insert(*id);
  }
  return match_issue_set(compiler, term, std::move(ids));
}

Made match_event_id(const Compiler& compiler, const Condition& term) {
  std::set<std::uint64_t> ids;
  for (const auto& value : term.values) {
    for (const auto id : issues_of_event(compiler.reader, compiler.scope.projects, value.text)) ids.insert(id);
  }
  return match_issue_set(compiler, term, std::move(ids));
}

Made match_project(const Compiler& compiler, const Condition& term) {
  std::set<std::uint64_t> wanted;
  for (const auto project : compiler.scope.projects) {
    const auto row = buffer::find_row<schema::Project>(compiler.reader, buffer::Table::projects, buffer::Key().u64(project));
    if (!row) continue;
    for (const auto& value : term.values) {
      if (Pattern(value.text, false).matches(row->slug()) || value.text == std::to_string(project)) wanted.insert(project);
    }
  }
  return by_column(term.asks_not(), [wanted = std::move(wanted)](const ColumnSet&, const IssueColumn& issue) {
    return wanted.contains(issue.project);
  });
}

// Errors, feedback and monitors; the words of other products match nothing.
Made match_category(const Compiler&, const Condition& term) {
  std::set<std::string, std::less<>> wanted;
  for (const auto& value : term.values) wanted.insert(value.text == "cron" ? "outage" : value.text);
  const bool by_type = term.field.name == "issue.type";
  return by_column(term.asks_not(), [wanted = std::move(wanted), by_type](const ColumnSet& set, const IssueColumn& issue) {
    const std::string_view type = set.word(issue.issue_type);
    if (by_type) return wanted.contains(type.empty() ? std::string_view("error") : type);
    return wanted.contains(digest::category_of_type(type));
  });
}

Made match_assigned(const Compiler& compiler, const Condition& term) {
  auto owners = find_owners(compiler.reader, compiler.scope, term.values);
  return by_column(term.asks_not(), [owners = std::move(owners)](const ColumnSet&, const IssueColumn& issue) {
    return owners.own(issue.assigned_user, issue.assigned_team);
  });
}

Made match_mark(const Compiler& compiler, const Condition& term) {
  const auto owners = find_owners(compiler.reader, compiler.scope, term.values);
  const bool bookmarks = term.field.name == "bookmarks";
  return by_row(term.asks_not(), [users = owners.users, bookmarks](const buffer::Reader& reader, const Candidate& issue) {
    return std::any_of(users.begin(), users.end(), [&](std::uint64_t user) {
      const auto mark = buffer::find_row<schema::IssueMark>(reader, buffer::Table::issue_marks,
                                                            buffer::Key().u64(issue.id).u64(user));
      return mark && (bookmarks ? mark->bookmarked() : mark->subscribed());
    });
  });
}

Made match_tag(const Compiler& compiler, const Condition& term) {
  bool negate = term.asks_not();
  auto test = tag_test(compiler.reader, compiler.scope, term, negate);
  return by_tag(negate, std::move(test));
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
Made match_has(const Compiler& compiler, const Condition& term) {
  const auto& key = term.field.name;
  if (term.field.explicit_tag) return by_tag(term.negated, {.key = term.field.name, .exact = {}, .matches = {}});
  const auto has_word = [&](std::uint32_t IssueColumn::*field) {
    return by_column(term.negated, [field](const ColumnSet& set, const IssueColumn& issue) { return !set.word(issue.*field).empty(); });
  };
  if (key == "assigned" || key == "assigned_to" || key == "assigned_or_suggested") {
    return by_column(term.negated, [](const ColumnSet&, const IssueColumn& issue) {
      return issue.assigned_user != 0 || issue.assigned_team != 0;
    });
  }
  if (names_part_of_frame(key)) return has_stack_test(compiler.reader, compiler.scope, term.negated);
  if (key == "platform" || key == "platform.name") return has_word(&IssueColumn::platform);
  if (key == "logger") return has_word(&IssueColumn::logger);
  if (key == "first_release" || key == "firstRelease" || key == "first-release") {
    return has_word(&IssueColumn::first_release);
  }
  if (key == "error.type" || key == "error.value" || key == "culprit") {
    const auto field = key == "error.type" ? TextField::error_type
                       : key == "culprit"  ? TextField::culprit
                                           : TextField::error_value;
    return by_texts(term.negated, [field](const IssueTexts& texts) { return !texts.field(field).empty(); });
  }
  static const std::set<std::string, std::less<>> always = {
      "level", "status", "title", "message", "issue", "issue.id", "id", "project", "issue.category", "issue.type",
      "age", "first_seen", "firstSeen", "last_seen", "lastSeen", "times_seen", "timesSeen", "event.type", "issue.priority"};
  if (always.contains(key)) return constant(!term.negated);
  return by_tag(term.negated, {.key = tag_of_key(key), .exact = {}, .matches = {}});
}

Made match_is(const Compiler& compiler, const Condition& term) {
  std::vector<StateTest> tests;
  for (const auto& value : term.values) {
    const auto test = parse_state(value.text);
    if (!test) {
      return Error{Fault::malformed, "Invalid value for \"is\" search: '" + value.text + "'. Valid values are " + state_words() + "."};
    }
    tests.push_back(test);
  }
  return by_column(term.asks_not(), [tests = std::move(tests), now = compiler.scope.now](const ColumnSet&, const IssueColumn& issue) {
    return std::any_of(tests.begin(), tests.end(), [&](StateTest test) { return test(issue, now); });
  });
}

Made match_release_word(const Compiler& compiler, const Condition& term) {
  auto named = term;
  for (auto& value : named.values) {
    if (value.text != "latest" || value.quoted) continue;
    value.text = latest_release(compiler.reader, compiler.scope);
  }
  return match_word(compiler, named, &IssueColumn::first_release);
}

Made match_stack(const Compiler& compiler, const Condition& term) {
  return stack_test(compiler.reader, compiler.scope, term);
}

Made match_first_seen(const Compiler& compiler, const Condition& term) {
  return match_time(compiler, term, &IssueColumn::first_seen_ms);
}
Made match_last_seen(const Compiler& compiler, const Condition& term) {
  return match_time(compiler, term, &IssueColumn::last_seen_ms);
}
Made match_times_seen(const Compiler& compiler, const Condition& term) {
  return match_count(compiler, term, [](const IssueColumn& issue) { return static_cast<double>(issue.times_seen); });
}

Handler handler_of(std::string_view key) {
  using Pair = std::pair<std::string_view, Handler>;
  static const std::vector<Pair> handlers = {
      {"assigned", match_assigned}, {"assigned_to", match_assigned}, {"assigned_or_suggested", match_assigned},
      {"bookmarks", match_mark}, {"subscribed", match_mark},
      {"first_release", match_release_word}, {"firstRelease", match_release_word}, {"first-release", match_release_word},
      {"age", match_first_seen}, {"first_seen", match_first_seen}, {"firstSeen", match_first_seen},
      {"last_seen", match_last_seen}, {"lastSeen", match_last_seen},
      {"date", match_event_time}, {"timestamp", match_event_time}, {"event.timestamp", match_event_time},
      {"times_seen", match_times_seen}, {"timesSeen", match_times_seen},
      {"level", [](const Compiler& c, const Condition& t) { return match_numbers(c, t, &IssueColumn::level, level_number); }},
      {"issue.priority", [](const Compiler& c, const Condition& t) { return match_numbers(c, t, &IssueColumn::priority, priority_number); }},
      {"status", match_is}, {"logger", [](const Compiler& c, const Condition& t) { return match_word(c, t, &IssueColumn::logger); }},
      {"platform", [](const Compiler& c, const Condition& t) { return match_word(c, t, &IssueColumn::platform); }},
      {"platform.name", [](const Compiler& c, const Condition& t) { return match_word(c, t, &IssueColumn::platform); }},
      {"event.type", [](const Compiler& c, const Condition& t) { return match_word(c, t, &IssueColumn::type); }},
      {"message", match_message},
      {"stack.function", match_stack}, {"stack.filename", match_stack}, {"stack.abs_path", match_stack}, {"stack.module", match_stack},
      {"title", [](const Compiler& c, const Condition& t) { return match_text(c, t, TextField::title); }},
      {"culprit", [](const Compiler& c, const Condition& t) { return match_text(c, t, TextField::culprit); }},
      {"error.type", [](const Compiler& c, const Condition& t) { return match_text(c, t, TextField::error_type); }},
      {"error.value", [](const Compiler& c, const Condition& t) { return match_text(c, t, TextField::error_value); }},
      {"error.handled", match_handled}, {"error.unhandled", match_handled},
      {"issue", match_short_id}, {"issue.id", match_issue_id}, {"id", match_event_id}, {"event_id", match_event_id}, {"event.id", match_event_id},
      {"issue.category", match_category}, {"issue.type", match_category},
      {"project", match_project}, {"project.name", match_project}, {"project.id", match_project}, {"project_id", match_project},
  };
  const auto found = std::find_if(handlers.begin(), handlers.end(), [&](const Pair& each) { return each.first == key; });
  return found == handlers.end() ? match_tag : found->second;
}

}  // namespace

void read_texts_from_rows(IssueTest& test) {
  if (test.kind == IssueTest::Kind::column && test.row) test.kind = IssueTest::Kind::row;
  for (auto& part : test.parts) read_texts_from_rows(part);
}

bool any_matches(const std::vector<Pattern>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& pattern) { return pattern.matches(text); });
}

Result<IssueTest> make_issue_test(const buffer::Reader& reader, const SearchScope& scope, const Condition& condition) {
  const Compiler compiler{reader, scope};
  if (condition.kind == ConditionKind::all || condition.kind == ConditionKind::any) {
    IssueTest whole{.kind = condition.kind == ConditionKind::all ? IssueTest::Kind::all : IssueTest::Kind::any,
                    .negated = condition.negated};
    for (const auto& part : condition.parts) {
      auto made = make_issue_test(reader, scope, part);
      if (!made) return made.error();
      whole.parts.push_back(*std::move(made));
    }
    return whole;
  }
  if (condition.field.is_function()) {
    return refuse(condition, "Aggregate filters (" + condition.field.function + ") are not supported in issue searches.");
  }
  const Handler handler = condition.kind == ConditionKind::free_text ? match_free_text
                          : condition.kind == ConditionKind::is      ? match_is
                          : condition.kind == ConditionKind::has     ? match_has
                          : condition.field.explicit_tag             ? match_tag
                                                                     : handler_of(condition.field.name);
  auto made = handler(compiler, condition);
  if (!made) return refuse(condition, made.error().detail);
  return made;
}

}  // namespace picket::query

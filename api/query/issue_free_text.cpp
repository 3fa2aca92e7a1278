#include "api/query/issue_free_text.h"

#include "api/digest/postings.h"
#include "api/digest/waiting_tags.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <utility>

namespace picket::query {
namespace {

using buffer::Key;
using buffer::Table;

bool looks_like_address(std::string_view text) {
  return text.find_first_of("0123456789") != std::string_view::npos && text.find_first_of(".:") != std::string_view::npos &&
         text.find_first_not_of("0123456789abcdefABCDEF.:*") == std::string_view::npos;
}

// Within the values of a tag, ignoring case; of users without the word before the colon.
IssueTest found_in_tag(std::string_view key, const Pattern& pattern) {
  IssueTest test{.kind = IssueTest::Kind::tag};
  test.tag = {.key = std::string(key), .exact = {}, .matches = [pattern, user = key == "user"](std::string_view value) {
                if (user) value.remove_prefix(std::min(value.size(), value.find(':') + 1));
                return pattern.found_in_lower(lower_ascii(value));
              }};
  return test;
}

// Issues of the user who has this name or id, ascending.
std::vector<std::uint64_t> issues_of_user(const buffer::Reader& reader, const SearchScope& scope, std::string_view name) {
  std::vector<std::uint64_t> issues;
  const digest::WaitingTags waiting(reader);
  for (const auto project : scope.projects) {
    for (const std::string_view kind : {"username:", "id:"}) {
      const auto tag = Key().text("user").text(std::string(kind) + std::string(name));
      const auto prefix = Key().u64(project).raw(tag);
      waiting.holders(project, tag, issues);
      auto cursor = reader.cursor(Table::issues_by_tag);
      for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix.view()); more = cursor.next())
        digest::read_postings(cursor.key(), cursor.value(), issues);
    }
  }
  std::ranges::sort(issues);
  return issues;
}

// A test of an issue's row of texts, in its bytes as they are stored.
using TextsRowTest = std::function<bool(std::string_view row)>;

bool texts_pass(const buffer::Reader& reader, std::uint64_t issue, const TextsRowTest& passes) {
  const auto row = reader.get(Table::issue_texts, Key().u64(issue));
  return row && passes(*row);
}

// The texts of the issues whose signature may hold the sequences: read once all else has left few of them, or while
// the issues are looked at one after another.
IssueTest held_where_signed(const buffer::Reader& reader, const SearchScope& scope, digest::TextSequences sequences, TextsRowTest passes) {
  if (scope.texts_at_once) {
    IssueTest test{.kind = IssueTest::Kind::column};
    test.column = [&reader, sequences = std::move(sequences), passes = std::move(passes)](const ColumnSet& set, const IssueColumn& issue) {
      return set.may_hold(issue, sequences) && texts_pass(reader, issue.id, passes);
    };
    return test;
  }
  IssueTest both{.kind = IssueTest::Kind::all};
  auto& signed_so = both.parts.emplace_back();
  signed_so.kind = IssueTest::Kind::column;
  signed_so.column = [sequences = std::move(sequences)](const ColumnSet& set, const IssueColumn& issue) { return set.may_hold(issue, sequences); };
  auto& held = both.parts.emplace_back();
  held.kind = IssueTest::Kind::row;
  held.row = [passes = std::move(passes)](const buffer::Reader& at, const Candidate& issue) { return texts_pass(at, issue.id, passes); };
  return both;
}

}  // namespace

IssueTest held_in_texts(const buffer::Reader& reader, const SearchScope& scope, digest::TextSequences sequences,
                        std::function<bool(const schema::IssueTexts&)> passes) {
  return held_where_signed(reader, scope, std::move(sequences), [passes = std::move(passes)](std::string_view row) {
    return passes(buffer::parse_row<schema::IssueTexts>(row));
  });
}

digest::TextSequences sequences_of(const Pattern& pattern) {
  return digest::TextSequences(pattern.pieces());
}

IssueTest free_text_test(const buffer::Reader& reader, const SearchScope& scope, const Condition& term, IssueTest in_texts) {
  const auto& text = term.values.front().text;
  const Pattern pattern(text, true);
  IssueTest anywhere{.kind = IssueTest::Kind::any, .negated = term.asks_not()};
  anywhere.parts.push_back(std::move(in_texts));
  if (!pattern.has_wildcard() && text.find(' ') == std::string::npos) {
    if (auto issues = issues_of_user(reader, scope, text); !issues.empty()) {
      auto& of_user = anywhere.parts.emplace_back();
      of_user.kind = IssueTest::Kind::column;
      of_user.column = [issues = std::move(issues)](const ColumnSet&, const IssueColumn& issue) {
        return std::ranges::binary_search(issues, issue.id);
      };
    }
  }
  if (auto sequences = sequences_of(pattern); !sequences.empty()) {
    anywhere.parts.push_back(held_where_signed(reader, scope, std::move(sequences), [pattern](std::string_view row) {
      // Decoded only where the pattern stands somewhere in the row's bytes.
      if (!pattern.found_in_lower(row)) return false;
      const auto texts = buffer::parse_row<schema::IssueTexts>(row);
      return pattern.found_in_lower(texts.frames()) || pattern.found_in_lower(texts.values()) || pattern.found_in_lower(texts.urls());
    }));
  }
  if (text.find('/') != std::string::npos) anywhere.parts.push_back(found_in_tag("url", pattern));
  if (text.find('@') != std::string::npos || looks_like_address(text)) anywhere.parts.push_back(found_in_tag("user", pattern));
  return anywhere;
}

}  // namespace picket::query

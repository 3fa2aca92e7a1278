#include "api/query/issue_free_text.h"

#include "api/digest/postings.h"
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
  for (const auto project : scope.projects) {
    for (const std::string_view kind : {"username:", "id:"}) {
      const auto prefix = Key().u64(project).text("user").text(std::string(kind) + std::string(name));
      auto cursor = reader.cursor(Table::issues_by_tag);
      for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix.view()); more = cursor.next())
        digest::read_postings(cursor.key(), cursor.value(), issues);
    }
  }
  std::ranges::sort(issues);
  return issues;
}

bool held_in_texts(const buffer::Reader& reader, std::uint64_t issue, const Pattern& pattern) {
  const auto texts = buffer::find_row<schema::IssueTexts>(reader, Table::issue_texts, Key().u64(issue));
  return texts && (pattern.found_in_lower(texts->frames()) || pattern.found_in_lower(texts->values()) ||
                   pattern.found_in_lower(texts->urls()));
}

// The texts of the issues whose signature may hold the pattern, read once all else has left few of them.
IssueTest held_where_signed(const Pattern& pattern, const digest::TextSignature& signature) {
  IssueTest both{.kind = IssueTest::Kind::all};
  auto& signed_so = both.parts.emplace_back();
  signed_so.kind = IssueTest::Kind::column;
  signed_so.column = [signature](const ColumnSet& set, const IssueColumn& issue) { return set.may_hold(issue, signature); };
  auto& held = both.parts.emplace_back();
  held.kind = IssueTest::Kind::row;
  held.row = [pattern](const buffer::Reader& reader, const Candidate& issue) { return held_in_texts(reader, issue.id, pattern); };
  return both;
}

// The same, read while the issues are looked at one after another.
IssueTest held_at_once(const buffer::Reader& reader, const Pattern& pattern, const digest::TextSignature& signature) {
  IssueTest test{.kind = IssueTest::Kind::column};
  test.column = [&reader, pattern, signature](const ColumnSet& set, const IssueColumn& issue) {
    return set.may_hold(issue, signature) && held_in_texts(reader, issue.id, pattern);
  };
  return test;
}

}  // namespace

digest::TextSignature signature_of(const Pattern& pattern) {
  digest::TextSignature signature;
  for (const auto& piece : pattern.pieces()) signature.add(piece);
  return signature;
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
  if (const auto signature = signature_of(pattern); !signature.empty()) {
    anywhere.parts.push_back(scope.texts_at_once ? held_at_once(reader, pattern, signature) : held_where_signed(pattern, signature));
  }
  if (text.find('/') != std::string::npos) anywhere.parts.push_back(found_in_tag("url", pattern));
  if (text.find('@') != std::string::npos || looks_like_address(text)) anywhere.parts.push_back(found_in_tag("user", pattern));
  return anywhere;
}

}  // namespace picket::query

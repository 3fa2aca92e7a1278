#include "api/query/tag_match.h"

#include "api/digest/postings.h"
#include "buffer/keys.h"

#include <algorithm>

namespace picket::query {
namespace {

using buffer::Key;
using buffer::Table;

// A look-up costs about as much as reading 30 postings.
constexpr std::size_t most_lookups = 400;

bool asks_any(const TagTest& test) {
  return test.exact.empty() && !test.matches;
}

bool tagged(const buffer::Reader& reader, std::uint64_t issue, const TagTest& test, Deadline& deadline) {
  for (const auto& value : test.exact) {
    if (reader.get(Table::issue_tags, Key().u64(issue).text(test.key).text(value))) return true;
  }
  if (!test.exact.empty()) return false;
  const auto prefix = Key().u64(issue).text(test.key);
  auto cursor = reader.cursor(Table::issue_tags);
  for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix.view()); more = cursor.next()) {
    if (asks_any(test) || test.matches(buffer::KeyReader(cursor.key().substr(prefix.size())).text())) return true;
    if (deadline.over()) return false;
  }
  return false;
}

// The issues under one posting prefix, appended.
bool read_postings(buffer::RowCursor& cursor, std::string_view prefix, std::vector<std::uint64_t>& issues, Deadline& deadline) {
  for (bool more = cursor.valid(); more && cursor.key().starts_with(prefix); more = cursor.next()) {
    digest::read_postings(cursor.key(), cursor.value(), issues);
    if (deadline.over()) return false;
  }
  return true;
}

// Every value of the key in a project that matches, with its postings.
bool read_matching(const buffer::Reader& reader, std::uint64_t project, const TagTest& test,
                   std::vector<std::uint64_t>& issues, Deadline& deadline) {
  const auto key_prefix = Key().u64(project).text(test.key);
  auto cursor = reader.cursor(Table::issues_by_tag);
  bool more = cursor.seek(key_prefix);
  while (more && cursor.key().starts_with(key_prefix.view())) {
    if (deadline.over()) return false;
    const std::string value(buffer::KeyReader(cursor.key().substr(key_prefix.size())).text());
    const auto prefix = Key(key_prefix).text(value);
    if (asks_any(test) || test.matches(value)) {
      if (!read_postings(cursor, prefix, issues, deadline)) return false;
      more = cursor.valid();
    } else {
      more = cursor.seek(Key(prefix).raw("\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
    }
  }
  return true;
}

bool read_tagged(const buffer::Reader& reader, std::span<const std::uint64_t> projects, const TagTest& test,
                 std::vector<std::uint64_t>& issues, Deadline& deadline) {
  for (const auto project : projects) {
    if (test.exact.empty() && !read_matching(reader, project, test, issues, deadline)) return false;
    for (const auto& value : test.exact) {
      const auto prefix = Key().u64(project).text(test.key).text(value);
      auto cursor = reader.cursor(Table::issues_by_tag);
      cursor.seek(prefix);
      if (!read_postings(cursor, prefix, issues, deadline)) return false;
    }
  }
  std::sort(issues.begin(), issues.end());
  return true;
}

}  // namespace

std::optional<std::vector<std::uint8_t>> find_tagged(const buffer::Reader& reader,
                                                     std::span<const std::uint64_t> projects,
                                                     const TagTest& test,
                                                     std::span<const std::uint64_t> issues,
                                                     Deadline& deadline) {
  std::vector<std::uint8_t> passes(issues.size());
  if (issues.size() * std::max<std::size_t>(1, test.exact.size()) <= most_lookups) {
    for (std::size_t i = 0; i < issues.size(); ++i) passes[i] = tagged(reader, issues[i], test, deadline) ? 1 : 0;
    if (deadline.over()) return std::nullopt;
    return passes;
  }
  std::vector<std::uint64_t> holders;
  if (!read_tagged(reader, projects, test, holders, deadline)) return std::nullopt;
  auto next = holders.begin();
  for (std::size_t i = 0; i < issues.size(); ++i) {
    while (next != holders.end() && *next < issues[i]) ++next;
    passes[i] = next != holders.end() && *next == issues[i] ? 1 : 0;
  }
  return passes;
}

}  // namespace picket::query

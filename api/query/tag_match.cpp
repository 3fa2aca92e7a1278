#include "api/query/tag_match.h"

#include "api/digest/issue_tags.h"
#include "api/digest/postings.h"
#include "buffer/keys.h"

#include <algorithm>
#include <utility>

namespace picket::query {
namespace {

using buffer::Key;
using buffer::Table;

// A look-up costs about as much as reading 30 postings.
constexpr std::size_t most_lookups = 400;

bool asks_any(const TagTest& test) {
  return test.exact.empty() && !test.matches;
}

// The issues of which one of the values waits to be added to their rows.
IssueNumbers waiting_holders(const buffer::Reader& reader, std::span<const std::uint64_t> projects, const TagTest& test) {
  std::vector<std::uint64_t> issues;
  if (const digest::WaitingTags waiting(reader); !waiting.none()) {
    for (const auto project : projects) {
      for (const auto& value : test.exact) waiting.holders(project, Key().text(test.key).text(value), issues);
    }
  }
  return IssueNumbers(std::move(issues));
}

bool has_row(const buffer::Reader& reader, std::uint64_t issue, const TagTest& test) {
  return std::ranges::any_of(test.exact, [&](const std::string& value) {
    return reader.get(Table::issue_tags, Key().u64(issue).text(test.key).text(value)).has_value();
  });
}

bool has_matching(const digest::IssueTags& tags, std::uint64_t issue, const TagTest& test, Deadline& deadline) {
  bool found = false;
  tags.for_each(issue, Key().text(test.key), [&](std::string_view value, const auto&) {
    found = asks_any(test) || test.matches(buffer::KeyReader(value).text());
    return !found && !deadline.over();
  });
  return found;
}

// By looking at each issue's tags.
std::vector<std::uint8_t> look_at_each(const buffer::Reader& reader, std::span<const std::uint64_t> projects, const TagTest& test,
                                       std::span<const std::uint64_t> issues, Deadline& deadline) {
  std::vector<std::uint8_t> passes(issues.size());
  if (!test.exact.empty()) {
    const auto waiting = waiting_holders(reader, projects, test);
    for (std::size_t i = 0; i < issues.size() && !deadline.over(); ++i)
      passes[i] = waiting.has(issues[i]) || has_row(reader, issues[i], test) ? 1 : 0;
    return passes;
  }
  const digest::IssueTags tags(reader);
  for (std::size_t i = 0; i < issues.size() && !deadline.over(); ++i) passes[i] = has_matching(tags, issues[i], test, deadline) ? 1 : 0;
  return passes;
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

// In no order, with repetitions.
bool read_tagged(const buffer::Reader& reader, std::span<const std::uint64_t> projects, const TagTest& test,
                 std::vector<std::uint64_t>& issues, Deadline& deadline) {
  const digest::WaitingTags waiting(reader);
  const auto passes = [&](std::string_view value) { return asks_any(test) || test.matches(buffer::KeyReader(value).text()); };
  for (const auto project : projects) {
    if (test.exact.empty()) {
      if (!read_matching(reader, project, test, issues, deadline)) return false;
      waiting.matching_holders(project, Key().text(test.key), passes, issues);
    }
    for (const auto& value : test.exact) {
      const auto tag = Key().text(test.key).text(value);
      const auto prefix = Key().u64(project).raw(tag);
      auto cursor = reader.cursor(Table::issues_by_tag);
      cursor.seek(prefix);
      if (!read_postings(cursor, prefix, issues, deadline)) return false;
      waiting.holders(project, tag, issues);
    }
  }
  return true;
}

}  // namespace

IssueNumbers::IssueNumbers(std::vector<std::uint64_t> numbers) : numbers_(std::move(numbers)) {
  constexpr std::uint64_t most_bits = std::uint64_t{8} << 20;
  if (numbers_.empty()) return;
  const auto [least, greatest] = std::ranges::minmax(numbers_);
  if (greatest - least >= most_bits) {
    std::ranges::sort(numbers_);
    return;
  }
  first_ = least;
  bits_.resize((greatest - first_) / 64 + 1);
  for (const auto number : numbers_) bits_[(number - first_) / 64] |= std::uint64_t{1} << ((number - first_) % 64);
  numbers_ = {};
}

bool IssueNumbers::has(std::uint64_t number) const {
  if (bits_.empty()) return std::ranges::binary_search(numbers_, number);
  const auto place = number - first_;  // of a smaller one: beyond all
  return place / 64 < bits_.size() && (bits_[place / 64] >> (place % 64) & 1) != 0;
}

std::optional<IssueNumbers> find_holders(const buffer::Reader& reader, std::span<const std::uint64_t> projects, const TagTest& test,
                                         Deadline& deadline) {
  std::vector<std::uint64_t> holders;
  if (!read_tagged(reader, projects, test, holders, deadline)) return std::nullopt;
  return IssueNumbers(std::move(holders));
}

std::optional<std::vector<std::uint8_t>> find_tagged(const buffer::Reader& reader,
                                                     std::span<const std::uint64_t> projects,
                                                     const TagTest& test,
                                                     std::span<const std::uint64_t> issues,
                                                     Deadline& deadline) {
  if (issues.size() * std::max<std::size_t>(1, test.exact.size()) <= most_lookups) {
    auto passes = look_at_each(reader, projects, test, issues, deadline);
    if (deadline.over()) return std::nullopt;
    return passes;
  }
  const auto holders = find_holders(reader, projects, test, deadline);
  if (!holders) return std::nullopt;
  std::vector<std::uint8_t> passes(issues.size());
  for (std::size_t i = 0; i < issues.size(); ++i) passes[i] = holders->has(issues[i]) ? 1 : 0;
  return passes;
}

}  // namespace picket::query

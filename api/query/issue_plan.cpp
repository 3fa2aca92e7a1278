#include "api/query/issue_plan.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <utility>

namespace picket::query {
namespace {

using Kind = IssueTest::Kind;
using Numbers = std::vector<std::uint32_t>;

bool needs_columns_only(const IssueTest& test) {
  if (test.kind == Kind::tag || test.kind == Kind::row) return false;
  return std::ranges::all_of(test.parts, needs_columns_only);
}

ColumnTest fold(IssueTest test) {
  if (test.kind == Kind::column) {
    if (!test.negated) return std::move(test.column);
    return [inner = std::move(test.column)](const ColumnSet& set, const IssueColumn& issue) { return !inner(set, issue); };
  }
  std::vector<ColumnTest> parts;
  for (auto& part : test.parts) parts.push_back(fold(std::move(part)));
  return [parts = std::move(parts), all = test.kind == Kind::all, negated = test.negated](const ColumnSet& set, const IssueColumn& issue) {
    const auto holds = [&](const ColumnTest& part) { return part(set, issue); };
    return (all ? std::ranges::all_of(parts, holds) : std::ranges::any_of(parts, holds)) != negated;
  };
}

// Columns, then tags, then rows; what is joined last.
int cost_of(const IssueTest& test) {
  if (needs_columns_only(test)) return 0;
  return test.kind == Kind::tag ? 1 : test.kind == Kind::row ? 2 : 3;
}

Numbers without(const Numbers& all, const Numbers& some) {
  Numbers left;
  std::ranges::set_difference(all, some, std::back_inserter(left));
  return left;
}

}  // namespace

IssuePlan::IssuePlan(IssueTest test) {
  add(std::move(test));
}

void IssuePlan::add(IssueTest test) {
  if (test.kind == Kind::all && !test.negated) {
    std::ranges::stable_sort(test.parts, {}, cost_of);
    for (auto& part : test.parts) add(std::move(part));
  } else if (needs_columns_only(test)) {
    columns_.push_back(fold(std::move(test)));
  } else {
    rest_.push_back(prepare(std::move(test)));
  }
}

// The parts of an AND or OR that need columns only become one mark.
IssuePlan::Node IssuePlan::prepare(IssueTest test) {
  Node node{.kind = test.kind, .negated = test.negated, .tag = std::move(test.tag), .row = std::move(test.row)};
  std::ranges::stable_sort(test.parts, {}, cost_of);
  const auto slow = std::ranges::find_if_not(test.parts, needs_columns_only);
  if (slow != test.parts.begin()) {
    IssueTest quick{.kind = test.kind};
    std::move(test.parts.begin(), slow, std::back_inserter(quick.parts));
    node.parts.push_back({.kind = Kind::column, .mark = marks_.size()});
    marks_.push_back(fold(std::move(quick)));
  }
  for (auto part = slow; part != test.parts.end(); ++part) node.parts.push_back(prepare(std::move(*part)));
  return node;
}

bool IssuePlan::reads_little(const Node& node) {
  return (node.kind != Kind::tag || !node.tag.exact.empty()) && std::ranges::all_of(node.parts, reads_little);
}

bool IssuePlan::reads_little_each() const {
  return std::ranges::all_of(rest_, reads_little);
}

bool IssuePlan::know_tags(const buffer::Reader& reader, std::span<const std::uint64_t> projects, Deadline& deadline) {
  for (auto& node : rest_) {
    if (!know_tags(node, reader, projects, deadline)) return false;
  }
  // What drops an issue at once comes first.
  std::ranges::stable_sort(rest_, {}, [](const Node& node) { return node.kind != Kind::column; });
  return true;
}

bool IssuePlan::know_tags(Node& node, const buffer::Reader& reader, std::span<const std::uint64_t> projects, Deadline& deadline) {
  for (auto& part : node.parts) {
    if (!know_tags(part, reader, projects, deadline)) return false;
  }
  if (node.kind != Kind::tag || node.tag.exact.empty()) return true;
  auto holders = find_holders(reader, projects, node.tag, deadline);
  if (!holders) return false;
  node.kind = Kind::column;
  node.mark = marks_.size();
  marks_.push_back([holders = std::make_shared<IssueNumbers>(*std::move(holders))](const ColumnSet&, const IssueColumn& issue) {
    return holders->has(issue.id);
  });
  return true;
}

struct IssuePlan::Marking {
  const ColumnSet& set;
  const IssueColumn& issue;
  std::span<std::uint64_t> marks;
};

// Marks in the order in which passing() looks at them, and no more of them.
IssuePlan::Verdict IssuePlan::judge(const Node& node, Marking& marking) const {
  auto verdict = Verdict::open;
  if (node.kind == Kind::column) {
    const bool marked = marks_[node.mark](marking.set, marking.issue);
    if (marked) marking.marks[node.mark / 64] |= std::uint64_t{1} << (node.mark % 64);
    verdict = marked ? Verdict::passes : Verdict::fails;
  } else if (node.kind == Kind::all || node.kind == Kind::any) {
    const auto decisive = node.kind == Kind::all ? Verdict::fails : Verdict::passes;
    verdict = node.kind == Kind::all ? Verdict::passes : Verdict::fails;
    for (const auto& part : node.parts) {
      const auto of_part = judge(part, marking);
      if (of_part != Verdict::open && of_part != decisive) continue;
      verdict = of_part;
      if (of_part == decisive) break;
    }
  }
  if (!node.negated || verdict == Verdict::open) return verdict;
  return verdict == Verdict::passes ? Verdict::fails : Verdict::passes;
}

IssuePlan::Verdict IssuePlan::judge(const ColumnSet& set, const IssueColumn& issue, std::vector<std::uint64_t>& marks) const {
  for (const auto& test : columns_) {
    if (!test(set, issue)) return Verdict::fails;
  }
  if (rest_.empty()) return Verdict::passes;
  const auto words = marks_words();
  std::array<std::uint64_t, 2> few{};
  std::vector<std::uint64_t> many(words > few.size() ? words : 0);
  Marking marking{set, issue, many.empty() ? std::span(few).first(words) : std::span(many)};
  auto verdict = Verdict::passes;
  for (const auto& node : rest_) {
    const auto of_node = judge(node, marking);
    if (of_node != Verdict::passes) verdict = of_node;
    if (of_node == Verdict::fails) break;
  }
  if (verdict == Verdict::open) marks.insert(marks.end(), marking.marks.begin(), marking.marks.end());
  return verdict;
}

struct IssuePlan::Search {
  const buffer::Reader& reader;
  std::span<const std::uint64_t> projects;
  std::span<const std::uint64_t> marks;
  std::size_t words = 0;
  const std::vector<Candidate>& candidates;
  Deadline& deadline;
  bool late = false;
};

Numbers IssuePlan::passing_leaf(const Node& node, const Numbers& among, Search& search) {
  if (node.kind == Kind::tag) {
    std::vector<std::uint64_t> ids;
    ids.reserve(among.size());
    for (const auto number : among) ids.push_back(search.candidates[number].id);
    const auto tagged = find_tagged(search.reader, search.projects, node.tag, ids, search.deadline);
    if (!tagged) search.late = true;
    Numbers found;
    for (std::size_t i = 0; tagged && i < among.size(); ++i) {
      if ((*tagged)[i] != 0) found.push_back(among[i]);
    }
    return found;
  }
  Numbers found;
  for (const auto number : among) {
    const auto& candidate = search.candidates[number];
    if (node.kind == Kind::column) {
      const auto word = search.marks[candidate.found * search.words + node.mark / 64];
      if ((word >> (node.mark % 64) & 1) != 0) found.push_back(number);
      continue;
    }
    if (search.deadline.over()) {
      search.late = true;
      break;
    }
    if (node.row(search.reader, candidate)) found.push_back(number);
  }
  return found;
}

Numbers IssuePlan::passing(const Node& node, Numbers among, Search& search) {
  if (search.late) return {};
  Numbers found;
  if (node.kind == Kind::all) {
    found = among;
    for (const auto& part : node.parts) found = passing(part, std::move(found), search);
  } else if (node.kind == Kind::any) {
    auto open = among;
    for (const auto& part : node.parts) open = without(open, passing(part, open, search));
    found = without(among, open);
  } else {
    found = passing_leaf(node, among, search);
  }
  return node.negated ? without(among, found) : found;
}

bool IssuePlan::keep_passing(const buffer::Reader& reader,
                             std::span<const std::uint64_t> projects,
                             std::span<const std::uint64_t> marks,
                             std::vector<Candidate>& candidates,
                             Deadline& deadline) const {
  if (rest_.empty()) return !deadline.over();
  Search search{reader, projects, marks, marks_words(), candidates, deadline};
  Numbers left(candidates.size());
  for (std::uint32_t i = 0; i < left.size(); ++i) left[i] = i;
  for (const auto& node : rest_) left = passing(node, std::move(left), search);
  if (search.late || deadline.over()) return false;
  std::vector<Candidate> kept;
  kept.reserve(left.size());
  for (const auto number : left) kept.push_back(candidates[number]);
  candidates = std::move(kept);
  return true;
}

}  // namespace picket::query

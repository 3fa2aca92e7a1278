// In what order the tests of an issue search are applied: what columns can decide while they are
// scanned, and the rest over the candidates that are left.
//
// A conjunct that needs columns only drops issues during the scan. Within the others (an OR over a tag
// and a level) each part that needs columns only is a mark: a bit an issue, set during the scan.
// Tables are then read for sets of candidates, and each part of an AND or OR only for those that the
// parts before it have left open.
#pragma once

#include "api/query/issue_filter.h"
#include "api/query/tag_match.h"

#include <cstdint>
#include <span>
#include <vector>

namespace picket::query {

class IssuePlan {
 public:
  explicit IssuePlan(IssueTest test);
  // One more conjunct.
  void add(IssueTest test);

  bool columns_decide() const { return rest_.empty(); }
  // Whether what is left to read grows with the candidates: no test reads all values of a tag.
  bool reads_little_each() const;
  // False drops the issue. Otherwise its marks are appended to `marks` as `marks_words()` numbers.
  bool passes_columns(const ColumnSet& set, const IssueColumn& issue, std::vector<std::uint64_t>& marks) const;
  std::size_t marks_words() const { return (marks_.size() + 63) / 64; }

  // Keeps the candidates (ascending by id) that pass the rest. False when the deadline came first.
  bool keep_passing(const buffer::Reader& reader,
                    std::span<const std::uint64_t> projects,
                    std::span<const std::uint64_t> marks,
                    std::vector<Candidate>& candidates,
                    Deadline& deadline) const;

 private:
  struct Node {
    IssueTest::Kind kind = IssueTest::Kind::all;
    bool negated = false;
    std::vector<Node> parts{};
    std::size_t mark = 0;  // of a column
    TagTest tag{};
    RowTest row{};
  };
  struct Search;
  Node prepare(IssueTest test);
  static bool reads_little(const Node& node);
  static std::vector<std::uint32_t> passing(const Node& node, std::vector<std::uint32_t> among, Search& search);
  static std::vector<std::uint32_t> passing_leaf(const Node& node, const std::vector<std::uint32_t>& among, Search& search);

  std::vector<ColumnTest> columns_;  // each must hold
  std::vector<ColumnTest> marks_;
  std::vector<Node> rest_;
};

}  // namespace picket::query

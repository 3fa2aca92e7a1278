// In what order the tests of an issue search are applied: what columns can decide while they are
// scanned, and the rest over the candidates that are left.
//
// A conjunct that needs columns only drops issues during the scan. Within the others (an OR over a tag
// and a level) each part that needs columns only is a mark: a bit an issue, set during the scan. So is
// who has a tag, once that is known (know_tags()). Where the marks alone say yes or no of an issue, it
// is decided; tables are read for the others, in sets, and each part of an AND or OR only for those
// that the parts before it have left open.
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
  // Reads who has the tags that are asked for by their values, of all issues at once. False when the deadline came
  // first. REQUIRES: no marks were made yet
  bool know_tags(const buffer::Reader& reader, std::span<const std::uint64_t> projects, Deadline& deadline);

  enum class Verdict : std::uint8_t { fails, open, passes };
  // Of an open issue the marks are appended to `marks`, as `marks_words()` numbers.
  Verdict judge(const ColumnSet& set, const IssueColumn& issue, std::vector<std::uint64_t>& marks) const;
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
  struct Marking;
  Node prepare(IssueTest test);
  bool know_tags(Node& node, const buffer::Reader& reader, std::span<const std::uint64_t> projects, Deadline& deadline);
  Verdict judge(const Node& node, Marking& marking) const;
  static bool reads_little(const Node& node);
  static std::vector<std::uint32_t> passing(const Node& node, std::vector<std::uint32_t> among, Search& search);
  static std::vector<std::uint32_t> passing_leaf(const Node& node, const std::vector<std::uint32_t>& among, Search& search);

  std::vector<ColumnTest> columns_;  // each must hold
  std::vector<ColumnTest> marks_;
  std::vector<Node> rest_;
};

}  // namespace picket::query

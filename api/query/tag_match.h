// Applying a tag test to issues: by the postings of the value, of all issues at once or of candidates, or,
// when few candidates are left, by looking at each one's tags.
#pragma once

#include "api/query/issue_filter.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace picket::query {

// When a search has to be over.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds from_now) : at_(std::chrono::steady_clock::now() + from_now) {}
  // Looks at the clock every few hundred calls.
  bool over() {
    if ((++calls_ & 255U) == 1) over_ = over_ || std::chrono::steady_clock::now() >= at_;
    return over_;
  }
  std::chrono::steady_clock::time_point at() const { return at_; }

 private:
  std::chrono::steady_clock::time_point at_;
  unsigned calls_ = 0;
  bool over_ = false;
};

// A set of issues. Their numbers lie close together, so a bit each is enough.
class IssueNumbers {
 public:
  explicit IssueNumbers(std::vector<std::uint64_t> numbers);  // in any order
  bool has(std::uint64_t number) const;

 private:
  std::vector<std::uint64_t> numbers_;  // ascending; only where they lie too far apart
  std::vector<std::uint64_t> bits_;
  std::uint64_t first_ = 0;
};

// Who has the tag. Nothing when the deadline came first.
std::optional<IssueNumbers> find_holders(const buffer::Reader& reader, std::span<const std::uint64_t> projects, const TagTest& test,
                                         Deadline& deadline);

// Which of `issues` (ascending) pass, an entry each. Nothing when the deadline came first.
std::optional<std::vector<std::uint8_t>> find_tagged(const buffer::Reader& reader,
                                                     std::span<const std::uint64_t> projects,
                                                     const TagTest& test,
                                                     std::span<const std::uint64_t> issues,
                                                     Deadline& deadline);

}  // namespace picket::query

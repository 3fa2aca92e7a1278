// Increments of tag counts that wait to be added to Table::issue_tags: Table::tag_runs, key number u64, value a run
// (tag_run.h).
//
// An event changes rows of one issue or two, each in blocks of its own: read, decoded, encoded and written for some
// twenty counts, a page of memory and disk each. So a large batch appends its increments as a run, and what waits of
// one slice of the issues is added to the rows in each batch: an issue's blocks are read and written once for all
// batches since its slice had its turn.
//
// INVARIANT  What an issue's tags are is its rows and what waits: an issue's increments wait in the runs with numbers
//            greater than the one noted for its slice (meta, `tag_folds`: u64 for each slice).
// INVARIANT  A posting (postings.h) is there, or the tag waits. Nothing waits of an issue whose rows somebody moves or
//            removes: who does, calls fold_tags_of() first in the same batch.
// A run that makes no sense is passed over, logged whenever a slice has its turn, and goes as the others do.
// THREADS    Reading in any snapshot; adding within a batch.
#pragma once

#include "api/digest/tag_folds.h"
#include "api/digest/tag_run.h"
#include "buffer/tables.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::digest {

// How many turns there are; of runs that are there already what was noted with them holds. Price of more: as many runs
// to look into.
constexpr std::size_t tag_slices = 16;
// Batches that touch fewer issues are added to the rows at once.
constexpr std::size_t least_waiting_issues = 64;

// A tag of an issue that somebody asks for.
struct IssueTag {
  std::uint64_t issue = 0;
  std::string_view tag;  // key text, value text
  std::uint32_t event = 0;
  bool known = false;
};

// What waits, as a reader sees it. Must not outlive it, nor a change to the tables.
class WaitingTags {
 public:
  explicit WaitingTags(const buffer::Reader& reader);

  bool none() const { return runs_.empty(); }
  std::size_t damaged() const { return damaged_; }  // runs that make no sense

  using TagUse = std::pair<std::string_view, TagSum>;
  // What waits of an issue's tags that begin with `prefix`, ascending, each once.
  std::vector<TagUse> uses_of(std::uint64_t issue, std::string_view prefix) const;
  // The keys of what waits of an issue's tags, in no order, with repetitions.
  std::vector<std::string> keys_of(std::uint64_t issue) const;
  // Appends issues of the project of which the tag waits; in no order, with repetitions.
  void holders(std::uint64_t project, std::string_view tag, std::vector<std::uint64_t>& issues) const;
  // The same for all tags that begin with `prefix` and whose rest passes.
  void matching_holders(std::uint64_t project,
                        std::string_view prefix,
                        const std::function<bool(std::string_view)>& passes,
                        std::vector<std::uint64_t>& issues) const;

  // Sets `known` where the tag waits. REQUIRES: ascending.
  void find(std::span<IssueTag> tags) const;

 private:
  friend class TagFold;
  struct Run {
    std::uint64_t number = 0;
    TagRun run;
  };
  bool waits(const Run& of, std::uint64_t issue) const { return of.number > folded_[tag_slice_of(issue, folded_.size())]; }
  void find_in(const Run& of, std::span<IssueTag> tags) const;
  template <class Visit>  // with each run in which tags of the issue wait, and its place among the owners
  void for_each_of(std::uint64_t issue, const Visit& visit) const;

  std::vector<Run> runs_;              // ascending
  std::size_t damaged_ = 0;
  std::vector<std::uint64_t> folded_;  // by slice: the number of the newest run that was added to the rows
};

// Sets `known` where the issue has the tag, in its rows or waiting. REQUIRES: ascending by issue and tag.
void mark_known(const buffer::Reader& reader, std::span<IssueTag> tags);

// Adds them to what is there: to the rows, or as a run, of which one slice's turn comes.
void add_tags(buffer::Batch& batch, const TagIncrements& added);
// Adds what waits of an issue (and of its slice) to the rows.
void fold_tags_of(buffer::Batch& batch, std::uint64_t issue);
// The slice that has waited longest; false when nothing waits any more.
bool fold_some_tags(buffer::Batch& batch);

}  // namespace picket::digest

// Merging issues and taking them apart again, and discarding them.
//
// One batch decides: hashes lead to the other issue, so that the next event is filed there; of a
// merge also the counts, and the source's row says what it has become part of. A note in Table::meta
// ("moving/" source u64, target u64 → IssueMove) says that the events with their tags, notes and
// reports are yet to follow. continue_moves() has them follow in batches of bounded size; whatever
// interrupts, it goes on where it was. The digest calls it when it has nothing else to do.
//
// INVARIANT  Issue::merged_into names an issue that is not merged itself: a merge takes along what
//            had been merged into its source. So there are no chains, and no circles.
// INVARIANT  An event is in one issue's list at any time.
#pragma once

#include "api/digest/grouping.h"
#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace picket::digest {

// Makes `sources` part of `target`; what is gone, merged already or the target itself is passed over.
// REQUIRES: all are of one project.
void merge_issues(buffer::Batch& batch, std::uint64_t target, std::span<const std::uint64_t> sources);

// True while events are on their way to or from an issue: it is not to be merged or taken apart then.
bool is_moving(const buffer::Reader& reader, std::uint64_t issue);

// Makes a new issue for some hashes of another; its number. What the new one is called, its counts
// and tags come with its events. Events that were stored before rows knew their hash stay.
// REQUIRES: the hashes are the issue's, and it is not moving.
std::uint64_t split_issue(buffer::Batch& batch,
                          const schema::Issue& source,
                          std::span<const GroupingHash> hashes);

// Moves up to about `most_rows` rows of what is noted. True when nothing is left.
Result<bool> continue_moves(buffer::Tables& tables, const buffer::Journal& journal, std::size_t most_rows);

// Removes an issue and sets a tombstone that takes all later events of its kind. Its number.
// What remains of the issue goes as of any deleted one (deletion.h).
std::uint64_t discard_issue(buffer::Batch& batch, const schema::Issue& issue, std::uint64_t user, Time now);
// Lets events of that kind in again; false when there is no such tombstone.
bool remove_tombstone(buffer::Batch& batch, std::uint64_t project, std::uint64_t id);

// ---- what the parts share ------------------------------------------------------------------------

constexpr std::string_view move_prefix = "moving/";

// Enters an issue in a tag's postings.
void put_posting(buffer::Batch& batch, std::uint64_t project, std::string_view tag, std::uint64_t issue);
// Moves an issue in the list by when it was last seen; `before_ms` < 0: it was not there.
void move_last_seen(buffer::Batch& batch, const schema::Issue& issue, std::int64_t before_ms, std::int64_t now_ms);
// One batch of taking apart (issue_split.cpp); how many rows it looked at, 0 when it is done.
Result<std::size_t> continue_split(buffer::Tables& tables,
                                   const buffer::Journal& journal,
                                   const schema::IssueMove& move,
                                   std::size_t most);

}  // namespace picket::digest

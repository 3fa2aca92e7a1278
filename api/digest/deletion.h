// Removing issues and projects with everything that belongs to them, in batches of bounded size.
//
// The first batch makes an issue invisible: its row, its short id, its place in the list and its
// hashes go, so that the next event of its kind starts a new issue. A note in Table::meta says that
// the rest has yet to go; whatever interrupts, continue_deletions() picks it up. The digest calls it
// when it has nothing else to do.
//
// What outcomes and the ledger counted stays: it was received all the same.
#pragma once

#include "buffer/result.h"
#include "buffer/tables.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace picket::digest {

// Makes one invisible, with what was merged into it; nothing when it is not there.
void hide_issue(buffer::Batch& batch, std::uint64_t issue);
// One batch; issues that are not there are passed over.
Result<void> hide_issues(buffer::Tables& tables, std::span<const std::uint64_t> issues);

// Notes that everything a project held is to go. Its row is the caller's to remove.
void note_deleted_project(buffer::Batch& batch, std::uint64_t project);

// Removes up to about `most_rows` rows of what is noted, a batch per 4,000. True when nothing is left.
Result<bool> continue_deletions(buffer::Tables& tables, std::size_t most_rows);

}  // namespace picket::digest

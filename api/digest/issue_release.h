// Issues that are resolved in a release which is yet to come: in the next one, or in one that has a
// commit. Once there is one they are resolved in it by name.
//
//   resolved ─► Table::awaited_releases ─┐
//   a release comes ─► a note in meta ───┴─► settle_releases(): inRelease
//
// INVARIANT  An issue is in awaited_releases exactly while its status waits so; whoever changes the
//            status says so here, in the same batch.
// INVARIANT  Naming the release changes nothing about what brings the issue back: of the next release an
//            event does, of the one that has the commit it does not.
// THREADS    Within a batch.
#pragma once

#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace picket::digest {

// To be called before and after the status, or what it says about releases, changes.
void forget_release(buffer::Batch& batch, const schema::Issue& issue);
void await_release(buffer::Batch& batch, const schema::Issue& issue);

// A project has got a release, or one that it has has got commits. Costs a look-up when no issue of the
// project awaits any.
void note_release(buffer::Batch& batch, std::uint64_t project, std::string_view version, std::int64_t at_ms);

bool any_release_came(const buffer::Reader& reader);
// Tells up to `most` issues what came, in the order in which it came.
void settle_releases(buffer::Batch& batch, std::size_t most);

// When a release was released, or else created; 0 when there is none.
std::int64_t release_ms(const buffer::Reader& reader, std::uint64_t organization, std::string_view version);

}  // namespace picket::digest

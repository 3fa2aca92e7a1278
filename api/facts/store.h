// Facts in the tables: Table::facts, key dataset u8 ‖ project u64 ‖ block number u64, value a block.
//
// Appending writes what a batch brought as a block of its own, and together with the last ones where that makes four of a size
// (by powers of four), as counters of base four do: a fact is rewritten a few times on its way into a full block, however small the
// batches are, and never more than three blocks of a size wait for a fourth.
//
// THREADS  append_facts() and trim_facts() within a batch; reading from any snapshot.
#pragma once

#include "api/facts/block.h"
#include "buffer/keys.h"
#include "buffer/tables.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace picket::facts {

// Which rows are written: those without an event, and those whose event `kept` names. `issues` is by
// event index (block.h); both empty when there are no events.
struct Selection {
  std::vector<bool> kept;
  std::vector<std::uint64_t> issues;
  std::function<bool(std::uint64_t project)> known_project;  // none: all are
};

// The number of facts written. A block that does not decode is left where it is and not merged.
std::size_t append_facts(buffer::Batch& batch, const FactRows& rows, const Selection& selection);

struct TrimmedFacts {
  std::size_t blocks = 0;
  bool done = true;
};
// Removes blocks whose facts all lie before `floor` in the journal, `most` blocks at most.
TrimmedFacts trim_facts(buffer::Batch& batch, std::uint64_t floor, std::size_t most);
bool anything_to_trim(const buffer::Reader& reader, std::uint64_t floor);

buffer::Key facts_prefix(Dataset dataset, std::uint64_t project);

// Calls `visit` with the blocks of a dataset and project, newest first, until it returns false.
// Blocks that do not parse are passed over. Views die with the reader's transaction.
void for_each_block(const buffer::Reader& reader,
                    Dataset dataset,
                    std::uint64_t project,
                    const std::function<bool(const BlockView&)>& visit);

}  // namespace picket::facts

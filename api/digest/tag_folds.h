// Which slices of the issues have had their turn (waiting_tags.h): `tag_folds` in meta, u64 for each slice.
#pragma once

#include "buffer/tables.h"

#include <cstdint>
#include <vector>

namespace picket::digest {

// By slice: the number of the newest run that was added to the rows; never empty.
std::vector<std::uint64_t> read_tag_folds(const buffer::Reader& reader);
void write_tag_folds(buffer::Batch& batch, const std::vector<std::uint64_t>& folded);

}  // namespace picket::digest

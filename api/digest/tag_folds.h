// Which slices of the issues have had their turn (waiting_tags.h): `tag_folds` in meta, u64 for each slice.
#pragma once

#include "buffer/tables.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace picket::digest {

// Neighbours share pages: they have their turn together.
inline std::size_t tag_slice_of(std::uint64_t issue, std::size_t slices) {
  return static_cast<std::size_t>(issue / 64 % slices);
}

// By slice: the number of the newest run that was added to the rows; never empty.
std::vector<std::uint64_t> read_tag_folds(const buffer::Reader& reader);
void write_tag_folds(buffer::Batch& batch, const std::vector<std::uint64_t>& folded);

}  // namespace picket::digest

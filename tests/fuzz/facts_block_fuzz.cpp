// Blocks of facts: bytes that a damaged disk may hold. Whatever they are, reading stays inside of them;
// what decodes encodes to a block with the same facts.

#include "api/facts/block.h"
#include "fuzz/invariant.h"

#include <vector>

namespace picket::facts {

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto block = BlockView::parse(fuzz::as_text(bytes, size));
  if (!block || block->rows() > 5000 || block->columns().size() > 40) return 0;
  FactRows rows;
  if (!decode_block(*block, Dataset::spans, 1, rows)) return 0;
  fuzz::check(rows.size() == block->rows(), "every row is given");
  std::vector<std::uint32_t> all(rows.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  const auto again = encode_block(rows, all);
  const auto second = BlockView::parse(again);
  fuzz::check(second && second->rows() == rows.size(), "what decodes is encoded again");
  return 0;
}

}  // namespace picket::facts

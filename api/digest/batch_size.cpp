#include "api/digest/batch_size.h"

#include <algorithm>

namespace picket::digest {

BatchSize::BatchSize(std::size_t most)
    : least_(std::min<std::size_t>(1000, most)), most_(most), size_(least_) {}

void BatchSize::learn(double took_ms, double target_ms) {
  // In small steps, so that one slow sync does not throw it off.
  const double factor = std::clamp(target_ms / std::max(took_ms, 0.1), 0.8, 1.25);
  size_ = std::clamp(static_cast<std::size_t>(static_cast<double>(size_) * factor), least_, most_);
}

}  // namespace picket::digest

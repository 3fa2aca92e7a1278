// How many records to take at a time: as many as keep a write near its target, within bounds.
//
// The lower bound is there because a write has a cost of its own (the sync, the pages that every
// write touches): below some 1,000 records a slow or busy machine would spend most of its time on
// that and fall further behind.
#pragma once

#include <cstddef>

namespace picket::digest {

class BatchSize {
 public:
  explicit BatchSize(std::size_t most);

  std::size_t get() const { return size_; }

  // A full batch was written in `took_ms`; `target_ms` was wanted.
  void learn(double took_ms, double target_ms);

 private:
  std::size_t least_;
  std::size_t most_;
  std::size_t size_;
};

}  // namespace picket::digest

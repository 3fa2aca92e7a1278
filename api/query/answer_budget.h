// How much memory one answer may take while it is gathered; whoever gathers rows tells what they weigh.
//
// THREADS  Belongs to one question and its thread.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <string>

namespace picket::query {

constexpr std::size_t most_answer_bytes = std::size_t{64} << 20;

class AnswerBudget {
 public:
  explicit AnswerBudget(std::size_t most = most_answer_bytes) : most_(most) {}

  // False when that is more than there is, now and from then on.
  bool take(std::size_t bytes) {
    used_ += bytes;
    if (used_ > most_) exhausted_ = true;
    return !exhausted_;
  }
  void give_back(std::size_t bytes) { used_ -= bytes < used_ ? bytes : used_; }

  bool exhausted() const { return exhausted_; }
  Error error() const {
    return {Fault::too_large, "The query needs more than " + std::to_string(most_ >> 20) +
                                  " MB of memory. Try a smaller date range, fewer projects, or fields with "
                                  "fewer distinct values."};
  }

 private:
  const std::size_t most_;
  std::size_t used_ = 0;
  bool exhausted_ = false;
};

}  // namespace picket::query

// Room of the journal's folder for a file that is being written and is to take a segment's place.
//
// THREADS  Belongs to one thread.
#pragma once

#include "buffer/segment_folder.h"

#include <cstdint>
#include <utility>

namespace picket::buffer {

class HeldRoom {
 public:
  explicit HeldRoom(SegmentFolder& folder) : folder_(folder) {}
  ~HeldRoom() { folder_.let_go(bytes_); }
  HeldRoom(const HeldRoom&) = delete;
  HeldRoom& operator=(const HeldRoom&) = delete;

  // As SegmentFolder::hold().
  bool more(std::uint64_t bytes) {
    const bool there = folder_.hold(bytes);
    bytes_ += there ? bytes : 0;
    refused_ = refused_ || !there;
    return there;
  }
  // Whatever was held is what keeps the journal from going on: it must be let go.
  bool is_in_the_way() {
    refused_ = refused_ || folder_.held_is_in_the_way();
    return refused_;
  }
  bool refused() const { return refused_; }
  // For SegmentFolder::replace().
  std::uint64_t hand_over() { return std::exchange(bytes_, 0); }

 private:
  SegmentFolder& folder_;
  std::uint64_t bytes_ = 0;
  bool refused_ = false;
};

}  // namespace picket::buffer

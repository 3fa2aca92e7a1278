// Holds a data folder for one serving process. Verbs that only look, or write through the tables,
// need no lock.
#pragma once

#include "buffer/result.h"

#include <filesystem>
#include <utility>

namespace picket::buffer {

class StorageLock {
 public:
  // Creates the folder (mode 0700) when it is missing. Fault::unavailable when another process holds
  // it, Fault::not_found when it can be neither made nor written.
  static Result<StorageLock> take(const std::filesystem::path& folder);

  StorageLock(StorageLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  StorageLock& operator=(StorageLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~StorageLock();

 private:
  explicit StorageLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace picket::buffer

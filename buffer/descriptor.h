// RAII over a file descriptor, and the few file operations that must be durable or complete.
#pragma once

#include "buffer/result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace picket::buffer {

// The error that errno describes.
Error file_error(std::string_view doing, const std::filesystem::path& path);

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();

  // `flags` as open(2)'s; O_CLOEXEC is added. Fault::not_found when there is no such file.
  static Result<Descriptor> open(const std::filesystem::path& path, int flags, unsigned mode = 0640);
  // A new file in `folder` that is gone with its last user, for reading and writing: without a name from the start where
  // the file system can, else for all but a moment.
  static Result<Descriptor> nameless(const std::filesystem::path& folder);

  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

  Result<std::uint64_t> size() const;
  // All of it or an error; nothing is written or read short.
  Result<void> write_at(std::string_view bytes, std::uint64_t offset) const;
  Result<std::string> read_at(std::uint64_t offset, std::size_t bytes) const;
  Result<void> sync() const;

  enum class Lock { shared, exclusive };
  // flock(2), without waiting when `wait` is false; false: somebody else holds it.
  bool lock(Lock kind, bool wait) const;
  void unlock() const;

 private:
  int number_ = -1;
};

Result<void> sync_folder(const std::filesystem::path& folder);
// Renames and syncs the folder of `to`.
Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace picket::buffer

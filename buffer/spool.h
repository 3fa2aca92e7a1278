// The spool: where large bodies lie while they are worked on. Each is a file of its own that has no
// name, so that nothing is left of it when its last user, or the process, is gone.
//
//   SpoolFile: append() … ──finish()──► Bytes: the file mapped, read-only, shared by its slices
//
// INVARIANT  What is promised to files never exceeds `max_bytes`, nor leaves the file system less
//            than `disk_reserve_bytes`; only those made for reading the journal back may, since
//            without them nothing could be forwarded and room made.
// THREADS    Spool from any thread; a SpoolFile belongs to its writer.
#pragma once

#include "buffer/bytes.h"
#include "buffer/descriptor.h"
#include "buffer/memory_budget.h"
#include "buffer/result.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace picket::buffer {

struct SpoolOptions {
  std::filesystem::path folder;
  std::uint64_t max_bytes = std::uint64_t{4} << 30;  // of all files together
  std::uint64_t disk_reserve_bytes = 0;
  std::size_t above_bytes = std::size_t{1} << 20;  // smaller bodies stay in memory
};

class SpoolFile;

class Spool : public std::enable_shared_from_this<Spool> {
 public:
  enum class Purpose : std::uint8_t { intake, reading };

  // Makes the folder, and removes what an older version or a kill left in it.
  static Result<std::shared_ptr<Spool>> open(const SpoolOptions& options);

  // Fault::unavailable when it is full or the disk is.
  Result<SpoolFile> create(Purpose purpose);

  std::size_t above_bytes() const { return options_.above_bytes; }
  std::uint64_t used_bytes() const { return used_; }  // promised, which is a little more than written

 private:
  friend class SpoolFile;
  friend class SpoolRoom;
  explicit Spool(const SpoolOptions& options) : options_(options) {}
  Result<void> take(std::uint64_t bytes, Purpose purpose);
  void give_back(std::uint64_t bytes) { used_ -= bytes; }

  const SpoolOptions options_;
  std::atomic<std::uint64_t> used_{0};
};

// What one file has been promised.
class SpoolRoom {
 public:
  SpoolRoom(std::shared_ptr<Spool> spool, Spool::Purpose purpose)
      : spool_(std::move(spool)), purpose_(purpose) {}
  SpoolRoom(SpoolRoom&& other) noexcept
      : spool_(std::move(other.spool_)),
        purpose_(other.purpose_),
        bytes_(std::exchange(other.bytes_, 0)) {}
  SpoolRoom& operator=(SpoolRoom&&) = delete;
  ~SpoolRoom();

  Result<void> grow_to(std::uint64_t bytes);
  void shrink_to(std::uint64_t bytes);

 private:
  std::shared_ptr<Spool> spool_;
  Spool::Purpose purpose_;
  std::uint64_t bytes_ = 0;
};

class SpoolFile {
 public:
  SpoolFile(Descriptor descriptor, SpoolRoom room)
      : descriptor_(std::move(descriptor)), room_(std::move(room)) {}

  Result<void> append(std::string_view bytes);
  std::uint64_t size() const { return size_; }
  // What has been appended; the file is closed and lives on in the mapping.
  Result<Bytes> finish() &&;

 private:
  Descriptor descriptor_;
  SpoolRoom room_;
  std::uint64_t size_ = 0;
};

// A file's bytes for reading, whoever made it. Closing the descriptor does not end the mapping.
Result<Bytes> map_file(const Descriptor& descriptor, std::uint64_t bytes);

// Where bytes may be put together. Without a spool everything stays in memory; without a budget
// memory is not counted.
struct ByteRoom {
  std::shared_ptr<Spool> spool = {};
  std::shared_ptr<MemoryBudget> budget = {};
  Spool::Purpose purpose = Spool::Purpose::intake;
};

// Puts bytes together in memory, and in the spool once they are too many for it.
class BytesBuilder {
 public:
  explicit BytesBuilder(ByteRoom room = {}) : room_(std::move(room)), lease_(room_.budget) {}

  // `bytes` are going to be appended in all, if all goes well. Takes no more memory for it than
  // an honest guess deserves.
  Result<void> expect(std::uint64_t bytes);
  // Fault::unavailable: no room in memory, the spool or on the disk.
  Result<void> append(std::string_view bytes);
  std::uint64_t size() const { return file_ ? file_->size() : text_.size(); }
  Result<Bytes> finish() &&;

 private:
  Result<void> move_to_file();

  ByteRoom room_;
  MemoryLease lease_;
  std::size_t leased_ = 0;
  std::string text_;
  std::unique_ptr<SpoolFile> file_;
};

}  // namespace picket::buffer

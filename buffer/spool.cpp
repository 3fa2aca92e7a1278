#include "buffer/spool.h"

#include <sys/mman.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <string>
#include <system_error>

namespace picket::buffer {
namespace {

// Asked for at once, so that the disk is looked at once in a while.
constexpr std::uint64_t step_bytes = std::uint64_t{4} << 20;
constexpr std::size_t trusted_bytes = std::size_t{64} << 10;

Error full(std::string why) {
  return {Fault::unavailable, std::move(why)};
}

struct Mapping {
  Mapping(void* at, std::size_t bytes) : address(at), size(bytes) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { ::munmap(address, size); }
  void* address;
  std::size_t size;
};

struct SpooledMapping {
  std::shared_ptr<const void> mapping;
  SpoolRoom room;
};

}  // namespace

Result<std::shared_ptr<Spool>> Spool::open(const SpoolOptions& options) {
  std::error_code error;
  std::filesystem::remove_all(options.folder, error);
  if (!error) std::filesystem::create_directories(options.folder, error);
  if (error) return Error{Fault::unavailable, "spool " + options.folder.string() + ": " + error.message()};
  std::filesystem::permissions(options.folder, std::filesystem::perms::owner_all, error);
  return std::shared_ptr<Spool>(new Spool(options));
}

Result<SpoolFile> Spool::create(Purpose purpose) {
  auto file = Descriptor::nameless(options_.folder);
  if (!file) return file.error();
  return SpoolFile(*std::move(file), SpoolRoom(shared_from_this(), purpose));
}

Result<void> Spool::take(std::uint64_t bytes, Purpose purpose) {
  const auto before = used_.fetch_add(bytes);
  if (purpose == Purpose::reading) return {};
  if (before + bytes > options_.max_bytes) {
    used_ -= bytes;
    return full("the spool is full");
  }
  struct statvfs status {};
  if (options_.disk_reserve_bytes > 0 && ::statvfs(options_.folder.c_str(), &status) == 0 &&
      std::uint64_t{status.f_bavail} * status.f_frsize < options_.disk_reserve_bytes + bytes) {
    used_ -= bytes;
    return full("the disk is full but for its reserve");
  }
  return {};
}

SpoolRoom::~SpoolRoom() {
  if (spool_) spool_->give_back(bytes_);
}

Result<void> SpoolRoom::grow_to(std::uint64_t bytes) {
  if (bytes <= bytes_) return {};
  const auto more = (bytes - bytes_ + step_bytes - 1) / step_bytes * step_bytes;
  if (auto taken = spool_->take(more, purpose_); !taken) return taken;
  bytes_ += more;
  return {};
}

void SpoolRoom::shrink_to(std::uint64_t bytes) {
  if (bytes >= bytes_) return;
  spool_->give_back(bytes_ - bytes);
  bytes_ = bytes;
}

Result<void> SpoolFile::append(std::string_view bytes) {
  if (auto grown = room_.grow_to(size_ + bytes.size()); !grown) return grown;
  if (auto written = descriptor_.write_at(bytes, size_); !written) return written;
  size_ += bytes.size();
  return {};
}

Result<Bytes> SpoolFile::finish() && {
  auto mapped = map_file(descriptor_, size_);
  if (!mapped || mapped->empty()) return mapped;
  room_.shrink_to(size_);
  auto owner = std::make_shared<SpooledMapping>(SpooledMapping{mapped->owner(), std::move(room_)});
  descriptor_ = Descriptor();
  return Bytes(std::move(owner), mapped->view());
}

Result<Bytes> map_file(const Descriptor& descriptor, std::uint64_t bytes) {
  if (bytes == 0) return Bytes();
  void* const address = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor.number(), 0);
  if (address == MAP_FAILED) return full("map a file: " + std::error_code(errno, std::generic_category()).message());
  auto owner = std::make_shared<Mapping>(address, bytes);
  return Bytes(std::move(owner), {static_cast<const char*>(address), bytes});
}

Result<void> BytesBuilder::expect(std::uint64_t bytes) {
  if (file_ || !text_.empty()) return {};
  if (room_.spool && bytes > room_.spool->above_bytes()) return move_to_file();
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, trusted_bytes));
  if (wanted <= leased_) return {};
  if (!lease_.take(wanted - leased_)) return room_.spool ? move_to_file() : Result<void>();
  leased_ = wanted;
  text_.reserve(wanted);
  return {};
}

Result<void> BytesBuilder::append(std::string_view bytes) {
  if (!file_) {
    const auto wanted = text_.size() + bytes.size();
    const bool small = !room_.spool || wanted <= room_.spool->above_bytes();
    const auto more = wanted > leased_ ? wanted - leased_ : 0;
    if (small && (more == 0 || lease_.take(more))) {
      leased_ += more;
      text_.append(bytes);
      return {};
    }
    if (!room_.spool) return full("the memory for bodies is used up");
    if (auto moved = move_to_file(); !moved) return moved;
  }
  return file_->append(bytes);
}

Result<void> BytesBuilder::move_to_file() {
  auto made = room_.spool->create(room_.purpose);
  if (!made) return made.error();
  file_ = std::make_unique<SpoolFile>(*std::move(made));
  if (auto written = file_->append(text_); !written) return written;
  text_ = {};
  lease_.give_back();
  leased_ = 0;
  return {};
}

Result<Bytes> BytesBuilder::finish() && {
  if (file_) return std::move(*file_).finish();
  return Bytes(std::move(text_), std::move(lease_));
}

}  // namespace picket::buffer

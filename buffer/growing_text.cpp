#include "buffer/growing_text.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

namespace picket::buffer {

// Of the mapping only what the disk has promised is touched: a write to more would end the process when the disk is full.
class GrowingText::MappedFile {
 public:
  static Result<std::unique_ptr<MappedFile>> make(const std::filesystem::path& folder, std::size_t most_bytes) {
    auto file = Descriptor::nameless(folder);
    if (!file) return file.error();
    void* const address = ::mmap(nullptr, most_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->number(), 0);
    if (address == MAP_FAILED) return file_error("map a file in", folder);
    return std::unique_ptr<MappedFile>(new MappedFile(*std::move(file), static_cast<char*>(address), most_bytes));
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() { ::munmap(address_, most_bytes_); }

  std::string_view view() const { return {address_, size_}; }

  Result<void> append(std::string_view bytes) {
    if (bytes.size() > most_bytes_ - size_) return Error{Fault::unavailable, "a text is longer than it may be"};
    if (const auto wanted = size_ + bytes.size(); wanted > promised_) {
      const auto more = std::min(most_bytes_, (wanted + step_bytes - 1) / step_bytes * step_bytes);
      const auto failed = ::posix_fallocate(file_.number(), 0, static_cast<off_t>(more));
      if (failed != 0) return Error{Fault::unavailable, "make a file longer: " + std::error_code(failed, std::generic_category()).message()};
      promised_ = more;
    }
    std::memcpy(address_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return {};
  }

 private:
  static constexpr std::size_t step_bytes = std::size_t{4} << 20;
  MappedFile(Descriptor file, char* address, std::size_t most_bytes) : file_(std::move(file)), address_(address), most_bytes_(most_bytes) {}

  const Descriptor file_;
  char* const address_;
  const std::size_t most_bytes_;
  std::size_t size_ = 0;
  std::size_t promised_ = 0;
};

GrowingText::GrowingText() = default;
GrowingText::GrowingText(GrowingText&& other) noexcept = default;
GrowingText& GrowingText::operator=(GrowingText&& other) noexcept {
  take_memory(std::move(other.text_));
  file_ = std::move(other.file_);
  return *this;
}
GrowingText::~GrowingText() = default;

std::string_view GrowingText::view() const {
  return file_ ? file_->view() : std::string_view(text_);
}

void GrowingText::reserve(std::size_t bytes) {
  if (!file_) text_.reserve(bytes);
}

Result<void> GrowingText::append(std::string_view bytes) {
  if (file_) return file_->append(bytes);
  text_.append(bytes);
  return {};
}

Result<void> GrowingText::move_to_file(const std::filesystem::path& folder, std::size_t most_bytes) {
  if (file_) return {};
  auto made = MappedFile::make(folder, most_bytes);
  if (!made) return made.error();
  if (auto moved = (*made)->append(text_); !moved) return moved;
  file_ = *std::move(made);
  take_memory({});
  return {};
}

// Assigning a short string keeps the memory of the long one.
void GrowingText::take_memory(std::string other) {
  text_.swap(other);
}

}  // namespace picket::buffer

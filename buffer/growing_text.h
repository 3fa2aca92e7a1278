// One long text that is only added to: in memory, or from a certain size on in a mapped file without a name, whose pages
// the system may take back when memory is short.
//
// THREADS  Belongs to one at a time.
#pragma once

#include "buffer/descriptor.h"
#include "buffer/result.h"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace picket::buffer {

class GrowingText {
 public:
  GrowingText();
  GrowingText(GrowingText&& other) noexcept;
  GrowingText& operator=(GrowingText&& other) noexcept;
  ~GrowingText();

  // Dies with the next change.
  std::string_view view() const;
  std::size_t size() const { return view().size(); }
  bool in_file() const { return file_ != nullptr; }
  std::size_t memory_bytes() const { return text_.capacity(); }

  void reserve(std::size_t bytes);  // memory, while it is there
  // Fault::unavailable when the file is as long as it may be, or the disk is full; nothing is added then.
  Result<void> append(std::string_view bytes);
  // From now on in a file in `folder`, of at most `most_bytes`. When that fails it stays where it is.
  Result<void> move_to_file(const std::filesystem::path& folder, std::size_t most_bytes);

 private:
  class MappedFile;
  void take_memory(std::string other);
  std::string text_;
  std::unique_ptr<MappedFile> file_;  // instead
};

}  // namespace picket::buffer

// What the segments of the journal and their folder ask of files.
#pragma once

#include "buffer/result.h"

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace picket::buffer {

constexpr std::string_view damaged_suffix = ".damaged";

// LMDB's, beside a file that is written.
inline std::filesystem::path lock_of(std::filesystem::path path) {
  return path += "-lock";
}

// 0 without the file.
inline std::uint64_t size_of(const std::filesystem::path& path) {
  std::error_code failed;
  const auto bytes = std::filesystem::file_size(path, failed);
  return failed ? 0 : bytes;
}

// A folder that cannot be listed is an error and never an empty one: the journal would start over.
Result<std::vector<std::filesystem::path>> files_in(const std::filesystem::path& folder);

}  // namespace picket::buffer

#include "buffer/storage_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace picket::buffer {

Result<StorageLock> StorageLock::take(const std::filesystem::path& folder) {
  std::error_code failed;
  const bool created = std::filesystem::create_directories(folder, failed);
  if (failed) {
    return Error{Fault::not_found, "cannot create the data folder " + folder.string() + ": " + failed.message() +
                                       "; name another with storage.path or --storage"};
  }
  if (created) ::chmod(folder.c_str(), 0700);
  const auto file = folder / "lock";
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    const std::error_code code(errno, std::generic_category());
    return Error{Fault::not_found, "cannot write to the data folder " + folder.string() + ": " + code.message()};
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    return Error{Fault::unavailable, "the data folder " + folder.string() +
                                         " is already served by another process; stop that one, or name another folder"};
  }
  return StorageLock(descriptor);
}

StorageLock::~StorageLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace picket::buffer

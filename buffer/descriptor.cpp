#include "buffer/descriptor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace picket::buffer {

Error file_error(std::string_view doing, const std::filesystem::path& path) {
  const int number = errno;
  return {number == ENOENT ? Fault::not_found : Fault::unavailable,
          std::string(doing) + " " + path.string() + ": " +
              std::error_code(number, std::generic_category()).message()};
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Result<Descriptor> Descriptor::open(const std::filesystem::path& path, int flags, unsigned mode) {
  Descriptor descriptor(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!descriptor) return file_error("open", path);
  return descriptor;
}

Result<Descriptor> Descriptor::nameless(const std::filesystem::path& folder) {
  auto made = open(folder, O_RDWR | O_TMPFILE, 0600);
  if (made) return made;
  std::string name = (folder / "nameless-XXXXXX").string();
  Descriptor file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) return file_error("create a file in", folder);
  if (::unlink(name.c_str()) != 0) return file_error("remove", name);
  return file;
}

Result<std::uint64_t> Descriptor::size() const {
  struct stat status {};
  if (::fstat(number_, &status) != 0) return file_error("stat", "");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> Descriptor::write_at(std::string_view bytes, std::uint64_t offset) const {
  while (!bytes.empty()) {
    const auto written = ::pwrite(number_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return file_error("write", "");
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<std::string> Descriptor::read_at(std::uint64_t offset, std::size_t bytes) const {
  std::string read(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const auto got =
        ::pread(number_, read.data() + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", "");
    if (got == 0) return Error{Fault::corrupt, "the file is cut short"};
    done += static_cast<std::size_t>(got);
  }
  return read;
}

Result<void> Descriptor::sync() const {
  if (::fsync(number_) != 0) return file_error("sync", "");
  return {};
}

bool Descriptor::lock(Lock kind, bool wait) const {
  const int operation = (kind == Lock::shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
  int rc = 0;
  do {
    rc = ::flock(number_, operation);
  } while (rc != 0 && errno == EINTR);
  return rc == 0;
}

void Descriptor::unlock() const {
  ::flock(number_, LOCK_UN);
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const auto descriptor = Descriptor::open(folder, O_RDONLY | O_DIRECTORY);
  if (!descriptor) return descriptor.error();
  if (::fsync(descriptor->number()) != 0) return file_error("sync", folder);
  return {};
}

Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return file_error("rename", from);
  return sync_folder(to.parent_path());
}

}  // namespace picket::buffer

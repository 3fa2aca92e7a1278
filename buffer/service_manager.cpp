#include "buffer/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace picket {
namespace {

std::optional<std::uint64_t> number_from(const char* variable) {
  const char* const text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): nobody sets any
  if (text == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), number);
  if (error != std::errc{} || *end != '\0') return std::nullopt;
  return number;
}

bool meant_for_us(const char* pid_variable) {
  const auto pid = number_from(pid_variable);
  return !pid || *pid == static_cast<std::uint64_t>(::getpid());
}

}  // namespace

void notify_service_manager(std::string_view state) {
  const char* const path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  if (path == nullptr || *path == '\0') return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  ::sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), size);
  ::close(descriptor);
}

std::optional<Duration> watchdog_interval() {
  const auto microseconds = number_from("WATCHDOG_USEC");
  if (!microseconds || !meant_for_us("WATCHDOG_PID")) return std::nullopt;
  return Duration(static_cast<std::int64_t>(*microseconds / 2000));
}

int activated_socket() {
  const auto count = number_from("LISTEN_FDS");
  if (!count || *count < 1 || !number_from("LISTEN_PID") || !meant_for_us("LISTEN_PID")) return -1;
  constexpr int first_passed_descriptor = 3;
  return first_passed_descriptor;
}

}  // namespace picket

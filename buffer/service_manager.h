// What systemd is told and asked: readiness, the watchdog, and the socket it may hand over.
// The protocol is two environment variables and a datagram (sd_notify(3)), so no library is needed.
#pragma once

#include "buffer/clock.h"

#include <optional>
#include <string_view>

namespace picket {

// Sends `state` ("READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=…") when run under systemd.
void notify_service_manager(std::string_view state);

// How often the watchdog must be fed (half of what systemd asks for), or nothing.
std::optional<Duration> watchdog_interval();

// The listening socket that systemd passes (LISTEN_FDS), or -1.
int activated_socket();

}  // namespace picket

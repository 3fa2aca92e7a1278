// Whether the certificate that we show is any good, and will be for a while.
#pragma once

#include "buffer/clock.h"
#include "buffer/finding.h"
#include "relay/http/config.h"

#include <vector>

namespace picket::http {

// Of server.certificate_file and key_file: usable together, valid now, how long yet, who can read the
// key. Without them: whether the address asks for TLS.
std::vector<Finding> check_certificate(const ServerConfig& config, Time now);

// `remaining` until a certificate ends, negative when it has.
Finding judge_expiry(std::string_view subject, std::string_view whose, Duration remaining, std::string_view to_do);

}  // namespace picket::http

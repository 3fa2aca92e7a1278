// The verb `picket upstream resend`: a range of time, or what a query finds, for a destination once
// more. It writes down what is wanted; the forwarder of a running Picket does it (upstream/resend.h).
#pragma once

#include "buffer/command.h"

namespace picket::api {

Command resend_command();

}  // namespace picket::api

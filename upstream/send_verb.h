// `picket send`: a test event to any DSN, the answer in words.
#pragma once

#include "buffer/command.h"

namespace picket::upstream {

Command send_command();

}  // namespace picket::upstream

// `picket upstream quarantine`: what destinations have refused for good, and another try.
#pragma once

#include "buffer/command.h"

namespace picket::upstream {

Command quarantine_command();

}  // namespace picket::upstream

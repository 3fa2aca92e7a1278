// The verbs that end a destination's work, and begin it again: drain, retire, release.
#pragma once

#include "buffer/command.h"

namespace picket::upstream {

Command release_command();
Command drain_command();
Command retire_command();

}  // namespace picket::upstream

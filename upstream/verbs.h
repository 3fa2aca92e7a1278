// The verbs `picket upstream …`. They work through the tables, also while Picket runs: its forwarder
// looks at them once a second.
#pragma once

#include "buffer/command.h"

#include <vector>

namespace picket::upstream {

std::vector<Command> upstream_commands();

}  // namespace picket::upstream

// The verbs `picket journal …`, `picket backup` and `picket restore`. All of them work while Picket
// serves the same folder, but for restore, which wants an empty one.
#pragma once

#include "buffer/command.h"

#include <vector>

namespace picket::buffer {

std::vector<Command> buffer_commands();

// `config defaults`, which touches no data.
std::vector<Command> general_commands();

}  // namespace picket::buffer

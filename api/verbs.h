// The command-line verbs of the API's room: init, dsn, token, project. They work on the data folder
// directly, whether or not a Picket is serving from it.
#pragma once

#include "buffer/command.h"

#include <vector>

namespace picket::rest {

std::vector<Command> api_commands();

}  // namespace picket::rest

// `picket journal repair`: for a journal that nobody serves.
#pragma once

#include "buffer/command.h"

namespace picket::buffer {

Command repair_command();

}  // namespace picket::buffer

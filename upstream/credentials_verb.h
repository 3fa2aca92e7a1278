// `picket upstream credentials`: a Relay's credentials file, made or shown without its secret.
#pragma once

#include "buffer/command.h"

namespace picket::upstream {

Command credentials_command();

}  // namespace picket::upstream

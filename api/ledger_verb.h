// The verb `picket ledger`: what became of every item, also while another process serves.
#pragma once

#include "buffer/command.h"

namespace picket::api {

Command ledger_command();

}  // namespace picket::api

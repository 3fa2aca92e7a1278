// `picket journal export` and `import`: envelopes as a stream, from one Picket into another.
#pragma once

#include "buffer/command.h"
#include "buffer/config.h"

namespace picket::api {

Command export_command();

// `run` gives import_stream_into() the configuration.
Command import_command(ExitCode (*run)(CommandLine& line));
ExitCode import_stream_into(CommandLine& line, const buffer::StorageConfig& storage);

}  // namespace picket::api

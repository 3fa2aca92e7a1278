#include "buffer/verbs.h"

// etc/picket.toml, placed in the binary by CMakeLists.txt.
extern "C" const char picket_shipped_config[];
extern "C" const char picket_shipped_config_end[];

namespace picket::buffer {
namespace {

ExitCode config_defaults(CommandLine& line) {
  line.out << std::string_view(picket_shipped_config,
                               static_cast<std::size_t>(picket_shipped_config_end - picket_shipped_config));
  return ExitCode::done;
}

}  // namespace

std::vector<Command> general_commands() {
  return {
      {.name = "config defaults",
       .summary = "print the commented default configuration",
       .help = "usage: picket config defaults\n\nExample: picket config defaults > picket.toml\n",
       .flags = {},
       .options = {},
       .run = config_defaults},
  };
}

}  // namespace picket::buffer

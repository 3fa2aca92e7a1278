// The upstream's verbs, run in this process on the forwarder's tables and journal.
#pragma once

#include "forwarder_fixture.h"
#include "upstream/verbs.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace picket::upstream {

class VerbsTest : public ForwarderTest {
 protected:
  struct Said {
    ExitCode code;
    std::string out;
    std::string err;
  };
  // The verbs open the tables themselves, as another process does: ours must be closed.
  Said run(const std::string& name, std::vector<std::string> words, std::map<std::string, std::string> options = {}) {
    forwarder.reset();
    tables.reset();
    std::ostringstream out;
    std::ostringstream err;
    CommandLine line{std::move(words), std::move(options), storage, out, err};
    const auto commands = upstream_commands();
    const auto command = std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.name == name; });
    const ExitCode code = command->run(line);
    if (std::filesystem::exists(folder / "tables.mdb")) tables = *buffer::Tables::open({.path = folder / "tables.mdb"});
    return {code, out.str(), err.str()};
  }

  std::filesystem::path storage = folder.path();
};

}  // namespace picket::upstream

// What the verbs of this room share: opening the tables, finding what a word names.
#pragma once

#include "api/rest/access.h"
#include "buffer/command.h"
#include "buffer/tables.h"

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace picket::rest {

using OpenedTables = std::variant<std::unique_ptr<buffer::Tables>, ExitCode>;

// Read-only tables must exist; for writing, the folder and the tables are made.
// What fails has been said on line.err.
OpenedTables open_tables(CommandLine& line, bool read_only);

// --public-url, else PICKET_API_PUBLIC_URL, else the default; nothing (and a message) when
// malformed.
std::optional<std::string> public_url(CommandLine& line);

// --organization, else the first one; nothing (and a message) when there is none.
std::optional<schema::Organization> named_organization(CommandLine& line,
                                                       const buffer::Reader& reader);

ExitCode fail(CommandLine& line, ExitCode code, std::string_view words);

// The parts of this room's table of verbs.
std::vector<Command> token_commands();
std::vector<Command> project_commands();

}  // namespace picket::rest

// What the verbs share: a storage folder's tables and journal, opened beside a running Picket.
#pragma once

#include "buffer/command.h"
#include "buffer/journal.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace picket::upstream {

struct StoredState {
  std::unique_ptr<buffer::Tables> tables;
  std::unique_ptr<buffer::Journal> journal;  // none when it cannot be read: backlogs are then unknown
};

// Nothing after saying on line.err what is wrong and what to do.
std::optional<StoredState> open_stored(CommandLine& line);
bool require_destination(CommandLine& line, const StoredState& stored, const std::string& name);
bool change_destination(CommandLine& line,
                        const StoredState& stored,
                        const std::string& name,
                        const std::function<void(schema::Destination&)>& change);

// "-", "42s", "17m", "5h", "3d"
std::string render_age(const std::optional<Time>& time, Time now);

}  // namespace picket::upstream

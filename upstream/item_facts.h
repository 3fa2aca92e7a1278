// What routing and sampling look at in an item: which other items it belongs to, and what its payload
// says of environment, release, level and trace.
//
// An event, what is attached to it, its profile, its feedback and a replay's parts share the
// envelope's event id: one of them decides for all. Anything else stands for itself.
//
// THREADS  Pure; the views point into the envelope.
#pragma once

#include "relay/protocol/envelope.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::upstream {

// For each item the index of the one that decides for it; its own when it stands for itself.
std::vector<std::size_t> find_leaders(const relay::Envelope& envelope);

// An attachment that upstream makes an event of: a minidump, an Apple crash report.
bool is_crash_file(const relay::Item& item);

// As category_of(), but a crash file that nothing leads is the error that it becomes.
relay::DataCategory deciding_category(const relay::Item& item);

// None: the payload does not say, or (level) the item is no event.
struct ItemFacts {
  std::optional<std::string> environment;
  std::optional<std::string> release;
  std::optional<std::string> level;
  std::optional<std::string> trace_id;
};

// Reads as far as the payload parses; of a container (logs, spans, metrics) its first entry. What it
// does not say of environment and release is what the envelope header's `trace` says.
ItemFacts read_facts(const relay::Envelope& envelope, const relay::Item& item);

// trace.trace_id of an envelope header, "" when there is none.
std::string find_trace_id(std::string_view header);

}  // namespace picket::upstream

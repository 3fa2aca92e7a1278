// The endpoints that carry files, each a converter of one request into one envelope.
//
//   minidump/                 a form with the dump as `upload_file_minidump`, or the dump itself
//   unreal/{key}/             what Unreal Engine's crash reporter sends
//   events/{id}/attachments/  a form whose files belong to an event that was sent before
//
// Dumps come compressed (gzip, xz, bzip2, zstd) or as a form within the form (Electron, Breakpad)
// too. An envelope with a dump has one event of platform native: crash_event.h.
#pragma once

#include "relay/ingest/endpoint.h"

#include <variant>

namespace picket::ingest {

std::variant<Converted, Refusal> convert_minidump(const Inbound& inbound);
std::variant<Converted, Refusal> convert_unreal(const Inbound& inbound);
std::variant<Converted, Refusal> convert_attachments(const Inbound& inbound);

}  // namespace picket::ingest

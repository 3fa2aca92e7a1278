// The issue of an incident: a monitor's environment whose check-ins fail.
//
// Each failing check-in is an event of it, as an SDK would send one; the end of the incident resolves it.
#pragma once

#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <cstdint>
#include <string_view>

namespace picket::digest {

// REQUIRES: projects of `batch` may be read and issues changed: nobody else holds their rows.
// An event about a check-in whose status, environment and incident are set.
void tell_of_failure(buffer::Batch& batch, const schema::Monitor& monitor, const schema::CheckInRow& check_in, Time at);

// REQUIRES: as above. Nothing where people have resolved or ignored it already.
void resolve_incident(buffer::Batch& batch, const schema::Monitor& monitor, std::string_view environment, std::uint64_t incident, Time at);

// The issue of an incident; 0 when there is none.
std::uint64_t incident_issue(const buffer::Reader& reader,
                             const schema::Monitor& monitor,
                             std::string_view environment,
                             std::uint64_t incident);

}  // namespace picket::digest

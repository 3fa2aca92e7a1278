// When an issue escalates: more events in one hour than its past lets expect.
//
// An archived one's limit is reckoned when it is archived (Issue.escalation_limit). An ongoing one's
// is reckoned once an hour, with the first event of the hour that could matter, from the hours and
// days before: an event costs a comparison, whatever its issue's past.
//
// INVARIANT  Goes by the times of the events alone: digesting again, in whatever batches, says the same.
#pragma once

#include "buffer/schema/rows.pb.h"

#include <cstdint>

namespace picket::digest {

// More events than this in one hour are more than an issue with this past was to be expected to
// have: twice its busiest hour of the last three days, twice the mean hour of the busiest of its
// last fourteen days, its mean hour of three days and five standard deviations; at least ten.
// `last_hour`: the number of the last hour that counts as past.
std::uint32_t escalation_limit(const schema::IssueCounters& counters, std::uint64_t last_hour);

// Whether an ongoing issue escalates with the event of `timestamp_ms`, which is counted already: it is
// an error that has been there for a day at least, and its newest hour has had more events than the
// limit, which is then in counters.hour_limit().
bool outgrows_its_past(const schema::Issue& issue, schema::IssueCounters& counters, std::int64_t timestamp_ms);

// How many events were counted in an hour; 0 outside of what is kept.
std::uint32_t count_in_hour(const schema::IssueCounters& counters, std::uint64_t hour);
std::uint64_t hour_number(std::int64_t ms);

}  // namespace picket::digest

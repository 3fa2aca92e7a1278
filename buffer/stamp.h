// Which of several changes to the same thing, made in several places, is the last one.
//
// A stamp is a time and where the change was made. Whoever changes what they have seen gets a stamp
// later than what they replace, whatever the clocks say; of two that had not seen each other the later
// clock wins, and at the same millisecond the greater origin. So all places that pass changes on, in
// whatever order and over whatever ways, come to agree, and a change that comes back is known.
//
// INVARIANT  later() is a total order of the changes to one thing; next_stamp() is later than what it
//            is given.
// THREADS    Any.
#pragma once

#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::buffer {

// The parts of an issue that are changed, stamped and passed on each by itself.
enum class IssuePart : std::uint8_t { status, assignee, priority };
inline constexpr std::array issue_parts = {IssuePart::status, IssuePart::assignee, IssuePart::priority};
std::string_view part_name(IssuePart part);

// Whether `a` is the later change. False for two stamps of the same change.
bool later(const schema::Stamp& a, const schema::Stamp& b);
schema::Stamp next_stamp(const schema::Stamp& before, std::int64_t at_ms, std::string_view origin);

// The stamp of a part as it is: of a row that an older version wrote, what its times say. `ms` is 0
// when it was never changed.
schema::Stamp stamp_of(const schema::Issue& issue, IssuePart part);
void set_stamp(schema::Issue& issue, IssuePart part, schema::Stamp stamp);

// What this Picket is called in stamps: 16 hex digits; "" before the first change.
std::string find_instance(const Reader& reader);
// The same; drawn when there is none yet.
std::string instance_of(Batch& batch);

// Enters the issue as the last one changed, with the record of its latest event by then; the caller
// writes its row.
void note_changed(Batch& batch, schema::Issue& issue);

// How a stamp travels in a header: `<ms> <origin> <automatic: 0 or 1> <name>`. A name may be empty,
// and is cut to what can stand on one line.
constexpr std::string_view stamp_header = "X-Picket-Stamp";
std::string render_stamp(const schema::Stamp& stamp);
// Nothing when it is none, or its time is none that a clock shows.
std::optional<schema::Stamp> parse_stamp(std::string_view text);

}  // namespace picket::buffer

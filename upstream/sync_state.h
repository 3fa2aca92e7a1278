// An issue as it is told and taken: read from the rows here, parsed from the API's JSON there, and
// each part in words that can be compared.
//
//   status    "unresolved", "resolved", "resolved inNextRelease", "resolved inRelease 1.2",
//             "ignored forever", "ignored until escalating", "ignored until 1700000000" (seconds),
//             "ignored until condition"
//   assignee  "", "user ann@example.com", "team backend"
//   priority  "", "low", "medium", "high"; "" while nobody has set it
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/stamp.h"
#include "buffer/tables.h"
#include "upstream/sync_decision.h"

#include <boost/json.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::upstream {

// What the words above are made of, and what a change is made of.
struct IssueWords {
  std::string status;             // Sentry's: unresolved, resolved, ignored
  std::string substatus;          // of an ignored issue
  boost::json::object details;    // statusDetails: only what is known to both sides
  std::string email;              // of the user assigned to, or
  std::string team;               // the slug of the team
  std::string priority;

  std::string text_of(buffer::IssuePart part) const;
};

struct LocalIssue {
  std::uint64_t id = 0;
  std::uint64_t project = 0;
  IssueWords words;
  std::array<schema::Stamp, buffer::issue_parts.size()> stamps;
  // 32 hex digits each, the latest event first: what the issue can be found by over there.
  std::vector<std::string> events;
  buffer::Sequence last_sequence = 0;  // of its latest event; 0: Picket made it itself

  PartHere part(buffer::IssuePart part) const;
};
// Nothing when the issue is gone or has become part of another.
std::optional<LocalIssue> read_local(const buffer::Reader& reader, std::uint64_t issue);

struct RemoteIssue {
  std::string id;
  std::string matching_event;  // 32 hex digits, when it was asked for by an event
  IssueWords words;
  bool has_stamps = false;  // a Picket, that tells them
  bool has_times = false;   // its activity was part of the answer
  std::array<PartThere, buffer::issue_parts.size()> parts;

  const PartThere& part(buffer::IssuePart part) const { return parts[static_cast<std::size_t>(part)]; }
};
// Fault::malformed when it is no issue.
Result<RemoteIssue> parse_remote(const boost::json::value& value);

// The body of a PUT that tells one part. `team_id` is the id over there of the team assigned to; a
// resolution is told without its release when `plain`. Nothing when there is nothing to tell any more.
std::optional<std::string> render_change(const LocalIssue& issue, buffer::IssuePart part, Time now, std::string_view team_id, bool plain);

// Fills in a wish's part with what the remote issue says; `stamp` alone when the value is not another.
void add_part(schema::IssueWish& wish, const RemoteIssue& remote, buffer::IssuePart part, const SyncDecision& decision);

}  // namespace picket::upstream

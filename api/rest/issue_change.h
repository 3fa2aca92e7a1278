// What a PUT says about issues, and doing it to one.
#pragma once

#include "api/digest/issue_archive.h"
#include "api/digest/issue_state.h"
#include "api/rest/fields.h"
#include "api/rest/issue_rows.h"
#include "api/rest/router.h"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace picket::rest {

// Both 0: nobody.
struct Assignee {
  std::uint64_t user = 0;
  std::uint64_t team = 0;
};

struct IssueChange {
  std::optional<digest::Status> status;
  digest::Substatus substatus = digest::Substatus::none;  // of `status`
  boost::json::object details;                            // statusDetails, as stored and answered
  digest::ArchiveConditions conditions;                   // of an archive
  std::string resolved_after;                             // the release that `details` do not name
  std::optional<Assignee> assignee;
  boost::json::value assignee_shown;
  std::optional<digest::Priority> priority;
  std::optional<bool> seen;
  std::optional<bool> bookmarked;
  std::optional<bool> subscribed;
  std::optional<bool> is_public;
  std::optional<bool> inbox;

  // Says when the change cannot be made to issues of several projects at once.
  bool names_release() const { return details.contains("inNextRelease") || details.contains("inUpcomingRelease") || details.contains("inRelease") || details.contains("inCommit"); }
};

// Or the 400. `projects` are those of the issues to be changed: a release must be theirs to resolve
// in, a team must have access to them.
std::variant<IssueChange, Reply> parse_issue_change(const buffer::Reader& reader, const Call& call,
                                                    const std::vector<std::uint64_t>& projects, Time now);

// Within a batch, to the issue's row as it is now: what the digest counts meanwhile is not touched.
// Adds what happened to the issue's activity.
void apply_issue_change(buffer::Batch& batch, const IssueChange& change, schema::Issue issue, const Call& call, Time now);

// The answer to a bulk change: what was applied. `issue` is the only one changed, if there was only one.
boost::json::object render_issue_change(const buffer::Reader& reader, const IssueChange& change, const Call& call,
                                        const std::optional<schema::Issue>& issue);

}  // namespace picket::rest

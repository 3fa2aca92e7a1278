// Issues as the issue, event and tag endpoints find them: by number or short id, within what the
// caller may see.
#pragma once

#include "api/rest/access.h"
#include "api/rest/router.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace picket::rest {

struct IssueRows {
  schema::Issue issue;
  schema::IssueCounters counters;
  schema::Project project;
};

// Loads issues of an organization; remembers its projects.
class IssueLoader {
 public:
  // REQUIRES: the reader outlives this.
  IssueLoader(const buffer::Reader& reader, std::uint64_t organization) : reader_(reader), organization_(organization) {}
  // Follows merges. Nothing for an issue that is not there or is another organization's.
  std::optional<IssueRows> load(std::uint64_t id);

 private:
  const buffer::Reader& reader_;
  const std::uint64_t organization_;
  std::map<std::uint64_t, std::optional<schema::Project>> projects_;
};
std::optional<IssueRows> load_issue(const buffer::Reader& reader, std::uint64_t organization, std::uint64_t id);

// The {issue_id} of the path: a number or a short id ("SHOP-1A").
std::optional<IssueRows> find_path_issue(const buffer::Reader& reader, const Call& call);

std::vector<std::uint64_t> project_ids(const std::vector<schema::Project>& projects);  // ascending

// Answers paths that name an issue but no organization (/api/0/issues/{issue_id}/…) as the endpoint
// answers them within the issue's organization: the caller must belong to it.
Reply within_own_organization(Api& api, const Call& call, Endpoint endpoint);
template <Endpoint endpoint>
Reply by_issue(Api& api, const Call& call) {
  return within_own_organization(api, call, endpoint);
}

// {"id", "type", "user", "dateCreated", "data"}
boost::json::object render_activity(const buffer::Reader& reader, const schema::Activity& activity);
// Newest first; at most `most`.
std::vector<schema::Activity> activities_of(const buffer::Reader& reader, std::uint64_t issue, std::size_t most);
// Writes one; gives it its number.
schema::Activity add_activity(buffer::Batch& batch, std::uint64_t issue, schema::Activity activity);

}  // namespace picket::rest

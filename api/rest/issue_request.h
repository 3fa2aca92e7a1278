// The query string of an issue list, which bulk changes select by too.
#pragma once

#include "api/query/issue_search.h"
#include "api/rest/issue_render.h"
#include "api/rest/router.h"

#include <string_view>
#include <variant>
#include <vector>

namespace picket::rest {

// Of the project in the path, or of those the query names.
std::variant<query::IssueRequest, Reply> parse_issue_request(Api& api, const Call& call, std::string_view default_query);

// The request's page of issues, or the 400 (or 408) that its query deserves.
std::variant<query::IssuePage, Reply> find_issues(Api& api, const query::IssueRequest& request);

// groupStatsPeriod, collapse, expand.
std::variant<IssueShape, Reply> parse_issue_shape(Api& api, const Call& call);

// id=… or group=…, repeated; or the 400 for what is no number, or for more than `most`.
std::variant<std::vector<std::uint64_t>, Reply> parse_issue_ids(const Call& call, std::string_view name, std::size_t most);

bool has_value(const Query& query, std::string_view name, std::string_view value);

}  // namespace picket::rest

// The issue endpoints that issue_routes() lists and that have files of their own.
#pragma once

#include "api/rest/router.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace picket::rest {

Reply change_issues(Api& api, const Call& call);  // PUT of a list
Reply change_issue(Api& api, const Call& call);
Reply delete_issues(Api& api, const Call& call);
Reply delete_issue(Api& api, const Call& call);

// Of a PUT of issues: whether it asks to merge or discard them, and doing it to those it selected.
bool asks_for(const Call& call, std::string_view name);
Reply merge_selected(Api& api, const Call& call, const std::vector<std::uint64_t>& ids);
Reply discard_selected(Api& api, const Call& call, const std::vector<std::uint64_t>& ids);

}  // namespace picket::rest

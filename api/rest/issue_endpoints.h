// The issue endpoints that issue_routes() lists and that have files of their own.
#pragma once

#include "api/rest/router.h"

namespace picket::rest {

Reply change_issues(Api& api, const Call& call);  // PUT of a list
Reply change_issue(Api& api, const Call& call);
Reply delete_issues(Api& api, const Call& call);
Reply delete_issue(Api& api, const Call& call);
Reply list_notes(Api& api, const Call& call);
Reply add_note(Api& api, const Call& call);
Reply list_activities(Api& api, const Call& call);

}  // namespace picket::rest

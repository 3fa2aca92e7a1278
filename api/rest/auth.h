// Who calls and what they may do: tokens, scopes, roles.
//
// A token is known only by its SHA-256. Scopes form a hierarchy (admin implies write implies read);
// a user's token never grants more than the user's role in the organization does.
#pragma once

#include "api/rest/router.h"

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace picket::rest {

// Every scope a token can have, in the order in which they are listed.
extern const std::array<std::string_view, 25> all_scopes;
bool is_scope(std::string_view word);
// Does having `held` grant `wanted`?
bool implies(std::string_view held, std::string_view wanted);
// `scopes` and all they imply, in the order of all_scopes, each once; unknown words are left out.
std::vector<std::string> expand_scopes(const std::vector<std::string>& scopes);

// member, admin, manager, owner; "" stands for no restriction.
bool is_role(std::string_view word);
bool role_allows(std::string_view role, std::string_view scope);
// 0 for member … 3 for owner; -1 for what is no role.
int role_rank(std::string_view role);

std::string sha256(std::string_view bytes);  // 32 raw bytes

// The caller of a request, or the 401 that Sentry answers. Notes the token's use, at most once a
// minute.
std::variant<Caller, Reply> authenticate(Api& api, const http::Headers& headers);

}  // namespace picket::rest

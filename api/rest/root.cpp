// /api/0/, /api/0/auth/, /api/0/users/me/: who am I, and what may this token do.
#include "api/rest/render.h"
#include "api/rest/router.h"

namespace picket::rest {
namespace {

namespace json = boost::json;

json::value render_caller(const Caller& caller) {
  if (!caller.user) return nullptr;
  return render_user(*caller.user);
}

Reply get_root(Api&, const Call& call) {
  json::array scopes;
  for (const auto& scope : call.caller.token.scopes())
    scopes.emplace_back(scope);
  return Reply::json(json::object{{"version", "0"},
                                  {"auth", json::object{{"scopes", std::move(scopes)}}},
                                  {"user", render_caller(call.caller)}});
}

json::object render_self(const schema::User& user) {
  auto self = render_user(user);
  self["options"] = json::object{{"theme", "system"},     {"language", "en"},
                                 {"stacktraceOrder", -1}, {"defaultIssueEvent", "recommended"},
                                 {"timezone", "UTC"},     {"clock24Hours", true}};
  self["flags"] = json::object{{"newsletter_consent_prompt", false}};
  self["identities"] = json::array();
  self["authenticators"] = json::array();
  self["canReset2fa"] = false;
  return self;
}

// An organization's token acts for nobody: there is no user to tell about.
Reply get_self(Api&, const Call& call) {
  if (!call.caller.user) return Reply::forbidden();
  return Reply::json(render_self(*call.caller.user));
}

// One region: this machine. Its URL is left to the client on plain http, as organizations' links
// are.
Reply get_regions(Api& api, const Call&) {
  const json::object region{{"name", "picket"}, {"url", api.public_url}};
  return Reply::json(json::object{{"regions", json::array{region}}});
}

}  // namespace

std::vector<Route> root_routes() {
  return {
      {"GET", "/api/0/", {}, get_root},
      {"GET", "/api/0/auth/", {}, get_self},
      {"GET", "/api/0/users/me/", {}, get_self},
      {"GET", "/api/0/users/me/regions/", {}, get_regions},
  };
}

}  // namespace picket::rest

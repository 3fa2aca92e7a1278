// The table of Sentry's REST routes and what every endpoint is handed: an authenticated caller, the
// decoded path, query and body.
//
// An endpoint is a plain function `Reply (Api&, const Call&)`; the router has checked the method,
// the token, its scopes and that organization and project of the path exist and belong together. An
// unknown route is 404 as Sentry answers it (see router.cpp).
//
// THREADS  Endpoints run on the server's pool, several at once; all state is in the tables.
#pragma once

#include "api/digest/geo.h"
#include "api/query/issue_search.h"
#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"
#include "relay/http/message.h"

#include <boost/json.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace picket::rest {

// What endpoints work with. Lives as long as the server.
struct Api {
  buffer::Tables& tables;
  buffer::Journal& journal;
  const Clock& clock;
  std::string
      public_url;  // "http://localhost:3000", without trailing slash; part of links and DSNs
  // As the digest files events, and where an address is; no lookups without a source.
  Duration max_event_age = Duration(std::int64_t{90} * 24 * 3600 * 1000);
  std::shared_ptr<const digest::GeoSource> geo = nullptr;
  // Remembers the issues' columns from one search to the next.
  std::shared_ptr<query::IssueSearch> issue_search = std::make_shared<query::IssueSearch>();
};

// Who calls: the token's row. `can` answers from the token's scopes (admin implies write implies
// read), within what the member's role in the organization of the path allows.
struct Caller {
  schema::Token token;
  std::optional<schema::User> user;  // none for organization tokens
  std::string role;                  // in the organization of the path; "" without one
  std::uint64_t member = 0;          // the Member row behind `role`
  std::uint64_t dsn_project = 0;     // 0, or the only one that the DSN in its hand is for
  bool can(std::string_view scope) const;
};

struct Reply {
  unsigned status = 200;
  std::optional<boost::json::value> body;  // none: empty body
  http::Headers headers;
  std::string bytes{};         // instead of a JSON body, when there is a content type
  std::string content_type{};
  buffer::Bytes file{};        // behind those bytes: what should not be copied into memory

  // Bytes of a type of their own.
  static Reply raw(std::string bytes, std::string content_type);
  static Reply json(boost::json::value body, unsigned status = 200);
  static Reply none(unsigned status = 204);
  static Reply error(unsigned status, std::string_view detail);  // {"detail": …}
  static Reply invalid(boost::json::value body);                 // 400 with a body of one's own
  static Reply field_error(std::string_view field,
                           std::string_view message);  // 400 {"field": ["…"]}
  static Reply not_found();  // 404 {"detail": "The requested resource does not exist"}
  static Reply forbidden();  // 403 {"detail": "You do not have permission to perform this action."}
};

class Query {
 public:
  explicit Query(std::string_view query);
  std::optional<std::string_view> find(std::string_view name) const;  // the first
  std::string_view text(std::string_view name) const;                 // "" when absent
  std::vector<std::string_view> all(std::string_view name) const;     // repeated
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

struct Call {
  const http::Request& request;
  const Caller& caller;
  std::vector<std::pair<std::string, std::string>> path;  // decoded "{names}" of the pattern
  Query query;
  boost::json::value body;  // of POST, PUT, PATCH, DELETE; null when empty

  // Resolved by the router from {organization_id_or_slug}, {project_id_or_slug} and
  // {team_id_or_slug}; present whenever the pattern has them.
  std::optional<schema::Organization> organization;
  std::optional<schema::Project> project;
  std::optional<schema::Team> team;  // {team_id_or_slug}

  std::string_view path_text(std::string_view name) const;  // REQUIRES: the pattern has it
  // A member of the body when it is an object and has it.
  const boost::json::value* field(std::string_view name) const;
};

// The scope of who has nothing but a DSN; an endpoint that takes it looks at Caller::dsn_project.
constexpr std::string_view dsn_scope = "dsn";

using Endpoint = Reply (*)(Api& api, const Call& call);

struct Route {
  std::string_view method;
  std::string_view pattern;              // "/api/0/organizations/{organization_id_or_slug}/issues/"
  std::vector<std::string_view> scopes;  // any one of them suffices; empty: any valid token
  Endpoint endpoint;
  bool anonymous = false;  // no token is asked for; the endpoint looks at none
};

// Each topic file of api/rest has one such function; router.cpp lists them all.
std::vector<Route> organization_routes();
std::vector<Route> project_routes();
std::vector<Route> key_routes();
std::vector<Route> project_filter_routes();  // and spike protection
std::vector<Route> team_routes();
std::vector<Route> member_routes();
std::vector<Route> release_routes();
std::vector<Route> release_part_routes();  // commits, deploys
std::vector<Route> environment_routes();
std::vector<Route> root_routes();   // /api/0/, auth/, users/me/…
std::vector<Route> issue_routes();  // lists, one issue, bulk mutation
std::vector<Route> issue_note_routes();   // notes, activities
std::vector<Route> issue_merge_routes();  // unmerging, tombstones
std::vector<Route> issue_share_routes();
std::vector<Route> ownership_routes();
std::vector<Route> event_routes();  // of issues and projects, by id
std::vector<Route> grouping_routes();
std::vector<Route> tag_routes();
std::vector<Route> stats_routes();  // project stats, stats_v2
std::vector<Route> ledger_routes();  // Picket's own: what became of every item
std::vector<Route> session_routes();
std::vector<Route> monitor_routes();
std::vector<Route> user_report_routes();
std::vector<Route> attachment_routes();
std::vector<Route> trace_attachment_routes();
std::vector<Route> explore_routes();     // events of any dataset
std::vector<Route> timeseries_routes();  // their aggregates by time
std::vector<Route> facet_routes();       // their tags and how often each value is there
std::vector<Route> saved_query_routes();
std::vector<Route> trace_routes();       // traces, their logs
std::vector<Route> trace_item_routes();  // attributes, one item
std::vector<Route> replay_routes();      // replays and what is in them
std::vector<Route> profile_routes();     // profiles, chunks of continuous ones
std::vector<Route> sampling_routes();    // the projects' sample rates
std::vector<Route> raw_item_routes();    // Picket's own: items that nothing reads

// The HTTP side: answers requests under /api/0/. Errors of authentication, scopes, routes, JSON
// bodies as Sentry's.
http::Response serve(Api& api, const http::Request& request);

// Bodies beyond this answer 413 (release commits with their patch sets are the large ones).
constexpr std::size_t max_body_bytes = std::size_t{5} << 20;

// ---- what endpoints share
// ------------------------------------------------------------------------

// Sentry's Link header for `per_page` items (pagination.cpp): cursor = value:offset:is_prev.
// In a list by offset, `value` is 0 and `offset` the items before the page, in both directions. In
// a list by key, `value` is the last key shown (a time in ms), `offset` the items of that value
// shown.
struct Page {
  std::uint64_t value = 0;
  std::uint64_t offset = 0;
  bool previous = false;
  std::size_t per_page = 100;
};
// What both relations of a list by key say; `previous` and `next` are the cursors to hand out.
struct Links {
  Page previous;
  bool has_previous = false;
  Page next;
  bool has_next = false;
};
// The page asked for, or the 400 that Sentry answers. `per_page` beyond `most` is an error, `limit`
// (issue lists) is cut to it.
std::variant<Page, Reply> parse_page(const Query& query, std::size_t most = 100);
// Adds the Link header of a list by offset: `shown` items on this page, `more` when there is a next
// one.
void add_links(
    Reply& reply, const Api& api, const Call& call, const Page& page, std::size_t shown, bool more);
// The same for a list by key.
void add_links(Reply& reply, const Api& api, const Call& call, const Links& links);
// A whole list that is in memory: cuts out the page asked for and adds the Link header.
Reply paginate(const Api& api, const Call& call, boost::json::array items);

// start/end or statsPeriod as [from, to); nothing given: nullopt. A 400 Reply when malformed.
struct Period {
  Time from{};
  Time to{};
};
std::variant<std::optional<Period>, Reply> parse_period(const Query& query, Time now);
// "14d", "24h"; without a unit: seconds. Nothing when it is neither or more than a century.
std::optional<Duration> parse_stats_period(std::string_view text);

// Text that is safe to put into JSON: bytes that are not UTF-8 become U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

// "2024-01-01T12:00:00.000000Z"; JSON null for 0 or less.
boost::json::value render_time(std::int64_t ms);

// The projects a query names (project=…, projectSlug=…; none or -1: all of the organization's), or
// the Reply (403/404/400) for one that is not accessible.
std::variant<std::vector<schema::Project>, Reply> selected_projects(Api& api, const Call& call);
boost::json::object render_project_summary(
    const schema::Project& project);  // id, slug, name, platform

}  // namespace picket::rest

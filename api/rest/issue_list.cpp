// Lists of issues, and finding one by the ids people have at hand.
#include "api/query/issue_names.h"
#include "api/rest/event_view.h"
#include "api/rest/issue_endpoints.h"
#include "api/rest/issue_render.h"
#include "api/rest/issue_request.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;

void add_hits(Reply& reply, std::size_t hits) {
  reply.headers.set("X-Hits", std::to_string(std::min(hits, query::most_told_hits)));
  reply.headers.set("X-Max-Hits", std::to_string(query::most_told_hits));
}

Page cursor_at(const query::Candidate& issue, bool previous) {
  return {.value = issue.value, .offset = issue.id, .previous = previous, .per_page = 0};
}

void add_issue_links(Reply& reply, const Api& api, const Call& call, const query::IssuePage& page, const query::IssueRequest& request) {
  Links links;
  links.has_previous = page.has_previous;
  links.has_next = page.has_next;
  if (page.issues.empty()) {
    links.previous = links.next = {.value = request.value, .offset = request.id, .previous = false, .per_page = 0};
    links.previous.previous = true;
  } else {
    links.previous = cursor_at(page.issues.front(), true);
    links.next = cursor_at(page.issues.back(), false);
  }
  add_links(reply, api, call, links);
}

Reply render_page(Api& api, const Call& call, const query::IssuePage& page, const IssueShape& shape) {
  IssueRenderer renderer(api, call, page.snapshot);
  IssueLoader loader(page.snapshot, call.organization->id());
  json::array issues(renderer.storage());
  issues.reserve(page.issues.size());
  for (const auto& found : page.issues) {
    if (const auto rows = loader.load(found.id)) {
      issues.push_back(renderer.render(*rows, shape));
    }
  }
  return Reply::json(std::move(issues));
}

// The one issue that a 32-digit event id or (when asked for) a short id names.
std::optional<Reply> find_directly(Api& api, const Call& call, const std::vector<std::uint64_t>& projects, const IssueShape& shape) {
  const auto query = call.query.text("query");
  const auto snapshot = api.tables.snapshot();
  std::optional<std::uint64_t> id;
  std::string event_id;
  if (const auto event = relay::parse_event_id(query)) {
    const auto issues = query::issues_of_event(snapshot, projects, query);
    if (!issues.empty()) id = issues.front();
    event_id = relay::render_event_id(*event);
  } else if (call.query.text("shortIdLookup") == "1" || call.query.text("shortIdLookup") == "true") {
    id = query::find_short_id(snapshot, projects, query);
  }
  const auto rows = id ? load_issue(snapshot, call.organization->id(), *id) : std::nullopt;
  if (!rows) return std::nullopt;
  IssueRenderer renderer(api, call, snapshot);
  json::array issues(renderer.storage());
  auto shown = renderer.render(*rows, shape);
  if (!event_id.empty()) shown["matchingEventId"] = event_id;
  issues.push_back(std::move(shown));
  auto reply = Reply::json(std::move(issues));
  reply.headers.set("X-Sentry-Direct-Hit", "1");
  add_hits(reply, 1);
  add_links(reply, api, call, Links{});
  return reply;
}

Reply list_issues(Api& api, const Call& call) {
  const auto shaped = parse_issue_shape(api, call);
  if (const auto* refusal = std::get_if<Reply>(&shaped)) return *refusal;
  const auto& shape = std::get<IssueShape>(shaped);
  const auto ids = parse_issue_ids(call, "group", 1000);
  if (const auto* refusal = std::get_if<Reply>(&ids)) return *refusal;
  auto parsed = parse_issue_request(api, call, "is:unresolved");
  if (auto* refusal = std::get_if<Reply>(&parsed)) return std::move(*refusal);
  auto& request = std::get<query::IssueRequest>(parsed);
  if (!std::get<0>(ids).empty()) {
    request.ids = std::get<0>(ids);
    request.condition = {};
  } else if (auto direct = find_directly(api, call, request.scope.projects, shape)) {
    return *std::move(direct);
  }
  const auto found = find_issues(api, request);
  if (const auto* refusal = std::get_if<Reply>(&found)) return *refusal;
  const auto& page = std::get<query::IssuePage>(found);
  auto reply = render_page(api, call, page, shape);
  add_hits(reply, page.hits);
  add_issue_links(reply, api, call, page, request);
  return reply;
}

Reply get_issue(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto rows = find_path_issue(snapshot, call);
  if (!rows) return Reply::not_found();
  IssueRenderer renderer(api, call, snapshot);
  return Reply::json(renderer.render_details(*rows, !has_value(call.query, "collapse", "stats"),
                                             !has_value(call.query, "collapse", "tags"),
                                             !has_value(call.query, "collapse", "release")));
}

Reply resolve_short_id(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto projects = project_ids(projects_of(snapshot, call.organization->id()));
  const auto id = query::find_short_id(snapshot, projects, call.path_text("issue_id"));
  const auto rows = id ? load_issue(snapshot, call.organization->id(), *id) : std::nullopt;
  if (!rows) return Reply::not_found();
  IssueRenderer renderer(api, call, snapshot);
  return Reply::json(json::object{
      {"organizationSlug", call.organization->slug()},
      {"projectSlug", rows->project.slug()},
      {"groupId", std::to_string(rows->issue.id())},
      {"shortId", query::render_short_id(rows->project.slug(), rows->issue.short_number())},
      {"group", renderer.render(*rows, {.listed = false})},
  });
}

Reply resolve_event_id(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto projects = project_ids(projects_of(snapshot, call.organization->id()));
  const auto place = query::find_event(snapshot, projects, call.path_text("event_id"));
  const auto view = place ? load_event(api, snapshot, *place) : std::nullopt;
  if (!view || view->row.issue() == 0) return Reply::not_found();
  const auto rows = load_issue(snapshot, call.organization->id(), view->row.issue());
  if (!rows) return Reply::not_found();
  return Reply::json(json::object{
      {"organizationSlug", call.organization->slug()},
      {"projectSlug", rows->project.slug()},
      {"groupId", std::to_string(rows->issue.id())},
      {"eventId", view->event_id},
      {"event", render_event(api, call, snapshot, *view)},
  });
}

Reply issue_hashes(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto rows = find_path_issue(snapshot, call);
  if (!rows) return Reply::not_found();
  const bool full = call.query.text("full") != "false" && call.query.text("full") != "0";
  constexpr std::size_t most = 1000;
  std::vector<std::pair<std::string, std::string>> hashes;
  for_each(snapshot, buffer::Table::hashes_by_issue, buffer::Key().u64(rows->issue.id()), [&](std::string_view hash, std::string_view event) {
    hashes.emplace_back(hash, event);
    return hashes.size() < most;
  });
  const auto parsed = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& page = std::get<Page>(parsed);
  json::array shown;
  const auto from = std::min<std::size_t>(page.offset, hashes.size());
  const auto to = std::min(from + page.per_page, hashes.size());
  for (auto i = from; i < to; ++i) {
    shown.push_back(json::object{{"id", relay::render_hex(hashes[i].first)},
                                 {"latestEvent", render_event_by_id(api, call, snapshot, rows->project.id(), hashes[i].second, full)},
                                 {"mergedBySeer", false},
                                 {"seerMatchDistance", nullptr}});
  }
  auto reply = Reply::json(std::move(shown));
  add_links(reply, api, call, page, to - from, to < hashes.size());
  return reply;
}

}  // namespace

std::vector<Route> issue_routes() {
  const std::vector<std::string_view> read = {"event:read", "event:write", "event:admin"};
  const std::vector<std::string_view> write = {"event:write", "event:admin"};
  const std::vector<std::string_view> admin = {"event:admin"};
  const std::vector<std::string_view> organization = {"org:read", "org:write", "org:admin", "event:read"};
  return {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/issues/", read, list_issues},
      {"PUT", "/api/0/organizations/{organization_id_or_slug}/issues/", write, change_issues},
      {"DELETE", "/api/0/organizations/{organization_id_or_slug}/issues/", admin, delete_issues},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/issues/", read, list_issues},
      {"PUT", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/issues/", write, change_issues},
      {"DELETE", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/issues/", admin, delete_issues},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/", read, get_issue},
      {"PUT", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/", write, change_issue},
      {"DELETE", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/", admin, delete_issue},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/hashes/", read, issue_hashes},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/shortids/{issue_id}/", read, resolve_short_id},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/eventids/{event_id}/", organization, resolve_event_id},
      {"GET", "/api/0/issues/{issue_id}/", read, by_issue<get_issue>},
      {"PUT", "/api/0/issues/{issue_id}/", write, by_issue<change_issue>},
      {"DELETE", "/api/0/issues/{issue_id}/", admin, by_issue<delete_issue>},
      {"GET", "/api/0/issues/{issue_id}/hashes/", read, by_issue<issue_hashes>},
  };
}

}  // namespace picket::rest

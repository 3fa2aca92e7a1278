// Tags and their values, of issues and of projects.
#include "api/digest/derived_tags.h"
#include "api/query/pattern.h"
#include "api/rest/issue_rows.h"
#include "api/rest/issue_tags.h"
#include "api/rest/router.h"

#include <algorithm>
#include <map>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::Table;

constexpr std::size_t top_values = 10;

TagKind asked_kind(const Call& call) {
  return call.query.text("useFlagsBackend") == "1" ? TagKind::flags : TagKind::tags;
}

// The key of the path, as it is stored.
std::string asked_key(const Call& call) {
  const auto key = plain_tag_key(call.path_text("key"));
  return asked_kind(call) == TagKind::flags ? digest::flag_key(key) : std::string(key);
}

Reply issue_tags(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto rows = find_path_issue(snapshot, call);
  if (!rows) return Reply::not_found();
  return Reply::json(render_tag_summaries(snapshot, rows->issue.id(), top_values, asked_kind(call)));
}

Reply issue_tag(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto rows = find_path_issue(snapshot, call);
  if (!rows) return Reply::not_found();
  const auto tag = read_tag(snapshot, Table::issue_tags, rows->issue.id(), asked_key(call));
  if (tag.values.empty()) return Reply::not_found();
  return Reply::json(render_tag(tag, top_values));
}

bool sort_values(std::vector<TagValue>& values, std::string_view order) {
  const auto by = [&](auto read) {
    std::stable_sort(values.begin(), values.end(), [&](const TagValue& a, const TagValue& b) { return read(a) > read(b); });
  };
  if (order == "count") return true;  // as read
  if (order.empty() || order == "date" || order == "id") {
    by([](const TagValue& value) { return value.count.last_seen_ms(); });
    return true;
  }
  if (order == "age") {
    by([](const TagValue& value) { return value.count.first_seen_ms(); });
    return true;
  }
  return false;
}

Reply list_values(const Api& api, const Call& call, TagValues tag) {
  if (!sort_values(tag.values, call.query.text("sort"))) {
    return Reply::error(400, "Invalid sort: one of age, count, date and id is expected.");
  }
  const auto part = query::lower_ascii(call.query.text("query"));
  json::array values;
  for (const auto& value : tag.values) {
    if (!part.empty() && query::lower_ascii(value.value).find(part) == std::string::npos) continue;
    values.push_back(render_tag_value(tag.key, value));
  }
  return paginate(api, call, std::move(values));
}

Reply issue_tag_values(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto rows = find_path_issue(snapshot, call);
  if (!rows) return Reply::not_found();
  return list_values(api, call, read_tag(snapshot, Table::issue_tags, rows->issue.id(), asked_key(call)));
}

Reply project_tags(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  json::array tags;
  for (const auto& key : tag_keys(snapshot, Table::project_tags, call.project->id(), asked_kind(call))) {
    auto shown = render_tag(read_tag(snapshot, Table::project_tags, call.project->id(), key), 0);
    shown["canDelete"] = false;
    tags.push_back(std::move(shown));
  }
  return Reply::json(std::move(tags));
}

Reply project_tag_values(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  return list_values(api, call, read_tag(snapshot, Table::project_tags, call.project->id(), asked_key(call)));
}

Reply organization_tags(Api& api, const Call& call) {
  const auto selected = selected_projects(api, call);
  if (const auto* refusal = std::get_if<Reply>(&selected)) return *refusal;
  const auto period = parse_period(call.query, api.clock.now());
  if (const auto* refusal = std::get_if<Reply>(&period)) return *refusal;
  const auto snapshot = api.tables.snapshot();
  const auto kind = asked_kind(call);
  std::map<std::string, std::uint64_t> totals;
  for (const auto& project : std::get<std::vector<schema::Project>>(selected)) {
    for (const auto& key : tag_keys(snapshot, Table::project_tags, project.id(), kind)) {
      totals[key] += read_tag(snapshot, Table::project_tags, project.id(), key).total;
    }
  }
  json::array tags;
  for (const auto& [key, total] : totals) {
    const std::string name(kind == TagKind::flags ? digest::flag_name(key) : std::string_view(key));
    tags.push_back(json::object{{"key", name}, {"name", kind == TagKind::flags ? name : tag_label(name)}, {"totalValues", total}});
  }
  return Reply::json(std::move(tags));
}

}  // namespace

std::vector<Route> tag_routes() {
  const std::vector<std::string_view> read_issues = {"event:read", "event:write", "event:admin"};
  const std::vector<std::string_view> read_project = {"project:read", "project:write", "project:admin"};
  const std::vector<std::string_view> read_organization = {"org:read", "org:write", "org:admin"};
  return {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/tags/", read_issues, issue_tags},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/tags/{key}/", read_issues, issue_tag},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/tags/{key}/values/", read_issues, issue_tag_values},
      {"GET", "/api/0/issues/{issue_id}/tags/", read_issues, by_issue<issue_tags>},
      {"GET", "/api/0/issues/{issue_id}/tags/{key}/", read_issues, by_issue<issue_tag>},
      {"GET", "/api/0/issues/{issue_id}/tags/{key}/values/", read_issues, by_issue<issue_tag_values>},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/tags/", read_project, project_tags},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/tags/{key}/values/", read_project, project_tag_values},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/tags/", read_organization, organization_tags},
  };
}

}  // namespace picket::rest

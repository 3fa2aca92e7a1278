// Notes that people leave on an issue, and everything that happened to it.
#include "api/rest/changes.h"
#include "api/rest/fields.h"
#include "api/rest/issue_endpoints.h"
#include "api/rest/issue_rows.h"

#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::Table;

constexpr std::size_t most_activities = 1000;

json::object render_note(const buffer::Reader& reader, std::uint64_t issue, const schema::Activity& note) {
  auto shown = render_activity(reader, note);
  shown["issue"] = std::to_string(issue);
  return shown;
}

std::uint64_t caller_id(const Call& call) {
  return call.caller.user ? call.caller.user->id() : 0;
}

// Whoever writes about an issue wants to hear of it, unless they have said otherwise.
void subscribe(buffer::Batch& batch, std::uint64_t issue, std::uint64_t user) {
  if (user == 0) return;
  const auto key = Key().u64(issue).u64(user);
  auto mark = find_row<schema::IssueMark>(batch, Table::issue_marks, key).value_or(schema::IssueMark());
  if (mark.subscribed() || !mark.reason().empty()) return;
  mark.set_subscribed(true);
  mark.set_reason("commented");
  buffer::put_row(batch, Table::issue_marks, key, mark);
}

std::optional<std::string> read_text(const Call& call, std::optional<Reply>& refusal) {
  Fields fields(call);
  auto text = fields.text("text", {.most = 16'384, .required = true});
  refusal = fields.refusal();
  return text;
}

Reply list_notes(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto rows = find_path_issue(snapshot, call);
  if (!rows) return Reply::not_found();
  json::array notes;
  for (const auto& activity : activities_of(snapshot, rows->issue.id(), most_activities)) {
    if (activity.type() == "note") notes.push_back(render_note(snapshot, rows->issue.id(), activity));
  }
  return paginate(api, call, std::move(notes));
}

Reply add_note(Api& api, const Call& call) {
  const auto rows = find_path_issue(api.tables.snapshot(), call);
  if (!rows) return Reply::not_found();
  std::optional<Reply> refusal;
  const auto text = read_text(call, refusal);
  if (refusal) return *std::move(refusal);
  const auto id = rows->issue.id();
  schema::Activity note;
  note.set_type("note");
  note.set_at_ms(to_ms(api.clock.now()));
  note.set_user(caller_id(call));
  note.set_data_json(json::serialize(json::object{{"text", *text}}));
  refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    auto issue = find_row<schema::Issue>(batch, Table::issues, Key().u64(id));
    if (!issue || issue->merged_into() != 0) return Reply::not_found();
    issue->set_num_comments(issue->num_comments() + 1);
    buffer::put_row(batch, Table::issues, Key().u64(id), *issue);
    note = add_activity(batch, id, std::move(note));
    subscribe(batch, id, note.user());
    return std::nullopt;
  });
  if (refusal) return *std::move(refusal);
  return Reply::json(render_note(api.tables.snapshot(), id, note), 201);
}

struct FoundNote {
  std::string key;
  schema::Activity note;
};
// A note of the caller's own; others' are not found.
std::optional<FoundNote> find_own_note(const buffer::Reader& reader, std::uint64_t issue, const Call& call) {
  const auto id = parse_id(call.path_text("note_id"));
  const auto prefix = Key().u64(issue);
  std::optional<FoundNote> found;
  for_each(reader, Table::activities, prefix, [&](std::string_view rest, std::string_view value) {
    auto activity = buffer::parse_row<schema::Activity>(value);
    if (!id || activity.id() != *id) return true;
    if (activity.type() == "note" && activity.user() == caller_id(call)) found = {std::string(Key(prefix).raw(rest).view()), std::move(activity)};
    return false;
  });
  return found;
}

Reply change_note(Api& api, const Call& call) {
  const auto rows = find_path_issue(api.tables.snapshot(), call);
  if (!rows) return Reply::not_found();
  std::optional<Reply> refusal;
  const auto text = read_text(call, refusal);
  if (refusal) return *std::move(refusal);
  std::optional<FoundNote> found;
  refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    found = find_own_note(batch, rows->issue.id(), call);
    if (!found) return Reply::not_found();
    found->note.set_data_json(json::serialize(json::object{{"text", *text}}));
    buffer::put_row(batch, Table::activities, found->key, found->note);
    return std::nullopt;
  });
  if (refusal) return *std::move(refusal);
  return Reply::json(render_note(api.tables.snapshot(), rows->issue.id(), found->note));
}

Reply delete_note(Api& api, const Call& call) {
  const auto rows = find_path_issue(api.tables.snapshot(), call);
  if (!rows) return Reply::not_found();
  const auto id = rows->issue.id();
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    const auto found = find_own_note(batch, id, call);
    auto issue = find_row<schema::Issue>(batch, Table::issues, Key().u64(id));
    if (!found || !issue) return Reply::not_found();
    batch.remove(Table::activities, found->key);
    issue->set_num_comments(issue->num_comments() == 0 ? 0 : issue->num_comments() - 1);
    buffer::put_row(batch, Table::issues, Key().u64(id), *issue);
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none(204);
}

Reply list_activities(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto rows = find_path_issue(snapshot, call);
  if (!rows) return Reply::not_found();
  json::array activities;
  for (const auto& activity : activities_of(snapshot, rows->issue.id(), most_activities)) {
    activities.push_back(render_activity(snapshot, activity));
  }
  return Reply::json(json::object{{"activity", std::move(activities)}});
}

// Notes have two names, and issues two paths.
void add_note_routes(std::vector<Route>& routes, std::string_view list, std::string_view one, std::string_view short_list, std::string_view short_one) {
  const std::vector<std::string_view> read = {"event:read", "event:write", "event:admin"};
  const std::vector<std::string_view> write = {"event:write", "event:admin"};
  routes.insert(routes.end(), {
                                  {"GET", list, read, list_notes},
                                  {"POST", list, write, add_note},
                                  {"PUT", one, write, change_note},
                                  {"DELETE", one, write, delete_note},
                                  {"GET", short_list, read, by_issue<list_notes>},
                                  {"POST", short_list, write, by_issue<add_note>},
                                  {"PUT", short_one, write, by_issue<change_note>},
                                  {"DELETE", short_one, write, by_issue<delete_note>},
                              });
}

}  // namespace

std::vector<Route> issue_note_routes() {
  const std::vector<std::string_view> read = {"event:read", "event:write", "event:admin"};
  std::vector<Route> routes = {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/activities/", read, list_activities},
      {"GET", "/api/0/issues/{issue_id}/activities/", read, by_issue<list_activities>},
  };
  add_note_routes(routes, "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/notes/",
                  "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/notes/{note_id}/", "/api/0/issues/{issue_id}/notes/",
                  "/api/0/issues/{issue_id}/notes/{note_id}/");
  add_note_routes(routes, "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/comments/",
                  "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/comments/{note_id}/", "/api/0/issues/{issue_id}/comments/",
                  "/api/0/issues/{issue_id}/comments/{note_id}/");
  return routes;
}

}  // namespace picket::rest

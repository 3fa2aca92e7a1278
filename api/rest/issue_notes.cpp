// Notes that people leave on an issue, and everything that happened to it.
#include "api/rest/changes.h"
#include "api/rest/fields.h"
#include "api/rest/issue_endpoints.h"
#include "api/rest/issue_rows.h"

#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::Key;
using buffer::Table;

constexpr std::size_t most_activities = 1000;

json::object render_note(const buffer::Reader& reader, std::uint64_t issue, const schema::Activity& note) {
  auto shown = render_activity(reader, note);
  shown["issue"] = std::to_string(issue);
  return shown;
}

}  // namespace

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
  Fields fields(call);
  const auto text = fields.text("text", {.most = 16'384, .required = true});
  if (auto refusal = fields.refusal()) return *std::move(refusal);
  const auto id = rows->issue.id();
  schema::Activity note;
  note.set_type("note");
  note.set_at_ms(to_ms(api.clock.now()));
  note.set_user(call.caller.user ? call.caller.user->id() : 0);
  note.set_data_json(json::serialize(json::object{{"text", *text}}));
  auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    auto issue = buffer::find_row<schema::Issue>(batch, Table::issues, Key().u64(id));
    if (!issue) return Reply::not_found();
    issue->set_num_comments(issue->num_comments() + 1);
    buffer::put_row(batch, Table::issues, Key().u64(id), *issue);
    note = add_activity(batch, id, std::move(note));
    return std::nullopt;
  });
  if (refusal) return *std::move(refusal);
  return Reply::json(render_note(api.tables.snapshot(), id, note), 201);
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

}  // namespace picket::rest

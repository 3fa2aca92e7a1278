// What the body of a release's creation or update says, checked.
#include "api/rest/release_rows.h"

namespace picket::rest {

namespace json = boost::json;

namespace {

// One commit with the members that are kept; text is bounded, the rest of what clients send
// dropped.
std::optional<json::object> parse_commit(Fields& fields, const json::value& item) {
  const auto* given = item.if_object();
  const auto* id = given == nullptr ? nullptr : given->if_contains("id");
  if (id == nullptr || !id->is_string() || id->get_string().empty() ||
      id->get_string().size() > 64) {
    fields.fail("commits", "Every commit needs an id of at most 64 characters.");
    return std::nullopt;
  }
  json::object commit;
  for (const std::string_view name :
       {"id", "message", "author_name", "author_email", "repository"}) {
    const auto* value = given->if_contains(name);
    constexpr std::size_t most_bytes = 16 * 1024;
    if (value == nullptr || value->is_null()) continue;
    if (!value->is_string() || value->get_string().size() > most_bytes) {
      fields.fail("commits", std::string(name) + " is not a string, or too long.");
      return std::nullopt;
    }
    commit[name] = *value;
  }
  if (const auto* time = given->if_contains("timestamp"); time != nullptr && time->is_string()) {
    if (const auto ms = fields.time_item("commits", *time)) commit["timestamp"] = render_time(*ms);
  }
  if (const auto* patches = given->if_contains("patch_set");
      patches != nullptr && patches->is_array()) {
    commit["patch_set"] = *patches;
  }
  return commit;
}

}  // namespace

ReleaseChange parse_release_change(Fields& fields) {
  ReleaseChange change;
  change.ref = fields.text("ref", {.most = 250, .required = false, .blank = true});
  change.url = fields.text("url", {.most = 1024, .required = false, .blank = true});
  change.released_ms = fields.time("dateReleased");
  change.started_ms = fields.time("dateStarted");
  if (const auto status = fields.text("status")) {
    if (*status == "open") change.status = 0;
    if (*status == "archived") change.status = 1;
    if (!change.status) fields.fail("status", "Invalid status: use \"open\" or \"archived\".");
  }
  if (const auto* commits = fields.list("commits")) {
    change.commits.emplace();
    for (const auto& item : *commits) {
      auto commit = parse_commit(fields, item);
      if (!commit) break;
      change.commits->push_back(*std::move(commit));
    }
  }
  const auto* refs = fields.list("refs");
  if (refs != nullptr) change.refs = *refs;
  return change;
}

void apply(const ReleaseChange& change, schema::Release& release) {
  if (change.ref) release.set_ref(*change.ref);
  if (change.url) release.set_url(*change.url);
  if (change.released_ms) release.set_released_ms(*change.released_ms);
  if (change.started_ms) release.set_started_ms(*change.started_ms);
  if (change.status) release.set_status(*change.status);
  if (change.commits) release.set_commits_json(json::serialize(*change.commits));
  if (change.refs) release.set_refs_json(json::serialize(*change.refs));
}

}  // namespace picket::rest

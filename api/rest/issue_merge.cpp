// Merging issues, taking them apart again, discarding them, and the tombstones of what is discarded.
#include "api/digest/deletion.h"
#include "api/digest/issue_move.h"
#include "api/digest/issue_state.h"
#include "api/rest/changes.h"
#include "api/rest/issue_endpoints.h"
#include "api/rest/issue_render.h"
#include "api/rest/issue_request.h"
#include "api/rest/render.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::Table;

// What one request moves at once; the rest follows when the digest has time.
constexpr std::size_t rows_moved_at_once = 40'000;

void follow(Api& api) {
  const auto rest = digest::continue_moves(api.tables, api.journal, rows_moved_at_once);
  if (!rest) log(Level::warning, "rest", "events are yet to follow their issue", {{"reason", rest.error().detail}});
}

using Issues = std::vector<std::pair<schema::Issue, std::uint64_t>>;  // and how often it was seen

Issues load(const buffer::Reader& reader, const std::vector<std::uint64_t>& ids) {
  Issues issues;
  for (const auto id : ids) {
    auto issue = find_row<schema::Issue>(reader, Table::issues, Key().u64(id));
    if (!issue || issue->merged_into() != 0) continue;
    const auto counters = find_row<schema::IssueCounters>(reader, Table::issue_counters, Key().u64(id));
    issues.emplace_back(*std::move(issue), counters ? counters->times_seen() : 0);
  }
  return issues;
}

bool all_errors(const Issues& issues) {
  return std::all_of(issues.begin(), issues.end(), [](const auto& each) { return digest::category_of_type(each.first.issue_type()) == "error"; });
}

std::optional<Reply> refuse_merge(const buffer::Reader& reader, const Issues& issues) {
  if (!all_errors(issues)) return Reply::error(400, "Only error issues can be merged.");
  if (issues.size() < 2) return Reply::error(400, "At least two issues are needed to merge.");
  for (const auto& [issue, seen] : issues) {
    if (issue.project() != issues.front().first.project()) return Reply::error(400, "Merging across multiple projects is not supported.");
    if (digest::is_moving(reader, issue.id())) return Reply::error(409, "Events are on their way to or from one of these issues; try again in a moment.");
  }
  return std::nullopt;
}

std::optional<digest::GroupingHash> parse_hash(std::string_view text) {
  digest::GroupingHash hash;
  if (text.size() != 2 * hash.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < hash.bytes.size(); ++i) {
    const auto high = relay::hex_digit(text[2 * i]);
    const auto low = relay::hex_digit(text[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    hash.bytes[i] = static_cast<std::uint8_t>(*high * 16 + *low);
  }
  return hash;
}

std::uint64_t caller_id(const Call& call) {
  return call.caller.user ? call.caller.user->id() : 0;
}

json::object render_tombstone(const buffer::Reader& reader, const schema::Tombstone& stone) {
  std::optional<schema::User> user;
  if (stone.user() != 0) user = find_row<schema::User>(reader, Table::users, Key().u64(stone.user()));
  return {
      {"id", std::to_string(stone.id())},
      {"level", digest::wire_name(digest::level_of_number(stone.level()))},
      {"message", stone.title()},
      {"culprit", stone.culprit()},
      {"type", stone.type().empty() ? "default" : stone.type()},
      {"metadata", parse_options(stone.metadata_json())},
      {"actor", user ? json::value(render_user(*user)) : json::value(nullptr)},
      {"dateAdded", render_time(stone.created_ms())},
  };
}

}  // namespace

bool asks_for(const Call& call, std::string_view name) {
  const auto* value = call.field(name);
  if (!value) return false;
  return (value->is_bool() && value->get_bool()) || (value->is_int64() && value->get_int64() != 0);
}

Reply merge_selected(Api& api, const Call& call, const std::vector<std::uint64_t>& ids) {
  std::uint64_t parent = 0;
  json::array children;
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    const auto issues = load(batch, ids);
    if (auto refused = refuse_merge(batch, issues)) return refused;
    const auto largest = std::max_element(issues.begin(), issues.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second, a.first.id()) < std::pair(b.second, b.first.id());
    });
    parent = largest->first.id();
    json::array merged;
    std::vector<std::uint64_t> sources;
    for (const auto& [issue, seen] : issues) {
      if (issue.id() == parent) continue;
      sources.push_back(issue.id());
      children.emplace_back(std::to_string(issue.id()));
      merged.push_back(json::object{{"id", std::to_string(issue.id())}});
    }
    digest::merge_issues(batch, parent, sources);
    schema::Activity activity;
    activity.set_type("merge");
    activity.set_at_ms(to_ms(api.clock.now()));
    activity.set_user(caller_id(call));
    activity.set_data_json(json::serialize(json::object{{"issues", std::move(merged)}}));
    add_activity(batch, parent, std::move(activity));
    return std::nullopt;
  });
  if (refusal) return *refusal;
  follow(api);
  return Reply::json(json::object{{"merge", json::object{{"parent", std::to_string(parent)}, {"children", std::move(children)}}}});
}

Reply discard_selected(Api& api, const Call& call, const std::vector<std::uint64_t>& ids) {
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    const auto issues = load(batch, ids);
    if (!all_errors(issues)) return Reply::error(400, "Only error issues can be discarded.");
    for (const auto& [issue, seen] : issues) digest::discard_issue(batch, issue, caller_id(call), api.clock.now());
    return std::nullopt;
  });
  if (refusal) return *refusal;
  if (const auto rest = digest::continue_deletions(api.tables, rows_moved_at_once); !rest) {
    log(Level::warning, "rest", "rows of discarded issues remain", {{"reason", rest.error().detail}});
  }
  return Reply::none(204);
}

Reply unmerge_issue(Api& api, const Call& call) {
  const auto rows = find_path_issue(api.tables.snapshot(), call);
  if (!rows) return Reply::not_found();
  std::vector<digest::GroupingHash> hashes;
  for (const auto text : call.query.all("id")) {
    const auto hash = parse_hash(text);
    if (!hash) return Reply::error(400, "Hashes have 32 hex digits.");
    hashes.push_back(*hash);
  }
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  const auto now_ms = to_ms(api.clock.now());
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    const auto issue = find_row<schema::Issue>(batch, Table::issues, Key().u64(rows->issue.id()));
    if (!issue || issue->merged_into() != 0) return Reply::not_found();
    if (digest::is_moving(batch, issue->id())) return Reply::error(409, "Events are on their way to or from this issue; try again in a moment.");
    std::erase_if(hashes, [&](const digest::GroupingHash& hash) {
      return !batch.get(Table::hashes_by_issue, Key().u64(issue->id()).raw(relay::raw_bytes(hash)));
    });
    if (hashes.empty()) return Reply::error(400, "None of the hashes is the issue's.");
    std::size_t all = 0;
    for_each(batch, Table::hashes_by_issue, Key().u64(issue->id()), [&](std::string_view, std::string_view) { return ++all <= hashes.size(); });
    if (all == hashes.size()) return Reply::error(400, "An issue keeps one of its hashes.");
    const auto made = digest::split_issue(batch, *issue, hashes);
    const auto note = [&](std::uint64_t on, std::string_view type, std::string_view name, std::uint64_t other) {
      schema::Activity activity;
      activity.set_type(std::string(type));
      activity.set_at_ms(now_ms);
      activity.set_user(caller_id(call));
      json::array fingerprints;
      for (const auto& hash : hashes) fingerprints.emplace_back(relay::render_hash(hash));
      activity.set_data_json(json::serialize(json::object{{"fingerprints", std::move(fingerprints)}, {name, std::to_string(other)}}));
      add_activity(batch, on, std::move(activity));
    };
    note(issue->id(), "unmerge_source", "destination", made);
    note(made, "unmerge_destination", "source", issue->id());
    return std::nullopt;
  });
  if (refusal) return *refusal;
  follow(api);
  return Reply::none(202);
}

namespace {

Reply list_tombstones(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  json::array shown;
  for_each(snapshot, Table::tombstones, Key().u64(call.project->id()), [&](std::string_view, std::string_view value) {
    shown.push_back(render_tombstone(snapshot, buffer::parse_row<schema::Tombstone>(value)));
    return true;
  });
  return paginate(api, call, std::move(shown));
}

Reply delete_tombstone(Api& api, const Call& call) {
  const auto id = parse_id(call.path_text("tombstone_id"));
  bool removed = false;
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    removed = id && digest::remove_tombstone(batch, call.project->id(), *id);
    return removed ? std::nullopt : std::optional(Reply::not_found());
  });
  return refusal ? *refusal : Reply::none(204);
}

}  // namespace

std::vector<Route> issue_merge_routes() {
  const std::vector<std::string_view> read = {"project:read", "project:write", "project:admin"};
  const std::vector<std::string_view> admin = {"project:write", "project:admin"};
  const std::vector<std::string_view> unmerge = {"event:admin"};
  return {
      {"DELETE", "/api/0/organizations/{organization_id_or_slug}/issues/{issue_id}/hashes/", unmerge, unmerge_issue},
      {"DELETE", "/api/0/issues/{issue_id}/hashes/", unmerge, by_issue<unmerge_issue>},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/tombstones/", read, list_tombstones},
      {"DELETE", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/tombstones/{tombstone_id}/", admin, delete_tombstone},
  };
}

}  // namespace picket::rest

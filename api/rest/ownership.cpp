// A project's ownership rules: who owns what goes wrong where. One rule a line,
//
//   path:src/checkout/*  jane@example.com #payments
//   tags.transaction:"/checkout/:page"  #payments
//
// What they match stands in api/digest/ownership.h.
#include "api/digest/ownership.h"
#include "api/digest/derived_tags.h"
#include "api/query/people.h"
#include "api/rest/changes.h"
#include "api/rest/event_view.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::Table;
using digest::AutoAssignment;

constexpr std::size_t longest_rules = 100'000;
constexpr std::array<std::pair<AutoAssignment, std::string_view>, 3> assignments = {{
    {AutoAssignment::owner, "Auto Assign to Issue Owner"},
    {AutoAssignment::commits, "Auto Assign to Suspect Commits"},
    {AutoAssignment::off, "Turn off Auto-Assignment"},
}};

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

// Takes the next word; one that begins with a quote goes on to the next quote.
std::string take_word(std::string_view& line) {
  std::size_t from = 0;
  while (from < line.size() && is_space(line[from])) ++from;
  std::string word;
  bool quoted = false;
  std::size_t at = from;
  for (; at < line.size() && (quoted || !is_space(line[at])); ++at) {
    if (line[at] == '"') {
      quoted = !quoted;
    } else {
      word += line[at];
    }
  }
  line.remove_prefix(at);
  return word;
}

bool is_matcher(std::string_view word) {
  return word == "path" || word == "module" || word == "url" || word == "codeowners" || (word.starts_with("tags.") && word.size() > 5);
}

struct ParsedRules {
  std::vector<schema::OwnershipRule> rules;
  std::string trouble;  // what is wrong with the first line that is no rule
};

ParsedRules parse_rules(std::string_view raw) {
  ParsedRules parsed;
  for (std::size_t number = 1; !raw.empty(); ++number) {
    auto line = raw.substr(0, raw.find('\n'));
    raw.remove_prefix(std::min(raw.size(), line.size() + 1));
    auto word = take_word(line);
    if (word.empty() || word.starts_with('#')) continue;
    schema::OwnershipRule rule;
    const auto colon = word.find(':');
    const auto type = word.substr(0, colon == std::string::npos ? 0 : colon);
    const bool typed = is_matcher(type);
    rule.set_matcher(typed ? type : "path");
    rule.set_pattern(typed ? word.substr(colon + 1) : word);
    for (auto owner = take_word(line); !owner.empty(); owner = take_word(line)) {
      const bool team = owner.starts_with('#');
      if (!team && owner.find('@') == std::string::npos) {
        parsed.trouble = "Parse error: line " + std::to_string(number) + ": \"" + owner + "\" is neither an e-mail address nor a #team";
        return parsed;
      }
      rule.add_owners()->set_name(team ? owner.substr(1) : owner);
      // Marks a team until it is looked up.
      if (team) rule.mutable_owners(rule.owners_size() - 1)->set_team(1);
    }
    if (rule.pattern().empty() || rule.owners().empty()) {
      parsed.trouble = "Parse error: line " + std::to_string(number) + ": a pattern and at least one owner are needed";
      return parsed;
    }
    parsed.rules.push_back(std::move(rule));
  }
  return parsed;
}

// Finds who is meant. Returns those that nobody of the organization is, or whose team has no access.
std::string resolve_owners(const buffer::Reader& reader, const Call& call, std::vector<schema::OwnershipRule>& rules) {
  std::string unknown;
  for (auto& rule : rules) {
    for (auto& owner : *rule.mutable_owners()) {
      bool found = false;
      if (owner.team() != 0) {
        const auto team = query::find_team(reader, call.organization->id(), owner.name());
        found = team && reader.get(Table::team_projects, Key().u64(team->id()).u64(call.project->id()));
        owner.set_team(found ? team->id() : 1);
      } else if (const auto user = query::find_member_user(reader, call.organization->id(), owner.name())) {
        found = true;
        owner.set_user(user->id());
      }
      if (found) continue;
      const auto name = (owner.team() != 0 ? "#" : "") + owner.name();
      if (("," + unknown + ",").find("," + name + ",") == std::string::npos) unknown += (unknown.empty() ? "" : ",") + name;
    }
  }
  return unknown;
}

json::array render_owners(const schema::OwnershipRule& rule) {
  json::array owners;
  for (const auto& owner : rule.owners()) {
    const bool team = owner.team() != 0;
    owners.push_back(json::object{{"type", team ? "team" : "user"}, {"id", std::to_string(team ? owner.team() : owner.user())}, {"name", owner.name()}});
  }
  return owners;
}

json::object render_rule(const schema::OwnershipRule& rule) {
  return {{"matcher", json::object{{"type", rule.matcher()}, {"pattern", rule.pattern()}}}, {"owners", render_owners(rule)}};
}

json::object render_ownership(const schema::Ownership& row) {
  json::value rules(nullptr);
  if (row.rules_size() > 0) {
    json::array list;
    for (const auto& rule : row.rules()) list.push_back(render_rule(rule));
    rules = json::object{{"$version", 1}, {"rules", std::move(list)}};
  }
  std::string_view assignment;
  for (const auto& [value, words] : assignments) {
    if (static_cast<std::uint32_t>(value) == row.auto_assignment()) assignment = words;
  }
  return {
      {"raw", row.raw()},
      {"fallthrough", row.fallthrough()},
      {"dateCreated", render_time(row.created_ms())},
      {"lastUpdated", render_time(row.updated_ms())},
      {"isActive", true},
      {"autoAssignment", assignment},
      {"codeownersAutoSync", row.codeowners_sync()},
      {"schema", std::move(rules)},
  };
}

// What a project has that nobody has set rules for.
schema::Ownership ownership_of(const buffer::Reader& reader, const schema::Project& project) {
  if (auto row = find_row<schema::Ownership>(reader, Table::ownership, Key().u64(project.id()))) return *std::move(row);
  schema::Ownership row;
  row.set_fallthrough(true);
  row.set_auto_assignment(static_cast<std::uint32_t>(AutoAssignment::owner));
  row.set_codeowners_sync(true);
  row.set_created_ms(project.created_ms());
  row.set_updated_ms(project.created_ms());
  return row;
}

Reply get_ownership(Api& api, const Call& call) {
  return Reply::json(render_ownership(ownership_of(api.tables.snapshot(), *call.project)));
}

std::optional<Reply> read_ownership(const buffer::Reader& reader, const Call& call, schema::Ownership& row) {
  Fields fields(call);
  const auto raw = fields.text("raw", {.most = longest_rules, .blank = true});
  const auto fallthrough = fields.flag("fallthrough");
  const auto assignment = fields.text("autoAssignment");
  const auto sync = fields.flag("codeownersAutoSync");
  if (assignment) {
    const auto found = std::find_if(assignments.begin(), assignments.end(), [&](const auto& each) { return each.second == *assignment; });
    if (found == assignments.end()) {
      fields.fail("autoAssignment", "Invalid selection.");
    } else {
      row.set_auto_assignment(static_cast<std::uint32_t>(found->first));
    }
  }
  if (raw) {
    auto parsed = parse_rules(*raw);
    const auto unknown = parsed.trouble.empty() ? resolve_owners(reader, call, parsed.rules) : std::string();
    if (!parsed.trouble.empty()) fields.fail("raw", parsed.trouble);
    if (!unknown.empty()) fields.fail("raw", "Invalid rule owners: " + unknown);
    row.set_raw(*raw);
    row.clear_rules();
    for (auto& rule : parsed.rules) *row.add_rules() = std::move(rule);
  }
  if (fallthrough) row.set_fallthrough(*fallthrough);
  if (sync) row.set_codeowners_sync(*sync);
  return fields.refusal();
}

Reply put_ownership(Api& api, const Call& call) {
  schema::Ownership row;
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    row = ownership_of(batch, *call.project);
    if (auto refused = read_ownership(batch, call, row)) return refused;
    const auto now_ms = to_ms(api.clock.now());
    if (!batch.get(Table::ownership, Key().u64(call.project->id()))) row.set_created_ms(now_ms);
    row.set_updated_ms(now_ms);
    digest::put_ownership(batch, call.project->id(), row);
    return std::nullopt;
  });
  if (refusal) return *refusal;
  return Reply::json(render_ownership(row), 202);
}

// Whose one event is, and by which rule.
Reply event_owners(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto place = query::find_event(snapshot, std::vector{call.project->id()}, call.path_text("event_id"));
  const auto view = place ? load_event(api, snapshot, *place) : std::nullopt;
  if (!view) return Reply::error(404, "Event not found");
  const auto ownership = ownership_of(snapshot, *call.project);
  digest::TextArena arena;
  const auto tags = digest::tags_of(view->event, arena);
  const auto* rule = digest::owning_rule(ownership, view->event, tags);
  json::array matching;
  for (const auto& each : ownership.rules()) {
    if (digest::matches_rule(each, view->event, tags)) matching.push_back(render_rule(each));
  }
  return Reply::json(json::object{
      {"owners", rule ? render_owners(*rule) : json::array()},
      {"rule", rule ? json::value(json::array{rule->matcher(), rule->pattern()}) : json::value(nullptr)},
      {"rules", std::move(matching)},
  });
}

}  // namespace

std::vector<Route> ownership_routes() {
  const std::vector<std::string_view> read = {"project:read", "project:write", "project:admin"};
  const std::vector<std::string_view> write = {"project:write", "project:admin"};
  return {
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/ownership/", read, get_ownership},
      {"PUT", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/ownership/", write, put_ownership},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/events/{event_id}/owners/", read, event_owners},
  };
}

}  // namespace picket::rest
